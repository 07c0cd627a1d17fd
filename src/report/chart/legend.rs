//! The legend beneath a chart, in as many columns as have room.

use anyhow::Result;
use plotters::style::{Color, RGBColor};

use super::canvas::{BAND_OPACITY, Canvas, Place, Side, Stroke, WIDTH, fitting, width_of};
use super::colours::FOREGROUND;
use super::marker::Shape;

/// The height of a line of the legend.
const LINE: i32 = 28;
/// The width of a sample, and of what keeps columns apart.
const SAMPLE: i32 = 44;
const GAP: i32 = 24;

/// What is shown before words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sample {
    /// A line, the mark of its points, or both.
    Line(Option<Stroke>, RGBColor, Option<(Shape, bool)>),
    /// A mark.
    Mark(Shape),
    /// A filled patch.
    Patch(RGBColor),
    /// A band around a line.
    Band,
    /// A ring.
    Ring,
}

/// Samples and what they stand for.
#[derive(Debug, Default)]
pub struct Legend(Vec<(Sample, String)>);

impl Legend {
    pub fn add(&mut self, sample: Sample, words: &str) {
        self.0.push((sample, fitting(words, WIDTH - SAMPLE - GAP)));
    }

    fn columns(&self) -> i32 {
        let widest = self.0.iter().map(|(_, words)| width_of(words)).max().unwrap_or(0);
        ((WIDTH + GAP) / (SAMPLE + widest + GAP)).clamp(1, 4)
    }

    /// How high it is.
    pub fn height(&self) -> i32 {
        let entries = i32::try_from(self.0.len()).unwrap_or(i32::MAX / LINE);
        LINE * (entries + self.columns() - 1).div_euclid(self.columns())
    }

    /// Draws it, from this height downwards.
    pub fn draw(&self, canvas: &Canvas<'_>, top: i32) -> Result<()> {
        let columns = self.columns();
        for (i, (sample, words)) in (0..).zip(&self.0) {
            let at = ((i % columns) * (WIDTH / columns), top + LINE / 2 + (i / columns) * LINE);
            draw_sample(canvas, *sample, at)?;
            canvas.words(words, (at.0 + SAMPLE, at.1), Side::Right, FOREGROUND.light)?;
        }
        Ok(())
    }
}

fn draw_sample(canvas: &Canvas<'_>, sample: Sample, (x, y): Place) -> Result<()> {
    let (right, middle) = (x + 34, x + 17);
    match sample {
        Sample::Line(stroke, colour, mark) => {
            if let Some(stroke) = stroke {
                canvas.line(&[(x, y), (right, y)], stroke, colour)?;
            }
            if let Some((shape, filled)) = mark {
                canvas.mark(shape, (middle, y), filled, colour)?;
            }
            Ok(())
        }
        Sample::Mark(shape) => canvas.mark(shape, (middle, y), true, FOREGROUND.light),
        Sample::Patch(colour) => canvas.rectangle((x + 8, y - 8), (x + 28, y + 8), colour),
        Sample::Ring => canvas.ring((middle, y), FOREGROUND.light),
        Sample::Band => {
            canvas.rectangle((x, y - 8), (right, y + 8), FOREGROUND.light.mix(BAND_OPACITY))
        }
    }
}

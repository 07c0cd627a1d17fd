//! The legend below a chart, in as many columns as fit.

use anyhow::Result;
use plotters::style::{Color, RGBColor};

use super::canvas::{Anchor, BAND_OPACITY, Canvas, Pixel, Stroke, WIDTH, text_width, truncated};
use super::colors::FOREGROUND;
use super::markers::Shape;

/// The height of an entry, in pixels.
const ENTRY_HEIGHT: i32 = 28;
/// The width of a key and the gap behind it, in pixels.
const KEY_WIDTH: i32 = 44;
/// The gap between columns, in pixels.
const COLUMN_GAP: i32 = 24;
const MAX_COLUMNS: i32 = 4;

/// The symbol before the text of an entry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LegendKey {
    /// A line, a marker (its shape, and whether it is filled), or both.
    Line(Option<Stroke>, RGBColor, Option<(Shape, bool)>),
    Marker(Shape),
    /// A filled rectangle.
    Patch(RGBColor),
    /// An interval band.
    Band,
    /// The ring around a crossing.
    Ring,
}

/// The entries of the legend.
#[derive(Debug, Default)]
pub struct Legend(Vec<(LegendKey, String)>);

impl Legend {
    pub fn add(&mut self, key: LegendKey, text: &str) {
        self.0.push((key, truncated(text, WIDTH - KEY_WIDTH - COLUMN_GAP)));
    }

    fn columns(&self) -> i32 {
        let widest = self.0.iter().map(|(_, text)| text_width(text)).max().unwrap_or(0);
        ((WIDTH + COLUMN_GAP) / (KEY_WIDTH + widest + COLUMN_GAP)).clamp(1, MAX_COLUMNS)
    }

    /// The height in pixels.
    pub fn height(&self) -> i32 {
        let entries = i32::try_from(self.0.len()).unwrap_or(i32::MAX / ENTRY_HEIGHT);
        ENTRY_HEIGHT * (entries + self.columns() - 1).div_euclid(self.columns())
    }

    /// Draws the legend downward from `top`.
    pub fn draw(&self, canvas: &Canvas<'_>, top: i32) -> Result<()> {
        let columns = self.columns();
        for (i, (key, text)) in (0..).zip(&self.0) {
            let x = (i % columns) * (WIDTH / columns);
            let y = top + ENTRY_HEIGHT / 2 + (i / columns) * ENTRY_HEIGHT;
            draw_key(canvas, *key, (x, y))?;
            canvas.text(text, (x + KEY_WIDTH, y), Anchor::Start, FOREGROUND.light)?;
        }
        Ok(())
    }
}

fn draw_key(canvas: &Canvas<'_>, key: LegendKey, (x, y): Pixel) -> Result<()> {
    let (right, middle) = (x + 34, x + 17);
    match key {
        LegendKey::Line(stroke, color, marker) => {
            if let Some(stroke) = stroke {
                canvas.line(&[(x, y), (right, y)], stroke, color)?;
            }
            if let Some((shape, filled)) = marker {
                canvas.marker(shape, (middle, y), filled, color)?;
            }
            Ok(())
        }
        LegendKey::Marker(shape) => canvas.marker(shape, (middle, y), true, FOREGROUND.light),
        LegendKey::Patch(color) => canvas.rectangle((x + 8, y - 8), (x + 28, y + 8), color),
        LegendKey::Ring => canvas.ring((middle, y), FOREGROUND.light),
        LegendKey::Band => {
            canvas.rectangle((x, y - 8), (right, y + 8), FOREGROUND.light.mix(BAND_OPACITY))
        }
    }
}

//! Charts with lines: values over any axis.

use anyhow::{Result, bail};

use super::canvas::{About, Canvas, Place, Side, Stroke, WIDTH, picture, rounded, width_of};
use super::colours::{FOREGROUND, GRID, SECONDARY_TEXT};
use super::crossings::Rings;
use super::legend::{Legend, Sample};
use super::marker::Shape;
use super::markers::Line;
use super::scale::Scale;

/// The height between the axes' ends.
const HEIGHT: i32 = 340;
/// From the top of the picture to the axes: the title of the upright axis.
const TOP: i32 = 50;
/// Beneath the axes: numbers and title of the level one.
const BENEATH: i32 = 74;
const BAND: &str = "95 % interval";

/// An axis: what it is called, its scale, and how its values are written.
pub struct Axis {
    pub title: String,
    pub scale: Scale,
    pub written: fn(f64) -> String,
}

/// A chart.
pub struct LineChart {
    pub about: About,
    pub x: Axis,
    pub y: Axis,
    pub lines: Vec<Line>,
    /// What strokes mean that several lines have.
    pub strokes: Vec<(Stroke, &'static str)>,
    /// Whether the shape of a mark says what bounded its point.
    pub shapes_tell: bool,
    /// Where lines cross that is worth a mark.
    pub rings: Rings,
}

impl LineChart {
    /// Draws it as an SVG document.
    ///
    /// # Errors
    ///
    /// Where there is nothing to draw, or the drawing fails.
    pub fn draw(&self) -> Result<String> {
        if self.lines.iter().all(|line| line.spots.is_empty()) {
            bail!("there is nothing to draw");
        }
        let legend = self.legend();
        let bottom = TOP + HEIGHT + BENEATH;
        picture(bottom + legend.height() + 8, &self.about, |canvas| {
            let frame = Frame { left: self.margin(), chart: self };
            frame.draw_axes(canvas)?;
            let has_band = |line: &&Line| line.has_band();
            for line in self.lines.iter().filter(has_band) {
                frame.draw_band(canvas, line)?;
            }
            for line in &self.lines {
                frame.draw_line(canvas, line)?;
            }
            self.rings.places(&self.lines, |x, y| frame.place(x, y)).into_iter().try_for_each(
                |at| {
                    canvas.line(&[at, (at.0, Frame::BOTTOM)], Stroke::Thin, FOREGROUND.light)?;
                    canvas.ring(at, FOREGROUND.light)
                },
            )?;
            legend.draw(canvas, bottom)
        })
    }

    /// The room for the numbers of the upright axis.
    fn margin(&self) -> i32 {
        let ticks = self.y.scale.ticks(5);
        ticks.iter().map(|tick| width_of(&(self.y.written)(*tick))).max().unwrap_or(0) + 14
    }

    fn legend(&self) -> Legend {
        let mut legend = Legend::default();
        for line in &self.lines {
            let Some(label) = &line.label else { continue };
            let mark = line.spots.iter().find_map(|spot| spot.shape);
            // Where shapes tell something else, that of a series is none of those.
            let mark = mark.map(|shape| if self.shapes_tell { Shape::Disc } else { shape });
            let mark = mark.map(|shape| (shape, line.look.is_filled()));
            let sample = Sample::Line(line.stroke, line.colour(), mark);
            legend.add(sample, label);
        }
        for (stroke, meaning) in &self.strokes {
            legend.add(Sample::Line(Some(*stroke), SECONDARY_TEXT.light, None), meaning);
        }
        let spots = || self.lines.iter().flat_map(|line| &line.spots);
        let shown = |shape: &Shape| spots().any(|spot| spot.shape == Some(*shape));
        for shape in Shape::ALL.into_iter().filter(|shape| self.shapes_tell && shown(shape)) {
            legend.add(Sample::Mark(shape), shape.meaning());
        }
        if self.lines.iter().any(Line::has_band) {
            legend.add(Sample::Band, BAND);
        }
        if let Some(meaning) = self.rings.meaning() {
            legend.add(Sample::Ring, meaning);
        }
        legend
    }
}

/// The chart's axes, laid out.
struct Frame<'a> {
    left: i32,
    chart: &'a LineChart,
}

impl Frame<'_> {
    const RIGHT: i32 = WIDTH - 18;
    const BOTTOM: i32 = TOP + HEIGHT;

    fn place(&self, x: f64, y: f64) -> Place {
        let width = f64::from(Self::RIGHT - self.left);
        let up = f64::from(HEIGHT) * self.chart.y.scale.place(y);
        (self.left + rounded(width * self.chart.x.scale.place(x)), Self::BOTTOM - rounded(up))
    }

    fn draw_axes(&self, canvas: &Canvas<'_>) -> Result<()> {
        let Axis { title, scale, written } = &self.chart.y;
        let title =
            if scale.is_logarithmic() { format!("{title}, log scale") } else { title.clone() };
        canvas.words(&title, (0, 16), Side::Right, SECONDARY_TEXT.light)?;
        for tick in scale.ticks(5) {
            let (_, y) = self.place(0.0, tick);
            canvas.line(&[(self.left, y), (Self::RIGHT, y)], Stroke::Thin, GRID.light)?;
            canvas.words(&written(tick), (self.left - 8, y), Side::Left, SECONDARY_TEXT.light)?;
        }
        canvas.line(
            &[(self.left, Self::BOTTOM), (Self::RIGHT, Self::BOTTOM)],
            Stroke::Thin,
            SECONDARY_TEXT.light,
        )?;
        self.draw_level_axis(canvas)
    }

    /// The level axis: of its ticks those that have room.
    fn draw_level_axis(&self, canvas: &Canvas<'_>) -> Result<()> {
        let Axis { title, scale, written } = &self.chart.x;
        let mut taken = i32::MIN;
        for tick in scale.ticks(8) {
            let (x, y) = self.place(tick, 0.0);
            let words = written(tick);
            let half = width_of(&words) / 2;
            // The last is kept within the picture.
            let middle = x.min(WIDTH - half);
            if middle - half < taken {
                continue;
            }
            taken = middle + half + 12;
            canvas.line(&[(x, y), (x, y + 6)], Stroke::Thin, SECONDARY_TEXT.light)?;
            canvas.words(&words, (middle, y + 22), Side::Around, SECONDARY_TEXT.light)?;
        }
        let middle = i32::midpoint(self.left, Self::RIGHT);
        canvas.words(title, (middle, Self::BOTTOM + 50), Side::Around, SECONDARY_TEXT.light)
    }

    fn draw_band(&self, canvas: &Canvas<'_>, line: &Line) -> Result<()> {
        let end = |upper: bool| {
            line.spots.iter().filter_map(move |spot| {
                let (low, high) = spot.ends?;
                Some(self.place(spot.x, if upper { high } else { low }))
            })
        };
        let around = end(false).chain(end(true).rev()).collect();
        canvas.band(around, line.colour())
    }

    fn draw_line(&self, canvas: &Canvas<'_>, line: &Line) -> Result<()> {
        let places: Vec<_> = line.spots.iter().map(|spot| self.place(spot.x, spot.y)).collect();
        if let Some(stroke) = line.stroke.filter(|_| places.len() > 1) {
            canvas.line(&places, stroke, line.colour())?;
        }
        for (spot, at) in line.spots.iter().zip(&places) {
            if let Some(shape) = spot.shape {
                canvas.mark(shape, *at, line.look.is_filled(), line.colour())?;
            }
        }
        Ok(())
    }
}

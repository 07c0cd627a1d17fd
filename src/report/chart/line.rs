//! Line charts over any axis.

use anyhow::{Result, bail};

use super::canvas::{
    Anchor, Canvas, ChartInfo, Pixel, Stroke, WIDTH, draw_svg, text_width, to_pixels,
};
use super::colors::{FOREGROUND, GRID, SECONDARY_TEXT};
use super::crossings::Crossings;
use super::legend::{Legend, LegendKey};
use super::markers::{Line, Shape};
use super::scale::Scale;

/// The height of the plot area, in pixels.
const PLOT_HEIGHT: i32 = 340;
/// The space above the plot area, in pixels: the title of the y axis.
const TOP_MARGIN: i32 = 50;
/// The space between the plot area and the legend, in pixels: tick labels and title of the x axis.
const BOTTOM_MARGIN: i32 = 74;
const BAND_LABEL: &str = "95 % interval";

/// An axis: its title, its scale, and the format of its values.
pub struct Axis {
    pub title: String,
    pub scale: Scale,
    pub format: fn(f64) -> String,
}

/// A chart of lines.
pub struct LineChart {
    pub info: ChartInfo,
    pub x: Axis,
    pub y: Axis,
    pub lines: Vec<Line>,
    /// Legend entries for strokes that several lines share.
    pub strokes: Vec<(Stroke, &'static str)>,
    /// Whether the shape of a marker shows the bound of its point.
    pub shapes_show_bounds: bool,
    pub crossings: Crossings,
}

impl LineChart {
    /// Draws the chart as an SVG document.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no data points or if drawing fails.
    pub fn draw(&self) -> Result<String> {
        if self.lines.iter().all(|line| line.points.is_empty()) {
            bail!("cannot draw the figure '{}': it has no data points", self.info.title);
        }
        let legend = self.legend();
        let bottom = TOP_MARGIN + PLOT_HEIGHT + BOTTOM_MARGIN;
        draw_svg(bottom + legend.height() + 8, &self.info, |canvas| {
            let plot = PlotArea { left: self.left_margin(), chart: self };
            plot.draw_axes(canvas)?;
            for line in self.lines.iter().filter(|line| line.has_band()) {
                plot.draw_band(canvas, line)?;
            }
            for line in &self.lines {
                plot.draw_line(canvas, line)?;
            }
            for at in self.crossings.positions(&self.lines, |x, y| plot.position(x, y)) {
                canvas.line(&[at, (at.0, PlotArea::BOTTOM)], Stroke::Thin, FOREGROUND.light)?;
                canvas.ring(at, FOREGROUND.light)?;
            }
            legend.draw(canvas, bottom)
        })
    }

    /// The space for the tick labels of the y axis, in pixels.
    fn left_margin(&self) -> i32 {
        let ticks = self.y.scale.ticks(5);
        ticks.iter().map(|tick| text_width(&(self.y.format)(*tick))).max().unwrap_or(0) + 14
    }

    fn legend(&self) -> Legend {
        let mut legend = Legend::default();
        for line in &self.lines {
            let Some(label) = &line.label else { continue };
            let shape = line.points.iter().find_map(|point| point.shape);
            // If shapes show bounds, no shape belongs to the series.
            let shape =
                shape.map(|shape| if self.shapes_show_bounds { Shape::Circle } else { shape });
            let marker = shape.map(|shape| (shape, line.style.is_filled()));
            legend.add(LegendKey::Line(line.stroke, line.color(), marker), label);
        }
        for (stroke, meaning) in &self.strokes {
            legend.add(LegendKey::Line(Some(*stroke), SECONDARY_TEXT.light, None), meaning);
        }
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let is_used = |shape: &Shape| points().any(|point| point.shape == Some(*shape));
        for shape in Shape::ALL.into_iter().filter(|s| self.shapes_show_bounds && is_used(s)) {
            legend.add(LegendKey::Marker(shape), shape.legend());
        }
        if self.lines.iter().any(Line::has_band) {
            legend.add(LegendKey::Band, BAND_LABEL);
        }
        if let Some(meaning) = self.crossings.legend() {
            legend.add(LegendKey::Ring, meaning);
        }
        legend
    }
}

/// The area between the axes.
struct PlotArea<'a> {
    left: i32,
    chart: &'a LineChart,
}

impl PlotArea<'_> {
    const RIGHT: i32 = WIDTH - 18;
    const BOTTOM: i32 = TOP_MARGIN + PLOT_HEIGHT;

    fn position(&self, x: f64, y: f64) -> Pixel {
        let width = f64::from(Self::RIGHT - self.left);
        let up = f64::from(PLOT_HEIGHT) * self.chart.y.scale.position(y);
        let right = width * self.chart.x.scale.position(x);
        (self.left + to_pixels(right), Self::BOTTOM - to_pixels(up))
    }

    fn draw_axes(&self, canvas: &Canvas<'_>) -> Result<()> {
        let Axis { title, scale, format } = &self.chart.y;
        let title =
            if scale.is_logarithmic() { format!("{title}, log scale") } else { title.clone() };
        canvas.text(&title, (0, 16), Anchor::Start, SECONDARY_TEXT.light)?;
        for tick in scale.ticks(5) {
            let (_, y) = self.position(0.0, tick);
            canvas.line(&[(self.left, y), (Self::RIGHT, y)], Stroke::Thin, GRID.light)?;
            canvas.text(&format(tick), (self.left - 8, y), Anchor::End, SECONDARY_TEXT.light)?;
        }
        canvas.line(
            &[(self.left, Self::BOTTOM), (Self::RIGHT, Self::BOTTOM)],
            Stroke::Thin,
            SECONDARY_TEXT.light,
        )?;
        self.draw_x_axis(canvas)
    }

    /// Draws the x axis, without tick labels that would overlap the previous one.
    fn draw_x_axis(&self, canvas: &Canvas<'_>) -> Result<()> {
        let Axis { title, scale, format } = &self.chart.x;
        let mut free_from = i32::MIN;
        for tick in scale.ticks(8) {
            let (x, y) = self.position(tick, 0.0);
            let label = format(tick);
            let half = text_width(&label) / 2;
            // Keeps the last label inside the chart.
            let middle = x.min(WIDTH - half);
            if middle - half < free_from {
                continue;
            }
            free_from = middle + half + 12;
            canvas.line(&[(x, y), (x, y + 6)], Stroke::Thin, SECONDARY_TEXT.light)?;
            canvas.text(&label, (middle, y + 22), Anchor::Middle, SECONDARY_TEXT.light)?;
        }
        let middle = i32::midpoint(self.left, Self::RIGHT);
        canvas.text(title, (middle, Self::BOTTOM + 50), Anchor::Middle, SECONDARY_TEXT.light)
    }

    fn draw_band(&self, canvas: &Canvas<'_>, line: &Line) -> Result<()> {
        let edge = |upper: bool| {
            line.points.iter().filter_map(move |point| {
                let (low, high) = point.interval?;
                Some(self.position(point.x, if upper { high } else { low }))
            })
        };
        let corners = edge(false).chain(edge(true).rev()).collect();
        canvas.band(corners, line.color())
    }

    fn draw_line(&self, canvas: &Canvas<'_>, line: &Line) -> Result<()> {
        let positions: Vec<_> =
            line.points.iter().map(|point| self.position(point.x, point.y)).collect();
        if let Some(stroke) = line.stroke.filter(|_| positions.len() > 1) {
            canvas.line(&positions, stroke, line.color())?;
        }
        for (point, at) in line.points.iter().zip(&positions) {
            if let Some(shape) = point.shape {
                canvas.marker(shape, *at, line.style.is_filled(), line.color())?;
            }
        }
        Ok(())
    }
}

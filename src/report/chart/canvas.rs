//! Drawing primitives for charts: text, lines and shapes on an SVG of fixed width.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, FontTransform, RGBColor, TextStyle};

use super::colors::BACKGROUND;
use super::markers::{Shape, marker};
use crate::report::text::{escape_xml, printable};

/// The width of all charts in pixels. A phone shows a chart, with its text, at half this width.
pub const WIDTH: i32 = 680;
/// The font size of all text, in pixels.
pub const FONT_SIZE: f64 = 20.0;
/// The SVG backend divides font sizes by this factor.
const FONT_SIZE_DIVISOR: f64 = 1.24;

/// The radius of the ring around a crossing, in pixels.
const CROSSING_RADIUS: i32 = 11;

/// The opacity of interval bands, so that lines and other bands stay visible behind them.
pub const BAND_OPACITY: f64 = 0.12;

/// A position in pixels, to the right of and below the upper left corner.
pub type Pixel = (i32, i32);

/// The id, title and description of a chart. Screen readers announce the title and description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChartInfo {
    /// Letters and hyphens; unique on the page.
    pub id: String,
    pub title: String,
    pub desc: String,
}

/// The style of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    Solid,
    Thin,
    LongDashed,
    Dashed,
    Dotted,
}

impl Stroke {
    /// The lengths of dashes and gaps; `None` for a continuous line.
    fn dashes(self) -> Option<(i32, i32)> {
        match self {
            Stroke::Solid | Stroke::Thin => None,
            Stroke::LongDashed => Some((14, 6)),
            Stroke::Dashed => Some((5, 5)),
            Stroke::Dotted => Some((2, 5)),
        }
    }

    fn width(self) -> u32 {
        match self {
            Stroke::Thin => 1,
            Stroke::Dashed => 2,
            Stroke::Solid | Stroke::LongDashed | Stroke::Dotted => 3,
        }
    }
}

/// The part of a text that is at the given position, as in SVG's `text-anchor`.
#[derive(Debug, Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// The drawing area of one chart.
pub struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

/// Draws a chart of this height as an SVG document with a title and a description.
///
/// # Errors
///
/// Returns an error if drawing fails.
pub fn draw_svg(
    height: i32,
    info: &ChartInfo,
    draw: impl FnOnce(&Canvas<'_>) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let canvas = Canvas(area);
        canvas.rectangle((0, 0), (WIDTH, height), BACKGROUND.light)?;
        draw(&canvas)?;
        canvas.0.present().map_err(draw_error)?;
    }
    // The backend's own <svg> tag has no title and no description.
    let drawn = svg.split_once('>').map_or("", |(_, drawn)| drawn);
    Ok(svg_start(size, info) + drawn)
}

fn svg_start((width, height): (u32, u32), ChartInfo { id, title, desc }: &ChartInfo) -> String {
    let [id, title, desc] = [id, title, desc].map(|text| escape_xml(&printable(text)));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{title}</title>\
         <desc id=\"{id}-desc\">{desc}</desc>"
    )
}

fn draw_error(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw the figure: {error}")
}

/// An upper bound of the width of a text in pixels. The page's font is unknown, so the widths are
/// those of a wide font.
pub fn text_width(text: &str) -> i32 {
    to_pixels(text.chars().map(character_width).sum::<f64>().ceil())
}

fn character_width(c: char) -> f64 {
    let share = match c {
        'i' | 'j' | 'l' | 'f' | 't' | 'r' | ' ' | '.' | ',' | ':' | ';' | '-' | '(' | ')' => 0.4,
        'm' | 'w' | 'M' | 'W' | '%' | '…' => 1.0,
        '+' | '±' | '×' | '=' => 0.84,
        c if c.is_ascii_uppercase() => 0.78,
        c if c.is_ascii() => 0.64,
        _ => 1.0,
    };
    share * FONT_SIZE
}

/// Rounds to the nearest pixel.
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
pub fn to_pixels(value: f64) -> i32 {
    value.clamp(-1e5, 1e5).round() as i32
}

/// Cuts a text to a width in pixels; an ellipsis marks the cut.
pub fn truncated(text: &str, width: i32) -> String {
    if text_width(text) <= width {
        return text.to_owned();
    }
    let mut left = f64::from(width) - character_width('…');
    let fits = |c: &char| {
        left -= character_width(*c);
        left >= 0.0
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

impl Canvas<'_> {
    /// Draws a text, vertically centered on `at`.
    pub fn text(&self, text: &str, at: Pixel, anchor: Anchor, color: RGBColor) -> Result<()> {
        let anchor = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let style = TextStyle::from(("sans-serif", FONT_SIZE * FONT_SIZE_DIVISOR))
            .color(&color)
            .pos(Pos::new(anchor, VPos::Center))
            .transform(FontTransform::None);
        let style = TextStyle { font: style.font.style(FontStyle::Normal), ..style };
        self.0.draw(&Text::new(printable(text), at, style)).map_err(draw_error)
    }

    /// Draws a line through these positions.
    pub fn line(&self, through: &[Pixel], stroke: Stroke, color: RGBColor) -> Result<()> {
        let style = color.stroke_width(stroke.width());
        let through = through.to_vec();
        match stroke.dashes() {
            None => self.0.draw(&PathElement::new(through, style)).map_err(draw_error),
            Some((dash, gap)) => {
                self.0.draw(&DashedPathElement::new(through, dash, gap, style)).map_err(draw_error)
            }
        }
    }

    /// Fills the polygon with these corners, at [`BAND_OPACITY`].
    pub fn band(&self, corners: Vec<Pixel>, color: RGBColor) -> Result<()> {
        self.0.draw(&Polygon::new(corners, color.mix(BAND_OPACITY).filled())).map_err(draw_error)
    }

    pub fn rectangle(&self, from: Pixel, to: Pixel, color: impl Color) -> Result<()> {
        self.0.draw(&Rectangle::new([from, to], color.filled())).map_err(draw_error)
    }

    /// Draws the ring around a crossing.
    pub fn ring(&self, center: Pixel, color: RGBColor) -> Result<()> {
        self.0
            .draw(&Circle::new(center, CROSSING_RADIUS, color.stroke_width(2)))
            .map_err(draw_error)
    }

    /// Draws the marker of a data point.
    pub fn marker(&self, shape: Shape, at: Pixel, filled: bool, color: RGBColor) -> Result<()> {
        self.0.draw(&marker(shape, color.to_rgba(), filled, at)).map_err(draw_error)
    }
}

//! What charts are drawn on: a picture of a fixed width, in pixels of its own.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, FontTransform, RGBColor, TextStyle};

use super::colours::BACKGROUND;
use super::marker::{Shape, marker};
use crate::report::text::{escaped, visible};

/// How wide all charts are. On a phone it is shown at half of that, and its words with it.
pub const WIDTH: i32 = 680;
/// The height of words.
pub const TEXT: f64 = 20.0;
/// The backend divides the size of a font by this.
const FONT_FACTOR: f64 = 1.24;

/// The radius of a ring.
const RING: i32 = 11;

/// How much is seen of what is drawn so that others are seen through it.
pub const BAND_OPACITY: f64 = 0.12;

/// A place: to the right and down from the upper left corner.
pub type Place = (i32, i32);

/// What a picture is called, for who does not see it; and by which name a page knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Letters and hyphens.
    pub id: String,
    /// What is shown.
    pub title: String,
    /// What there is to see.
    pub desc: String,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    Solid,
    Thin,
    Long,
    Dashed,
    Dotted,
}

impl Stroke {
    /// Strokes and gaps; `None` where there are no gaps.
    fn dashes(self) -> Option<(i32, i32)> {
        match self {
            Stroke::Solid | Stroke::Thin => None,
            Stroke::Long => Some((14, 6)),
            Stroke::Dashed => Some((5, 5)),
            Stroke::Dotted => Some((2, 5)),
        }
    }

    fn width(self) -> u32 {
        match self {
            Stroke::Thin => 1,
            Stroke::Dashed => 2,
            Stroke::Solid | Stroke::Long | Stroke::Dotted => 3,
        }
    }
}

/// Where words stand, seen from their place.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    Right,
    Left,
    Around,
}

/// A picture that is being drawn.
pub struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

/// Draws a picture of this height, as an SVG document with a title and a description.
///
/// # Errors
///
/// Where the drawing fails.
pub fn picture(
    height: i32,
    about: &About,
    draw: impl FnOnce(&Canvas<'_>) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let canvas = Canvas(area);
        canvas.rectangle((0, 0), (WIDTH, height), BACKGROUND.light)?;
        draw(&canvas)?;
        canvas.0.present().map_err(cannot)?;
    }
    // The backend's own beginning knows no description.
    let drawn = svg.split_once('>').map_or("", |(_, drawn)| drawn);
    Ok(beginning(size, about) + drawn)
}

fn beginning((width, height): (u32, u32), About { id, title, desc }: &About) -> String {
    let [id, title, desc] = [id, title, desc].map(|words| escaped(&visible(words)));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{title}</title>\
         <desc id=\"{id}-desc\">{desc}</desc>"
    )
}

fn cannot(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw the figure: {error}")
}

/// How wide words are at most: which font a page is shown in is not known, and these are the
/// widths of a wide one.
pub fn width_of(words: &str) -> i32 {
    rounded(words.chars().map(width_of_character).sum::<f64>().ceil())
}

fn width_of_character(c: char) -> f64 {
    let share = match c {
        'i' | 'j' | 'l' | 'f' | 't' | 'r' | ' ' | '.' | ',' | ':' | ';' | '-' | '(' | ')' => 0.4,
        'm' | 'w' | 'M' | 'W' | '%' | '…' => 1.0,
        '+' | '±' | '×' | '=' => 0.84,
        c if c.is_ascii_uppercase() => 0.78,
        c if c.is_ascii() => 0.64,
        _ => 1.0,
    };
    share * TEXT
}

/// The nearest pixel.
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
pub fn rounded(value: f64) -> i32 {
    value.clamp(-1e5, 1e5).round() as i32
}

/// Words that are no wider than this, cut if need be.
pub fn fitting(words: &str, width: i32) -> String {
    if width_of(words) <= width {
        return words.to_owned();
    }
    let mut left = f64::from(width) - width_of_character('…');
    let fits = |c: &char| {
        left -= width_of_character(*c);
        left >= 0.0
    };
    words.chars().take_while(fits).chain(['…']).collect()
}

impl Canvas<'_> {
    /// Words, their middle at the height of `at`.
    pub fn words(&self, words: &str, at: Place, side: Side, colour: RGBColor) -> Result<()> {
        let side = match side {
            Side::Right => HPos::Left,
            Side::Left => HPos::Right,
            Side::Around => HPos::Center,
        };
        let style = TextStyle::from(("sans-serif", TEXT * FONT_FACTOR))
            .color(&colour)
            .pos(Pos::new(side, VPos::Center))
            .transform(FontTransform::None);
        let style = TextStyle { font: style.font.style(FontStyle::Normal), ..style };
        self.0.draw(&Text::new(visible(words), at, style)).map_err(cannot)
    }

    /// A line through places.
    pub fn line(&self, through: &[Place], stroke: Stroke, colour: RGBColor) -> Result<()> {
        let style = colour.stroke_width(stroke.width());
        let through = through.to_vec();
        match stroke.dashes() {
            None => self.0.draw(&PathElement::new(through, style)).map_err(cannot),
            Some((dash, gap)) => {
                self.0.draw(&DashedPathElement::new(through, dash, gap, style)).map_err(cannot)
            }
        }
    }

    /// What is within places, so that others are seen through it.
    pub fn band(&self, around: Vec<Place>, colour: RGBColor) -> Result<()> {
        self.0.draw(&Polygon::new(around, colour.mix(BAND_OPACITY).filled())).map_err(cannot)
    }

    pub fn rectangle(&self, from: Place, to: Place, colour: impl Color) -> Result<()> {
        self.0.draw(&Rectangle::new([from, to], colour.filled())).map_err(cannot)
    }

    /// A circle around a place.
    pub fn ring(&self, around: Place, colour: RGBColor) -> Result<()> {
        self.0.draw(&Circle::new(around, RING, colour.stroke_width(2))).map_err(cannot)
    }

    /// The mark of a point.
    pub fn mark(&self, shape: Shape, at: Place, filled: bool, colour: RGBColor) -> Result<()> {
        self.0.draw(&marker(shape, colour.to_rgba(), filled, at)).map_err(cannot)
    }
}

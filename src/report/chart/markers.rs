//! What a chart with lines shows: lines of points.

use plotters::style::RGBColor;

use super::canvas::Stroke;
use super::marker::Shape;
use super::theme::Look;

/// A point of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    pub x: f64,
    pub y: f64,
    /// The lower and the upper end of what it may be as well.
    pub ends: Option<(f64, f64)>,
    /// Its mark.
    pub shape: Option<Shape>,
}

impl Spot {
    /// A point without a mark.
    pub fn new(x: f64, y: f64) -> Self {
        Spot { x, y, ends: None, shape: None }
    }
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What the legend calls it; `None`: it does not.
    pub label: Option<String>,
    /// Its colour, and whether its marks are filled.
    pub look: Look,
    /// How it is drawn; `None`: only its points are.
    pub stroke: Option<Stroke>,
    /// By rising values of the level axis.
    pub spots: Vec<Spot>,
}

impl Line {
    pub fn colour(&self) -> RGBColor {
        self.look.colour()
    }

    pub fn has_band(&self) -> bool {
        !self.spots.is_empty() && self.spots.iter().all(|spot| spot.ends.is_some())
    }
}

//! The lines of a chart and the markers of their points. A marker's shape shows the bound.

use plotters::element::{ComposedElement, EmptyElement, PathElement, Polygon};
use plotters::prelude::*;

use super::canvas::Stroke;
use super::theme::SeriesStyle;
use crate::analysis::Point;

/// A point of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DataPoint {
    pub x: f64,
    pub y: f64,
    /// The lower and the upper end of the interval of `y`.
    pub interval: Option<(f64, f64)>,
    /// The shape of the marker; `None` draws no marker.
    pub shape: Option<Shape>,
}

impl DataPoint {
    /// A point without interval and marker.
    pub fn new(x: f64, y: f64) -> Self {
        DataPoint { x, y, interval: None, shape: None }
    }
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The text of the legend entry; `None` adds no entry.
    pub label: Option<String>,
    /// The color, and whether markers are filled.
    pub style: SeriesStyle,
    /// The stroke; `None` draws the points only.
    pub stroke: Option<Stroke>,
    /// The points, by ascending x.
    pub points: Vec<DataPoint>,
}

impl Line {
    pub fn color(&self) -> RGBColor {
        self.style.color()
    }

    /// Whether every point has an interval, so that a band can be drawn.
    pub fn has_band(&self) -> bool {
        !self.points.is_empty() && self.points.iter().all(|point| point.interval.is_some())
    }
}

/// The shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Square,
    Wedge,
    Triangle,
    Diamond,
    Circle,
    Cross,
}

impl Shape {
    pub const ALL: [Shape; 6] =
        [Shape::Square, Shape::Wedge, Shape::Triangle, Shape::Diamond, Shape::Circle, Shape::Cross];

    /// The shape for a point's bound; a cross if the bound is unclear, unknown, or differs between
    /// trials.
    pub fn of(point: &Point) -> Self {
        let mut bounds = point.bounds.keys().map(String::as_str);
        match (bounds.next(), bounds.next()) {
            (Some("server"), None) => Shape::Square,
            (Some("thread"), None) => Shape::Wedge,
            (Some("client"), None) => Shape::Triangle,
            (Some("host"), None) => Shape::Diamond,
            (Some("latency"), None) => Shape::Circle,
            _ => Shape::Cross,
        }
    }

    /// The legend entry.
    pub fn legend(self) -> &'static str {
        match self {
            Shape::Square => "bound: server",
            Shape::Wedge => "bound: thread",
            Shape::Triangle => "bound: client",
            Shape::Diamond => "bound: host (ranked on shared CPUs only)",
            Shape::Circle => "bound: latency",
            Shape::Cross => "bound: unclear",
        }
    }

    /// A closed path around (0, 0), in pixels.
    fn outline(self) -> Vec<(i32, i32)> {
        let corners: &[(i32, i32)] = match self {
            Shape::Circle => &[
                (5, 0),
                (4, 3),
                (3, 4),
                (0, 5),
                (-3, 4),
                (-4, 3),
                (-5, 0),
                (-4, -3),
                (-3, -4),
                (0, -5),
                (3, -4),
                (4, -3),
            ],
            Shape::Wedge => &[(0, 6), (6, -5), (-6, -5)],
            Shape::Triangle => &[(0, -6), (6, 5), (-6, 5)],
            Shape::Square => &[(-5, -5), (5, -5), (5, 5), (-5, 5)],
            Shape::Diamond => &[(0, -7), (7, 0), (0, 7), (-7, 0)],
            Shape::Cross => &[
                (0, -2),
                (4, -6),
                (6, -4),
                (2, 0),
                (6, 4),
                (4, 6),
                (0, 2),
                (-4, 6),
                (-6, 4),
                (-2, 0),
                (-6, -4),
                (-4, -6),
            ],
        };
        corners.iter().chain(&corners[..1]).copied().collect()
    }
}

/// The filled inside and the outline of a marker, in pixels around its position.
type Marker<At, DB> = ComposedElement<At, DB, Polygon<(i32, i32)>, PathElement<(i32, i32)>>;

/// A marker at `at`. A marker that is not filled is white inside.
pub fn marker<At: Clone, DB: DrawingBackend>(
    shape: Shape,
    color: RGBAColor,
    filled: bool,
    at: At,
) -> Marker<At, DB> {
    let outline = shape.outline();
    let inside = if filled { color } else { WHITE.into() };
    EmptyElement::at(at)
        + Polygon::new(outline.clone(), inside.filled())
        + PathElement::new(outline, color.stroke_width(1))
}

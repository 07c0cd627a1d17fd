//! The marks of points: their shape says what bounded them.

use plotters::element::{ComposedElement, EmptyElement, PathElement, Polygon};
use plotters::prelude::*;

use crate::analysis::Point;

/// A shape, which stands for a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Square,
    Triangle,
    Diamond,
    Disc,
    Cross,
}

impl Shape {
    pub const ALL: [Shape; 5] =
        [Shape::Square, Shape::Triangle, Shape::Diamond, Shape::Disc, Shape::Cross];

    /// That of a point: a cross where the bound is not known, or not the same in all trials.
    pub fn of(point: &Point) -> Self {
        let mut bounds = point.bounds.keys().map(String::as_str);
        match (bounds.next(), bounds.next()) {
            (Some("server"), None) => Shape::Square,
            (Some("client"), None) => Shape::Triangle,
            (Some("host"), None) => Shape::Diamond,
            (Some("latency"), None) => Shape::Disc,
            _ => Shape::Cross,
        }
    }

    /// What it says.
    pub fn meaning(self) -> &'static str {
        match self {
            Shape::Square => "bound: server",
            Shape::Triangle => "bound: client",
            Shape::Diamond => "bound: host",
            Shape::Disc => "bound: latency",
            Shape::Cross => "bound: unclear",
        }
    }

    /// A closed path around (0, 0), in pixels.
    fn outline(self) -> Vec<(i32, i32)> {
        let corners: &[(i32, i32)] = match self {
            Shape::Disc => &[
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

/// The outline and the inside of a mark, in pixels around its place.
type Mark<At, DB> = ComposedElement<At, DB, Polygon<(i32, i32)>, PathElement<(i32, i32)>>;

/// A mark at `at`; one that is not filled is white inside.
pub fn marker<At: Clone, DB: DrawingBackend>(
    shape: Shape,
    colour: RGBAColor,
    filled: bool,
    at: At,
) -> Mark<At, DB> {
    let outline = shape.outline();
    let inside = if filled { colour } else { WHITE.into() };
    EmptyElement::at(at)
        + Polygon::new(outline.clone(), inside.filled())
        + PathElement::new(outline, colour.stroke_width(1))
}

//! Charts, as SVG documents: of words, numbers and lines, and of nothing that is measured.
//!
//! They are drawn for light ground; a page puts other colours in place of those it finds, see
//! [`Tone`].

mod canvas;
mod colours;
mod crossings;
mod legend;
mod line;
mod marker;
mod markers;
mod scale;
mod stacked;
mod theme;

pub use canvas::{About, Stroke};
pub use colours::Tone;
pub use crossings::{Ring, Rings};
pub use line::{Axis, LineChart};
pub use marker::Shape;
pub use markers::{Line, Spot};
pub use scale::Scale;
pub use stacked::{Bar, BarChart};
pub use theme::{Look, is_crowded};

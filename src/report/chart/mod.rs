//! Charts, as SVG documents: of words, numbers and lines, and of nothing that is measured.
//!
//! They are drawn for light ground; a page puts other colours in place of those it finds, see
//! [`Tone`].

mod canvas;
mod colours;
mod legend;
mod line;
mod look;
mod marker;
mod rings;
mod scale;
mod spots;
mod stacked;

pub use canvas::{About, Stroke};
pub use colours::Tone;
pub use line::{Axis, LineChart};
pub use look::{Look, is_crowded};
pub use marker::Shape;
pub use rings::{Ring, Rings};
pub use scale::Scale;
pub use spots::{Line, Spot};
pub use stacked::{Bar, BarChart};

//! Charts as SVG documents. They are independent of the measurement: the input is text, numbers
//! and lines.
//!
//! Charts are drawn in the light theme. In the dark theme, the page replaces their colors; see
//! [`ThemeColor`].

mod canvas;
mod colors;
mod crossings;
mod legend;
mod line;
mod markers;
mod scale;
mod stacked;
mod theme;

pub use canvas::{ChartInfo, Stroke};
pub use colors::ThemeColor;
pub use crossings::{Crossing, Crossings};
pub use line::{Axis, LineChart};
pub use markers::{DataPoint, Line, Shape};
pub use scale::Scale;
pub use stacked::{Bar, BarChart};
pub use theme::{SeriesStyle, is_crowded};

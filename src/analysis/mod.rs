//! What the rows say: pure functions of rows.

mod change;
mod curve;
mod estimate;
mod ratio;
mod verdict;

pub use change::{Change, Differing, Options, changes, differing, options_of};
pub use curve::{Curve, Pass, Point, curves};
pub use estimate::{Difference, Estimate, FEWEST_TRIALS};
pub use ratio::{Ratio, ratios};
pub use verdict::Verdict;

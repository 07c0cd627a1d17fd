//! What the rows say: pure functions of rows.

mod axis;
mod change;
mod cost;
mod crossover;
mod curve;
mod estimate;
mod finding;
mod law;
mod options;
mod paced;
mod point;
mod ratio;
mod scalability;
mod verdict;

pub use axis::Axis;
pub use change::{Change, Differing, Options, changes, differing, options_of};
pub use cost::{Cost, RoleCost, costs};
pub use crossover::{Crossover, crossovers};
pub use curve::{Curve, curves};
pub use estimate::{Difference, Estimate, FEWEST_TRIALS};
pub use finding::{End, Finding, Lead, Place, Reach, findings};
pub use law::ClosedLoop;
pub use options::CurveOptions;
pub use paced::{Paced, paced};
pub use point::{Pass, Point, Trial};
pub use ratio::{Ratio, ratios};
pub use scalability::{FEWEST_POINTS, Scalability, Unfit, scalability};
pub use verdict::Verdict;

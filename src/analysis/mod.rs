//! What the rows say: pure functions of rows.

mod axis;
mod bootstrap;
mod change;
mod comparison;
mod cost;
mod crossover;
mod curve;
mod estimate;
mod finding;
mod law;
mod log_estimate;
mod options;
mod paced;
mod point;
mod ratio;
mod rounds;
mod scalability;
mod verdict;

pub use axis::Axis;
pub use bootstrap::{FEWEST_SLICES, Slice, log_rate, log_ratio};
pub use change::{Change, Differing, Options, changes, differing, options_of};
pub use comparison::{Claim, Comparison, Overall, RatioAt, claims, comparisons};
pub use cost::{Cost, RoleCost, costs};
pub use crossover::{Crossover, crossovers};
pub use curve::{Curve, curves, sliced_curves};
pub use estimate::{Difference, Estimate, FEWEST_TRIALS};
pub use finding::{End, Excluded, Finding, Lead, Place, Reach, Scope, Versus, findings};
pub use law::ClosedLoop;
pub use log_estimate::{LogEstimate, combine, combine_all, geometric_mean, holm};
pub use options::CurveOptions;
pub use paced::{Paced, paced};
pub use point::{Pass, Point, Trial};
pub use ratio::{Ratio, ratios};
pub use rounds::{Rounds, RoundsByRow, rounds_by_row};
pub use scalability::{FEWEST_POINTS, Scalability, Unfit, scalability};
pub use verdict::Verdict;

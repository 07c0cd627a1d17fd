//! What the rows say: pure functions of rows.

mod axis;
mod bootstrap;
mod closed_loop_bound;
mod comparison;
mod cost;
mod crossover;
mod curve;
mod estimate;
mod finding;
mod log_estimate;
mod options;
mod paced;
mod pairwise;
mod point;
mod ratio;
mod rounds;
mod usl;
mod verdict;

pub use axis::Axis;
pub use bootstrap::{FEWEST_SLICES, Slice, log_rate, log_ratio};
pub use closed_loop_bound::ClosedLoop;
pub use comparison::{Change, Differing, Options, changes, differing, options_of};
pub use cost::{Cost, RoleCost, costs};
pub use crossover::{Crossover, crossovers};
pub use curve::{Curve, curves, sliced_curves};
pub use estimate::{Difference, Estimate, FEWEST_TRIALS};
pub use finding::{End, Excluded, Finding, Lead, Place, Reach, Scope, Versus, findings};
pub use log_estimate::{LogEstimate, combine, combine_all, geometric_mean, holm};
pub use options::CurveOptions;
pub use paced::{Paced, paced};
pub use pairwise::{Claim, Comparison, Overall, RatioAt, claims, comparisons};
pub use point::{Pass, Point, Trial};
pub use ratio::{Ratio, ratios};
pub use rounds::{Rounds, RoundsByRow, rounds_by_row};
pub use usl::{FEWEST_POINTS, Usl, UslError, scalability};
pub use verdict::Verdict;

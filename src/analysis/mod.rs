//! Statistics of the measured rows: pure functions that start no trial.

mod axis;
mod bootstrap;
mod claims;
mod closed_loop_bound;
mod comparison;
mod cost;
mod crossover;
mod curve;
mod estimate;
mod extra_cost;
mod finding;
mod histograms;
mod interleaved;
mod log_estimate;
mod options;
mod paced;
mod paced_groups;
mod pairwise;
mod point;
mod ratio;
mod regression;
mod rounds;
mod usl;
mod usl_bootstrap;

pub use axis::Axis;
pub use bootstrap::{MIN_SLICES, Slice, log_rate, log_ratio};
pub use claims::{Claims, claims};
pub use closed_loop_bound::ClosedLoopBounds;
pub use comparison::{
    Change, MissingTrials, OptionDifference, OptionsBySystem, changes, missing_trials,
    option_differences, options_by_system,
};
pub use cost::{Cost, RoleCost, costs};
pub use crossover::{Crossover, crossovers};
pub use curve::{Curve, curves, sliced_curves};
pub use estimate::{Estimate, MIN_TRIALS, Verdict};
pub use extra_cost::{EXTRA_COSTS_US, ExtraCost, extra_costs, ratio_at_extra_cost};
pub use finding::{
    CurvePoint, ExclusionEffect, Finding, LabeledPoint, Lead, LeadRange, Scope, SlicedLead,
    findings, findings_with_loads,
};
pub use histograms::{HistogramsByRow, Percentile, TrialHistograms, histograms_by_row};
pub use interleaved::{BuildRatio, build_ratios};
pub use log_estimate::{LogEstimate, combine, combine_all, geometric_mean, holm};
pub use options::CurveOptions;
pub use paced::{PacedLoad, merged_loads, paced_loads};
pub use pairwise::{Claim, Comparison, Overall, RatioAt};
pub use point::{Pass, Point, Trial};
pub use ratio::Ratio;
pub use regression::{Regression, regressions, trials_needed};
pub use rounds::{Rounds, RoundsByRow, rounds_by_row};
pub use usl::{MIN_POINTS, Usl, UslError, fit_usl};

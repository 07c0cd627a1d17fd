//! Findings: statements about the rows that the report turns into sentences.
//!
//! A finding contains everything that its sentence needs. Differences between points are claims of
//! the report (`claims.rs`), corrected for their number. Points that the clients bounded, or may
//! have bounded, or that were disturbed are not ranked. Systems are compared under the same
//! conditions only.

mod ranking;
mod remarks;
mod sliced;
mod trend;

use std::collections::BTreeSet;

pub use self::sliced::{ExclusionEffect, Scope, SlicedLead};
use super::claims::{claims, comparable_groups, is_ranked_by_slices};
use super::crossover::crossovers_between;
use super::{Axis, Claim, Comparison, Crossover, Curve, Estimate, PacedLoad, Point, Ratio};
use crate::results::Row;

/// Share of the peak throughput for which latency is reported: busy, but not saturated.
const TYPICAL_LOAD: f64 = 0.7;

/// A statement about the rows.
///
/// `axis` is the parameter that varies along the curves.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The fastest contender, by its trials, and its lead over each other one.
    FastestByTrials {
        /// The axis.
        axis: Axis,
        /// Value of the axis; `None`: each contender at its peak.
        at: Option<f64>,
        /// The fastest contender.
        leader: LabeledPoint,
        /// The other contenders that can be ranked, the fastest first.
        others: Vec<Lead>,
        /// Whether all contenders that were measured there can be ranked.
        all_rankable: bool,
    },
    /// The fastest contender of those that took turns in slices.
    FastestBySlices {
        /// The axis.
        axis: Axis,
        /// Label of the fastest contender.
        leader: String,
        /// Its lead over each of the others; the baseline last.
        others: Vec<SlicedLead>,
    },
    /// The peak of each contender.
    Peaks {
        /// The axis.
        axis: Axis,
        /// The peaks.
        points: Vec<LabeledPoint>,
    },
    /// Ratios that are outside their interval if the disturbed slices are included.
    DependsOnExclusion {
        /// The axis.
        axis: Axis,
        /// The ratios.
        ratios: Vec<ExclusionEffect>,
    },
    /// Means of too few trials to claim a difference.
    FewTrials {
        /// The axis.
        axis: Axis,
        /// Value of the axis; `None`: each contender at its peak.
        at: Option<f64>,
        /// The means, the highest first.
        points: Vec<LabeledPoint>,
    },
    /// The fastest curve of the baseline, compared with the fastest of the other contenders.
    Baseline {
        /// The axis.
        axis: Axis,
        /// Value of the axis; `None`: each contender at its peak.
        at: Option<f64>,
        /// The baseline's point.
        point: LabeledPoint,
        /// Label of the fastest of the other contenders.
        leader: String,
        /// The baseline's throughput over the leader's; `None` if it is unknown.
        ratio: Option<Ratio>,
    },
    /// The peak of a curve without any other curve under the same conditions.
    SingleCurve {
        /// The axis.
        axis: Axis,
        /// The peak.
        point: LabeledPoint,
    },
    /// One curve overtakes another.
    Overtakes {
        /// The axis.
        axis: Axis,
        /// The crossover.
        crossover: Crossover,
    },
    /// The point from which a curve does not rise any more.
    LevelsOff {
        /// The axis.
        axis: Axis,
        /// Label of the curve.
        label: String,
        /// The first point of the curve.
        first: CurvePoint,
        /// The first point that no later point significantly exceeds.
        from: CurvePoint,
        /// Throughput of that point over that of the first one.
        gain: Option<Ratio>,
        /// The smallest gain that would have been detected at every later point; `None` if there is
        /// none.
        detectable: Option<f64>,
        /// The last point of the curve.
        last: CurvePoint,
        /// Whether the last point is significantly below `from`.
        falls: bool,
    },
    /// The throughput at both ends of a curve.
    CurveEnds {
        /// The axis.
        axis: Axis,
        /// Label of the curve.
        label: String,
        /// The first point of the curve.
        first: CurvePoint,
        /// The last point of the curve.
        last: CurvePoint,
    },
    /// Latency at a given request rate, and the rates that were not kept.
    Paced {
        /// The system and its options.
        label: String,
        /// The load nearest to 70 % of the peak; `None`: no rate was kept, or no latency is known.
        shown: Option<PacedLoad>,
        /// The loads whose rate was not kept, by ascending rates.
        missed: Vec<PacedLoad>,
    },
    /// Peaks that are not ranked because the clients were the bound.
    ClientBound {
        /// The axis.
        axis: Axis,
        /// The peaks.
        points: Vec<LabeledPoint>,
        /// Whether these clients could use the lean driver, which costs less CPU time.
        lean_driver_available: bool,
    },
    /// Peaks that are not ranked because the clients had no CPU time left either, or may have had
    /// none.
    MaybeClientBound {
        /// The axis.
        axis: Axis,
        /// The peaks.
        points: Vec<LabeledPoint>,
        /// Whether it is unclear for a trial of these.
        unclear: bool,
    },
    /// The bound of curves at their peaks; peaks that the clients bounded or may have bounded are
    /// in `ClientBound` and `MaybeClientBound`.
    Bounds {
        /// Server, thread, host, latency or unclear; `None`: not the same in all trials.
        bound: Option<String>,
        /// Labels of the curves.
        labels: Vec<String>,
        /// Whether these are all curves.
        all: bool,
    },
    /// Points that steal or other processes disturbed.
    Disturbed {
        /// The axis.
        axis: Axis,
        /// Labels of the curves, each with its disturbed values of the axis.
        points: Vec<(String, Vec<f64>)>,
    },
    /// Systems with rows that have no value on the axis.
    NotOnAxis {
        /// The axis.
        axis: Axis,
        /// The systems.
        systems: BTreeSet<String>,
    },
    /// Trials that are not valid.
    InvalidTrials {
        /// Number of invalid trials.
        invalid: usize,
        /// Number of all trials.
        total: usize,
        /// The reasons, each with its number of trials; the most frequent first.
        reasons: Vec<(String, usize)>,
    },
}

/// A point of a curve, with the label of the curve.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabeledPoint {
    /// Label of the curve.
    pub label: String,
    /// Value of the axis.
    pub x: f64,
    /// Messages per second.
    pub throughput: Estimate,
}

/// The leader's lead over another contender, which is slower or tied.
#[derive(Debug, Clone, PartialEq)]
pub struct Lead {
    /// The other contender's point.
    pub point: LabeledPoint,
    /// The leader's throughput over the other's; `None` if it is unknown.
    pub ratio: Option<Ratio>,
    /// The part of the axis in which the leader is significantly above.
    pub range: LeadRange,
}

impl Lead {
    /// The claim about the ratio.
    pub fn claim(&self) -> Claim {
        self.ratio.map_or(Claim::InsufficientData, |ratio| ratio.claim)
    }
}

/// The part of an axis in which one curve is significantly above another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LeadRange {
    /// At all points that both have.
    Throughout,
    /// From this value of the axis to the end.
    From(f64),
    /// Not at the last point that both have, which is at this value.
    NotAtEnd(f64),
    /// Both have one point in common at most, or the range does not apply to this axis.
    SinglePoint,
}

/// A point of a curve whose label the finding already contains.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CurvePoint {
    /// Value of the axis.
    pub x: f64,
    /// Messages per second.
    pub throughput: Estimate,
    /// Text of requests and padded replies, in MiB per second.
    pub mib_per_s: Option<f64>,
}

impl LabeledPoint {
    fn of(curve: &Curve, point: &Point) -> Self {
        LabeledPoint { label: curve.label.clone(), x: point.x, throughput: point.throughput }
    }

    /// The point, with the label that the curve has at this value of the axis.
    fn on_axis(axis: Axis, curve: &Curve, point: &Point) -> Self {
        LabeledPoint { label: curve.label_at(axis, point.x), ..LabeledPoint::of(curve, point) }
    }
}

impl CurvePoint {
    fn of(point: &Point) -> Self {
        CurvePoint { x: point.x, throughput: point.throughput, mib_per_s: point.mib_per_s }
    }
}

/// Returns the findings about curves along an axis and about the rows that they come from, the most
/// important first. `baseline` is the name of the system with which the others are compared, but
/// not ranked.
pub fn findings(curves: &[Curve], rows: &[Row], axis: Axis, baseline: &str) -> Vec<Finding> {
    findings_with_loads(curves, rows, &super::paced_loads(rows, curves), axis, baseline)
}

/// Returns the same findings, for paced loads whose percentiles come from histograms.
pub fn findings_with_loads(
    curves: &[Curve],
    rows: &[Row],
    loads: &[PacedLoad],
    axis: Axis,
    baseline: &str,
) -> Vec<Finding> {
    let groups = comparable_groups(curves);
    let claims = claims(curves, axis);
    let of_groups = groups.iter().flat_map(|group| {
        let fastest = if is_ranked_by_slices(group) {
            sliced::fastest(group, axis, baseline, &claims.comparisons)
        } else {
            ranking::fastest(group, axis, baseline, &claims)
        };
        let crossovers = crossovers(group, axis, &claims.comparisons);
        fastest.into_iter().chain(crossovers).chain(trend::trends(group, axis, &claims))
    });
    let of_rows = paced(loads).into_iter().chain(remarks::remarks(curves, rows, axis));
    let mut all = Vec::new();
    // Groups with points in common have equal findings about these points.
    for finding in of_groups.chain(of_rows) {
        if !all.contains(&finding) {
            all.push(finding);
        }
    }
    all
}

/// The crossovers of a group. Of many curves, only crossovers that involve the fastest curve at
/// either end of the axis.
fn crossovers(group: &[&Curve], axis: Axis, compared: &[Comparison]) -> Vec<Finding> {
    const MAX_CURVES: usize = 6;
    let fastest_at = |end: fn(&Curve) -> Option<&Point>| {
        let rate = |curve: &&&Curve| end(curve).map_or(0.0, |point| point.throughput.mean);
        group.iter().max_by(|a, b| rate(a).total_cmp(&rate(b))).map(|curve| curve.label.as_str())
    };
    let fastest =
        [fastest_at(|curve| curve.points.first()), fastest_at(|curve| curve.points.last())];
    let is_relevant = |crossover: &Crossover| {
        let labels = [&*crossover.a, &*crossover.b].map(Some);
        group.len() <= MAX_CURVES || labels.iter().any(|label| fastest.contains(label))
    };
    let pairs = group.iter().enumerate();
    let pairs = pairs.flat_map(|(i, a)| group[i + 1..].iter().map(move |b| (a, b)));
    pairs
        .flat_map(|(a, b)| crossovers_between(a, b, axis, compared))
        .filter(is_relevant)
        .map(|crossover| Finding::Overtakes { axis, crossover })
        .collect()
}

/// One finding for each system that was measured at given request rates.
fn paced(loads: &[PacedLoad]) -> Vec<Finding> {
    loads.chunk_by(|a, b| a.label == b.label).map(paced_system).collect()
}

/// The finding for the loads of one system: at least one, by ascending rates.
fn paced_system(loads: &[PacedLoad]) -> Finding {
    // 0 if the share is unknown, so that the highest rate is chosen.
    let distance =
        |load: &PacedLoad| load.share_of_peak.map_or(0.0, |share| (share - TYPICAL_LOAD).abs());
    let kept = loads.iter().rev().filter(|load| load.is_rate_kept() && load.due_p99_us.is_some());
    Finding::Paced {
        label: loads[0].label.clone(),
        shown: kept.min_by(|a, b| distance(a).total_cmp(&distance(b))).cloned(),
        missed: loads.iter().filter(|load| !load.is_rate_kept()).cloned().collect(),
    }
}

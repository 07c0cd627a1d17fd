//! What may be said of the rows, as statements that the report puts into words.
//!
//! A statement holds what it is about and nothing that would have to be looked up elsewhere. None
//! says more than the rows do: differences are those of Welch's test, from three trials on;
//! points that the clients bounded or others disturbed rank no server; and systems are compared
//! under the same conditions only.

mod along;
mod pace;
mod ranking;
mod remarks;
mod sliced;

use std::collections::BTreeSet;

pub use self::sliced::{Excluded, Scope, Versus};
use super::crossover::between;
use super::{Axis, Comparison, Crossover, Curve, Estimate, Paced, Point, Verdict, comparisons};
use crate::results::Row;

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// Who carries most, and how many times what each of the others does.
    Most {
        /// What varies along the curves.
        axis: Axis,
        /// Where on the axis; `None`: each at the highest point of its curve.
        at: Option<f64>,
        /// Who.
        leader: Place,
        /// The others that may be ranked, the highest first.
        others: Vec<Lead>,
        /// Whether all that were measured there may be ranked.
        of_all: bool,
    },
    /// Which contender is fastest, of those that took turns in slices.
    Fastest {
        /// What varies along the curves.
        axis: Axis,
        /// The contender.
        leader: String,
        /// How each of the others compares with it; the baseline last.
        others: Vec<Versus>,
    },
    /// The highest point of each of them.
    Peaks {
        /// What varies along the curves.
        axis: Axis,
        /// The points.
        places: Vec<Place>,
    },
    /// Ratios that are outside of their interval if the disturbed slices are included.
    DependsOnExclusion {
        /// What varies along the curves.
        axis: Axis,
        /// The ratios.
        ratios: Vec<Excluded>,
    },
    /// Means, the highest first, of too few trials to claim that they differ.
    FewTrials {
        /// What varies along the curves.
        axis: Axis,
        /// As for the most.
        at: Option<f64>,
        /// The means.
        places: Vec<Place>,
    },
    /// What the baseline carries where it carries most, beside who carries most.
    Baseline {
        /// What varies along the curves.
        axis: Axis,
        /// As for the most.
        at: Option<f64>,
        /// The baseline's point.
        place: Place,
        /// Who carries most of the others.
        leader: String,
        /// The baseline's throughput over the leader's, pass by pass.
        factor: Option<Estimate>,
        /// Whether they differ.
        verdict: Verdict,
    },
    /// The highest point of a curve that nothing was measured beside.
    Only {
        /// What varies along the curve.
        axis: Axis,
        /// The point.
        place: Place,
    },
    /// One curve overtakes another.
    Overtakes {
        /// What varies along the curves.
        axis: Axis,
        /// Which one, and where.
        crossover: Crossover,
    },
    /// From where on a curve does not rise any more.
    Levels {
        /// What varies along the curve.
        axis: Axis,
        /// The curve.
        label: String,
        /// Where it begins.
        first: End,
        /// The first point that none behind it is significantly above.
        from: End,
        /// That point over the first one, pass by pass.
        gain: Option<Estimate>,
        /// The last point.
        last: End,
        /// Whether the last point is significantly below.
        falls: bool,
    },
    /// What a curve carries at its two ends.
    Ends {
        /// What varies along the curve.
        axis: Axis,
        /// The curve.
        label: String,
        /// The one end.
        first: End,
        /// The other.
        last: End,
    },
    /// How long somebody waits at a given rate, and which rates were not kept.
    Paced {
        /// The system, and its options.
        label: String,
        /// At the load nearest to that which is told of all; `None`: no rate was kept, or no
        /// latency is known.
        told: Option<Paced>,
        /// What was offered and not sent, by ascending rates.
        missed: Vec<Paced>,
    },
    /// Highest points that say how fast the clients are, and rank no server.
    ClientsBound {
        /// What varies along the curves.
        axis: Axis,
        /// The points.
        places: Vec<Place>,
        /// Whether there is a driver for them that costs less.
        leaner: bool,
    },
    /// What bounded curves at their highest points: server, host or latency; `None`: not the same
    /// in all trials.
    Bounds {
        /// What.
        bound: Option<String>,
        /// The curves.
        labels: Vec<String>,
        /// Whether these are all that there are.
        all: bool,
    },
    /// Points at which others used the CPUs.
    Disturbed {
        /// What varies along the curves.
        axis: Axis,
        /// The curves, and where on them.
        places: Vec<(String, Vec<f64>)>,
    },
    /// Systems whose rows are nowhere on the axis.
    NotOnAxis {
        /// The axis.
        axis: Axis,
        /// The systems.
        systems: BTreeSet<String>,
    },
    /// Trials that do not hold.
    LeftOut {
        /// How many.
        left_out: usize,
        /// Of how many.
        of: usize,
        /// Why, and how many for this reason; the most frequent first.
        reasons: Vec<(String, usize)>,
    },
}

/// A point of a curve.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// The curve.
    pub label: String,
    /// Where on the axis.
    pub x: f64,
    /// Messages per second.
    pub throughput: Estimate,
}

/// Somebody who carries less than the leader, or is tied with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Lead {
    /// The other's point.
    pub place: Place,
    /// The leader's throughput over it, pass by pass; `None` where they have no pass in common.
    pub factor: Option<Estimate>,
    /// Whether they differ.
    pub verdict: Verdict,
    /// Where along the axis the leader is above.
    pub reach: Reach,
}

/// Where along an axis a curve is significantly above another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reach {
    /// Wherever both were measured.
    Throughout,
    /// From here on.
    From(f64),
    /// Not at the end, which is here.
    NotAtEnd(f64),
    /// Both were measured in one place at most, or nothing is to be said of more.
    OnePlace,
}

/// A point of a curve that is named already.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct End {
    /// Where on the axis.
    pub x: f64,
    /// Messages per second.
    pub throughput: Estimate,
    /// Text of requests and padded replies, in MiB per second.
    pub mib_per_s: Option<f64>,
}

impl Place {
    fn of(curve: &Curve, point: &Point) -> Self {
        Place { label: curve.label.clone(), x: point.x, throughput: point.throughput }
    }

    /// The same, called as the curve is there.
    fn along(axis: Axis, curve: &Curve, point: &Point) -> Self {
        Place { label: curve.label_at(axis, point.x), ..Place::of(curve, point) }
    }
}

impl End {
    fn of(point: &Point) -> Self {
        End { x: point.x, throughput: point.throughput, mib_per_s: point.mib_per_s }
    }
}

/// What may be said of curves along an axis, and of the rows that they come from: what matters
/// most first. `baseline` names the system that the others are told beside, and not against.
pub fn findings(curves: &[Curve], rows: &[Row], axis: Axis, baseline: &str) -> Vec<Finding> {
    let mut groups: Vec<Vec<&Curve>> = Vec::new();
    for curve in curves {
        let alike = |group: &&mut Vec<&Curve>| group[0].is_comparable(curve);
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(curve),
            None => groups.push(vec![curve]),
        }
    }
    let compared = comparisons(curves);
    let of_groups = groups.iter().flat_map(|group| {
        let is_sliced = |curve: &&Curve| curve.points.iter().all(Point::is_sliced);
        let most = if group.len() > 1 && group.iter().all(is_sliced) {
            sliced::fastest(group, axis, baseline, &compared)
        } else {
            ranking::most(group, axis, baseline)
        };
        let overtaken = overtaking(group, axis, &compared);
        most.into_iter().chain(overtaken).chain(along::along(group, axis))
    });
    let mut all = Vec::new();
    // Where groups have points in common, they say the same of these.
    let beside = pace::paced(curves, rows).into_iter().chain(remarks::remarks(curves, rows, axis));
    for finding in of_groups.chain(beside) {
        if !all.contains(&finding) {
            all.push(finding);
        }
    }
    all
}

/// Of many curves, only where one of those overtakes or is overtaken that lead at an end.
fn overtaking(group: &[&Curve], axis: Axis, compared: &[Comparison]) -> Vec<Finding> {
    const MANY: usize = 6;
    let of_end = |end: fn(&Curve) -> Option<&Point>| {
        let rate = |curve: &&&Curve| end(curve).map_or(0.0, |point| point.throughput.mean);
        group.iter().max_by(|a, b| rate(a).total_cmp(&rate(b))).map(|curve| curve.label.as_str())
    };
    let ends = [of_end(|curve| curve.points.first()), of_end(|curve| curve.points.last())];
    let tells = |crossover: &Crossover| {
        let names = [&*crossover.a, &*crossover.b].map(Some);
        group.len() <= MANY || names.iter().any(|name| ends.contains(name))
    };
    let pairs = group.iter().enumerate();
    let pairs = pairs.flat_map(|(i, a)| group[i + 1..].iter().map(move |b| (a, b)));
    pairs
        .flat_map(|(a, b)| between(a, b, compared))
        .filter(tells)
        .map(|crossover| Finding::Overtakes { axis, crossover })
        .collect()
}

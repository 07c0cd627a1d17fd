//! The fastest contender, by Welch's test of the trials.

use super::{Finding, LabeledPoint, Lead, LeadRange};
use crate::analysis::{Axis, Curve, Difference, MIN_TRIALS, Point, Ratio, Verdict};

/// A curve, and the point by which it is ranked.
type Entry<'a> = (&'a Curve, &'a Point);

/// Ranks curves that were measured under the same conditions.
///
/// Along clients and workers, each curve is ranked at its peak, because the operator chooses their
/// number. Service time, payload and think time are given by the application; along these, the
/// curves are ranked at both ends of the axis.
///
/// The baseline is not ranked, but compared with the fastest, unless all curves are the baseline's.
pub(super) fn fastest(group: &[&Curve], axis: Axis, baseline: &str) -> Vec<Finding> {
    let (baseline, contenders): (Vec<&Curve>, Vec<&Curve>) =
        group.iter().partition(|curve| curve.system == baseline);
    let ranking = if contenders.is_empty() {
        Ranking { axis, contenders: baseline, baseline: Vec::new() }
    } else {
        Ranking { axis, contenders, baseline }
    };
    match axis {
        Axis::Clients | Axis::Workers => ranking.at_peaks(),
        Axis::Work | Axis::Payload | Axis::Think => ranking.at_ends(),
    }
}

struct Ranking<'a> {
    axis: Axis,
    contenders: Vec<&'a Curve>,
    baseline: Vec<&'a Curve>,
}

/// The point with the highest throughput of those that were not disturbed.
pub(super) fn undisturbed_peak(curve: &Curve) -> Option<&Point> {
    let undisturbed = curve.points.iter().filter(|point| point.disturbed == 0);
    undisturbed.max_by(|a, b| a.throughput.mean.total_cmp(&b.throughput.mean))
}

/// The point by which a curve is ranked: its undisturbed peak; `None` if the clients bounded it
/// or may have.
fn peak(curve: &Curve) -> Option<&Point> {
    undisturbed_peak(curve).filter(|point| point.is_rankable())
}

impl Ranking<'_> {
    fn at_peaks(&self) -> Vec<Finding> {
        let ranked = entries(&self.contenders, peak);
        self.findings(ranked, None, self.contenders.len(), entries(&self.baseline, peak))
    }

    fn at_ends(&self) -> Vec<Finding> {
        if self.contenders.len() == 1 {
            return self.at_peaks();
        }
        let all = &self.contenders;
        let count_at = |x: f64| all.iter().filter(|curve| curve.at(x).is_some()).count();
        let xs = all.iter().flat_map(|curve| &curve.points).map(|point| point.x);
        let mut shared: Vec<f64> = xs.filter(|x| count_at(*x) > 1).collect();
        shared.sort_by(f64::total_cmp);
        let mut ends: Vec<_> = shared.first().into_iter().chain(shared.last()).copied().collect();
        ends.dedup();
        let at = |x: f64| {
            let rankable = |curve| Curve::at(curve, x).filter(|point| point.is_rankable());
            let baseline = entries(&self.baseline, rankable);
            self.findings(entries(all, rankable), Some(x), count_at(x), baseline)
        };
        ends.into_iter().flat_map(at).collect()
    }

    /// The ranking of `entries`, then the comparison of the baseline with the leader. `all` is the
    /// number of contenders that were measured there.
    fn findings(
        &self,
        mut entries: Vec<Entry<'_>>,
        at: Option<f64>,
        all: usize,
        baseline: Vec<Entry<'_>>,
    ) -> Vec<Finding> {
        let axis = self.axis;
        entries.sort_by(|(_, a), (_, b)| b.throughput.mean.total_cmp(&a.throughput.mean));
        let Some(&leader) = entries.first() else { return Vec::new() };
        let point = LabeledPoint::on_axis(axis, leader.0, leader.1);
        let first = match &entries[..] {
            [_] if self.contenders.len() == 1 => {
                Finding::SingleCurve { axis, point: point.clone() }
            }
            _ => ranking(&entries, axis, at, all),
        };
        let rate = |(_, point): &Entry<'_>| point.throughput.mean;
        let baseline = baseline.into_iter().max_by(|a, b| rate(a).total_cmp(&rate(b)));
        let baseline = baseline.map(|(curve, of_baseline)| Finding::Baseline {
            axis,
            at,
            point: LabeledPoint::on_axis(axis, curve, of_baseline),
            leader: point.label,
            factor: Ratio::of(of_baseline, leader.1).map(|ratio| ratio.estimate),
            verdict: verdict(of_baseline, leader.1),
        });
        [first].into_iter().chain(baseline).collect()
    }
}

fn entries<'a>(
    curves: &[&'a Curve],
    point: impl Fn(&'a Curve) -> Option<&'a Point>,
) -> Vec<Entry<'a>> {
    curves.iter().filter_map(|&curve| Some((curve, point(curve)?))).collect()
}

/// The ranking of entries, sorted by descending throughput. There must be at least one.
fn ranking(entries: &[Entry<'_>], axis: Axis, at: Option<f64>, all: usize) -> Finding {
    let others: Vec<_> = entries[1..].iter().map(|other| lead(entries[0], *other, axis)).collect();
    let too_few = others.iter().all(|other| other.verdict == Verdict::InsufficientData);
    if too_few && !(others.is_empty() && entries[0].1.throughput.count >= MIN_TRIALS) {
        let points = entries.iter().map(|(curve, point)| LabeledPoint::on_axis(axis, curve, point));
        return Finding::FewTrials { axis, at, points: points.collect() };
    }
    let leader = LabeledPoint::on_axis(axis, entries[0].0, entries[0].1);
    Finding::FastestByTrials { axis, at, leader, others, all_rankable: entries.len() == all }
}

fn lead(leader: Entry<'_>, other: Entry<'_>, axis: Axis) -> Lead {
    Lead {
        point: LabeledPoint::on_axis(axis, other.0, other.1),
        factor: Ratio::of(leader.1, other.1).map(|ratio| ratio.estimate),
        verdict: verdict(leader.1, other.1),
        range: match axis {
            Axis::Clients => lead_range(leader.0, other.0),
            _ => LeadRange::SinglePoint,
        },
    }
}

/// Whether two points differ: by Welch's test and, if known, by the interval of their ratio. A
/// ratio of 1.4 ± 0.7 is a tie, whatever the result of the test.
fn verdict(a: &Point, b: &Point) -> Verdict {
    let verdict = Verdict::of(Difference::between(&a.throughput, &b.throughput));
    let ratio = Ratio::of(a, b).map(|ratio| ratio.estimate);
    let contains_1 = ratio.is_some_and(|ratio| {
        ratio.half_width().is_some_and(|half| (ratio.mean - 1.0).abs() <= half)
    });
    if verdict == Verdict::Differs && contains_1 { Verdict::Tie } else { verdict }
}

/// The part of the axis, up to the end, in which `a` is significantly above `b`.
fn lead_range(a: &Curve, b: &Curve) -> LeadRange {
    let both = a.points.iter().filter_map(|of_a| Some((of_a, b.at(of_a.x)?)));
    let both: Vec<_> =
        both.filter(|(of_a, of_b)| of_a.is_rankable() && of_b.is_rankable()).collect();
    let [.., last] = &both[..] else { return LeadRange::SinglePoint };
    let is_ahead = |(of_a, of_b): &&(&Point, &Point)| {
        of_a.throughput.mean > of_b.throughput.mean && verdict(of_a, of_b) == Verdict::Differs
    };
    let lead = both.iter().rev().take_while(is_ahead).count();
    match lead {
        _ if both.len() == 1 => LeadRange::SinglePoint,
        0 => LeadRange::NotAtEnd(last.0.x),
        _ if lead == both.len() => LeadRange::Throughout,
        _ => LeadRange::From(both[both.len() - lead].0.x),
    }
}

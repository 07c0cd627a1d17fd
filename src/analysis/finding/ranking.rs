//! The fastest contender, by its trials.

use super::{Finding, LabeledPoint, Lead, LeadRange};
use crate::analysis::{Axis, Claim, Claims, Comparison, Curve, MIN_TRIALS, Point, Ratio, RatioAt};

/// A curve, and the point by which it is ranked.
type Entry<'a> = (&'a Curve, &'a Point);

/// Ranks curves that were measured under the same conditions.
///
/// Along clients and workers, each curve is ranked at its peak, because the operator chooses their
/// number. Service time, payload and think time are given by the application; along these, the
/// curves are ranked at both ends of the axis.
///
/// The baseline is not ranked, but compared with the fastest, unless all curves are the baseline's.
pub(super) fn fastest(
    group: &[&Curve],
    axis: Axis,
    baseline: &str,
    claims: &Claims,
) -> Vec<Finding> {
    let (baseline, contenders): (Vec<&Curve>, Vec<&Curve>) =
        group.iter().partition(|curve| curve.system == baseline);
    let ranking = if contenders.is_empty() {
        Ranking { axis, contenders: baseline, baseline: Vec::new(), claims }
    } else {
        Ranking { axis, contenders, baseline, claims }
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
    claims: &'a Claims,
}

impl Ranking<'_> {
    fn at_peaks(&self) -> Vec<Finding> {
        let ranked = entries(&self.contenders, Curve::rankable_peak);
        let baseline = entries(&self.baseline, Curve::rankable_peak);
        self.findings(ranked, None, self.contenders.len(), baseline)
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
            _ => self.ranking(&entries, at, all),
        };
        let rate = |(_, point): &Entry<'_>| point.throughput.mean;
        let baseline = baseline.into_iter().max_by(|a, b| rate(a).total_cmp(&rate(b)));
        let baseline = baseline.map(|(curve, of_baseline)| Finding::Baseline {
            axis,
            at,
            point: LabeledPoint::on_axis(axis, curve, of_baseline),
            leader: point.label,
            ratio: self.ratio((curve, of_baseline), leader),
        });
        [first].into_iter().chain(baseline).collect()
    }

    /// The ranking of entries, sorted by descending throughput. There must be at least one.
    fn ranking(&self, entries: &[Entry<'_>], at: Option<f64>, all: usize) -> Finding {
        let axis = self.axis;
        let others: Vec<_> =
            entries[1..].iter().map(|other| self.lead(entries[0], *other)).collect();
        let too_few = others.iter().all(|other| other.claim() == Claim::InsufficientData);
        if too_few && !(others.is_empty() && entries[0].1.throughput.count >= MIN_TRIALS) {
            let points =
                entries.iter().map(|(curve, point)| LabeledPoint::on_axis(axis, curve, point));
            return Finding::FewTrials { axis, at, points: points.collect() };
        }
        let leader = LabeledPoint::on_axis(axis, entries[0].0, entries[0].1);
        Finding::FastestByTrials { axis, at, leader, others, all_rankable: entries.len() == all }
    }

    fn lead(&self, leader: Entry<'_>, other: Entry<'_>) -> Lead {
        let compared = self.claims.comparison(&leader.0.label, &other.0.label);
        Lead {
            point: LabeledPoint::on_axis(self.axis, other.0, other.1),
            ratio: self.ratio(leader, other),
            range: match (self.axis, compared) {
                (Axis::Clients, Some(compared)) => lead_range(&compared),
                _ => LeadRange::SinglePoint,
            },
        }
    }

    fn ratio(&self, a: Entry<'_>, b: Entry<'_>) -> Option<Ratio> {
        self.claims.ratio((&a.0.label, a.1.x), (&b.0.label, b.1.x))
    }
}

fn entries<'a>(
    curves: &[&'a Curve],
    point: impl Fn(&'a Curve) -> Option<&'a Point>,
) -> Vec<Entry<'a>> {
    curves.iter().filter_map(|&curve| Some((curve, point(curve)?))).collect()
}

/// The part of the axis, up to the end, in which the numerator is significantly above the
/// denominator.
fn lead_range(compared: &Comparison) -> LeadRange {
    let both: Vec<&RatioAt> = compared.at.iter().filter(|at| at.is_rankable).collect();
    let [.., last] = &both[..] else { return LeadRange::SinglePoint };
    let lead = both.iter().rev().take_while(|at| at.claim == Claim::Higher).count();
    match lead {
        _ if both.len() == 1 => LeadRange::SinglePoint,
        0 => LeadRange::NotAtEnd(last.x),
        _ if lead == both.len() => LeadRange::Throughout,
        _ => LeadRange::From(both[both.len() - lead].x),
    }
}

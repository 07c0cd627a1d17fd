//! Who carries most.

use super::{Finding, Lead, Place, Reach};
use crate::analysis::{Axis, Curve, Difference, FEWEST_TRIALS, Point, Ratio, Verdict};

/// A curve, and the point by which it is ranked.
type Entry<'a> = (&'a Curve, &'a Point);

/// Who carries most of curves that were measured under the same conditions.
///
/// Over clients and workers, each is taken at its highest point: how many there are is for who
/// runs it to choose. What a request asks for is not, and there all are compared at both ends.
///
/// The baseline is no contestant, unless it is alone: it is told beside them.
pub(super) fn most(group: &[&Curve], axis: Axis, baseline: &str) -> Vec<Finding> {
    let (beside, contestants): (Vec<&Curve>, Vec<&Curve>) =
        group.iter().partition(|curve| curve.system == baseline);
    let ranking = |contestants, beside| Ranking { axis, contestants, beside };
    let ranking = if contestants.is_empty() {
        ranking(beside, Vec::new())
    } else {
        ranking(contestants, beside)
    };
    match axis {
        Axis::Clients | Axis::Workers => ranking.at_peaks(),
        Axis::Work | Axis::Payload | Axis::Think => ranking.at_ends(),
    }
}

/// Who is ranked, and the curves of the baseline.
struct Ranking<'a> {
    axis: Axis,
    contestants: Vec<&'a Curve>,
    beside: Vec<&'a Curve>,
}

/// The highest of the points that others did not disturb.
pub(super) fn undisturbed_peak(curve: &Curve) -> Option<&Point> {
    let undisturbed = curve.points.iter().filter(|point| point.disturbed == 0);
    undisturbed.max_by(|a, b| a.throughput.mean.total_cmp(&b.throughput.mean))
}

/// The point by which a curve is ranked: the highest one, if it says how fast the server is.
fn peak(curve: &Curve) -> Option<&Point> {
    undisturbed_peak(curve).filter(|point| point.ranks())
}

impl Ranking<'_> {
    fn at_peaks(&self) -> Vec<Finding> {
        let ranked = entries(&self.contestants, peak);
        self.told(ranked, None, self.contestants.len(), entries(&self.beside, peak))
    }

    fn at_ends(&self) -> Vec<Finding> {
        if self.contestants.len() == 1 {
            return self.at_peaks();
        }
        let all = &self.contestants;
        let count_at = |x: f64| all.iter().filter(|curve| curve.at(x).is_some()).count();
        let places = all.iter().flat_map(|curve| &curve.points).map(|point| point.x);
        let mut shared: Vec<f64> = places.filter(|x| count_at(*x) > 1).collect();
        shared.sort_by(f64::total_cmp);
        let mut ends: Vec<_> = shared.first().into_iter().chain(shared.last()).copied().collect();
        ends.dedup();
        let at = |x: f64| {
            let ranks = |curve| Curve::at(curve, x).filter(|point| point.ranks());
            let beside = entries(&self.beside, ranks);
            self.told(entries(all, ranks), Some(x), count_at(x), beside)
        };
        ends.into_iter().flat_map(at).collect()
    }

    /// Who is ahead, and beside it the baseline.
    fn told(
        &self,
        mut entries: Vec<Entry<'_>>,
        at: Option<f64>,
        all: usize,
        beside: Vec<Entry<'_>>,
    ) -> Vec<Finding> {
        let axis = self.axis;
        entries.sort_by(|(_, a), (_, b)| b.throughput.mean.total_cmp(&a.throughput.mean));
        let Some(&leader) = entries.first() else { return Vec::new() };
        let place = Place::along(axis, leader.0, leader.1);
        let first = match &entries[..] {
            [_] if self.contestants.len() == 1 => Finding::Only { axis, place: place.clone() },
            _ => ranked(&entries, axis, at, all),
        };
        let rate = |(_, point): &Entry<'_>| point.throughput.mean;
        let baseline = beside.into_iter().max_by(|a, b| rate(a).total_cmp(&rate(b)));
        let baseline = baseline.map(|(curve, point)| Finding::Baseline {
            axis,
            at,
            place: Place::along(axis, curve, point),
            leader: place.label,
            factor: Ratio::of(point, leader.1).map(|ratio| ratio.estimate),
            verdict: verdict(point, leader.1),
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

/// Who is ahead of entries that are sorted, of `all` that there are and that are at least one.
fn ranked(entries: &[Entry<'_>], axis: Axis, at: Option<f64>, all: usize) -> Finding {
    let others: Vec<_> = entries[1..].iter().map(|other| lead(entries[0], *other, axis)).collect();
    let few = others.iter().all(|other| other.verdict == Verdict::TooFew);
    if few && !(others.is_empty() && entries[0].1.throughput.count >= FEWEST_TRIALS) {
        let places = entries.iter().map(|(curve, point)| Place::along(axis, curve, point));
        return Finding::FewTrials { axis, at, places: places.collect() };
    }
    let leader = Place::along(axis, entries[0].0, entries[0].1);
    Finding::Most { axis, at, leader, others, of_all: entries.len() == all }
}

fn lead(leader: Entry<'_>, other: Entry<'_>, axis: Axis) -> Lead {
    Lead {
        place: Place::along(axis, other.0, other.1),
        factor: Ratio::of(leader.1, other.1).map(|ratio| ratio.estimate),
        verdict: verdict(leader.1, other.1),
        reach: if axis == Axis::Clients { reach(leader.0, other.0) } else { Reach::OnePlace },
    }
}

/// Whether two points differ: by Welch's test, and by the interval of their ratio, where that is
/// known. A factor of 1.4 ± 0.7 is no difference, whatever the test says.
fn verdict(a: &Point, b: &Point) -> Verdict {
    let verdict = Verdict::of(Difference::between(&a.throughput, &b.throughput));
    let ratio = Ratio::of(a, b).map(|ratio| ratio.estimate);
    let holds_1 = ratio.is_some_and(|ratio| {
        ratio.half_width().is_some_and(|half| (ratio.mean - 1.0).abs() <= half)
    });
    if verdict == Verdict::Differs && holds_1 { Verdict::Tie } else { verdict }
}

/// Where `a` is significantly above `b` up to the end.
fn reach(a: &Curve, b: &Curve) -> Reach {
    let both = a.points.iter().filter_map(|of_a| Some((of_a, b.at(of_a.x)?)));
    let both: Vec<_> = both.filter(|(of_a, of_b)| of_a.ranks() && of_b.ranks()).collect();
    let [.., last] = &both[..] else { return Reach::OnePlace };
    let leads = |(of_a, of_b): &&(&Point, &Point)| {
        of_a.throughput.mean > of_b.throughput.mean && verdict(of_a, of_b) == Verdict::Differs
    };
    let led = both.iter().rev().take_while(leads).count();
    match led {
        _ if both.len() == 1 => Reach::OnePlace,
        0 => Reach::NotAtEnd(last.0.x),
        _ if led == both.len() => Reach::Throughout,
        _ => Reach::From(both[both.len() - led].0.x),
    }
}

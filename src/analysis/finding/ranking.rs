//! Who carries most.

use super::{Finding, Lead, Place, Reach};
use crate::analysis::{Axis, Curve, Difference, FEWEST_TRIALS, Point, Ratio, Verdict};

/// A curve, and the point by which it is ranked.
type Entry<'a> = (&'a Curve, &'a Point);

/// Who carries most of curves that were measured under the same conditions.
///
/// Over clients and workers, each is taken at its highest point: how many there are is for who
/// runs it to choose. What a request asks for is not, and there all are compared at both ends.
pub(super) fn most(group: &[&Curve], axis: Axis) -> Vec<Finding> {
    match axis {
        Axis::Clients | Axis::Workers => at_peaks(group, axis).into_iter().collect(),
        Axis::Work | Axis::Payload | Axis::Think => at_ends(group, axis),
    }
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

fn at_peaks(group: &[&Curve], axis: Axis) -> Option<Finding> {
    let entries: Vec<Entry<'_>> = group.iter().filter_map(|&c| Some((c, peak(c)?))).collect();
    match (group, &entries[..]) {
        ([_], [(curve, point)]) => {
            Some(Finding::Only { axis, place: Place::along(axis, curve, point) })
        }
        _ => ranked(entries, axis, None, group.len()),
    }
}

fn at_ends(group: &[&Curve], axis: Axis) -> Vec<Finding> {
    if let [curve] = group {
        let place = peak(curve).map(|point| Place::along(axis, curve, point));
        return place.map(|place| Finding::Only { axis, place }).into_iter().collect();
    }
    let count_at = |x: f64| group.iter().filter(|curve| curve.at(x).is_some()).count();
    let places = group.iter().flat_map(|curve| &curve.points).map(|point| point.x);
    let mut shared: Vec<f64> = places.filter(|x| count_at(*x) > 1).collect();
    shared.sort_by(f64::total_cmp);
    let mut ends: Vec<_> = shared.first().into_iter().chain(shared.last()).copied().collect();
    ends.dedup();
    let at = |x: f64| {
        let entries = group.iter().filter_map(|&curve| Some((curve, curve.at(x)?)));
        let entries = entries.filter(|(_, point)| point.ranks()).collect();
        ranked(entries, axis, Some(x), count_at(x))
    };
    ends.into_iter().filter_map(at).collect()
}

/// Sorts entries, of `all` that there are, and says who is ahead.
fn ranked(mut entries: Vec<Entry<'_>>, axis: Axis, at: Option<f64>, all: usize) -> Option<Finding> {
    let of_all = entries.len() == all;
    entries.sort_by(|(_, a), (_, b)| b.throughput.mean.total_cmp(&a.throughput.mean));
    let (leader, rest) = entries.split_first()?;
    let others: Vec<_> = rest.iter().map(|other| lead(*leader, *other, axis)).collect();
    let few = others.iter().all(|other| other.verdict == Verdict::TooFew);
    if few && !(others.is_empty() && leader.1.throughput.count >= FEWEST_TRIALS) {
        let places =
            entries.iter().map(|(curve, point)| Place::along(axis, curve, point)).collect();
        return Some(Finding::FewTrials { axis, at, places });
    }
    Some(Finding::Most { axis, at, leader: Place::along(axis, leader.0, leader.1), others, of_all })
}

fn lead(leader: Entry<'_>, other: Entry<'_>, axis: Axis) -> Lead {
    Lead {
        place: Place::along(axis, other.0, other.1),
        factor: Ratio::of(leader.1, other.1).map(|ratio| ratio.estimate),
        verdict: verdict(leader.1, other.1),
        reach: if axis == Axis::Clients { reach(leader.0, other.0) } else { Reach::OnePlace },
    }
}

fn verdict(a: &Point, b: &Point) -> Verdict {
    Verdict::of(Difference::between(&a.throughput, &b.throughput))
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

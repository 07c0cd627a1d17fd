//! Trends: where each curve levels off, or its throughput at both ends.

use super::{CurvePoint, Finding};
use crate::analysis::claims::MAX_TRENDS;
use crate::analysis::{Axis, Claim, Claims, Curve, MIN_TRIALS, Point, Ratio};

/// Maximum half width of an interval, relative to the mean. A wider interval could hide a gain.
const MAX_RELATIVE_HALF_WIDTH: f64 = 0.1;

/// Returns the trend of each curve of a group.
pub(super) fn trends(group: &[&Curve], axis: Axis, claims: &Claims) -> Vec<Finding> {
    if group.len() > MAX_TRENDS {
        return Vec::new();
    }
    let trend = |curve: &&Curve| match axis {
        Axis::Clients => levels_off(curve, axis, claims).filter(is_level_before_its_end),
        Axis::Workers => levels_off(curve, axis, claims),
        Axis::Payload | Axis::Think => ends(curve, axis),
        // For several curves, the rankings at both ends contain these values.
        Axis::Work => ends(curve, axis).filter(|_| group.len() == 1),
    };
    group.iter().filter_map(trend).collect()
}

fn ends(curve: &Curve, axis: Axis) -> Option<Finding> {
    let [first, .., last] = &curve.points[..] else { return None };
    let (first, last) = (CurvePoint::of(first), CurvePoint::of(last));
    Some(Finding::CurveEnds { axis, label: curve.label.clone(), first, last })
}

/// The point from which no gain can be claimed.
///
/// `None` if a point has no interval. Also `None` if the interval is so wide that it could hide a
/// relevant gain, unless the last point is significantly below.
fn levels_off(curve: &Curve, axis: Axis, claims: &Claims) -> Option<Finding> {
    let points: Vec<_> = curve.points.iter().filter(|point| point.is_rankable()).collect();
    let [first, .., last] = points[..] else { return None };
    if points.iter().any(|point| point.throughput.count < MIN_TRIALS) {
        return None;
    }
    let ratio = |a: &Point, b: &Point| claims.ratio((&curve.label, a.x), (&curve.label, b.x));
    let is_above = |a: &Point, b: &Point| ratio(a, b).is_some_and(|it| it.claim == Claim::Higher);
    let is_exceeded = |i: usize| points[i + 1..].iter().any(|later| is_above(later, points[i]));
    let at = (0..points.len()).find(|i| !is_exceeded(*i))?;
    let from = points[at];
    let falls = is_above(from, last);
    let half_width = from.throughput.relative_half_width();
    half_width.filter(|half| falls || *half <= MAX_RELATIVE_HALF_WIDTH)?;
    Some(Finding::LevelsOff {
        axis,
        label: curve.label.clone(),
        first: CurvePoint::of(first),
        from: CurvePoint::of(from),
        gain: ratio(from, first),
        detectable: points[at + 1..]
            .iter()
            .filter_map(|later| detectable(ratio(later, from)))
            .max_by(f64::total_cmp),
        last: CurvePoint::of(last),
        falls,
    })
}

fn detectable(ratio: Option<Ratio>) -> Option<f64> {
    ratio?.detectable
}

fn is_level_before_its_end(finding: &Finding) -> bool {
    matches!(finding, Finding::LevelsOff { from, last, .. } if from.x < last.x)
}

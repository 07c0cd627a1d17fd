//! What happens along a curve.

use super::{End, Finding};
use crate::analysis::{Axis, Curve, FEWEST_TRIALS, Ratio};

/// Of more curves, the figure says it better.
const MANY: usize = 8;

/// Where an interval is wider, in shares of the mean, a gain could hide in it.
const SHARP: f64 = 0.1;

/// Of each curve of a group, from where on it is level, or what it has at its ends.
pub(super) fn along(group: &[&Curve], axis: Axis) -> Vec<Finding> {
    let told = group.iter().take(if group.len() > MANY { 0 } else { MANY });
    let tell = |curve: &&Curve| match axis {
        Axis::Clients => levels(curve, axis).filter(is_level_before_its_end),
        Axis::Workers => levels(curve, axis),
        Axis::Payload | Axis::Think => ends(curve, axis),
        // Of several curves, who carries most at the ends says it.
        Axis::Work => ends(curve, axis).filter(|_| group.len() == 1),
    };
    told.filter_map(tell).collect()
}

fn ends(curve: &Curve, axis: Axis) -> Option<Finding> {
    let [first, .., last] = &curve.points[..] else { return None };
    let (first, last) = (End::of(first), End::of(last));
    Some(Finding::Ends { axis, label: curve.label.clone(), first, last })
}

/// From where on no gain can be claimed. Nothing is said of points without an interval, or where a
/// gain that matters would not show, unless the end is significantly below.
fn levels(curve: &Curve, axis: Axis) -> Option<Finding> {
    let points: Vec<_> = curve.points.iter().filter(|point| point.ranks()).collect();
    let [first, .., last] = points[..] else { return None };
    if points.iter().any(|point| point.throughput.count < FEWEST_TRIALS) {
        return None;
    }
    let is_topped = |i: usize| points[i + 1..].iter().any(|later| later.is_above(points[i]));
    let from = points[(0..points.len()).find(|i| !is_topped(*i))?];
    let falls = from.is_above(last);
    from.throughput.relative_half_width().filter(|half| falls || *half <= SHARP)?;
    Some(Finding::Levels {
        axis,
        label: curve.label.clone(),
        first: End::of(first),
        from: End::of(from),
        gain: Ratio::of(from, first).map(|ratio| ratio.estimate),
        last: End::of(last),
        falls,
    })
}

fn is_level_before_its_end(finding: &Finding) -> bool {
    matches!(finding, Finding::Levels { from, last, .. } if from.x < last.x)
}

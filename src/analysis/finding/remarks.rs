//! What bounded the points, and what is not in them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::ranking::undisturbed_peak;
use super::{Finding, Place};
use crate::analysis::axis::is_closed_loop;
use crate::analysis::{Axis, Curve};
use crate::results::Row;

/// The driver whose clients cost less than those of the frameworks.
const LEAN: &str = "lean";

/// What a reader of curves has to know beside them.
pub(super) fn remarks(curves: &[Curve], rows: &[Row], axis: Axis) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(clients_bound(curves, axis));
    all.extend(bounds(curves, axis));
    all.extend(disturbed(curves, axis));
    all.extend(not_on_axis(rows, axis));
    all.extend(left_out(rows));
    all
}

/// A finding for those whose clients could cost less, and one for the others.
fn clients_bound(curves: &[Curve], axis: Axis) -> Vec<Finding> {
    // The clients of the lean driver share no channel.
    let shared = curves.iter().any(|curve| curve.options.contains_key("channels"));
    let is_lean = |curve: &Curve| curve.options.get("driver").is_some_and(|name| name == LEAN);
    let of = |leaner: bool| {
        let peaks = curves.iter().filter(|curve| (shared || is_lean(curve)) != leaner);
        let peaks = peaks.filter_map(|curve| Some((curve, undisturbed_peak(curve)?)));
        let bound = peaks.filter(|(_, point)| point.is_bounded_by_clients());
        let places: Vec<_> = bound.map(|(curve, point)| Place::of(curve, point)).collect();
        (!places.is_empty()).then_some(Finding::ClientsBound { axis, places, leaner })
    };
    [true, false].into_iter().filter_map(of).collect()
}

/// What bounded the highest points, but for those that the clients bounded.
fn bounds(curves: &[Curve], axis: Axis) -> Vec<Finding> {
    let mut by_bound: BTreeMap<Option<&str>, (usize, Vec<String>)> = BTreeMap::new();
    for (curve, point) in curves.iter().filter_map(|c| Some((c, undisturbed_peak(c)?))) {
        let mut bounds = point.bounds.keys().map(String::as_str);
        let bound = match (bounds.next(), bounds.next()) {
            (None, _) => continue,
            (Some(bound), None) => Some(bound),
            (Some(_), Some(_)) => None,
        };
        if !point.is_bounded_by_clients() {
            let (count, labels) = by_bound.entry(bound).or_default();
            let label = curve.label_at(axis, point.x);
            *count += 1;
            // Curves of several kinds of work may begin in common.
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    let finding = |(bound, (count, labels)): (Option<&str>, (usize, Vec<String>))| {
        let all = count == curves.len();
        Finding::Bounds { bound: bound.map(str::to_owned), labels, all }
    };
    // What has a name first.
    by_bound.into_iter().rev().map(finding).collect()
}

fn disturbed(curves: &[Curve], axis: Axis) -> Option<Finding> {
    let of = |curve: &Curve| {
        let disturbed = curve.points.iter().filter(|point| point.disturbed > 0);
        (curve.label.clone(), disturbed.map(|point| point.x).collect::<Vec<_>>())
    };
    let places: Vec<_> = curves.iter().map(of).filter(|(_, at)| !at.is_empty()).collect();
    (!places.is_empty()).then_some(Finding::Disturbed { axis, places })
}

fn not_on_axis(rows: &[Row], axis: Axis) -> Option<Finding> {
    let closed = rows.iter().filter(|row| row.valid && is_closed_loop(row));
    let nowhere = closed.filter(|row| axis.value(row).is_none());
    let systems: BTreeSet<_> = nowhere.map(|row| row.system.clone()).collect();
    (!systems.is_empty()).then_some(Finding::NotOnAxis { axis, systems })
}

fn left_out(rows: &[Row]) -> Option<Finding> {
    let bad: Vec<_> = rows.iter().filter(|row| !row.valid).collect();
    let mut counts = BTreeMap::<&str, usize>::new();
    for row in &bad {
        let reason = row.invalid_reason.as_deref().unwrap_or("no reason is given");
        *counts.entry(reason).or_default() += 1;
    }
    let mut reasons: Vec<_> = counts.into_iter().map(|(why, n)| (why.to_owned(), n)).collect();
    reasons.sort_by_key(|(_, count)| Reverse(*count));
    let (left_out, of) = (bad.len(), rows.len());
    (left_out > 0).then_some(Finding::LeftOut { left_out, of, reasons })
}

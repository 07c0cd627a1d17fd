//! Findings about limits: bounds, disturbed points, and rows that are on no curve.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, LabeledPoint};
use crate::analysis::axis::is_closed_loop;
use crate::analysis::{Axis, Curve, Point};
use crate::results::Row;

/// The driver whose clients cost less CPU time than those of the frameworks.
const LEAN_DRIVER: &str = "lean";

/// Returns the findings about the limits of the measurement.
pub(super) fn remarks(curves: &[Curve], rows: &[Row], axis: Axis) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(clients_bound(curves, axis));
    all.extend(clients_maybe_bound(curves, axis));
    all.extend(bounds(curves, axis));
    all.extend(disturbed(curves, axis));
    all.extend(not_on_axis(rows, axis));
    all.extend(invalid_trials(rows));
    all
}

/// One finding for client-bound peaks that the lean driver could raise, and one for the others.
fn clients_bound(curves: &[Curve], axis: Axis) -> Vec<Finding> {
    // The lean driver does not support shared channels.
    let shares_channels = curves.iter().any(|curve| curve.options.contains_key("channels"));
    let is_lean =
        |curve: &Curve| curve.options.get("driver").is_some_and(|name| name == LEAN_DRIVER);
    let finding = |lean_driver_available: bool| {
        let is_selected =
            |curve: &&Curve| (!shares_channels && !is_lean(curve)) == lean_driver_available;
        let peaks = curves.iter().filter(is_selected);
        let peaks = peaks.filter_map(|curve| Some((curve, curve.undisturbed_peak()?)));
        let bound = peaks.filter(|(_, point)| point.is_bounded_by_clients());
        let points: Vec<_> = bound.map(|(curve, point)| LabeledPoint::of(curve, point)).collect();
        (!points.is_empty()).then_some(Finding::ClientBound { axis, points, lean_driver_available })
    };
    [true, false].into_iter().filter_map(finding).collect()
}

/// The peaks that the clients may have bounded together with the server.
fn clients_maybe_bound(curves: &[Curve], axis: Axis) -> Option<Finding> {
    let peaks = curves.iter().filter_map(|curve| Some((curve, curve.undisturbed_peak()?)));
    let is_selected =
        |point: &Point| point.may_be_bounded_by_clients() && !point.is_bounded_by_clients();
    let peaks: Vec<_> = peaks.filter(|(_, point)| is_selected(point)).collect();
    let unclear = peaks.iter().any(|(_, point)| point.bounds.contains_key("unclear"));
    let points: Vec<_> =
        peaks.iter().map(|(curve, point)| LabeledPoint::of(curve, point)).collect();
    (!points.is_empty()).then_some(Finding::MaybeClientBound { axis, points, unclear })
}

/// The bounds of the peaks, except those that the clients bounded or may have bounded.
fn bounds(curves: &[Curve], axis: Axis) -> Vec<Finding> {
    let mut by_bound: BTreeMap<Option<&str>, (usize, Vec<String>)> = BTreeMap::new();
    for (curve, point) in curves.iter().filter_map(|c| Some((c, c.undisturbed_peak()?))) {
        let mut bounds = point.bounds.keys().map(String::as_str);
        let bound = match (bounds.next(), bounds.next()) {
            (None, _) => continue,
            (Some(bound), None) => Some(bound),
            (Some(_), Some(_)) => None,
        };
        if !point.may_be_bounded_by_clients() {
            let (count, labels) = by_bound.entry(bound).or_default();
            let label = curve.label_at(axis, point.x);
            *count += 1;
            // Curves of several kinds of work may share their first point.
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    let finding = |(bound, (count, labels)): (Option<&str>, (usize, Vec<String>))| {
        let all = count == curves.len();
        Finding::Bounds { bound: bound.map(str::to_owned), labels, all }
    };
    // Known bounds first.
    by_bound.into_iter().rev().map(finding).collect()
}

fn disturbed(curves: &[Curve], axis: Axis) -> Option<Finding> {
    let disturbed_xs = |curve: &Curve| {
        let disturbed = curve.points.iter().filter(|point| point.disturbed > 0);
        (curve.label.clone(), disturbed.map(|point| point.x).collect::<Vec<_>>())
    };
    let points: Vec<_> = curves.iter().map(disturbed_xs).filter(|(_, xs)| !xs.is_empty()).collect();
    (!points.is_empty()).then_some(Finding::Disturbed { axis, points })
}

fn not_on_axis(rows: &[Row], axis: Axis) -> Option<Finding> {
    let closed_loop = rows.iter().filter(|row| row.valid && is_closed_loop(row));
    let without_value = closed_loop.filter(|row| axis.value(row).is_none());
    let systems: BTreeSet<_> = without_value.map(|row| row.system.clone()).collect();
    (!systems.is_empty()).then_some(Finding::NotOnAxis { axis, systems })
}

fn invalid_trials(rows: &[Row]) -> Option<Finding> {
    let invalid: Vec<_> = rows.iter().filter(|row| !row.valid).collect();
    let mut counts = BTreeMap::<&str, usize>::new();
    for row in &invalid {
        let reason = row.invalid_reason.as_deref().unwrap_or("no reason is given");
        *counts.entry(reason).or_default() += 1;
    }
    let mut reasons: Vec<_> =
        counts.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect();
    reasons.sort_by_key(|(_, count)| Reverse(*count));
    let (invalid, total) = (invalid.len(), rows.len());
    (invalid > 0).then_some(Finding::InvalidTrials { invalid, total, reasons })
}

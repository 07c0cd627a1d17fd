//! Notes: facts about the rows that the tables do not show.

use std::collections::BTreeMap;

use super::phrases::{MORE_TRIALS_ADVICE, axis_format, pluralize};
use crate::analysis::{Axis, Curve, MIN_TRIALS, Point};
use crate::results::{Row, Run};

/// The text for the reason of an invalid trial that has none.
pub const NO_REASON: &str = "no reason given";

/// The rows that are left out of every mean: their number, and then one line each with the reason.
pub fn left_out(rows: &[Row]) -> Vec<String> {
    let invalid: Vec<_> = rows.iter().filter(|row| !row.valid).collect();
    if invalid.is_empty() {
        return Vec::new();
    }
    let each = invalid.iter().map(|row| {
        let reason = row.invalid_reason.as_deref().unwrap_or(NO_REASON);
        let clients = pluralize(row.clients, "client");
        format!("left out: {}, {clients}, trial {}: {reason}", row.system, row.trial)
    });
    let all = format!("left out of every mean: {} of {} trials", invalid.len(), rows.len());
    [all].into_iter().chain(each).collect()
}

/// The distinct notes of the rows, each with its number of rows.
pub fn notes(rows: &[Row]) -> Vec<String> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for note in rows.iter().filter_map(|row| row.notes.as_deref()) {
        note.split("; ").for_each(|note| *counts.entry(note).or_default() += 1);
    }
    let all = rows.len();
    counts.into_iter().map(|(note, n)| format!("note, {n} of {all} trials: {note}")).collect()
}

/// Warns of points without an interval; `None` without such points.
pub fn few_trials(curves: &[Curve]) -> Option<String> {
    let is_few = |point: &Point| point.throughput.count < MIN_TRIALS && !point.is_sliced();
    let has_few = |curve: &Curve| curve.points.iter().any(is_few);
    curves.iter().any(has_few).then(|| {
        format!(
            "points with fewer than {MIN_TRIALS} trials have no interval, so no difference is \
             claimed for them; {MORE_TRIALS_ADVICE}"
        )
    })
}

/// The points that are not ranked; one line per reason.
pub fn not_ranked(curves: &[Curve], axis: Axis) -> Vec<String> {
    let note = |applies: fn(&Point) -> bool, reason: &str| {
        let points: Vec<_> =
            curves.iter().filter_map(|curve| matching(curve, axis, applies)).collect();
        (!points.is_empty()).then(|| format!("not ranked: {}, where {reason}", points.join("; ")))
    };
    let notes = [
        note(
            Point::is_bounded_by_clients,
            "the clients were the bound; give the clients more CPUs (--client-cpus), or run them \
             on other machines",
        ),
        note(
            |point| point.may_be_bounded_by_clients() && !point.is_bounded_by_clients(),
            "the clients had no CPU time left either, or may have had none (host, unclear); give \
             the clients more CPUs (--client-cpus), or raise --duration if the bound is unclear",
        ),
        note(
            |point| point.disturbed > 0,
            "steal or other processes disturbed the trials; stop other processes, measure several \
             contenders in one bench (in slices), or measure again",
        ),
    ];
    notes.into_iter().flatten().collect()
}

/// The number of disturbed trials that are left out of the means; `None` without such trials.
pub fn disturbed_trials(curves: &[Curve]) -> Option<String> {
    let points = curves.iter().flat_map(|curve| &curve.points);
    let count: usize = points.map(|point| point.excluded_trials).sum();
    (count > 0).then(|| {
        format!(
            "left out of the means: {}, disturbed by steal or other processes; each point keeps \
             {MIN_TRIALS} or more",
            pluralize(count, "trial")
        )
    })
}

/// The points of a curve to which a predicate applies; `None` without such points.
fn matching(curve: &Curve, axis: Axis, applies: fn(&Point) -> bool) -> Option<String> {
    let points = curve.points.iter().filter(|point| applies(point));
    let values: Vec<_> = points.map(|point| axis_format(axis)(point.x)).collect();
    let points = match (axis, values.as_slice()) {
        (_, []) => return None,
        (Axis::Clients, [one]) if one == "1" => "at 1 client".to_owned(),
        (Axis::Clients, all) => format!("at {} clients", all.join(", ")),
        (Axis::Workers, [one]) if one == "1" => "with 1 worker".to_owned(),
        (Axis::Workers, all) => format!("with {} workers", all.join(", ")),
        (Axis::Payload, all) => format!("at a payload of {}", all.join(", ")),
        (Axis::Work, all) => format!("at a service time of {} us", all.join(", ")),
        (Axis::Think, all) => format!("at a think time of {} us", all.join(", ")),
    };
    Some(format!("{} {points}", curve.label))
}

/// The number of slices that are left out; `None` without such slices.
pub fn slices_left_out(rows: &[Row]) -> Option<String> {
    let sum = |of: fn(&Row) -> Option<u64>| rows.iter().filter_map(of).sum::<u64>();
    let (kept, left_out) = (sum(|row| row.slices), sum(|row| row.slices_left_out));
    (left_out > 0).then(|| {
        format!(
            "left out: {left_out} of {} slices, in which steal or other processes took 2 % or more \
             of one side's CPUs",
            kept + left_out
        )
    })
}

/// The rows that were measured over a veth pair; `None` without such rows.
pub fn network(rows: &[Row]) -> Option<String> {
    let count = rows.iter().filter(|row| row.network.as_deref() == Some("veth")).count();
    (count > 0).then(|| {
        format!(
            "network, {count} of {} trials: servers and clients in separate network namespaces, \
             joined by a veth pair",
            rows.len()
        )
    })
}

/// The correction of this number of claims; `None` if there is at most one.
pub fn holm_correction(count: usize) -> Option<String> {
    (count > 1).then(|| {
        format!(
            "{count} ratios were compared; Holm's correction for this number limits the \
             probability of a false claim anywhere in the report to 5 %"
        )
    })
}

/// The commands that repeat the runs, and the number of earlier commands that are omitted. A shell
/// loop can add one command per run; only the last few are returned.
pub fn commands(runs: &[Run]) -> (Vec<String>, usize) {
    const MAX_COMMANDS: usize = 6;
    let mut commands: Vec<_> = runs.iter().map(|run| run.command.clone()).collect();
    commands.dedup();
    let omitted = commands.len().saturating_sub(MAX_COMMANDS);
    (commands.split_off(omitted), omitted)
}

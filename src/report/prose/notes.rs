//! What is to be said of rows that numbers do not say.

use std::collections::BTreeMap;

use super::phrases::{MORE_TRIALS, counted, written};
use crate::analysis::{Axis, Comparison, Curve, FEWEST_TRIALS, Point, claims};
use crate::results::{Row, Run};

/// What stands for the reason of a trial that does not hold and gives none.
pub const NO_REASON: &str = "no reason is given";

/// Which rows are in no mean, and why: a line each, with the number of all rows before them.
pub fn left_out(rows: &[Row]) -> Vec<String> {
    let bad: Vec<_> = rows.iter().filter(|row| !row.valid).collect();
    if bad.is_empty() {
        return Vec::new();
    }
    let each = bad.iter().map(|row| {
        let reason = row.invalid_reason.as_deref().unwrap_or(NO_REASON);
        let clients = counted(row.clients, "client");
        format!("left out: {}, {clients}, trial {}: {reason}", row.system, row.trial)
    });
    let all = format!("left out of every mean: {} of {} trials", bad.len(), rows.len());
    [all].into_iter().chain(each).collect()
}

/// What the rows say of themselves that a reader should know, and how many of them do.
pub fn notes(rows: &[Row]) -> Vec<String> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for note in rows.iter().filter_map(|row| row.notes.as_deref()) {
        note.split("; ").for_each(|note| *counts.entry(note).or_default() += 1);
    }
    let all = rows.len();
    counts.into_iter().map(|(note, n)| format!("note, {n} of {all} trials: {note}")).collect()
}

/// Whether there are points without an interval.
pub fn few_trials(curves: &[Curve]) -> Option<String> {
    let is_few = |point: &Point| point.throughput.count < FEWEST_TRIALS && !point.is_sliced();
    let few = |curve: &Curve| curve.points.iter().any(is_few);
    curves.iter().any(few).then(|| {
        format!(
            "points of fewer than {FEWEST_TRIALS} trials have no interval, and no difference is \
             claimed of them; {MORE_TRIALS}"
        )
    })
}

/// The points by which no server is ranked, a line for each reason.
pub fn not_ranked(curves: &[Curve], axis: Axis) -> Vec<String> {
    let told = |applies: fn(&Point) -> bool, why: &str| {
        let points: Vec<_> = curves.iter().filter_map(|curve| at(curve, axis, applies)).collect();
        (!points.is_empty()).then(|| format!("not ranked: {}, where {why}", points.join("; ")))
    };
    let told = [
        told(
            Point::is_bounded_by_clients,
            "the clients were the bound; give them more CPUs (--client-cpus), or machines of their \
             own",
        ),
        told(
            |point| point.disturbed > 0,
            "steal or other processes disturbed them; stop these processes, compare in slices, or \
             measure again",
        ),
    ];
    told.into_iter().flatten().collect()
}

/// How many trials are in no mean because others disturbed them.
pub fn set_aside(curves: &[Curve]) -> Option<String> {
    let points = curves.iter().flat_map(|curve| &curve.points);
    let count: usize = points.map(|point| point.set_aside).sum();
    let trials = if count == 1 { "trial" } else { "trials" };
    (count > 0).then(|| {
        format!(
            "left out of the means: {count} {trials} during which other processes used the CPUs; \
             {FEWEST_TRIALS} or more are left of each point"
        )
    })
}

/// The points of a curve to which something applies, in words.
fn at(curve: &Curve, axis: Axis, applies: fn(&Point) -> bool) -> Option<String> {
    let points = curve.points.iter().filter(|point| applies(point));
    let places: Vec<_> = points.map(|point| written(axis)(point.x)).collect();
    let places = match (axis, places.as_slice()) {
        (_, []) => return None,
        (Axis::Clients, [one]) if one == "1" => "at 1 client".to_owned(),
        (Axis::Clients, all) => format!("at {} clients", all.join(", ")),
        (Axis::Workers, [one]) if one == "1" => "with 1 worker".to_owned(),
        (Axis::Workers, all) => format!("with {} workers", all.join(", ")),
        (Axis::Payload, all) => format!("at a payload of {}", all.join(", ")),
        (Axis::Work, all) => format!("at a service time of {} us", all.join(", ")),
        (Axis::Think, all) => format!("at a think time of {} us", all.join(", ")),
    };
    Some(format!("{} {places}", curve.label))
}

/// How many slices are left out; `None` without disturbed ones.
pub fn slices_left_out(rows: &[Row]) -> Option<String> {
    let sum = |of: fn(&Row) -> Option<u64>| rows.iter().filter_map(of).sum::<u64>();
    let (kept, left_out) = (sum(|row| row.slices), sum(|row| row.slices_left_out));
    (left_out > 0).then(|| {
        format!(
            "left out: {left_out} of {} slices, during which steal or other processes took 2 % or \
             more of one side's CPUs",
            kept + left_out
        )
    })
}

/// How the claims are corrected for their number; `None` of a single one.
pub fn corrected(comparisons: &[Comparison]) -> Option<String> {
    let count = claims(comparisons);
    (count > 1).then(|| {
        format!(
            "{count} ratios were compared; their verdicts are corrected for this number (Holm), so \
             that a report makes a false claim in at most 5 % of all cases"
        )
    })
}

/// How to measure runs again, and how many more commands there are: of a loop whose every call is
/// a run, those of the last few.
pub fn commands(runs: &[Run]) -> (Vec<String>, usize) {
    const FEW: usize = 6;
    let mut commands: Vec<_> = runs.iter().map(|run| run.command.clone()).collect();
    commands.dedup();
    let more = commands.len().saturating_sub(FEW);
    (commands.split_off(more), more)
}

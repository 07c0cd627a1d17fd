//! Fairness, errors, and whether the trials hold.

use super::Given;
use super::common::name_of;
use crate::report::numbers::{grouped, shown};
use crate::report::page::{Block, Section, Table};
use crate::report::prose::findings::place;
use crate::report::prose::notes;
use crate::report::prose::phrases::{named, written};

pub fn section(given: &Given<'_>) -> Section {
    let mut section = Section::new("validity", "Fairness, errors, validity");
    let all = given.rows.len();
    let bad = given.rows.iter().filter(|row| !row.valid).count();
    section.say(match (all, bad) {
        (1, 0) => "The one trial holds.".to_owned(),
        (all, 0) => format!("All {all} trials hold: where the server was asked too, both sides agree on what happened."),
        (all, bad) => format!("{bad} of {all} trials do not hold, and are in no mean."),
    });
    let remarks: Vec<_> = notes::not_ranked(given.curves, given.axis)
        .into_iter()
        .chain(notes::set_aside(given.curves))
        .chain(notes::slices_left_out(given.rows))
        .chain(notes::notes(given.rows))
        .chain(notes::corrected(given.comparisons))
        .collect();
    if !remarks.is_empty() {
        section.blocks.push(Block::List(remarks));
    }
    if bad > 0 {
        section.blocks.push(Block::Table(left_out(given)));
    }
    if !given.curves.is_empty() {
        section.say(fairness(given));
        let points = vec![Block::Table(by_point(given))];
        section.blocks.push(Block::Folded("All points as a table".to_owned(), points));
    }
    section
}

/// Where clients were served least alike, and whether echoes failed.
fn fairness(given: &Given<'_>) -> String {
    let points = || given.curves.iter().flat_map(|c| c.points.iter().map(move |p| (c, p)));
    let errors = points().fold(0_u64, |sum, (_, point)| sum.saturating_add(point.errors));
    let failed = match errors {
        0 => "No echo failed.".to_owned(),
        1 => "One echo failed.".to_owned(),
        all => format!("{} echoes failed.", grouped(all as f64, 0)),
    };
    let known = points().filter_map(|(curve, point)| Some((curve, point, point.client_fairness?)));
    let least = known.min_by(|a, b| a.2.total_cmp(&b.2)).map(|(curve, point, index)| {
        format!(
            " Clients were served least alike by {} {}: Jain's index is {} there, of 1 where all \
             have the same.",
            named(&curve.label_at(given.axis, point.x)),
            place(given.axis, point.x),
            grouped(index, 3)
        )
    });
    failed + &least.unwrap_or_default()
}

fn left_out(given: &Given<'_>) -> Table {
    let mut table = Table::new("Trials that are left out", &["system", "clients", "trial", "why"]);
    for row in given.rows.iter().filter(|row| !row.valid) {
        let why = row.invalid_reason.as_deref().unwrap_or(notes::NO_REASON);
        table.add([
            row.system.clone(),
            row.clients.to_string(),
            row.trial.to_string(),
            why.to_owned(),
        ]);
    }
    table
}

/// One line per curve and place: Jain's index, errors, and how busy the sides were.
fn by_point(given: &Given<'_>) -> Table {
    let titles = [
        "system",
        name_of(given.axis),
        "fairness, clients",
        "fairness, workers",
        "errors",
        "server busy",
        "clients busy",
        "bound",
        "disturbed trials",
    ];
    let caption = "Jain's index of fairness (1: all were served alike), echoes that failed, and how \
                   busy the CPUs of each side were";
    let mut table = Table::new(caption, &titles);
    for (curve, point) in given.curves.iter().flat_map(|c| c.points.iter().map(move |p| (c, p))) {
        let percent = |share: Option<f64>| {
            share.map_or_else(|| shown(None, 0), |share| format!("{:.0} %", share * 100.0))
        };
        table.add([
            curve.label.clone(),
            written(given.axis)(point.x),
            shown(point.client_fairness, 3),
            shown(point.worker_fairness, 3),
            point.errors.to_string(),
            percent(point.server_busy),
            percent(point.client_busy),
            crate::report::table::bounds(point),
            (point.disturbed + point.set_aside).to_string(),
        ]);
    }
    table
}

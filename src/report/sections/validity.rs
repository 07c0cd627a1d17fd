//! Validity: invalid trials, notes, failed echoes, and fairness.

use super::ReportInput;
use super::common::axis_name;
use crate::report::numbers::{UNKNOWN, grouped, grouped_or_unknown};
use crate::report::page::{Block, Section, Table};
use crate::report::prose::notes;
use crate::report::prose::phrases::{at_value, axis_format, inline_label};
use crate::report::table::bounds;

pub fn section(input: &ReportInput<'_>) -> Section {
    let mut section = Section::new("validity", "Fairness, errors, validity");
    let all = input.rows.len();
    let invalid = input.rows.iter().filter(|row| !row.valid).count();
    section.add_paragraph(match (all, invalid) {
        (1, 0) => "The only trial is valid.".to_owned(),
        (all, 0) => format!(
            "All {all} trials are valid. Where the server's count is known, it agrees with the \
             clients' count."
        ),
        (all, 1) => format!("1 of {all} trials is invalid and left out of every mean."),
        (all, invalid) => {
            format!("{invalid} of {all} trials are invalid and left out of every mean.")
        }
    });
    let notes: Vec<_> = notes::not_ranked(input.curves, input.axis)
        .into_iter()
        .chain(notes::disturbed_trials(input.curves))
        .chain(notes::slices_left_out(input.rows))
        .chain(notes::network(input.rows))
        .chain(notes::notes(input.rows))
        .chain(notes::holm_correction(input.claim_count))
        .collect();
    if !notes.is_empty() {
        section.blocks.push(Block::List(notes));
    }
    if invalid > 0 {
        section.blocks.push(Block::Table(invalid_trials(input)));
    }
    if !input.curves.is_empty() {
        section.add_paragraph(fairness(input));
        let points = vec![Block::Table(by_point(input))];
        section.blocks.push(Block::Details("All points as a table".to_owned(), points));
    }
    section
}

/// The number of failed echoes, and the point with the lowest fairness between clients.
fn fairness(input: &ReportInput<'_>) -> String {
    let points = || input.curves.iter().flat_map(|c| c.points.iter().map(move |p| (c, p)));
    let errors = points().fold(0_u64, |sum, (_, point)| sum.saturating_add(point.errors));
    let failed = match errors {
        0 => "No echo failed.".to_owned(),
        1 => "One echo failed.".to_owned(),
        all => format!("{} echoes failed.", grouped(all as f64, 0)),
    };
    let known = points().filter_map(|(curve, point)| Some((curve, point, point.client_fairness?)));
    let lowest = known.min_by(|a, b| a.2.total_cmp(&b.2)).map(|(curve, point, index)| {
        format!(
            " Fairness between clients is lowest for {} {}: Jain's index is {} (1 means that all \
             clients exchanged the same number of messages).",
            inline_label(&curve.label_at(input.axis, point.x)),
            at_value(input.axis, point.x),
            grouped(index, 3)
        )
    });
    failed + &lowest.unwrap_or_default()
}

fn invalid_trials(input: &ReportInput<'_>) -> Table {
    let header = ["system", "clients", "trial", "reason"];
    let mut table = Table::new("Invalid trials", &header);
    for row in input.rows.iter().filter(|row| !row.valid) {
        let reason = row.invalid_reason.as_deref().unwrap_or(notes::NO_REASON);
        table.add([
            row.system.clone(),
            row.clients.to_string(),
            row.trial.to_string(),
            reason.to_owned(),
        ]);
    }
    table
}

/// One line per point: fairness, errors, CPU use, bound and disturbed trials.
fn by_point(input: &ReportInput<'_>) -> Table {
    let header = [
        "system",
        axis_name(input.axis),
        "fairness, clients",
        "fairness, workers",
        "errors",
        "server busy",
        "busiest thread",
        "clients busy",
        "bound",
        "disturbed trials",
    ];
    let caption = "Jain's index of fairness (1: all served equally), failed echoes, the share of each \
                   side's CPUs that was busy, and the share of one CPU that the server's busiest \
                   thread used";
    let mut table = Table::new(caption, &header);
    for (curve, point) in input.curves.iter().flat_map(|c| c.points.iter().map(move |p| (c, p))) {
        let percent = |share: Option<f64>| {
            share.map_or_else(|| UNKNOWN.to_owned(), |share| format!("{:.0} %", share * 100.0))
        };
        table.add([
            curve.label.clone(),
            axis_format(input.axis)(point.x),
            grouped_or_unknown(point.client_fairness, 3),
            grouped_or_unknown(point.worker_fairness, 3),
            point.errors.to_string(),
            percent(point.server_busy),
            percent(point.server_busiest_thread),
            percent(point.client_busy),
            bounds(point),
            (point.disturbed + point.excluded_trials).to_string(),
        ]);
    }
    table
}

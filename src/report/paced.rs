//! Paced runs in words and in a table.

use super::numbers::{UNKNOWN, grouped, shown};
use super::page::Table;
use super::prose::phrases::{limited, named};
use crate::analysis::Paced;

/// How long somebody waits, and what was not kept.
pub(super) fn paced(label: &str, told: Option<&Paced>, missed: &[Paced]) -> String {
    let name = named(label);
    let waits = told.and_then(|one| {
        let us = grouped(one.due_p99_us?, 0);
        let load = load(one);
        Some(format!(
            "{name}: at {load}, 99 % of the requests are answered within {us} us of when they are \
             due."
        ))
    });
    let missed = match (&waits, missed.is_empty()) {
        (_, true) => None,
        (Some(_), false) => Some(format!("Not kept: {}.", unkept(missed))),
        (None, false) => Some(format!("{name} kept no rate: {}.", unkept(missed))),
    };
    let said: Vec<_> = waits.into_iter().chain(missed).collect();
    if said.is_empty() {
        return format!("{name} kept all rates; how long its replies took is not known.");
    }
    said.join(" ")
}

/// What was offered and what was sent instead.
fn unkept(missed: &[Paced]) -> String {
    let each = missed.iter().map(|one| {
        let share = one.share_of_peak.map(|_| load(one) + " was ").unwrap_or_default();
        let (offered, sent) = (grouped(one.rate_per_s, 0), grouped(one.sent_per_s, 0));
        format!("{share}offered {offered}/s, sent {sent}/s")
    });
    limited(&each.collect::<Vec<_>>())
}

/// A rate, as what people can imagine.
pub(super) fn load(one: &Paced) -> String {
    match one.share_of_peak {
        Some(share) => format!("{:.0} % of its peak", share * 100.0),
        None => format!("{} messages/s", grouped(one.rate_per_s, 0)),
    }
}

/// One line per system and rate: what was offered and sent, and percentiles of the latency.
pub fn table(all: &[Paced]) -> Table {
    let titles = [
        "system",
        "of peak",
        "offered/s",
        "sent/s",
        "trials",
        "p50 (us)",
        "p90",
        "p99",
        "p99.9",
        "sent: p99",
    ];
    let caption = "Latency from when requests were due; 'sent': from when they were sent";
    let mut table = Table::new(caption, &titles);
    for one in all {
        let share = one.share_of_peak.map(|share| format!("{:.0} %", share * 100.0));
        table.add([
            one.label.clone(),
            share.unwrap_or_else(|| UNKNOWN.to_owned()),
            grouped(one.rate_per_s, 0),
            grouped(one.sent_per_s, 0),
            one.trials.to_string(),
            shown(one.due_p50_us, 1),
            shown(one.due_p90_us, 1),
            shown(one.due_p99_us, 1),
            shown(one.due_p999_us, 1),
            shown(one.rtt_p99_us, 1),
        ]);
    }
    table
}

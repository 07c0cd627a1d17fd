//! Paced runs (open loop): sentences and the table.

use super::numbers::{UNKNOWN, grouped, grouped_or_unknown};
use super::page::Table;
use super::prose::phrases::{inline_label, short_list};
use crate::analysis::PacedLoad;

/// The latency at one load, and the rates that were not kept.
pub(super) fn sentence(label: &str, shown: Option<&PacedLoad>, missed: &[PacedLoad]) -> String {
    let label = inline_label(label);
    let latency = shown.and_then(|paced| {
        let us = grouped(paced.due_p99_us?, 0);
        Some(format!(
            "{label}: at {}, 99 % of requests are answered within {us} us of their scheduled send \
             time.",
            load(paced)
        ))
    });
    let missed = match (&latency, missed.is_empty()) {
        (_, true) => None,
        (Some(_), false) => Some(format!("Rates not kept: {}.", not_kept(missed))),
        (None, false) => Some(format!("{label} kept no rate: {}.", not_kept(missed))),
    };
    let sentences: Vec<_> = latency.into_iter().chain(missed).collect();
    if sentences.is_empty() {
        return format!("{label} kept all rates; its latency is unknown.");
    }
    sentences.join(" ")
}

/// The offered and the sent rate of each load.
fn not_kept(missed: &[PacedLoad]) -> String {
    let each = missed.iter().map(|paced| {
        let share = paced.share_of_peak.map(|_| format!(" ({})", load(paced))).unwrap_or_default();
        let (offered, sent) = (grouped(paced.rate_per_s, 0), grouped(paced.sent_per_s, 0));
        format!("{sent} of {offered} requests/s sent{share}")
    });
    short_list(&each.collect::<Vec<_>>())
}

/// The offered load: the share of the peak if it is known, otherwise the rate.
pub(super) fn load(paced: &PacedLoad) -> String {
    match paced.share_of_peak {
        Some(share) => format!("{:.0} % of its peak", share * 100.0),
        None => format!("{} requests/s", grouped(paced.rate_per_s, 0)),
    }
}

/// One line per system and rate: offered rate, sent rate and percentiles of the latency.
pub fn table(loads: &[PacedLoad]) -> Table {
    let header = [
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
    let caption = "Latency from the scheduled send time; 'sent: p99' is from the actual send time";
    let mut table = Table::new(caption, &header);
    for paced in loads {
        let share = paced.share_of_peak.map(|share| format!("{:.0} %", share * 100.0));
        table.add([
            paced.label.clone(),
            share.unwrap_or_else(|| UNKNOWN.to_owned()),
            grouped(paced.rate_per_s, 0),
            grouped(paced.sent_per_s, 0),
            paced.trials.to_string(),
            grouped_or_unknown(paced.due_p50_us, 1),
            grouped_or_unknown(paced.due_p90_us, 1),
            grouped_or_unknown(paced.due_p99_us, 1),
            grouped_or_unknown(paced.due_p999_us, 1),
            grouped_or_unknown(paced.rtt_p99_us, 1),
        ]);
    }
    table
}

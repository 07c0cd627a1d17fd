//! Paced runs (open loop): sentences and the table.

use super::numbers::{UNKNOWN, grouped};
use super::page::Table;
use super::prose::phrases::{inline_label, short_list};
use crate::analysis::{PacedLoad, Percentile};

/// The latency at one load, and the rates that were not kept.
pub(super) fn sentence(label: &str, shown: Option<&PacedLoad>, missed: &[PacedLoad]) -> String {
    let label = inline_label(label);
    let latency = shown.and_then(|paced| {
        let us = grouped(paced.due_p99_us?.us, 0);
        Some(format!(
            "{label}: at {}, 99 % of requests are answered within {us} us of their scheduled send \
             time{}.{}",
            load(paced),
            range(paced),
            by_clients(paced)
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

/// The range of the 99th percentile over the trials, if there are several.
fn range(paced: &PacedLoad) -> String {
    match paced.due_p99_us {
        Some(p99) if paced.trials > 1 && p99.low < p99.high => {
            format!(" ({} to {} us in single trials)", grouped(p99.low, 0), grouped(p99.high, 0))
        }
        _ => String::new(),
    }
}

/// From this share of late requests on, they determine the 99th percentile.
const MANY_LATE: f64 = 0.01;

/// States that the clients determined the latency, if they did.
fn by_clients(paced: &PacedLoad) -> String {
    if !paced.is_limited_by_clients() {
        return String::new();
    }
    let lag = grouped(paced.send_lag_p99_us.map_or(0.0, |lag| lag.us), 0);
    let late = paced.sent_late.unwrap_or_default();
    if late < MANY_LATE {
        return format!(
            " Late wake-ups of the clients, not the server's replies, determined it (p99 of the \
             delay: {lag} us)."
        );
    }
    format!(
        " The wait for a free client, not for the server's reply, determined it: {:.1} % of \
         requests were sent late (p99 of the delay: {lag} us). Measure again with more clients.",
        late * 100.0
    )
}

/// Sentences about the loads whose latency the clients determined, or is a lower bound.
pub(super) fn limits(loads: &[PacedLoad]) -> Vec<String> {
    let named = |paced: &PacedLoad| format!("{} at {}", inline_label(&paced.label), load(paced));
    let of_clients = loads.iter().filter(|paced| paced.is_limited_by_clients());
    let of_clients = of_clients.map(|paced| format!("{}.{}", named(paced), by_clients(paced)));
    let censored = loads.iter().filter(|paced| paced.censored > 0).map(|paced| {
        let requests = match paced.censored {
            1 => "1 request has no reply and counts at its age".to_owned(),
            more => format!(
                "{} requests have no reply and count at their ages",
                grouped(more as f64, 0)
            ),
        };
        format!("{}: {requests}, so the percentiles are lower bounds.", named(paced))
    });
    of_clients.chain(censored).collect()
}

/// The offered and the sent rate of each load.
fn not_kept(missed: &[PacedLoad]) -> String {
    let each = missed.iter().map(|paced| {
        let share = paced.share_of_peak.map(|_| format!(" ({})", load(paced))).unwrap_or_default();
        // A mean would hide a trial with a surplus behind one with a deficit.
        let some = paced.missed_trials < paced.trials;
        let sent = if some { paced.worst_sent_per_s } else { paced.sent_per_s };
        let trials = format!(" in {} of {} trials", paced.missed_trials, paced.trials);
        let trials = if some { &*trials } else { "" };
        let (offered, sent) = (grouped(paced.rate_per_s, 0), grouped(sent, 0));
        format!("{sent} of {offered} requests/s sent{trials}{share}")
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
        "sent late",
        "lag p99",
        "no reply",
    ];
    let caption = "Latency from the scheduled send time, with the range over the trials; 'sent: \
                   p99' is from the actual send time; 'sent late': requests whose client was still \
                   waiting; 'lag' is from the scheduled to the actual send time";
    let mut table = Table::new(caption, &header);
    for paced in loads {
        let share = paced.share_of_peak.map(|share| format!("{:.0} %", share * 100.0));
        let late = paced.sent_late.map(|share| format!("{:.1} %", share * 100.0));
        table.add([
            paced.label.clone(),
            share.unwrap_or_else(|| UNKNOWN.to_owned()),
            grouped(paced.rate_per_s, 0),
            grouped(paced.sent_per_s, 0),
            paced.trials.to_string(),
            percentile(paced.due_p50_us),
            percentile(paced.due_p90_us),
            percentile(paced.due_p99_us),
            percentile(paced.due_p999_us),
            percentile(paced.rtt_p99_us),
            late.unwrap_or_else(|| UNKNOWN.to_owned()),
            percentile(paced.send_lag_p99_us),
            paced.censored.to_string(),
        ]);
    }
    table
}

/// A percentile, with its range over the trials if they differ.
fn percentile(percentile: Option<Percentile>) -> String {
    match percentile {
        Some(Percentile { us, low, high }) if low < high => {
            format!("{} ({} to {})", grouped(us, 1), grouped(low, 1), grouped(high, 1))
        }
        Some(Percentile { us, .. }) => grouped(us, 1),
        None => UNKNOWN.to_owned(),
    }
}

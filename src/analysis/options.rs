//! The options of a row, which distinguish curves.

use std::collections::{BTreeMap, BTreeSet};

use super::Axis;
use super::axis::service_time;
use crate::results::Row;

/// The options by name, each with its text in labels.
pub type CurveOptions = BTreeMap<&'static str, String>;

/// Options of the server that exist for some systems only or that configure a system. They may
/// differ between systems that are compared. All other options are conditions of the measurement.
const SERVER_OPTIONS: [&str; 5] = ["workers", "backend", "completion-queues", "channels", "tuning"];

/// Name of the option for the CPUs of the clients.
const CLIENT_CPUS: &str = "client-cpus";

/// Options that only paced rows have: the schedule of their requests.
const PACING_OPTIONS: [&str; 2] = ["rate", "arrivals"];

/// The options of a row, except the one on the axis.
///
/// The defaults of tuning, channels, work and network are omitted.
pub(super) fn options(row: &Row, axis: Axis) -> CurveOptions {
    let unless = |value: &Option<String>, default: &str, text: fn(&str) -> String| {
        value.as_deref().filter(|value| *value != default).map(text)
    };
    let known = [
        ("clients", Some(client_count(row.clients))),
        ("workers", row.workers.map(|workers| counted(workers, "worker"))),
        ("backend", row.backend.clone()),
        ("completion-queues", row.completion_queues.map(|queues| counted(queues, "queue"))),
        ("channels", unless(&row.channels, "per-client", |kind| format!("{kind} channel"))),
        ("tuning", unless(&row.tuning, "default", |_| "tuned".to_owned())),
        ("work", unless(&row.work, "none", |work| format!("work {work}"))),
        ("network", unless(&row.network, "loopback", |network| format!("over {network}"))),
        ("payload", Some(format!("{} B", row.payload_bytes))),
        ("reply-payload", Some(format!("reply {} B", row.reply_bytes))),
        ("think", Some(format!("think {} us", row.think_us))),
        ("rate", row.rate_per_s.map(|rate| format!("{rate}/s"))),
        ("arrivals", row.arrivals.clone()),
        ("driver", Some(row.driver.clone())),
        (
            "server-cpus",
            row.server_cpus.as_deref().map(|cpus| format!("server on {}", cpu_list(cpus))),
        ),
        (CLIENT_CPUS, Some(format!("clients on {}", cpu_list(&row.client_cpus)))),
    ];
    let others = known.into_iter().filter(|(name, _)| *name != axis.option());
    others.filter_map(|(name, text)| Some((name, text?))).collect()
}

fn cpu_list(cpus: &str) -> String {
    let is_one = cpus.chars().all(|c| c.is_ascii_digit());
    format!("CPU{} {cpus}", if is_one { "" } else { "s" })
}

/// The text for a number of clients in a label.
pub(super) fn client_count(clients: usize) -> String {
    counted(clients, "client")
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

impl Axis {
    /// Name of the option that varies along this axis.
    pub fn option(self) -> &'static str {
        match self {
            Axis::Clients => "clients",
            Axis::Workers => "workers",
            Axis::Work => "work",
            Axis::Payload => "payload",
            Axis::Think => "think",
        }
    }
}

/// Assigns rows to curves by their options. Some options depend on all rows.
pub(super) struct Grouping<'a> {
    axis: Axis,
    /// The kinds of work in the rows; empty if work is not the axis.
    kinds: BTreeSet<&'a str>,
    /// Whether payload is the axis and each reply is as long as its request.
    replies_equal_requests: bool,
}

impl<'a> Grouping<'a> {
    pub(super) fn of(rows: &[&'a Row], axis: Axis) -> Self {
        let kinds = rows.iter().filter_map(|&row| service_time(row)?.0);
        let is_equal = |row: &&Row| row.reply_bytes as usize == row.payload_bytes;
        Grouping {
            axis,
            kinds: kinds.filter(|_| axis == Axis::Work).collect(),
            replies_equal_requests: axis == Axis::Payload && rows.iter().all(is_equal),
        }
    }

    /// The options of each curve that a row belongs to. This is one curve, unless the axis is the
    /// service time and the row has no work: then the curve of each kind of work begins with the
    /// row.
    pub(super) fn options(&self, row: &Row) -> Vec<CurveOptions> {
        let mut options = options(row, self.axis);
        if self.replies_equal_requests {
            options.remove("reply-payload");
        }
        let kinds: Vec<_> = match service_time(row).filter(|_| self.axis == Axis::Work) {
            Some((Some(kind), _)) => vec![kind],
            Some((None, _)) => self.kinds.iter().copied().collect(),
            None => Vec::new(),
        };
        if kinds.is_empty() {
            return vec![options];
        }
        let with = |kind: &str| {
            let mut options = options.clone();
            options.insert("work", kind.to_owned());
            options
        };
        kinds.into_iter().map(with).collect()
    }
}

/// The options that are conditions of the measurement.
pub(super) fn conditions(options: &CurveOptions) -> CurveOptions {
    without(options, &SERVER_OPTIONS)
}

/// The options without those of pacing.
pub(super) fn without_pace(options: &CurveOptions) -> CurveOptions {
    without(options, &PACING_OPTIONS)
}

fn without(options: &CurveOptions, names: &[&str]) -> CurveOptions {
    let kept = options.iter().filter(|(name, _)| !names.contains(name));
    kept.map(|(name, text)| (*name, text.clone())).collect()
}

/// Returns the label of each name and its options: the name, followed by the options that differ
/// from others with that name. The clients' CPUs usually follow from the server's, so they are
/// omitted unless they are needed to distinguish the labels.
pub(super) fn labels(all: &[(&str, &CurveOptions)]) -> Vec<String> {
    let label = |(name, options): &(&str, &CurveOptions), with_client_cpus: bool| {
        let same_name = || all.iter().filter(|(other, _)| other == name);
        let differs =
            |key: &&str| same_name().any(|(_, others)| others.get(*key) != options.get(*key));
        let considered = options.iter().filter(|(key, _)| with_client_cpus || **key != CLIENT_CPUS);
        let shown = considered.filter(|(key, _)| differs(key)).map(|(_, text)| &**text);
        [*name].into_iter().chain(shown).collect::<Vec<_>>().join(", ")
    };
    let distinct = |with_client_cpus: bool| {
        all.iter().map(|one| label(one, with_client_cpus)).collect::<BTreeSet<_>>().len()
    };
    let with_client_cpus = distinct(false) < distinct(true);
    all.iter().map(|one| label(one, with_client_cpus)).collect()
}

//! The options of a row: what tells one curve from another.

use std::collections::{BTreeMap, BTreeSet};

use super::Axis;
use super::axis::work;
use crate::results::Row;

/// The name of each option, and how it is shown in a label.
pub type CurveOptions = BTreeMap<&'static str, String>;

/// Options of the server that only some systems have, or that set how a system is made up. Two
/// systems may be compared whatever these are; all others are conditions of the measurement.
const OF_SYSTEM: [&str; 5] = ["workers", "backend", "completion-queues", "channels", "tuning"];

/// Where the clients run.
const CLIENT_CPUS: &str = "client-cpus";

/// When requests are due: options of paced rows only.
const OF_PACE: [&str; 2] = ["rate", "arrivals"];

/// The options of a row, without the one that the axis shows.
///
/// What a library or a server does by default does not show: tuning, channels, no work.
pub(super) fn options(row: &Row, axis: Axis) -> CurveOptions {
    let unless = |value: &Option<String>, default: &str, shown: fn(&str) -> String| {
        value.as_deref().filter(|value| *value != default).map(shown)
    };
    let known = [
        ("clients", Some(in_clients(row.clients))),
        ("workers", row.workers.map(|workers| counted(workers, "worker"))),
        ("backend", row.backend.clone()),
        ("completion-queues", row.completion_queues.map(|queues| counted(queues, "queue"))),
        ("channels", unless(&row.channels, "per-client", |kind| format!("{kind} channel"))),
        ("tuning", unless(&row.tuning, "default", |_| "tuned".to_owned())),
        ("work", unless(&row.work, "none", |work| format!("work {work}"))),
        ("payload", Some(format!("{} B", row.payload_bytes))),
        ("reply-payload", Some(format!("reply {} B", row.reply_bytes))),
        ("think", Some(format!("think {} us", row.think_us))),
        ("rate", row.rate_per_s.map(|rate| format!("{rate}/s"))),
        ("arrivals", row.arrivals.clone()),
        ("driver", Some(row.driver.clone())),
        ("server-cpus", row.server_cpus.as_deref().map(|cpus| format!("server on {}", on(cpus)))),
        (CLIENT_CPUS, Some(format!("clients on {}", on(&row.client_cpus)))),
    ];
    let beside = known.into_iter().filter(|(name, _)| *name != axis.option());
    beside.filter_map(|(name, shown)| Some((name, shown?))).collect()
}

fn on(cpus: &str) -> String {
    let is_one = cpus.chars().all(|c| c.is_ascii_digit());
    format!("CPU{} {cpus}", if is_one { "" } else { "s" })
}

/// So many clients, as a label tells them.
pub(super) fn in_clients(clients: usize) -> String {
    counted(clients, "client")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

impl Axis {
    /// The option that it shows.
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

/// What the options of rows need to know of all of them.
pub(super) struct Sorting<'a> {
    axis: Axis,
    /// The kinds of work that there are, where work is the axis.
    kinds: BTreeSet<&'a str>,
    /// Whether replies are as long as the requests, where these vary.
    replies_alike: bool,
}

impl<'a> Sorting<'a> {
    pub(super) fn of(rows: &[&'a Row], axis: Axis) -> Self {
        let kinds = rows.iter().filter_map(|&row| work(row)?.0);
        let alike = |row: &&Row| row.reply_bytes as usize == row.payload_bytes;
        Sorting {
            axis,
            kinds: kinds.filter(|_| axis == Axis::Work).collect(),
            replies_alike: axis == Axis::Payload && rows.iter().all(alike),
        }
    }

    /// The options of each curve that a row is on: of one, but where the axis is the time of
    /// work and the row has none. That is where the curves of all kinds of work begin.
    pub(super) fn options(&self, row: &Row) -> Vec<CurveOptions> {
        let mut options = options(row, self.axis);
        if self.replies_alike {
            options.remove("reply-payload");
        }
        let kinds: Vec<_> = match work(row).filter(|_| self.axis == Axis::Work) {
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

/// Of the options, those under which every system is measured alike.
pub(super) fn conditions(options: &CurveOptions) -> CurveOptions {
    without(options, &OF_SYSTEM)
}

/// The options but those of pace.
pub(super) fn without_pace(options: &CurveOptions) -> CurveOptions {
    without(options, &OF_PACE)
}

fn without(options: &CurveOptions, names: &[&str]) -> CurveOptions {
    let kept = options.iter().filter(|(name, _)| !names.contains(name));
    kept.map(|(name, shown)| (*name, shown.clone())).collect()
}

/// What to call each of these: its system, and of its options those by which it differs from
/// others of that system. The clients' CPUs are told where nothing else tells them apart: they
/// follow from the server's as a rule.
pub(super) fn labels(all: &[(&str, &CurveOptions)]) -> Vec<String> {
    let label = |(system, options): &(&str, &CurveOptions), all_told: bool| {
        let alike = || all.iter().filter(|(other, _)| other == system);
        let telling =
            |name: &&str| alike().any(|(_, of_other)| of_other.get(*name) != options.get(*name));
        let names = options.iter().filter(|(name, _)| all_told || **name != CLIENT_CPUS);
        let told = names.filter(|(name, _)| telling(name)).map(|(_, shown)| &**shown);
        [*system].into_iter().chain(told).collect::<Vec<_>>().join(", ")
    };
    let brief: BTreeSet<_> = all.iter().map(|one| label(one, false)).collect();
    let different: BTreeSet<_> = all.iter().map(|one| label(one, true)).collect();
    all.iter().map(|one| label(one, brief.len() < different.len())).collect()
}

//! What both sides used of the CPUs that they had, and what that made the bound.

use std::time::Duration;

use crate::cpus::Cpus;
use crate::measure::{Bound, Counters, CpuShares, DISTURBED, Side, Window, busy};
use crate::results::{Row, per, rounded, us_per};

use super::granted::Granted;
use super::warning::Warning;
use super::watch::Seen;

/// What was used in the part of the window that was looked at.
pub struct Account {
    server: Usage,
    clients: Usage,
    bound: Option<Bound>,
    quota: Option<f64>,
    /// Echoes in that part.
    pub messages: f64,
    /// Whether no CPU is of both sides, or may be.
    apart: bool,
}

/// What one side used.
#[derive(Clone, Copy)]
struct Usage {
    used: Option<Counters>,
    busy: Option<f64>,
    shares: Option<CpuShares>,
}

impl Account {
    /// Of what was seen in the window, in which there were so many `messages`.
    pub fn of(seen: &Seen, window: &Window, granted: &Granted, messages: u64) -> Self {
        let span = observed(seen, window);
        let part = span.as_secs_f64() / window.length().as_secs_f64();
        let usage = |used: Option<Counters>, cpus: Option<&Cpus>| Usage {
            used,
            busy: used.zip(cpus).and_then(|(used, cpus)| busy(used.cpu, span, cpus.count())),
            shares: cpus.and_then(|cpus| shares(seen, cpus)),
        };
        let server = usage(seen.server.used(), granted.server.as_ref());
        let clients = usage(seen.clients.used(), Some(&granted.clients));
        let shared = granted.shared().is_some();
        // Of CPUs that both have, or an unknown server may have, the idle time is not one side's.
        let apart = granted.server.is_some() && !shared;
        let side = |usage: Usage| {
            let idle = usage.shares.map(|shares| shares.idle).filter(|_| apart);
            usage.busy.map(|busy| Side { busy, idle })
        };
        let together = together(seen, span, granted);
        let bound = side(clients).and_then(|side_of| Bound::of(side(server), side_of, together));
        let messages = messages as f64 * part.min(1.0);
        Account { server, clients, bound, quota: granted.quota, messages, apart }
    }

    /// The share of a side's CPUs that others had.
    fn others(&self, side: Usage) -> Option<f64> {
        let others = side.shares?.others(side.busy?);
        self.apart.then_some(others)
    }

    /// Whose CPUs others used.
    pub fn warnings(&self) -> impl Iterator<Item = Warning> {
        let sides = [("server", self.server), ("client", self.clients)].into_iter();
        sides.filter_map(|(side, usage)| {
            let share = self.others(usage)?;
            (share >= DISTURBED).then_some(Warning::Others { side, share })
        })
    }

    /// The columns that tell of it.
    pub fn add_to(&self, row: Row) -> Row {
        let messages = self.messages;
        let (server, clients) = (self.server.used, self.clients.used);
        let us = |used: Option<Counters>, of: fn(&Counters) -> Option<Duration>| {
            used.and_then(|used| us_per(of(&used), messages))
        };
        let each = |used: Option<Counters>, of: fn(&Counters) -> u64| {
            used.and_then(|used| per(of(&used), messages))
        };
        let shown = |value: Option<f64>| value.map(|value| rounded(value, 4));
        let idle = |usage: Usage| shown(usage.shares.map(|shares| shares.idle));
        Row {
            server_cpu_us_per_msg: us(server, |used| Some(used.cpu)),
            server_user_us_per_msg: us(server, Counters::user),
            server_system_us_per_msg: us(server, Counters::system),
            client_cpu_us_per_msg: us(clients, |used| Some(used.cpu)),
            client_user_us_per_msg: us(clients, Counters::user),
            client_system_us_per_msg: us(clients, Counters::system),
            server_switches_per_msg: each(server, Counters::switches),
            server_voluntary_switches_per_msg: each(server, |used| used.voluntary),
            server_involuntary_switches_per_msg: each(server, |used| used.involuntary),
            client_switches_per_msg: each(clients, Counters::switches),
            client_voluntary_switches_per_msg: each(clients, |used| used.voluntary),
            client_involuntary_switches_per_msg: each(clients, |used| used.involuntary),
            server_busy: shown(self.server.busy),
            client_busy: shown(self.clients.busy),
            server_cpus_idle: idle(self.server),
            client_cpus_idle: idle(self.clients),
            server_cpus_others: shown(self.others(self.server)),
            client_cpus_others: shown(self.others(self.clients)),
            bound: self.bound.map(|bound| bound.to_string()),
            cpu_quota: shown(self.quota),
            ..row
        }
    }
}

/// The part of the window that lies behind the first look at the processes, which comes
/// late where a thousand threads want the CPU of the one that looks. At the closing there
/// is no such haste: the clients have stopped.
fn observed(seen: &Seen, window: &Window) -> Duration {
    let looked_at = seen.opened_at.unwrap_or(window.close);
    window.close.saturating_duration_since(looked_at)
}

/// What the CPUs did, whoever had them.
fn shares(seen: &Seen, cpus: &Cpus) -> Option<CpuShares> {
    seen.cpus.close.as_ref()?.since(seen.cpus.open.as_ref()?, cpus)
}

/// What both sides were together, where they share CPUs, or a quota that is below them.
fn together(seen: &Seen, span: Duration, granted: &Granted) -> Option<Side> {
    let used = seen.server.used()?.cpu + seen.clients.used()?.cpu;
    let all = granted.all();
    if let Some(quota) = granted.lower_quota() {
        let busy = used.as_secs_f64() / (span.as_secs_f64() * quota);
        return Some(Side { busy, idle: None });
    }
    let busy = busy(used, span, all.count()).filter(|_| granted.shared().is_some())?;
    Some(Side { busy, idle: shares(seen, &all).map(|shares| shares.idle) })
}

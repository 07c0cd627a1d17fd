//! What both sides used of the CPUs that they had, and what that made the bound.

use std::time::Duration;

use crate::measure::{
    Bound, Counters, CpuShares, DISTURBED, DISTURBED_SHARE, Side, Window, busy, share,
};
use crate::os::cpus::Cpus;
use crate::results::{Row, per, rounded, us_per};

use super::placement_report::PlacementReport;
use super::process_sampler::Seen;
use super::slice_sampler::Measured;
use super::warning::Warning;

/// What was used in the part of the window that was looked at.
pub struct CpuAccounting {
    server: Usage,
    clients: Usage,
    bound: Option<Bound>,
    quota: Option<f64>,
    /// Echoes in that part.
    pub messages: f64,
}

/// What one side used, and what its CPUs did, as shares of their time.
#[derive(Clone, Copy, Default)]
struct Usage {
    used: Option<Counters>,
    busy: Option<f64>,
    idle: Option<f64>,
    /// Used by other processes.
    others: Option<f64>,
    /// Given to other virtual machines.
    stolen: Option<f64>,
}

impl Usage {
    /// `apart` says that the CPUs are of this side only.
    fn of(
        used: Option<Counters>,
        shares: Option<CpuShares>,
        busy: Option<f64>,
        apart: bool,
    ) -> Self {
        let others = shares.zip(busy).map(|(shares, busy)| shares.others(busy));
        Usage {
            used,
            busy,
            idle: shares.map(|shares| shares.idle),
            others: others.filter(|_| apart),
            stolen: shares.map(|shares| shares.stolen),
        }
    }

    fn side(&self, apart: bool) -> Option<Side> {
        let idle = self.idle.filter(|_| apart);
        self.busy.map(|busy| Side { busy, idle })
    }
}

impl CpuAccounting {
    /// Of what was seen in the window, in which there were so many `messages`.
    pub fn of(seen: &Seen, window: &Window, granted: &PlacementReport, messages: u64) -> Self {
        let span = observed(seen, window);
        let part = share(span, window.length());
        let apart = is_apart(granted);
        let usage = |used: Option<Counters>, cpus: Option<&Cpus>| {
            let busy = used.zip(cpus).and_then(|(used, cpus)| busy(used.cpu, span, cpus.count()));
            Usage::of(used, cpus.and_then(|cpus| shares(seen, cpus)), busy, apart)
        };
        let server = usage(seen.server.used(), granted.server.as_ref());
        let clients = usage(seen.clients.used(), Some(&granted.clients));
        let together = together(server.used, clients.used, span, granted).map(|busy| Side {
            busy,
            idle: shares(seen, &granted.all()).map(|shares| shares.idle),
        });
        let messages = messages as f64 * part.min(1.0);
        CpuAccounting::judge(server, clients, together, granted, messages)
    }

    /// Of kept slices, in which there were so many `messages`.
    pub fn of_slices(measured: &Measured, granted: &PlacementReport, messages: u64) -> Self {
        let of_all = |first: &crate::measure::Usage| Some(measured.last.as_ref()?.since(first));
        let server = measured.first.as_ref().and_then(of_all);
        let scaled = |all: Counters, completed: u64, cpu: Duration| {
            let scale = if completed > 0 { messages as f64 / completed as f64 } else { 0.0 };
            Counters { cpu, ..all.scaled(scale) }
        };
        let server = measured.server_cpu.zip(server);
        let server = server.map(|(cpu, all)| scaled(all, measured.completed, cpu));
        let clients = scaled(measured.client, measured.client_completed, measured.client_cpu);
        let usage = |used: Option<Counters>, cpus: Option<&Cpus>, idle| {
            let busy =
                |(used, cpus): (Counters, &Cpus)| busy(used.cpu, measured.window, cpus.count());
            Usage { used, busy: used.zip(cpus).and_then(busy), idle, ..Usage::default() }
        };
        let [server_idle, client_idle] = measured.idle();
        let mut server = usage(server, granted.server.as_ref(), server_idle);
        let mut clients = usage(Some(clients), Some(&granted.clients), client_idle);
        for (side, loss) in [&mut server, &mut clients].into_iter().zip(measured.losses()) {
            (side.others, side.stolen) = (Some(loss.others), Some(loss.stolen));
        }
        if granted.server.is_none() {
            (server.others, server.stolen) = (None, None);
        }
        let together = together(server.used, clients.used, measured.window, granted)
            .map(|busy| Side { busy, idle: None });
        CpuAccounting::judge(server, clients, together, granted, messages as f64)
    }

    fn judge(
        server: Usage,
        clients: Usage,
        together: Option<Side>,
        granted: &PlacementReport,
        messages: f64,
    ) -> Self {
        // Of CPUs that both have, or an unknown server may have, the idle time is not one side's.
        let apart = is_apart(granted);
        let bound = clients.side(apart);
        let bound = bound.and_then(|side| Bound::of(server.side(apart), side, together));
        CpuAccounting { server, clients, bound, quota: granted.quota, messages }
    }

    /// Who else used the CPUs of a side.
    pub fn warnings(&self) -> impl Iterator<Item = Warning> {
        let sides = [("server", self.server), ("client", self.clients)].into_iter();
        sides.flat_map(|(side, usage)| {
            let others = usage.others.filter(|share| *share >= DISTURBED);
            let stolen = usage.stolen.filter(|share| *share >= DISTURBED_SHARE);
            let others = others.map(|share| Warning::Others { side, share });
            others.into_iter().chain(stolen.map(|share| Warning::Stolen { side, share }))
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
            server_cpus_idle: shown(self.server.idle),
            client_cpus_idle: shown(self.clients.idle),
            server_cpus_others: shown(self.server.others),
            client_cpus_others: shown(self.clients.others),
            server_cpus_stolen: shown(self.server.stolen),
            client_cpus_stolen: shown(self.clients.stolen),
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

/// Whether no CPU is of both sides, or may be.
fn is_apart(granted: &PlacementReport) -> bool {
    granted.server.is_some() && granted.shared().is_none()
}

/// How busy both sides were together, where they share CPUs, or a quota that is below them.
fn together(
    server: Option<Counters>,
    clients: Option<Counters>,
    span: Duration,
    granted: &PlacementReport,
) -> Option<f64> {
    let used = server?.cpu + clients?.cpu;
    if let Some(quota) = granted.lower_quota() {
        let had = span.as_secs_f64() * quota;
        return (had > 0.0).then(|| used.as_secs_f64() / had);
    }
    busy(used, span, granted.all().count()).filter(|_| granted.shared().is_some())
}

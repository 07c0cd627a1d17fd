//! CPU usage of both sides, and the bound that follows from it.

use std::time::Duration;

use crate::measure::{
    Bound, Counters, CpuShares, DISTURBED_SHARE, TRIAL_OTHERS_LIMIT, Utilization, Window, busy,
    share,
};
use crate::os::cpus::Cpus;
use crate::results::{Row, per_message, rounded, us_per_message};

use super::placement_report::PlacementReport;
use super::process_sampler::ProcessSamples;
use super::slice_totals::{CpuTotals, SliceTotals};
use super::warning::Warning;

/// CPU usage of both sides in the observed part of the window.
pub struct CpuAccounting {
    server: SideUsage,
    clients: SideUsage,
    bound: Option<Bound>,
    quota: Option<f64>,
    /// Echoes in the observed part of the window.
    pub messages: f64,
}

/// CPU usage of one side. All shares refer to the time of its CPUs.
#[derive(Clone, Copy, Default)]
struct SideUsage {
    used: Option<Counters>,
    /// Share that this side used.
    busy: Option<f64>,
    /// Share in which the CPUs were idle.
    idle: Option<f64>,
    /// Share that other processes used.
    others: Option<f64>,
    /// Share that the hypervisor gave to other virtual machines.
    stolen: Option<f64>,
}

impl SideUsage {
    /// `disjoint`: whether only this side uses the CPUs. Otherwise the share of other processes is
    /// unknown.
    fn new(
        used: Option<Counters>,
        shares: Option<CpuShares>,
        busy: Option<f64>,
        disjoint: bool,
    ) -> Self {
        let others = shares.zip(busy).map(|(shares, busy)| shares.others(busy));
        SideUsage {
            used,
            busy,
            idle: shares.map(|shares| shares.idle),
            others: others.filter(|_| disjoint),
            stolen: shares.map(|shares| shares.stolen),
        }
    }

    fn utilization(&self, disjoint: bool) -> Option<Utilization> {
        let idle = self.idle.filter(|_| disjoint);
        self.busy.map(|busy| Utilization { busy, idle })
    }
}

impl CpuAccounting {
    /// Computes the usage in a single window with this number of `messages`.
    pub fn of_window(
        samples: &ProcessSamples,
        window: &Window,
        placement: &PlacementReport,
        messages: u64,
    ) -> Self {
        let span = observed_span(samples, window);
        let observed_share = share(span, window.length());
        let disjoint = placement.is_disjoint();
        let usage = |used: Option<Counters>, cpus: Option<&Cpus>| {
            let busy = used.zip(cpus).and_then(|(used, cpus)| busy(used.cpu, span, cpus.count()));
            SideUsage::new(used, cpus.and_then(|cpus| cpu_shares(samples, cpus)), busy, disjoint)
        };
        let server = usage(samples.server.used(), placement.server.as_ref());
        let clients = usage(samples.clients.used(), Some(&placement.clients));
        let together =
            busy_together(server.used, clients.used, span, placement).map(|busy| Utilization {
                busy,
                idle: cpu_shares(samples, &placement.all()).map(|shares| shares.idle),
            });
        let messages = messages as f64 * observed_share.min(1.0);
        CpuAccounting::new(server, clients, together, placement, messages)
    }

    /// Computes the usage in the kept slices with this number of `messages`.
    pub fn of_slices(totals: &SliceTotals, placement: &PlacementReport, messages: u64) -> Self {
        let since = |first: &crate::measure::Usage| Some(totals.last.as_ref()?.since(first));
        let server = totals.first.as_ref().and_then(since);
        // Context switches are counted over longer spans than the windows, so they are scaled.
        let scaled = |all: Counters, completed: u64, cpu: Duration| {
            let scale = if completed > 0 { messages as f64 / completed as f64 } else { 0.0 };
            Counters { cpu, ..all.scaled(scale) }
        };
        let server = totals.server_cpu.zip(server);
        let server = server.map(|(cpu, all)| scaled(all, totals.completed, cpu));
        let clients = scaled(totals.client, totals.client_completed, totals.client_cpu);
        let usage = |used: Option<Counters>, cpus: Option<&Cpus>, cpu_totals: &CpuTotals| {
            let busy =
                |(used, cpus): (Counters, &Cpus)| busy(used.cpu, totals.window, cpus.count());
            let loss = cpu_totals.mean_loss();
            SideUsage {
                used,
                busy: used.zip(cpus).and_then(busy),
                idle: cpu_totals.idle_share(),
                others: Some(loss.others),
                stolen: Some(loss.stolen),
            }
        };
        let mut server = usage(server, placement.server.as_ref(), &totals.server_cpus);
        let clients = usage(Some(clients), Some(&placement.clients), &totals.client_cpus);
        if placement.server.is_none() {
            (server.others, server.stolen) = (None, None);
        }
        let together = busy_together(server.used, clients.used, totals.window, placement)
            .map(|busy| Utilization { busy, idle: None });
        CpuAccounting::new(server, clients, together, placement, messages as f64)
    }

    fn new(
        server: SideUsage,
        clients: SideUsage,
        together: Option<Utilization>,
        placement: &PlacementReport,
        messages: f64,
    ) -> Self {
        // Idle time cannot be attributed to one side if both sides use the CPUs, or may use them
        // because the server's process is unknown.
        let disjoint = placement.is_disjoint();
        let bound = clients
            .utilization(disjoint)
            .and_then(|clients| Bound::classify(server.utilization(disjoint), clients, together));
        CpuAccounting { server, clients, bound, quota: placement.quota, messages }
    }

    /// Warns about other processes and steal on the CPUs of each side.
    pub fn warnings(&self) -> impl Iterator<Item = Warning> {
        let sides = [("server", self.server), ("client", self.clients)].into_iter();
        sides.flat_map(|(side, usage)| {
            let others = usage.others.filter(|share| *share >= TRIAL_OTHERS_LIMIT);
            let stolen = usage.stolen.filter(|share| *share >= DISTURBED_SHARE);
            let others = others.map(|share| Warning::OtherProcesses { side, share });
            others.into_iter().chain(stolen.map(|share| Warning::Steal { side, share }))
        })
    }

    /// Fills in the columns of CPU usage.
    pub fn add_to(&self, row: Row) -> Row {
        let messages = self.messages;
        let (server, clients) = (self.server.used, self.clients.used);
        let us = |used: Option<Counters>, time: fn(&Counters) -> Option<Duration>| {
            used.and_then(|used| us_per_message(time(&used), messages))
        };
        let each = |used: Option<Counters>, count: fn(&Counters) -> u64| {
            used.and_then(|used| per_message(count(&used), messages))
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

/// Time from the opening sample to the end of the window. The opening sample is late if a thousand
/// threads compete with the sampling thread for the CPU. The closing sample is not late, because
/// the clients have stopped.
fn observed_span(samples: &ProcessSamples, window: &Window) -> Duration {
    let sampled_at = samples.opened_at.unwrap_or(window.close);
    window.close.saturating_duration_since(sampled_at)
}

/// How the CPUs spent their time between the two samples, for any process.
fn cpu_shares(samples: &ProcessSamples, cpus: &Cpus) -> Option<CpuShares> {
    samples.cpus.close.as_ref()?.since(samples.cpus.open.as_ref()?, cpus)
}

/// Share of the common CPU time that both sides used together. `None` unless they share CPUs or
/// have a quota below the number of their CPUs.
fn busy_together(
    server: Option<Counters>,
    clients: Option<Counters>,
    span: Duration,
    placement: &PlacementReport,
) -> Option<f64> {
    let used = server?.cpu + clients?.cpu;
    if let Some(quota) = placement.limiting_quota() {
        let available_s = span.as_secs_f64() * quota;
        return (available_s > 0.0).then(|| used.as_secs_f64() / available_s);
    }
    busy(used, span, placement.all().count()).filter(|_| placement.shared().is_some())
}

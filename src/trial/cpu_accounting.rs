//! CPU usage of both sides, and the bound that follows from it.

use std::time::Duration;

use crate::measure::{
    Bound, Counters, CpuShares, DISTURBED_SHARE, TRIAL_OTHERS_LIMIT, Usage, Utilization, Window,
    busy, idle_resolution, share,
};
use crate::os::cpus::Cpus;
use crate::results::{Row, per_message, rounded, us_per_message};

use super::placement_report::PlacementReport;
use super::process_sampler::{Ends, ProcessSamples};
use super::slice_totals::{CpuTotals, SliceTotals};
use super::warning::Warning;

/// CPU usage of both sides in the observed part of the window.
pub struct CpuAccounting {
    server: SideUsage,
    clients: SideUsage,
    /// Share of one CPU that the busiest thread of the server used.
    busiest_thread: Option<f64>,
    bound: Option<Bound>,
    quota: Option<f64>,
    /// Echoes in the observed part of the window.
    pub messages: f64,
}

/// CPU usage of one side. All shares refer to the wall-clock time of its CPUs.
#[derive(Clone, Copy, Default)]
struct SideUsage {
    used: Option<Counters>,
    /// Time in which it was used.
    span: Duration,
    /// Share that this side used.
    busy: Option<f64>,
    /// Share in which the CPUs were idle, and its largest error.
    idle: Option<f64>,
    idle_resolution: f64,
    /// Share that other processes used.
    others: Option<f64>,
    /// Share that the hypervisor gave to other virtual machines.
    stolen: Option<f64>,
}

impl SideUsage {
    fn utilization(&self, disjoint: bool) -> Option<Utilization> {
        let (idle, resolution) = (self.idle.filter(|_| disjoint), self.idle_resolution);
        self.busy.map(|busy| Utilization { busy, idle, resolution })
    }

    /// CPU time used over the wall-clock time: the mean number of CPUs in use.
    fn cpus_used(&self) -> Option<f64> {
        busy(self.used?.cpu, self.span, 1)
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
        let observed_share = share(observed_span(samples, window), window.length());
        let disjoint = placement.is_disjoint();
        let resolution = cpus_span(samples).map_or(0.0, idle_resolution);
        let usage = |ends: &Ends<Usage>, cpus: Option<&Cpus>| {
            let (used, span) = (ends.used(), ends.span().unwrap_or_default());
            let busy = used.zip(cpus).and_then(|(used, cpus)| busy(used.cpu, span, cpus.count()));
            let shares = cpus.and_then(|cpus| cpu_shares(samples, cpus));
            let others = shares.zip(busy).map(|(shares, busy)| shares.others(busy));
            SideUsage {
                used,
                span,
                busy,
                idle: shares.map(|shares| shares.idle),
                idle_resolution: resolution,
                // Unknown if both sides use the CPUs.
                others: others.filter(|_| disjoint),
                stolen: shares.map(|shares| shares.stolen),
            }
        };
        let server = usage(&samples.server, placement.server.as_ref());
        let clients = usage(&samples.clients, Some(&placement.clients));
        let together = busy_together(&server, &clients, placement).map(|busy| Utilization {
            busy,
            idle: cpu_shares(samples, &placement.all()).map(|shares| shares.idle),
            resolution,
        });
        let messages = messages as f64 * observed_share.min(1.0);
        let busiest = samples.server.busiest_thread();
        CpuAccounting::new([server, clients], busiest, together, placement, messages)
    }

    /// Computes the usage in the kept slices with this number of `messages`.
    pub fn of_slices(totals: &SliceTotals, placement: &PlacementReport, messages: u64) -> Self {
        let since = |first: &Usage| Some(totals.last.as_ref()?.since(first));
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
            let busy = used.zip(cpus).and_then(busy);
            let loss = cpu_totals.mean_loss();
            // Idle time includes the lead-ins and the drains. In the windows alone, it cannot be
            // more than what the side itself left.
            let most_idle = busy.map_or(1.0, |busy| (1.0 - busy).max(0.0));
            SideUsage {
                used,
                span: totals.window,
                busy,
                idle: cpu_totals.idle_share().map(|idle| idle.min(most_idle)),
                idle_resolution: cpu_totals.idle_resolution(),
                others: Some(loss.others),
                stolen: Some(loss.stolen),
            }
        };
        let mut server = usage(server, placement.server.as_ref(), &totals.server_cpus);
        let clients = usage(Some(clients), Some(&placement.clients), &totals.client_cpus);
        if placement.server.is_none() {
            (server.others, server.stolen) = (None, None);
        }
        let together = busy_together(&server, &clients, placement).map(|busy| Utilization {
            busy,
            idle: None,
            resolution: 0.0,
        });
        let busiest = totals.busiest_thread();
        CpuAccounting::new([server, clients], busiest, together, placement, messages as f64)
    }

    /// `busiest` is the busiest thread's share of the server's CPU time.
    fn new(
        [server, clients]: [SideUsage; 2],
        busiest: Option<f64>,
        together: Option<Utilization>,
        placement: &PlacementReport,
        messages: f64,
    ) -> Self {
        // Idle time cannot be attributed to one side if both sides use the CPUs, or may use them
        // because the server's process is unknown.
        let disjoint = placement.is_disjoint();
        let busiest_thread =
            server.cpus_used().zip(busiest).map(|(cpus, share)| (cpus * share).min(1.0));
        let of_server = server.utilization(disjoint);
        let bound = clients
            .utilization(disjoint)
            .and_then(|clients| Bound::classify(of_server, busiest_thread, clients, together));
        CpuAccounting { server, clients, busiest_thread, bound, quota: placement.quota, messages }
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
            server_busiest_thread: shown(self.busiest_thread),
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

/// Wall-clock time between the two readings of /proc/stat.
fn cpus_span(samples: &ProcessSamples) -> Option<Duration> {
    let [open, close] = [&samples.cpus.open, &samples.cpus.close].map(|end| Some(end.as_ref()?.0));
    Some(close?.saturating_duration_since(open?))
}

/// How the CPUs spent their time between the two samples, for any process.
fn cpu_shares(samples: &ProcessSamples, cpus: &Cpus) -> Option<CpuShares> {
    let (open, close) = (samples.cpus.open.as_ref()?, samples.cpus.close.as_ref()?);
    close.1.since(&open.1, cpus, cpus_span(samples)?)
}

/// Share of the common CPU time that both sides used together. `None` unless they share CPUs or
/// have a quota below the number of their CPUs.
fn busy_together(
    server: &SideUsage,
    clients: &SideUsage,
    placement: &PlacementReport,
) -> Option<f64> {
    let used = server.cpus_used()? + clients.cpus_used()?;
    if let Some(quota) = placement.limiting_quota() {
        return (quota > 0.0).then_some(used / quota);
    }
    placement.shared().map(|_| used / placement.all().count() as f64)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::measure::{CpuTimes, Loss, ThreadUsage};

    /// A reading of a process: the CPU times of its threads in ms.
    fn usage(at: Instant, threads: &[u64]) -> Usage {
        let cpu = |ms| Counters { cpu: Duration::from_millis(ms), ..Counters::default() };
        let thread =
            |(tid, ms): (i32, &u64)| ThreadUsage { tid, role: String::new(), used: cpu(*ms) };
        let mut usage = Usage::default();
        usage.read_at = Some(at);
        usage.used = cpu(threads.iter().sum());
        usage.threads = (1..).zip(threads).map(thread).collect();
        usage
    }

    fn placement(server: &str, clients: &str) -> PlacementReport {
        let (server, clients) = (Some(server.parse().unwrap()), clients.parse().unwrap());
        PlacementReport { server, clients, quota: None, available: 4, siblings: Vec::new() }
    }

    /// The row of a window of `ms`, in which the server's threads used `server` ms each, the
    /// clients `clients` ms, and CPUs 0 to 2 were idle for `idle` ticks of 10 ms.
    fn row(ms: u64, server: &[u64], clients: u64, idle: [u64; 3]) -> Row {
        let open = Instant::now();
        let close = open + Duration::from_millis(ms);
        let cpus = |idle: [u64; 3]| {
            let line = |(cpu, idle)| format!("cpu{cpu} 0 0 0 {idle} 0 0 0 0 0 0\n");
            CpuTimes::parse(&idle.into_iter().enumerate().map(line).collect::<String>())
        };
        let none = vec![0; server.len()];
        let samples = ProcessSamples {
            clients: Ends { open: Some(usage(open, &[0])), close: Some(usage(close, &[clients])) },
            server: Ends { open: Some(usage(open, &none)), close: Some(usage(close, server)) },
            cpus: Ends { open: Some((open, cpus([0; 3]))), close: Some((close, cpus(idle))) },
            opened_at: Some(open),
            ..ProcessSamples::default()
        };
        let window = Window { open, close };
        let placement = placement("0-1", "2");
        CpuAccounting::of_window(&samples, &window, &placement, 1000).add_to(Row::default())
    }

    #[test]
    fn one_saturated_thread_on_two_cpus_is_the_bound_and_its_share_is_a_column() {
        let row_of = |server: &[u64]| row(1000, server, 400, [45, 46, 60]);
        let single = row_of(&[970, 100]);
        assert_eq!(single.server_busiest_thread, Some(0.97));
        assert_eq!((single.server_busy, single.server_cpus_idle), (Some(0.535), Some(0.455)));
        assert_eq!(single.bound.as_deref(), Some("thread"));
        let spread = row_of(&[500, 570]);
        assert_eq!(spread.server_busiest_thread, Some(0.57));
        assert_eq!(spread.bound.as_deref(), Some("latency"));
    }

    #[test]
    fn idle_time_near_its_limit_is_unclear_in_a_short_window_only() {
        // The server used 90 % of its CPUs, which were idle for 4 % or 5 %.
        let short = row(400, &[360, 360], 100, [2, 2, 30]);
        assert_eq!(short.server_cpus_idle, Some(0.05));
        assert_eq!(short.bound.as_deref(), Some("unclear"));
        let long = row(4000, &[3600, 3600], 1000, [16, 16, 300]);
        assert_eq!((long.server_cpus_idle, long.bound.as_deref()), (Some(0.04), Some("server")));
    }

    #[test]
    fn in_slices_idle_time_is_at_most_what_the_side_left() {
        let ms = Duration::from_millis;
        let start = Instant::now();
        let mut totals = SliceTotals {
            window: ms(2000),
            server_cpu: Some(ms(1960)),
            client_cpu: ms(1000),
            completed: 1400,
            client_completed: 1400,
            first: Some(usage(start, &[0, 0])),
            last: Some(usage(start, &[2100, 700])),
            ..SliceTotals::default()
        };
        for _ in 0..100 {
            // Drains and lead-ins were idle for 1 ms of 28 ms.
            totals.server_cpus.add(1, [ms(30), ms(28)], ms(3), Loss::default());
            totals.client_cpus.add(1, [ms(30), ms(30)], ms(10), Loss::default());
        }
        let accounting = CpuAccounting::of_slices(&totals, &placement("0", "1"), 1000);
        let row = accounting.add_to(Row::default());
        assert_eq!((row.server_busy, row.server_cpus_idle), (Some(0.98), Some(0.02)));
        assert_eq!((row.client_busy, row.client_cpus_idle), (Some(0.5), Some(0.3333)));
        // Three quarters of the server's CPU time, which is 98 % of one CPU.
        assert_eq!(row.server_busiest_thread, Some(0.735));
        assert_eq!(row.bound.as_deref(), Some("server"));
    }
}

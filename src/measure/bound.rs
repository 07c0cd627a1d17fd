//! The bound of a trial: the side that had no CPU time left, or the thread.

use std::fmt;
use std::time::Duration;

/// A side that used this share of its CPUs or more had no CPU time left. A thread that used this
/// share of a CPU or more could not do more.
const SATURATED: f64 = 0.95;

/// A trial is disturbed if other processes used this share of one side's CPUs or more.
pub const TRIAL_OTHERS_LIMIT: f64 = 0.1;

/// The resource that limited throughput.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The server's CPUs.
    Server,
    /// One thread of the server, while CPUs of the server were idle.
    Thread,
    /// The clients' CPUs: throughput measures the clients, not the server.
    Client,
    /// The CPUs of both sides, or the CPUs that both sides share.
    Host,
    /// No CPU: the clients waited for the network, for each other, or for their think time.
    Latency,
    /// The window is too short for the resolution of the kernel's counters to tell whether CPU time
    /// was left.
    Unclear,
}

/// CPU utilization of the server, of the clients, or of both together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Utilization {
    /// CPU time used, divided by the CPU time available.
    pub busy: f64,
    /// Share of time in which the CPUs were idle. `None` if unknown, or if the CPUs are not this
    /// side's alone, so that their idle time cannot be attributed to it.
    pub idle: Option<f64>,
    /// The largest error of `idle`, because the kernel counts idle time in ticks.
    pub resolution: f64,
}

/// Whether a side had CPU time left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CpuTime {
    /// None was left, because this side or other processes used all of it.
    Exhausted,
    Left,
    /// The idle time differs from the limit by less than its resolution.
    Unclear,
}

impl Utilization {
    fn cpu_time(self) -> CpuTime {
        const LIMIT: f64 = 1.0 - SATURATED;
        // CPU time is known to the nanosecond, idle time is not.
        match self.idle {
            _ if self.busy >= SATURATED => CpuTime::Exhausted,
            None => CpuTime::Left,
            Some(idle) if idle + self.resolution <= LIMIT => CpuTime::Exhausted,
            Some(idle) if idle - self.resolution > LIMIT => CpuTime::Left,
            Some(_) => CpuTime::Unclear,
        }
    }
}

impl Bound {
    /// Determines the bound. `together` is the utilization of both sides if they share CPUs or a
    /// quota. `busiest_thread` is the share of one CPU that the busiest thread of the server used.
    ///
    /// `server` is `None` if the server's CPU time is unknown, as on another host. The bound is
    /// then `None`, unless the clients were or may have been the bound.
    pub fn classify(
        server: Option<Utilization>,
        busiest_thread: Option<f64>,
        client: Utilization,
        together: Option<Utilization>,
    ) -> Option<Bound> {
        use CpuTime::{Exhausted, Left, Unclear};
        match together.map(Utilization::cpu_time) {
            Some(Exhausted) => return Some(Bound::Host),
            Some(Unclear) => return Some(Bound::Unclear),
            Some(Left) | None => {}
        }
        let is_thread_saturated = busiest_thread.is_some_and(|share| share >= SATURATED);
        match (server.map(Utilization::cpu_time), client.cpu_time()) {
            (Some(Exhausted), Exhausted) => Some(Bound::Host),
            (Some(_), Exhausted) if is_thread_saturated => Some(Bound::Host),
            (Some(Left) | None, Exhausted) => Some(Bound::Client),
            (Some(Exhausted), Left) => Some(Bound::Server),
            (Some(_), Left) if is_thread_saturated => Some(Bound::Thread),
            (_, Unclear) | (Some(Unclear), _) => Some(Bound::Unclear),
            (Some(Left), Left) => Some(Bound::Latency),
            (None, Left) => None,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bound::Server => "server",
            Bound::Thread => "thread",
            Bound::Client => "client",
            Bound::Host => "host",
            Bound::Latency => "latency",
            Bound::Unclear => "unclear",
        })
    }
}

/// Returns `part / whole`, or 0 if `whole` is zero.
pub fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

/// Returns `cpu` as a share of the time of `cpus` CPUs in `span`; `None` if that time is zero.
pub fn busy(cpu: Duration, span: Duration, cpus: usize) -> Option<f64> {
    let available_s = span.as_secs_f64() * cpus as f64;
    (available_s > 0.0).then(|| cpu.as_secs_f64() / available_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_cpu_time_used_divided_by_cpu_time_available() {
        let ms = Duration::from_millis;
        assert_eq!(busy(ms(950), ms(1000), 1), Some(0.95));
        assert_eq!(busy(ms(1500), ms(1000), 3), Some(0.5));
        assert_eq!(busy(ms(1), ms(0), 3), None);
        assert_eq!(busy(ms(1), ms(1), 0), None);
    }

    fn utilization(busy: f64) -> Utilization {
        Utilization { busy, idle: None, resolution: 0.0 }
    }

    #[test]
    fn a_side_that_is_busy_for_95_percent_is_the_bound() {
        let classify = |server, client, together: Option<f64>| {
            let together = together.map(utilization);
            Bound::classify(Some(utilization(server)), None, utilization(client), together)
        };
        assert_eq!(classify(0.95, 0.94, None), Some(Bound::Server));
        assert_eq!(classify(0.94, 0.95, None), Some(Bound::Client));
        assert_eq!(classify(0.99, 0.99, None), Some(Bound::Host));
        assert_eq!(classify(0.5, 0.46, Some(0.96)), Some(Bound::Host));
        assert_eq!(classify(0.5, 0.4, Some(0.9)), Some(Bound::Latency));
        assert_eq!(classify(0.2, 0.3, None), Some(Bound::Latency));
    }

    #[test]
    fn without_server_usage_only_the_clients_can_be_the_bound() {
        let classify = |client| Bound::classify(None, None, client, None);
        assert_eq!(classify(utilization(0.99)), Some(Bound::Client));
        assert_eq!(classify(utilization(0.5)), None);
    }

    #[test]
    fn a_side_is_saturated_if_other_processes_leave_its_cpus_no_idle_time() {
        let [starved, idle] = [idle(0.01, 0.02), idle(0.4, 0.02)];
        let classify =
            |server, client, together| Bound::classify(Some(server), None, client, together);
        assert_eq!(classify(idle, starved, None), Some(Bound::Client));
        assert_eq!(classify(starved, idle, None), Some(Bound::Server));
        assert_eq!(classify(idle, idle, Some(starved)), Some(Bound::Host));
    }

    fn idle(idle: f64, resolution: f64) -> Utilization {
        Utilization { busy: 0.5, idle: Some(idle), resolution }
    }

    #[test]
    fn idle_time_within_the_resolution_of_the_limit_makes_the_bound_unclear() {
        let classify = |server, client| Bound::classify(Some(server), None, client, None);
        // A window of 0.4 s has a resolution of one tick in 40.
        let [none, some, much] = [0.02, 0.05, 0.08].map(|share| idle(share, 0.025));
        assert_eq!(classify(none, much), Some(Bound::Server));
        assert_eq!(classify(some, much), Some(Bound::Unclear));
        assert_eq!(classify(much, much), Some(Bound::Latency));
        assert_eq!(classify(much, some), Some(Bound::Unclear));
        assert_eq!(classify(none, some), Some(Bound::Unclear));
        assert_eq!(classify(some, none), Some(Bound::Unclear));
        assert_eq!(classify(much, none), Some(Bound::Client));
        assert_eq!(Bound::classify(None, None, some, None), Some(Bound::Unclear));
        assert_eq!(Bound::classify(Some(much), None, much, Some(some)), Some(Bound::Unclear));
        // In a window of 0.1 s, idle time alone never shows that none was left.
        assert_eq!(classify(idle(0.0, 0.1), much), Some(Bound::Unclear));
        // CPU time has no such limit.
        let busy = Utilization { busy: 0.97, idle: Some(0.03), resolution: 0.1 };
        assert_eq!(classify(busy, much), Some(Bound::Server));
    }

    #[test]
    fn one_saturated_thread_of_a_server_with_idle_cpus_is_the_bound() {
        let classify =
            |busiest, server, client| Bound::classify(Some(server), Some(busiest), client, None);
        let [none, some, much] = [0.0, 0.05, 0.5].map(|share| idle(share, 0.01));
        assert_eq!(classify(0.96, much, much), Some(Bound::Thread));
        assert_eq!(classify(0.94, much, much), Some(Bound::Latency));
        assert_eq!(classify(0.96, none, much), Some(Bound::Server));
        assert_eq!(classify(0.96, some, much), Some(Bound::Thread));
        assert_eq!(classify(0.96, much, none), Some(Bound::Host));
        assert_eq!(classify(0.96, much, some), Some(Bound::Unclear));
        assert_eq!(Bound::classify(Some(much), Some(0.99), much, Some(none)), Some(Bound::Host));
    }
}

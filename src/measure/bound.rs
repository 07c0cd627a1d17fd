//! The bound of a trial: the side that had no CPU time left.

use std::fmt;
use std::time::Duration;

/// A side that used this share of its CPUs or more had no CPU time left.
const SATURATED: f64 = 0.95;

/// A trial is disturbed if other processes used this share of one side's CPUs or more.
pub const TRIAL_OTHERS_LIMIT: f64 = 0.1;

/// The resource that limited throughput.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The server's CPUs.
    Server,
    /// The clients' CPUs: throughput measures the clients, not the server.
    Client,
    /// The CPUs of both sides, or the CPUs that both sides share.
    Host,
    /// No CPU: the clients waited for the network, for each other, or for their think time.
    Latency,
}

/// CPU utilization of the server, of the clients, or of both together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Utilization {
    /// CPU time used, divided by the CPU time available.
    pub busy: f64,
    /// Share of time in which the CPUs were idle. `None` if unknown, or if the CPUs are not this
    /// side's alone, so that their idle time cannot be attributed to it.
    pub idle: Option<f64>,
}

impl Utilization {
    /// Whether no CPU time was left, because this side or other processes used all of it.
    fn is_saturated(self) -> bool {
        self.busy >= SATURATED || self.idle.is_some_and(|idle| idle <= 1.0 - SATURATED)
    }
}

impl Bound {
    /// Determines the bound. `together` is the utilization of both sides if they share CPUs or a
    /// quota.
    ///
    /// `server` is `None` if the server's CPU time is unknown, as on another host. The bound is
    /// then `None`, unless the clients were the bound.
    pub fn classify(
        server: Option<Utilization>,
        client: Utilization,
        together: Option<Utilization>,
    ) -> Option<Bound> {
        match (server.map(Utilization::is_saturated), client.is_saturated()) {
            _ if together.is_some_and(Utilization::is_saturated) => Some(Bound::Host),
            (Some(true), true) => Some(Bound::Host),
            (Some(true), false) => Some(Bound::Server),
            (_, true) => Some(Bound::Client),
            (Some(false), false) => Some(Bound::Latency),
            (None, false) => None,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bound::Server => "server",
            Bound::Client => "client",
            Bound::Host => "host",
            Bound::Latency => "latency",
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
        Utilization { busy, idle: None }
    }

    #[test]
    fn a_side_that_is_busy_for_95_percent_is_the_bound() {
        let classify = |server, client, together: Option<f64>| {
            let together = together.map(utilization);
            Bound::classify(Some(utilization(server)), utilization(client), together)
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
        assert_eq!(Bound::classify(None, utilization(0.99), None), Some(Bound::Client));
        assert_eq!(Bound::classify(None, utilization(0.5), None), None);
    }

    #[test]
    fn a_side_is_saturated_if_other_processes_leave_its_cpus_no_idle_time() {
        let starved = Utilization { busy: 0.5, idle: Some(0.01) };
        let idle = Utilization { busy: 0.5, idle: Some(0.4) };
        assert_eq!(Bound::classify(Some(idle), starved, None), Some(Bound::Client));
        assert_eq!(Bound::classify(Some(starved), idle, None), Some(Bound::Server));
        assert_eq!(Bound::classify(Some(idle), idle, Some(starved)), Some(Bound::Host));
    }
}

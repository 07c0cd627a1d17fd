//! What bounded a trial: which side had no CPU time left.

use std::fmt;
use std::time::Duration;

/// From this share of its CPUs on, a side is taken to have had no time left.
const FULL: f64 = 0.95;

/// What kept the throughput from being higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The server's CPUs.
    Server,
    /// The clients' CPUs: the point says how fast the clients are.
    Client,
    /// Those of both, or those that they share.
    Host,
    /// Neither: the clients waited, for the network, for each other, or because they think.
    Latency,
}

impl Bound {
    /// The rule. `server` and `client` are what each side was busy; `shared` is what both
    /// together were, where they share CPUs. A server elsewhere is not known: then nothing
    /// is, unless the clients were the bound.
    pub fn of(server: Option<f64>, client: f64, shared: Option<f64>) -> Option<Bound> {
        let full = |busy: f64| busy >= FULL;
        match (server.map(full), full(client)) {
            _ if shared.is_some_and(full) => Some(Bound::Host),
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

/// CPU time over what `cpus` CPUs had to give in `span`; `None` where that is nothing.
pub fn busy(cpu: Duration, span: Duration, cpus: usize) -> Option<f64> {
    let had = span.as_secs_f64() * cpus as f64;
    (had > 0.0).then(|| cpu.as_secs_f64() / had)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_time_used_over_time_there_was() {
        let ms = Duration::from_millis;
        assert_eq!(busy(ms(950), ms(1000), 1), Some(0.95));
        assert_eq!(busy(ms(1500), ms(1000), 3), Some(0.5));
        assert_eq!(busy(ms(1), ms(0), 3), None);
        assert_eq!(busy(ms(1), ms(1), 0), None);
    }

    #[test]
    fn the_rule_of_the_method() {
        let of = Bound::of;
        assert_eq!(of(Some(0.95), 0.94, None), Some(Bound::Server));
        assert_eq!(of(Some(0.94), 0.95, None), Some(Bound::Client));
        assert_eq!(of(Some(0.99), 0.99, None), Some(Bound::Host));
        assert_eq!(of(Some(0.5), 0.46, Some(0.96)), Some(Bound::Host));
        assert_eq!(of(Some(0.5), 0.4, Some(0.9)), Some(Bound::Latency));
        assert_eq!(of(Some(0.2), 0.3, None), Some(Bound::Latency));
    }

    #[test]
    fn of_a_server_elsewhere_nothing_is_claimed() {
        assert_eq!(Bound::of(None, 0.99, None), Some(Bound::Client));
        assert_eq!(Bound::of(None, 0.5, None), None);
    }
}

//! What bounded a trial: which side had no CPU time left.

use std::fmt;
use std::time::Duration;

/// From this share of its CPUs on, a side is taken to have had no time left.
const FULL: f64 = 0.95;

/// From this share of a side's CPUs on that others have, a trial is taken to be disturbed.
pub const DISTURBED: f64 = 0.1;

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

/// How much of their CPUs the server, the clients, or both had left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side {
    /// CPU time used, over what the CPUs had to give.
    pub busy: f64,
    /// The share in which the CPUs did nothing, for this side or for anyone else; `None`
    /// where that is not known, or where others' use of them says nothing of this side.
    pub idle: Option<f64>,
}

impl Side {
    /// Whether there was no time left: used by this side, or taken from it by others.
    fn is_full(self) -> bool {
        self.busy >= FULL || self.idle.is_some_and(|idle| idle <= 1.0 - FULL)
    }
}

impl Bound {
    /// The rule. `together` is what both sides were where they share CPUs. A server elsewhere
    /// is not known: then nothing is, unless the clients were the bound.
    pub fn of(server: Option<Side>, client: Side, together: Option<Side>) -> Option<Bound> {
        match (server.map(Side::is_full), client.is_full()) {
            _ if together.is_some_and(Side::is_full) => Some(Bound::Host),
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

/// A part of a time as a share of it; 0 of none.
pub fn share(part: Duration, of: Duration) -> f64 {
    if of.is_zero() { 0.0 } else { part.as_secs_f64() / of.as_secs_f64() }
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

    fn side(busy: f64) -> Side {
        Side { busy, idle: None }
    }

    #[test]
    fn the_rule_of_the_method() {
        let of = |server, client, together: Option<f64>| {
            Bound::of(Some(side(server)), side(client), together.map(side))
        };
        assert_eq!(of(0.95, 0.94, None), Some(Bound::Server));
        assert_eq!(of(0.94, 0.95, None), Some(Bound::Client));
        assert_eq!(of(0.99, 0.99, None), Some(Bound::Host));
        assert_eq!(of(0.5, 0.46, Some(0.96)), Some(Bound::Host));
        assert_eq!(of(0.5, 0.4, Some(0.9)), Some(Bound::Latency));
        assert_eq!(of(0.2, 0.3, None), Some(Bound::Latency));
    }

    #[test]
    fn of_a_server_elsewhere_nothing_is_claimed() {
        assert_eq!(Bound::of(None, side(0.99), None), Some(Bound::Client));
        assert_eq!(Bound::of(None, side(0.5), None), None);
    }

    #[test]
    fn who_is_left_no_time_by_others_is_full_too() {
        let starved = Side { busy: 0.5, idle: Some(0.01) };
        let idle = Side { busy: 0.5, idle: Some(0.4) };
        assert_eq!(Bound::of(Some(idle), starved, None), Some(Bound::Client));
        assert_eq!(Bound::of(Some(starved), idle, None), Some(Bound::Server));
        assert_eq!(Bound::of(Some(idle), idle, Some(starved)), Some(Bound::Host));
    }
}

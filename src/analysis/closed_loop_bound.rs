//! Upper bounds on the throughput of a closed loop.

use super::Curve;

const US_PER_S: f64 = 1e6;

/// The two bounds of a closed loop. A client with one outstanding request sends at most one
/// message per round trip. A server that needs D of its CPUs' time for a message answers at most
/// 1/D messages per second.
///
/// P. J. Denning and J. P. Buzen, "The Operational Analysis of Queueing Network Models", ACM
/// Computing Surveys 10(3), 1978; E. D. Lazowska et al., "Quantitative System Performance",
/// Prentice-Hall, 1984, chapter 5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClosedLoopBounds {
    /// R: the mean round-trip time of a single client.
    pub rtt_us: f64,
    /// Z: its think time.
    pub think_us: f64,
    /// D: the server's CPU time per message at the peak, divided by the number of CPUs that it may
    /// use.
    pub demand_us: f64,
}

impl ClosedLoopBounds {
    /// Returns the bounds of a curve over clients; `None` if R or D is unknown or not
    /// positive.
    pub fn of(curve: &Curve) -> Option<Self> {
        let single = curve.points.iter().find(|point| point.clients == 1)?;
        let demand_us = demand_us(curve)?;
        let rtt_us = single.rtt_mean_us.or(single.rtt_p50_us)?;
        let bounds = ClosedLoopBounds { rtt_us, think_us: single.think_us, demand_us };
        (rtt_us > 0.0 && demand_us > 0.0 && demand_us.is_finite()).then_some(bounds)
    }

    /// Maximum messages per second of N clients: min(N / (R + Z), 1 / D).
    pub fn bound_at(&self, clients: f64) -> f64 {
        let by_clients = clients * US_PER_S / (self.rtt_us + self.think_us);
        by_clients.min(US_PER_S / self.demand_us)
    }

    /// The number of clients at which the two bounds are equal: (R + Z) / D. With more clients,
    /// requests queue.
    pub fn knee(&self) -> f64 {
        (self.rtt_us + self.think_us) / self.demand_us
    }
}

/// D: the server's CPU time per message at the peak, divided by the number of CPUs that it may use;
/// `None` if it is unknown.
fn demand_us(curve: &Curve) -> Option<f64> {
    let peak = curve.peak()?;
    Some(peak.server_cpu_us_per_msg? / peak.server_cpus?)
}

/// 1 / D: the messages per second that the server's CPUs can answer; `None` if D is unknown or not
/// positive.
pub(super) fn ceiling_per_s(curve: &Curve) -> Option<f64> {
    demand_us(curve)
        .map(|demand_us| US_PER_S / demand_us)
        .filter(|ceiling| ceiling.is_finite() && *ceiling > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Axis, curves};
    use crate::results::Row;

    fn row(clients: usize, throughput_per_s: f64, server_cpu_us: f64) -> Row {
        Row {
            clients,
            throughput_per_s,
            rtt_mean_us: Some(80.0),
            think_us: 300.0,
            server_cpu_us_per_msg: Some(server_cpu_us),
            server_cpus: Some("0-1".to_owned()),
            valid: true,
            ..Row::default()
        }
    }

    fn bounds(rows: &[Row]) -> Option<ClosedLoopBounds> {
        ClosedLoopBounds::of(&curves(rows, Axis::Clients)[0])
    }

    #[test]
    fn bounds_match_values_worked_out_by_hand() {
        let both = bounds(&[row(1, 2600.0, 25.0), row(64, 90_000.0, 20.0)]).unwrap();
        assert_eq!(both, ClosedLoopBounds { rtt_us: 80.0, think_us: 300.0, demand_us: 10.0 });
        // 10 clients: 10 / 380 us. 100 clients: two CPUs, 20 us per message.
        assert!((both.bound_at(10.0) - 26_315.789).abs() < 0.001);
        assert_eq!((both.bound_at(100.0), both.knee()), (100_000.0, 38.0));
    }

    #[test]
    fn a_curve_without_round_trip_or_cpu_time_has_no_bounds() {
        assert_eq!(bounds(&[row(2, 9.0, 20.0)]), None, "no point has a single client");
        assert_eq!(bounds(&[Row { server_cpu_us_per_msg: None, ..row(1, 9.0, 1.0) }]), None);
        assert_eq!(bounds(&[Row { server_cpus: None, ..row(1, 9.0, 1.0) }]), None);
        assert_eq!(bounds(&[Row { rtt_mean_us: None, ..row(1, 9.0, 1.0) }]), None);
        assert_eq!(bounds(&[row(1, 9.0, 0.0)]), None);
    }
}

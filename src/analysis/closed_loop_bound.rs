//! What a closed loop allows at most, whatever the server does.

use super::Curve;

const US_PER_S: f64 = 1e6;

/// The bounds of a closed loop: clients that each are on one round trip cannot send faster than
/// it lasts, and a server that uses D of its CPUs' time for a message cannot answer more than 1/D.
///
/// P. J. Denning and J. P. Buzen, "The Operational Analysis of Queueing Network Models", ACM
/// Computing Surveys 10(3), 1978; E. D. Lazowska et al., "Quantitative System Performance",
/// Prentice-Hall, 1984, chapter 5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClosedLoop {
    /// R: the mean round trip of one client that is alone.
    pub rtt_us: f64,
    /// Z: its pause.
    pub think_us: f64,
    /// D: the server's CPU time per message at the peak, over the CPUs that it may use.
    pub demand_us: f64,
}

impl ClosedLoop {
    /// Of a curve over clients; `None` where one of the three is not known.
    pub fn of(curve: &Curve) -> Option<Self> {
        let alone = curve.points.iter().find(|point| point.clients == 1)?;
        let peak = curve.peak()?;
        let demand_us = peak.server_cpu_us_per_msg? / peak.server_cpus?;
        let rtt_us = alone.rtt_mean_us.or(alone.rtt_p50_us)?;
        let bounds = ClosedLoop { rtt_us, think_us: alone.think_us, demand_us };
        (rtt_us > 0.0 && demand_us > 0.0 && demand_us.is_finite()).then_some(bounds)
    }

    /// Messages per second that so many clients can have at most: min(N / (R + Z), 1 / D).
    pub fn bound_at(&self, clients: f64) -> f64 {
        let by_clients = clients * US_PER_S / (self.rtt_us + self.think_us);
        by_clients.min(US_PER_S / self.demand_us)
    }

    /// The number of clients at which the two bounds meet, (R + Z) / D: with more, some wait.
    pub fn knee(&self) -> f64 {
        (self.rtt_us + self.think_us) / self.demand_us
    }
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

    fn of(rows: &[Row]) -> Option<ClosedLoop> {
        ClosedLoop::of(&curves(rows, Axis::Clients)[0])
    }

    #[test]
    fn the_bounds_worked_out_by_hand() {
        let law = of(&[row(1, 2600.0, 25.0), row(64, 90_000.0, 20.0)]).unwrap();
        assert_eq!(law, ClosedLoop { rtt_us: 80.0, think_us: 300.0, demand_us: 10.0 });
        // Ten clients: 10 / 380 us; a hundred: two CPUs, 20 us each.
        assert!((law.bound_at(10.0) - 26_315.789).abs() < 0.001);
        assert_eq!((law.bound_at(100.0), law.knee()), (100_000.0, 38.0));
    }

    #[test]
    fn without_one_of_the_three_there_is_none() {
        assert_eq!(of(&[row(2, 9.0, 20.0)]), None, "no client was alone");
        assert_eq!(of(&[Row { server_cpu_us_per_msg: None, ..row(1, 9.0, 1.0) }]), None);
        assert_eq!(of(&[Row { server_cpus: None, ..row(1, 9.0, 1.0) }]), None);
        assert_eq!(of(&[Row { rtt_mean_us: None, ..row(1, 9.0, 1.0) }]), None);
        assert_eq!(of(&[row(1, 9.0, 0.0)]), None);
    }
}

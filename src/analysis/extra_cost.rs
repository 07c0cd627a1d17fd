//! The ratio of two servers if each message cost both of them more CPU time.
//!
//! Over loopback, much of a server's receive path runs inside the client's send call, and no driver
//! of a network card runs at all. So the CPU time per message lacks a part that a network adds to
//! all servers alike, and that brings them closer together.

use super::{Axis, Curve};

/// CPU times per message in us for which the ratios are computed.
pub const EXTRA_COSTS_US: [f64; 4] = [0.0, 5.0, 10.0, 20.0];

/// Two servers that were the bound at their peaks, on equally many CPUs.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtraCost {
    /// Label of the server that costs less CPU time per message.
    pub numerator: String,
    /// Label of the server that costs more.
    pub denominator: String,
    /// CPU time per message of both, in us.
    pub cpu_us_per_msg: [f64; 2],
    /// Throughput of the first over that of the second, for each of [`EXTRA_COSTS_US`].
    pub ratios: [f64; 4],
}

/// Returns the ratio of throughputs of two servers that need `a_us` and `b_us` of CPU time per
/// message and are the bound, if each message costs both `extra_us` more: (b + extra) / (a + extra).
///
/// On equally many CPUs, the throughput of such a server is inversely proportional to its CPU time
/// per message (the utilization law; P. J. Denning and J. P. Buzen, "The Operational Analysis of
/// Queueing Network Models", ACM Computing Surveys 10(3), 1978).
pub fn ratio_at_extra_cost(a_us: f64, b_us: f64, extra_us: f64) -> f64 {
    (b_us + extra_us) / (a_us + extra_us)
}

/// Returns the ratios of all pairs of curves that were measured under the same conditions and whose
/// peaks were bounded by the server.
pub fn extra_costs(curves: &[Curve], axis: Axis) -> Vec<ExtraCost> {
    let pairs =
        curves.iter().enumerate().flat_map(|(i, a)| curves[i + 1..].iter().map(move |b| (a, b)));
    let mut all: Vec<ExtraCost> = Vec::new();
    for pair in pairs.filter(|(a, b)| a.is_comparable(b)).filter_map(|(a, b)| of_pair(a, b, axis)) {
        // Curves may share their peak.
        if pair.numerator != pair.denominator && !all.contains(&pair) {
            all.push(pair);
        }
    }
    all
}

fn of_pair(a: &Curve, b: &Curve, axis: Axis) -> Option<ExtraCost> {
    let bounded = |curve: &Curve| -> Option<(String, f64, f64)> {
        let peak = curve.peak().filter(|peak| peak.is_bounded_by_server())?;
        let cost = peak.server_cpu_us_per_msg.filter(|us| *us > 0.0)?;
        Some((curve.label_at(axis, peak.x), cost, peak.server_cpus?))
    };
    let (mut a, mut b) = (bounded(a)?, bounded(b)?);
    if a.2.total_cmp(&b.2).is_ne() {
        return None;
    }
    if a.1 > b.1 {
        std::mem::swap(&mut a, &mut b);
    }
    Some(ExtraCost {
        ratios: EXTRA_COSTS_US.map(|extra| ratio_at_extra_cost(a.1, b.1, extra)),
        cpu_us_per_msg: [a.1, b.1],
        numerator: a.0,
        denominator: b.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::curves;
    use crate::results::Row;

    #[test]
    fn extra_cost_brings_two_servers_closer_together() {
        // 23.6 / 13.5, and then 28.6 / 18.5, 33.6 / 23.5 and 43.6 / 33.5.
        let expected = [1.7481, 1.5459, 1.4298, 1.3015];
        for (extra, expected) in EXTRA_COSTS_US.into_iter().zip(expected) {
            let ratio = ratio_at_extra_cost(13.5, 23.6, extra);
            assert!((ratio - expected).abs() < 5e-5, "{extra}: {ratio}");
        }
        assert_eq!(ratio_at_extra_cost(8.0, 8.0, 20.0), 1.0);
    }

    fn row(system: &str, clients: usize, cpu_us: f64, bound: &str, cpus: &str) -> Row {
        Row {
            system: system.to_owned(),
            clients,
            trial: 1,
            throughput_per_s: 1e6 / cpu_us * clients as f64 / 8.0,
            server_cpu_us_per_msg: Some(cpu_us),
            server_cpus: Some(cpus.to_owned()),
            bound: Some(bound.to_owned()),
            valid: true,
            ..Row::default()
        }
    }

    #[test]
    fn pairs_are_compared_at_their_peaks_if_the_server_was_the_bound_of_both() {
        let rows = [
            row("dear", 1, 90.0, "latency", "0"),
            row("dear", 8, 30.0, "server", "0"),
            row("cheap", 8, 10.0, "server", "0"),
            row("fast", 8, 5.0, "client", "0"),
        ];
        let all = extra_costs(&curves(&rows, Axis::Clients), Axis::Clients);
        let [pair] = &all[..] else { panic!("{all:?}") };
        assert_eq!((&*pair.numerator, &*pair.denominator), ("cheap", "dear"));
        assert_eq!((pair.cpu_us_per_msg, pair.ratios[0]), ([10.0, 30.0], 3.0));
        assert_eq!((pair.ratios[2], (pair.ratios[3] * 3.0).round()), (2.0, 5.0));
    }

    #[test]
    fn servers_with_different_cpus_or_unknown_costs_are_not_compared() {
        let one = row("one", 8, 10.0, "server", "0");
        let two = row("two", 8, 20.0, "server", "0-1");
        let unknown = Row { server_cpu_us_per_msg: None, ..row("x", 8, 20.0, "server", "0") };
        for rows in [[one.clone(), two], [one, unknown]] {
            assert_eq!(extra_costs(&curves(&rows, Axis::Clients), Axis::Clients), []);
        }
    }
}

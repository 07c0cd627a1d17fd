//! Paced loads: throughput and latency at given request rates.

use super::axis::is_closed_loop;
use super::options::{client_count, labels, options, without_pace};
use super::point::without_repeated;
use super::{Axis, Curve, CurveOptions, Estimate, curves};
use crate::measure::is_rate_kept;
use crate::results::Row;

/// The means of the valid trials of one system at one request rate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PacedLoad {
    /// The system, followed by the options that differ within the paced rows. Loads that differ by
    /// their rate only have the same label.
    pub label: String,
    /// The system.
    pub system: String,
    /// Concurrent clients.
    pub clients: usize,
    /// Arrival process: constant or poisson.
    pub arrivals: Option<String>,
    /// Offered load in requests per second, summed over all clients.
    pub rate_per_s: f64,
    /// The rate over the closed-loop throughput with the same options: with as many clients or, if
    /// that was not measured, at the peak. `None` if neither was measured.
    pub share_of_peak: Option<f64>,
    /// Messages per second that were exchanged.
    pub sent_per_s: f64,
    /// Sum of the windows of all trials, in s.
    pub window_s: f64,
    /// Median latency from when requests were due, in us.
    pub due_p50_us: Option<f64>,
    /// 90th percentile of the latency from when requests were due, in us.
    pub due_p90_us: Option<f64>,
    /// 99th percentile of the latency from when requests were due, in us.
    pub due_p99_us: Option<f64>,
    /// 99.9th percentile of the latency from when requests were due, in us.
    pub due_p999_us: Option<f64>,
    /// 99th percentile of the round-trip time, from when requests were sent, in us.
    pub rtt_p99_us: Option<f64>,
    /// Number of trials in the means.
    pub trials: usize,
}

impl PacedLoad {
    /// Whether the offered load was sent.
    pub fn is_rate_kept(&self) -> bool {
        let at_random = self.arrivals.as_deref() != Some("constant");
        is_rate_kept(self.rate_per_s, self.sent_per_s, self.window_s, at_random)
    }
}

/// The rows of one system at one rate, with their options except those of pacing.
struct Group<'a> {
    options: CurveOptions,
    rate: f64,
    rows: Vec<&'a Row>,
}

/// Returns the loads of the valid paced rows. Systems have the order of the curves; systems without
/// a curve follow in the order in which they first appear. The loads of a label are sorted by rate.
pub fn paced_loads(rows: &[Row], order: &[Curve]) -> Vec<PacedLoad> {
    let closed_loop = curves(rows, Axis::Clients);
    let mut groups: Vec<Group<'_>> = Vec::new();
    for row in rows.iter().filter(|row| row.valid && !is_closed_loop(row)) {
        let Some(rate) = row.rate_per_s else { continue };
        let options = without_pace(&options(row, Axis::Clients));
        let same = |group: &&mut Group<'_>| {
            let first = group.rows[0];
            (&first.system, first.clients, &first.arrivals, group.rate, &group.options)
                == (&row.system, row.clients, &row.arrivals, rate, &options)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { options, rate, rows: vec![row] }),
        }
    }
    for group in &mut groups {
        group.rows = without_repeated(&group.rows);
    }
    let options: Vec<_> = groups.iter().map(Group::label_options).collect();
    let named =
        groups.iter().zip(&options).map(|(group, options)| (&*group.rows[0].system, options));
    let named: Vec<_> = named.collect();
    let mut all: Vec<_> = labels(&named)
        .into_iter()
        .zip(&groups)
        .map(|(label, group)| group.load(label, &closed_loop))
        .collect();
    let labels: Vec<_> = all.iter().map(|load| load.label.clone()).collect();
    let first = |load: &PacedLoad| labels.iter().position(|label| *label == load.label);
    let position = |load: &PacedLoad| {
        let of_label = order.iter().position(|curve| curve.label == load.label);
        let of_curve = of_label.or_else(|| order.iter().position(|c| c.system == load.system));
        (of_curve.unwrap_or(order.len()), first(load))
    };
    all.sort_by(|a, b| position(a).cmp(&position(b)).then(a.rate_per_s.total_cmp(&b.rate_per_s)));
    all
}

impl Group<'_> {
    /// The options that the label may contain.
    fn label_options(&self) -> CurveOptions {
        let mut options = self.options.clone();
        options.insert("clients", client_count(self.rows[0].clients));
        options.extend(self.rows[0].arrivals.clone().map(|kind| ("arrivals", kind)));
        options
    }

    fn load(&self, label: String, closed_loop: &[Curve]) -> PacedLoad {
        let first = self.rows[0];
        let mean = |value: fn(&Row) -> Option<f64>| {
            let values: Vec<_> = self.rows.iter().filter_map(|row| value(row)).collect();
            Estimate::of(&values).map(|estimate| estimate.mean)
        };
        let is_same = |c: &&Curve| (&c.system, &c.options) == (&first.system, &self.options);
        let capacity = closed_loop.iter().find(is_same).and_then(|curve| {
            curve.at(first.clients as f64).or_else(|| curve.peak()).map(|p| p.throughput.mean)
        });
        let capacity = capacity.filter(|capacity| *capacity > 0.0);
        PacedLoad {
            label,
            system: first.system.clone(),
            clients: first.clients,
            arrivals: first.arrivals.clone(),
            rate_per_s: self.rate,
            share_of_peak: capacity.map(|capacity| self.rate / capacity),
            window_s: self.rows.iter().map(|row| row.window_s).sum(),
            sent_per_s: mean(|row| Some(row.throughput_per_s)).unwrap_or_default(),
            due_p50_us: mean(|row| row.due_p50_us),
            due_p90_us: mean(|row| row.due_p90_us),
            due_p99_us: mean(|row| row.due_p99_us),
            due_p999_us: mean(|row| row.due_p999_us),
            rtt_p99_us: mean(|row| row.rtt_p99_us),
            trials: self.rows.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(system: &str, throughput_per_s: f64, rate_per_s: Option<f64>) -> Row {
        Row {
            system: system.to_owned(),
            clients: 24,
            throughput_per_s,
            rate_per_s,
            arrivals: rate_per_s.map(|_| "poisson".to_owned()),
            due_p99_us: rate_per_s.map(|rate| rate / 100.0),
            window_s: 1.0,
            valid: true,
            ..Row::default()
        }
    }

    #[test]
    fn the_share_is_relative_to_the_closed_loop_with_as_many_clients() {
        let rows = [
            row("a", 90_000.0, None),
            row("a", 110_000.0, None),
            Row { clients: 8, ..row("a", 130_000.0, None) },
            row("a", 89_000.0, Some(90_000.0)),
            row("b", 400.0, Some(500.0)),
            row("a", 50_000.0, Some(50_000.0)),
            row("a", 50_100.0, Some(50_000.0)),
            Row { valid: false, ..row("a", 1.0, Some(50_000.0)) },
        ];
        let found: Vec<_> = paced_loads(&rows, &[])
            .into_iter()
            .map(|p| (p.label, p.rate_per_s, p.share_of_peak, p.sent_per_s, p.trials))
            .collect();
        let expected = [
            ("a".to_owned(), 50_000.0, Some(0.5), 50_050.0, 2),
            ("a".to_owned(), 90_000.0, Some(0.9), 89_000.0, 1),
            ("b".to_owned(), 500.0, None, 400.0, 1),
        ];
        assert_eq!(found, expected);
        assert_eq!(paced_loads(&rows, &[])[1].due_p99_us, Some(900.0));
        assert!(paced_loads(&rows[..3], &[]).is_empty());
    }

    #[test]
    fn the_share_of_a_tuned_system_is_relative_to_its_tuned_peak() {
        let tuned = |row: Row| Row { tuning: Some("throughput".to_owned()), ..row };
        let rows = [
            row("a", 100.0, None),
            tuned(row("a", 200.0, None)),
            row("a", 50.0, Some(50.0)),
            tuned(row("a", 50.0, Some(50.0))),
        ];
        let found: Vec<_> =
            paced_loads(&rows, &[]).into_iter().map(|p| (p.label, p.share_of_peak)).collect();
        assert_eq!(found, [("a".to_owned(), Some(0.5)), ("a, tuned".to_owned(), Some(0.25))]);
    }

    #[test]
    fn labels_contain_the_clients_if_their_numbers_differ() {
        let rows = [row("a", 50.0, Some(50.0)), Row { clients: 8, ..row("a", 28.0, Some(50.0)) }];
        let found: Vec<_> =
            paced_loads(&rows, &[]).into_iter().map(|p| (p.is_rate_kept(), p.label)).collect();
        assert_eq!(found, [(true, "a, 24 clients".to_owned()), (false, "a, 8 clients".to_owned())]);
    }

    #[test]
    fn without_as_many_clients_the_share_is_relative_to_the_peak() {
        let rows = [Row { clients: 8, ..row("a", 1000.0, None) }, row("a", 1.0, Some(250.0))];
        assert_eq!(paced_loads(&rows, &[])[0].share_of_peak, Some(0.25));
    }
}

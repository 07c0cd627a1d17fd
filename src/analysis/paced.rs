//! Paced loads: throughput and latency at given request rates.

use super::histograms::{Percentile, TrialHistograms};
use super::options::{client_count, labels};
use super::paced_groups::{Group, Series, groups, paced_rows};
use super::{Axis, Curve, CurveOptions, Estimate, HistogramsByRow, curves};
use crate::results::Row;

/// The valid trials of one contender at one load.
///
/// Percentiles are those of all trials together, with their range over the trials.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PacedLoad {
    /// The contender's label, followed by the options that differ within the paced rows. Loads that
    /// differ by their rate only have the same label.
    pub label: String,
    /// The system.
    pub system: String,
    /// Concurrent clients.
    pub clients: usize,
    /// Offered load in requests per second, summed over all clients. Mean of the trials if each
    /// pass has its own rate, at the same share of the peak.
    pub rate_per_s: f64,
    /// The rate over the closed-loop throughput with the same options: that of the same pass or, if
    /// it was not measured, with as many clients or, if that was not measured either, at the peak.
    pub share_of_peak: Option<f64>,
    /// Messages per second that were exchanged in the window.
    pub sent_per_s: f64,
    /// Messages per second of the trial with the largest deviation from its rate.
    pub worst_sent_per_s: f64,
    /// Median latency from when requests were due.
    pub due_p50_us: Option<Percentile>,
    /// 90th percentile of the latency from when requests were due.
    pub due_p90_us: Option<Percentile>,
    /// 99th percentile of the latency from when requests were due.
    pub due_p99_us: Option<Percentile>,
    /// 99.9th percentile of the latency from when requests were due.
    pub due_p999_us: Option<Percentile>,
    /// 99th percentile of the round-trip time, from when requests were sent.
    pub rtt_p99_us: Option<Percentile>,
    /// 99th percentile of the delay from when requests were due until they were sent.
    pub send_lag_p99_us: Option<Percentile>,
    /// Share of requests that were sent late because their client was still waiting.
    pub sent_late: Option<f64>,
    /// Requests without a reply, whose latencies are lower bounds.
    pub censored: u64,
    /// Number of trials.
    pub trials: usize,
    /// Number of trials that did not keep the rate.
    pub missed_trials: usize,
    /// Whether the server, or the host of both sides, was the bound in half of the trials or more.
    pub is_bounded_by_server: bool,
}

/// The clients determine the 99th percentile of the latency if they cause this share of it.
const CLIENT_SHARE: f64 = 0.5;

impl PacedLoad {
    /// Whether every trial sent the offered load. A surplus of one trial does not make up for the
    /// deficit of another.
    pub fn is_rate_kept(&self) -> bool {
        self.missed_trials == 0
    }

    /// Whether the delay before requests were sent makes up half or more of the 99th percentile of
    /// the latency, although the server was not the bound: the clients determined it.
    pub fn is_limited_by_clients(&self) -> bool {
        let (Some(lag), Some(due)) = (self.send_lag_p99_us, self.due_p99_us) else { return false };
        !self.is_bounded_by_server && self.is_rate_kept() && lag.us >= CLIENT_SHARE * due.us
    }
}

/// Returns the loads of the valid paced rows. Contenders have the order of the curves; those
/// without a curve follow in the order in which they first appear. The loads of a label are sorted
/// by rate. Without histograms, a percentile is the largest of the trials.
pub fn paced_loads(rows: &[Row], order: &[Curve]) -> Vec<PacedLoad> {
    merged_loads(rows, &HistogramsByRow::new(), order)
}

/// Returns the same loads, with percentiles from the merged histograms of their trials.
pub fn merged_loads(rows: &[Row], histograms: &HistogramsByRow, order: &[Curve]) -> Vec<PacedLoad> {
    let closed_loop = curves(rows, Axis::Clients);
    let paced = paced_rows(rows);
    let groups = groups(&paced);
    let options: Vec<_> = groups.iter().map(Group::label_options).collect();
    let named = groups.iter().zip(&options).map(|(group, options)| (&*group.series.name, options));
    let named: Vec<_> = named.collect();
    let mut all: Vec<_> = labels(&named)
        .into_iter()
        .zip(&groups)
        .map(|(label, group)| group.load(label, &closed_loop, histograms))
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
        let mut options = self.series.options.clone();
        options.insert("clients", client_count(self.series.clients));
        options.extend(self.series.arrivals.map(|kind| ("arrivals", kind.to_owned())));
        options
    }

    fn load(
        &self,
        label: String,
        closed_loop: &[Curve],
        histograms: &HistogramsByRow,
    ) -> PacedLoad {
        let rows: Vec<_> = self.rows.iter().map(|paced| paced.row).collect();
        let mean = |values: Vec<f64>| Estimate::of(&values).map_or(0.0, |estimate| estimate.mean);
        let merged = TrialHistograms::merged(&rows, histograms);
        let merged = merged.as_ref();
        let due = merged.map(|merged| &merged.due);
        let percentile = |quantile, histogram, value: fn(&Row) -> Option<f64>| {
            let values: Vec<_> = rows.iter().filter_map(|row| value(row)).collect();
            Percentile::of(quantile, histogram, &values)
        };
        let deviation = |row: &&&Row| (sent_per_s(row) - row.rate_per_s.unwrap_or_default()).abs();
        let worst = rows.iter().max_by(|a, b| deviation(a).total_cmp(&deviation(b)));
        let missed = rows.iter().filter(|row| row.is_rate_kept() == Some(false)).count();
        let is_by_server =
            |row: &&&Row| matches!(row.bound.as_deref(), Some("server" | "thread" | "host"));
        let by_server = rows.iter().filter(is_by_server).count();
        PacedLoad {
            label,
            system: self.series.system.to_owned(),
            clients: self.series.clients,
            rate_per_s: mean(self.rows.iter().map(|paced| paced.rate).collect()),
            share_of_peak: self.share_of_peak(closed_loop),
            sent_per_s: mean(rows.iter().map(|row| sent_per_s(row)).collect()),
            worst_sent_per_s: worst.map_or(0.0, |row| sent_per_s(row)),
            due_p50_us: percentile(0.5, due, |row| row.due_p50_us),
            due_p90_us: percentile(0.9, due, |row| row.due_p90_us),
            due_p99_us: percentile(0.99, due, |row| row.due_p99_us),
            due_p999_us: percentile(0.999, due, |row| row.due_p999_us),
            rtt_p99_us: percentile(0.99, merged.map(|merged| &merged.rtt), |row| row.rtt_p99_us),
            send_lag_p99_us: percentile(0.99, merged.map(|merged| &merged.send_lag), |row| {
                row.send_lag_p99_us
            }),
            sent_late: sent_late(&rows),
            censored: rows
                .iter()
                .fold(0, |sum: u64, row| sum.saturating_add(row.censored.unwrap_or_default())),
            trials: rows.len(),
            missed_trials: missed,
            is_bounded_by_server: 2 * by_server >= rows.len(),
        }
    }

    /// The mean of the shares in the passes if all are known; otherwise the share of the mean peak.
    fn share_of_peak(&self, closed_loop: &[Curve]) -> Option<f64> {
        let in_passes: Option<Vec<_>> = self.rows.iter().map(|paced| paced.share_in_pass).collect();
        if let Some(shares) = in_passes {
            return Estimate::of(&shares).map(|estimate| estimate.mean);
        }
        let Series { name, system, clients, options, .. } = &self.series;
        let is_same = |c: &&Curve| (&*c.system, &c.options) == (*system, options);
        let same: Vec<_> = closed_loop.iter().filter(is_same).collect();
        // Rows of older scripts give the peak another label, which matters only if there are two.
        let curve = same.iter().find(|curve| curve.name == *name);
        let curve = curve.or_else(|| same.first().filter(|_| same.len() == 1))?;
        let point = curve.at(*clients as f64).or_else(|| curve.peak())?;
        let rates: Vec<_> = self.rows.iter().map(|paced| paced.rate).collect();
        let capacity = Some(point.throughput.mean).filter(|capacity| *capacity > 0.0)?;
        Estimate::of(&rates).map(|rate| rate.mean / capacity)
    }
}

/// Messages per second that were exchanged in the window, whenever the requests were due.
fn sent_per_s(row: &Row) -> f64 {
    match row.replies_in_window() {
        Some(replies) if row.window_s > 0.0 => replies as f64 / row.window_s,
        _ => row.throughput_per_s,
    }
}

/// The share of late requests in all trials together.
fn sent_late(rows: &[&Row]) -> Option<f64> {
    let counts = rows.iter().filter_map(|row| {
        let due = row.requests_due? as f64;
        Some((row.sent_late? * due, due))
    });
    let (late, due) = counts.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    (due > 0.0).then(|| late / due)
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
        assert_eq!(paced_loads(&rows, &[])[1].due_p99_us.map(|p99| p99.us), Some(900.0));
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

    #[test]
    fn a_surplus_of_one_trial_does_not_hide_the_deficit_of_another() {
        let counted = |trial, answered: u64| Row {
            trial,
            requests_due: Some(10_000),
            backlog_open: Some(answered.saturating_sub(10_000)),
            backlog_close: Some(10_000_u64.saturating_sub(answered)),
            ..row("a", 10_000.0, Some(10_000.0))
        };
        let load = |answered: [u64; 2]| {
            let rows = [counted(1, answered[0]), counted(2, answered[1])];
            paced_loads(&rows, &[]).remove(0)
        };
        let kept = load([9_990, 10_010]);
        assert_eq!((kept.is_rate_kept(), kept.sent_per_s), (true, 10_000.0));
        let missed = load([9_000, 11_000]);
        assert_eq!((missed.sent_per_s, missed.missed_trials), (10_000.0, 2));
        let one = load([10_000, 10_900]);
        assert_eq!((one.missed_trials, one.worst_sent_per_s), (1, 10_900.0));
    }

    #[test]
    fn contenders_with_equal_options_and_different_labels_are_separate() {
        let labeled = |label: &str, row: Row| Row { label: label.to_owned(), ..row };
        let rows = [
            labeled("old", row("a", 100.0, None)),
            labeled("new", row("a", 200.0, None)),
            labeled("old", row("a", 50.0, Some(50.0))),
            labeled("new", row("a", 50.0, Some(50.0))),
        ];
        let found: Vec<_> =
            paced_loads(&rows, &[]).into_iter().map(|p| (p.label, p.share_of_peak)).collect();
        assert_eq!(found, [("old".to_owned(), Some(0.5)), ("new".to_owned(), Some(0.25))]);
    }

    #[test]
    fn rates_that_follow_the_peak_of_their_pass_are_one_load() {
        let pass = |trial, peak: f64| {
            let at = |share: f64| row("a", peak * share, Some((peak * share).round()));
            [row("a", peak, None), at(0.5), at(0.7)].map(|row| Row { trial, ..row })
        };
        let rows = [pass(1, 1001.0), pass(2, 1403.0)].concat();
        let found: Vec<_> = paced_loads(&rows, &[])
            .into_iter()
            .map(|p| (p.share_of_peak.unwrap(), p.rate_per_s, p.trials))
            .collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!((found[0].0 - 0.5).abs() < 0.001 && (found[1].0 - 0.7).abs() < 0.001);
        assert_eq!((found[0].1, found[0].2), (601.5, 2));
    }

    #[test]
    fn the_clients_determine_the_latency_if_the_lag_is_half_of_it() {
        let lag = |us: f64, bound: &str| {
            let row = Row {
                due_p99_us: Some(100.0),
                send_lag_p99_us: Some(us),
                bound: Some(bound.to_owned()),
                ..row("a", 50.0, Some(50.0))
            };
            paced_loads(&[row], &[])[0].is_limited_by_clients()
        };
        assert!(lag(50.0, "latency") && !lag(49.0, "latency") && !lag(50.0, "server"));
    }
}

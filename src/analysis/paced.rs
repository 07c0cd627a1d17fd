//! Paced runs: latency from when requests were due, at given rates.

use super::axis::is_closed_loop;
use super::options::{in_clients, labels, options, without_pace};
use super::point::without_repeated;
use super::{Axis, Curve, CurveOptions, Estimate, curves};
use crate::measure::is_rate_kept;
use crate::results::Row;

/// The valid trials of one system at one rate, and the means of what they measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paced {
    /// The system, and of its options those that differ within the paced rows: the same of all
    /// its loads that differ by their rate only.
    pub label: String,
    /// The system.
    pub system: String,
    /// Concurrent clients.
    pub clients: usize,
    /// When requests were due: constant or poisson.
    pub arrivals: Option<String>,
    /// Requests per second that were to be sent.
    pub rate_per_s: f64,
    /// The rate over what the system carries in a closed loop with the same options: of as many
    /// clients, or at its peak where that was not measured. `None` where neither was.
    pub share_of_peak: Option<f64>,
    /// Messages per second that there were.
    pub sent_per_s: f64,
    /// The windows of all trials together, in s.
    pub window_s: f64,
    /// Median latency from when requests were due, in us, as are all that follow.
    pub due_p50_us: Option<f64>,
    /// 90th percentile of it.
    pub due_p90_us: Option<f64>,
    /// 99th percentile of it.
    pub due_p99_us: Option<f64>,
    /// 99.9th percentile of it.
    pub due_p999_us: Option<f64>,
    /// 99th percentile from when requests were sent.
    pub rtt_p99_us: Option<f64>,
    /// How many trials these are the means of.
    pub trials: usize,
}

impl Paced {
    /// Whether what was to be sent was sent.
    pub fn is_kept(&self) -> bool {
        let at_random = self.arrivals.as_deref() != Some("constant");
        is_rate_kept(self.rate_per_s, self.sent_per_s, self.window_s, at_random)
    }
}

/// The rows of one system at one rate, with their options but those of pace.
struct Group<'a> {
    options: CurveOptions,
    rate: f64,
    rows: Vec<&'a Row>,
}

/// What the valid paced rows say: systems in the order of the curves, or in which they first
/// appear, each by ascending rates.
pub fn paced(rows: &[Row], order: &[Curve]) -> Vec<Paced> {
    let closed = curves(rows, Axis::Clients);
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
    let telling: Vec<_> = groups.iter().map(Group::telling).collect();
    let named = groups.iter().zip(&telling).map(|(g, options)| (&*g.rows[0].system, options));
    let named: Vec<_> = named.collect();
    let mut all: Vec<_> = labels(&named)
        .into_iter()
        .zip(&groups)
        .map(|(label, group)| group.paced(label, &closed))
        .collect();
    let labels: Vec<_> = all.iter().map(|paced| paced.label.clone()).collect();
    let first = |paced: &Paced| labels.iter().position(|label| *label == paced.label);
    let place = |paced: &Paced| {
        let of_label = order.iter().position(|curve| curve.label == paced.label);
        let place = of_label.or_else(|| order.iter().position(|c| c.system == paced.system));
        (place.unwrap_or(order.len()), first(paced))
    };
    all.sort_by(|a, b| place(a).cmp(&place(b)).then(a.rate_per_s.total_cmp(&b.rate_per_s)));
    all
}

impl Group<'_> {
    /// All that its label may tell.
    fn telling(&self) -> CurveOptions {
        let mut telling = self.options.clone();
        telling.insert("clients", in_clients(self.rows[0].clients));
        telling.extend(self.rows[0].arrivals.clone().map(|kind| ("arrivals", kind)));
        telling
    }

    fn paced(&self, label: String, closed: &[Curve]) -> Paced {
        let first = self.rows[0];
        let mean = |value: fn(&Row) -> Option<f64>| {
            let values: Vec<_> = self.rows.iter().filter_map(|row| value(row)).collect();
            Estimate::of(&values).map(|estimate| estimate.mean)
        };
        let alike = |c: &&Curve| (&c.system, &c.options) == (&first.system, &self.options);
        let most = closed.iter().find(alike).and_then(|curve| {
            curve.at(first.clients as f64).or_else(|| curve.peak()).map(|p| p.throughput.mean)
        });
        Paced {
            label,
            system: first.system.clone(),
            clients: first.clients,
            arrivals: first.arrivals.clone(),
            rate_per_s: self.rate,
            share_of_peak: most.filter(|most| *most > 0.0).map(|most| self.rate / most),
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
    fn rates_are_shares_of_what_as_many_clients_have_in_a_closed_loop() {
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
        let told: Vec<_> = paced(&rows, &[])
            .into_iter()
            .map(|p| (p.label, p.rate_per_s, p.share_of_peak, p.sent_per_s, p.trials))
            .collect();
        let expected = [
            ("a".to_owned(), 50_000.0, Some(0.5), 50_050.0, 2),
            ("a".to_owned(), 90_000.0, Some(0.9), 89_000.0, 1),
            ("b".to_owned(), 500.0, None, 400.0, 1),
        ];
        assert_eq!(told, expected);
        assert_eq!(paced(&rows, &[])[1].due_p99_us, Some(900.0));
        assert!(paced(&rows[..3], &[]).is_empty());
    }

    #[test]
    fn a_system_tuned_is_a_share_of_itself_tuned() {
        let tuned = |row: Row| Row { tuning: Some("throughput".to_owned()), ..row };
        let rows = [
            row("a", 100.0, None),
            tuned(row("a", 200.0, None)),
            row("a", 50.0, Some(50.0)),
            tuned(row("a", 50.0, Some(50.0))),
        ];
        let told: Vec<_> =
            paced(&rows, &[]).into_iter().map(|p| (p.label, p.share_of_peak)).collect();
        assert_eq!(told, [("a".to_owned(), Some(0.5)), ("a, tuned".to_owned(), Some(0.25))]);
    }

    #[test]
    fn numbers_of_clients_are_told_apart() {
        let rows = [row("a", 50.0, Some(50.0)), Row { clients: 8, ..row("a", 28.0, Some(50.0)) }];
        let told: Vec<_> = paced(&rows, &[]).into_iter().map(|p| (p.is_kept(), p.label)).collect();
        assert_eq!(told, [(true, "a, 24 clients".to_owned()), (false, "a, 8 clients".to_owned())]);
    }

    #[test]
    fn without_as_many_clients_the_peak_is_what_they_are_shares_of() {
        let rows = [Row { clients: 8, ..row("a", 1000.0, None) }, row("a", 1.0, Some(250.0))];
        assert_eq!(paced(&rows, &[])[0].share_of_peak, Some(0.25));
    }
}

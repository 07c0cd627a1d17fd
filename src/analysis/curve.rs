//! Curves: the mean of the trials at each number of clients.

use std::collections::{BTreeMap, BTreeSet};

use crate::results::Row;

/// The points of one system, with one set of options, by ascending numbers of clients.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The system.
    pub system: String,
    /// The system, and of its options those that differ within the rows.
    pub label: String,
    /// At least one.
    pub points: Vec<Point>,
}

/// The trials of one curve at one number of clients: the means of what they measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Point {
    /// Concurrent clients.
    pub clients: usize,
    /// How many trials there are.
    pub trials: usize,
    /// Messages per second.
    pub throughput_per_s: f64,
    /// Median round-trip time, in us; empty where no trial knows it, as all that follow.
    pub rtt_p50_us: Option<f64>,
    /// 99th percentile of the round-trip time, in us.
    pub rtt_p99_us: Option<f64>,
    /// CPU time of the server per message, in us.
    pub server_cpu_us_per_msg: Option<f64>,
    /// CPU time of the clients per message, in us.
    pub client_cpu_us_per_msg: Option<f64>,
    /// What bounded the trials, each kind once.
    pub bounds: BTreeSet<String>,
}

impl Curve {
    /// The point at so many clients, if that was measured.
    pub fn at(&self, clients: usize) -> Option<&Point> {
        self.points.iter().find(|point| point.clients == clients)
    }

    /// The point of the highest throughput.
    pub fn peak(&self) -> Option<&Point> {
        self.points.iter().max_by(|a, b| a.throughput_per_s.total_cmp(&b.throughput_per_s))
    }
}

/// The options of a row, each as it is shown in a label.
fn options(row: &Row) -> [Option<String>; 6] {
    [
        row.workers.map(|workers| format!("{workers} workers")),
        row.backend.clone(),
        row.completion_queues.map(|queues| format!("{queues} queues")),
        Some(format!("{} B", row.payload_bytes)),
        Some(format!("reply {} B", row.reply_bytes)),
        Some(format!("think {} us", row.think_us)),
    ]
}

/// The curves of the rows that are valid, in the order in which their systems first appear.
///
/// Rows with different options are never averaged: they are curves of their own.
pub fn curves(rows: &[Row]) -> Vec<Curve> {
    let valid = || rows.iter().filter(|row| row.valid);
    // Of each system: which of its options differ within these rows?
    let differs = |row: &Row, option: usize| {
        let mut same = valid().filter(|other| other.system == row.system);
        same.any(|other| options(other)[option] != options(row)[option])
    };
    let mut groups: Vec<Group<'_>> = Vec::new();
    for row in valid() {
        let mut label = row.system.clone();
        for (i, option) in options(row).into_iter().enumerate() {
            if differs(row, i) {
                label.push_str(", ");
                label.push_str(option.as_deref().unwrap_or("-"));
            }
        }
        let at = groups.iter().position(|group| group.label == label).unwrap_or_else(|| {
            groups.push(Group { system: &row.system, label, points: BTreeMap::new() });
            groups.len() - 1
        });
        groups[at].points.entry(row.clients).or_default().push(row);
    }
    groups.into_iter().map(Group::into_curve).collect()
}

/// The rows of a curve, by their numbers of clients.
struct Group<'a> {
    system: &'a str,
    label: String,
    points: BTreeMap<usize, Vec<&'a Row>>,
}

impl Group<'_> {
    fn into_curve(self) -> Curve {
        let points = self.points.into_iter();
        Curve {
            system: self.system.to_owned(),
            label: self.label,
            points: points.map(|(clients, trials)| point(clients, &trials)).collect(),
        }
    }
}

fn point(clients: usize, trials: &[&Row]) -> Point {
    let mean_of = |value: fn(&Row) -> Option<f64>| mean(trials.iter().filter_map(|row| value(row)));
    Point {
        clients,
        trials: trials.len(),
        throughput_per_s: mean_of(|row| Some(row.throughput_per_s)).unwrap_or_default(),
        rtt_p50_us: mean_of(|row| row.rtt_p50_us),
        rtt_p99_us: mean_of(|row| row.rtt_p99_us),
        server_cpu_us_per_msg: mean_of(|row| row.server_cpu_us_per_msg),
        client_cpu_us_per_msg: mean_of(|row| row.client_cpu_us_per_msg),
        bounds: trials.iter().filter_map(|row| row.bound.clone()).collect(),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_u32), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(system: &str, clients: usize, throughput_per_s: f64) -> Row {
        let system = system.to_owned();
        Row { system, clients, throughput_per_s, valid: true, ..Row::default() }
    }

    #[test]
    fn trials_are_averaged_and_points_sorted() {
        let rows = [row("b", 8, 300.0), row("a", 1, 7.0), row("b", 1, 90.0), row("b", 1, 110.0)];
        let curves = curves(&rows);
        assert_eq!(curves.iter().map(|c| c.label.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        let b: Vec<_> =
            curves[0].points.iter().map(|p| (p.clients, p.trials, p.throughput_per_s)).collect();
        assert_eq!(b, [(1, 2, 100.0), (8, 1, 300.0)]);
        assert_eq!(curves[0].peak().unwrap().clients, 8);
        assert_eq!(curves[0].at(24), None);
        assert!(curves[0].points[0].bounds.is_empty());
    }

    #[test]
    fn what_is_not_valid_is_in_no_mean() {
        let rows = [row("a", 1, 100.0), Row { valid: false, ..row("a", 1, 9000.0) }];
        assert_eq!(curves(&rows)[0].points[0].throughput_per_s, 100.0);
    }

    #[test]
    fn options_that_differ_make_curves_and_the_others_do_not_show() {
        let with = |workers, backend: &str| Row {
            workers: Some(workers),
            backend: Some(backend.to_owned()),
            ..row("a", 1, 1.0)
        };
        let labels: Vec<_> = curves(&[with(4, "inproc"), with(16, "inproc"), row("b", 1, 1.0)])
            .into_iter()
            .map(|curve| curve.label)
            .collect();
        assert_eq!(labels, ["a, 4 workers", "a, 16 workers", "b"]);
    }

    #[test]
    fn what_some_trials_do_not_know_is_the_mean_of_those_that_do() {
        let known = Row { server_cpu_us_per_msg: Some(12.0), ..row("a", 1, 1.0) };
        let point = &curves(&[row("a", 1, 1.0), known])[0].points[0];
        assert_eq!((point.server_cpu_us_per_msg, point.client_cpu_us_per_msg), (Some(12.0), None));
    }
}

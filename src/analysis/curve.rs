//! Curves: the mean of the trials at each number of clients.

use std::collections::{BTreeMap, BTreeSet};

use super::Estimate;
use crate::measure::DISTURBED;
use crate::results::Row;

/// The points of one system, with one set of options, by ascending numbers of clients.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The system.
    pub system: String,
    /// The system, and of its options those that differ within the rows.
    pub label: String,
    /// All of its options: the same of two curves that may be compared.
    pub options: BTreeMap<&'static str, String>,
    /// At least one.
    pub points: Vec<Point>,
}

/// The valid trials of one curve at one number of clients, and the means of what they measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Point {
    /// Concurrent clients.
    pub clients: usize,
    /// Messages per second.
    pub throughput: Estimate,
    /// The same of each pass.
    pub passes: BTreeMap<Pass, f64>,
    /// Median round-trip time, in us; empty where no trial knows it, as all that follow.
    pub rtt_p50_us: Option<f64>,
    /// 99th percentile of the round-trip time, in us.
    pub rtt_p99_us: Option<f64>,
    /// CPU time of the server per message, in us.
    pub server_cpu_us_per_msg: Option<f64>,
    /// CPU time of the clients per message, in us.
    pub client_cpu_us_per_msg: Option<f64>,
    /// Context switches of the server per message.
    pub server_switches_per_msg: Option<f64>,
    /// Jain's index of the clients' messages.
    pub client_fairness: Option<f64>,
    /// What bounded the trials, each kind once.
    pub bounds: BTreeSet<String>,
    /// How many trials others disturbed, by using the CPUs of a side.
    pub disturbed: usize,
}

/// A pass of a run: the run's id, and the number of the pass.
pub type Pass = (String, u32);

impl Curve {
    /// Whether both are of the same system with the same options, so that their points may be
    /// compared.
    pub fn is_like(&self, other: &Curve) -> bool {
        (&self.system, &self.options) == (&other.system, &other.options)
    }

    /// The point at so many clients, if that was measured.
    pub fn at(&self, clients: usize) -> Option<&Point> {
        self.points.iter().find(|point| point.clients == clients)
    }

    /// The point of the highest throughput.
    pub fn peak(&self) -> Option<&Point> {
        self.points.iter().max_by(|a, b| a.throughput.mean.total_cmp(&b.throughput.mean))
    }
}

impl Point {
    /// Whether it says how fast the clients are, and not how fast the server is.
    pub fn is_bounded_by_clients(&self) -> bool {
        self.bounds.contains("client")
    }

    /// Whether servers may be ranked by it.
    pub fn ranks(&self) -> bool {
        !self.is_bounded_by_clients() && self.disturbed == 0
    }
}

/// The options of a row: the name of each, and how it is shown in a label.
fn options(row: &Row) -> BTreeMap<&'static str, String> {
    let tuned = row.tuning.as_deref().is_some_and(|tuning| tuning != "default");
    let known = [
        ("workers", row.workers.map(|workers| format!("{workers} workers"))),
        ("backend", row.backend.clone()),
        ("completion-queues", row.completion_queues.map(|queues| format!("{queues} queues"))),
        ("tuning", tuned.then(|| "tuned".to_owned())),
        ("work", row.work.as_ref().map(|work| format!("work {work}"))),
        ("channels", row.channels.as_ref().map(|channels| format!("channels {channels}"))),
        ("payload", Some(format!("{} B", row.payload_bytes))),
        ("reply-payload", Some(format!("reply {} B", row.reply_bytes))),
        ("think", Some(format!("think {} us", row.think_us))),
        ("rate", row.rate_per_s.map(|rate| format!("{rate}/s"))),
        ("arrivals", row.arrivals.clone()),
        ("driver", Some(row.driver.clone())),
        ("server-cpus", row.server_cpus.as_ref().map(|cpus| format!("server on CPUs {cpus}"))),
        ("client-cpus", Some(format!("clients on CPUs {}", row.client_cpus))),
    ];
    known.into_iter().filter_map(|(name, shown)| Some((name, shown?))).collect()
}

/// The curves of the rows that are valid, in the order in which their systems first appear.
///
/// Rows with different options are never averaged: they are curves of their own. Nor are
/// runs that measured the same: where two have the same point in the same pass, each run has
/// its curves. A loop whose every call is a run of its own still makes one curve.
pub fn curves(rows: &[Row]) -> Vec<Curve> {
    let valid: Vec<&Row> = rows.iter().filter(|row| row.valid).collect();
    let by_run = runs_overlap(&valid);
    let mut groups: Vec<Group<'_>> = Vec::new();
    for row in valid {
        let run = by_run.then_some(&*row.run_id);
        let (system, options) = (&*row.system, options(row));
        let same = |group: &Group<'_>| {
            (group.system, group.run, &group.options) == (system, run, &options)
        };
        let at = groups.iter().position(same).unwrap_or_else(|| {
            groups.push(Group { system, run, options, points: BTreeMap::new() });
            groups.len() - 1
        });
        groups[at].points.entry(row.clients).or_default().push(row);
    }
    let labels: Vec<_> = groups.iter().map(|group| group.label(&groups)).collect();
    groups.into_iter().zip(labels).map(|(group, label)| group.into_curve(label)).collect()
}

/// Whether two runs have measured the same point in the same pass.
fn runs_overlap(rows: &[&Row]) -> bool {
    let mut first: BTreeMap<_, &str> = BTreeMap::new();
    rows.iter().any(|row| {
        let point = (&row.system, row.clients, row.trial, options(row));
        *first.entry(point).or_insert(&row.run_id) != row.run_id
    })
}

/// The rows of a curve, by their numbers of clients.
struct Group<'a> {
    system: &'a str,
    /// The run, where runs are told apart.
    run: Option<&'a str>,
    options: BTreeMap<&'static str, String>,
    points: BTreeMap<usize, Vec<&'a Row>>,
}

impl Group<'_> {
    /// The system, and what tells this group from the others of that system.
    fn label(&self, all: &[Group<'_>]) -> String {
        let alike = || all.iter().filter(|group| group.system == self.system);
        let telling = |(name, _): &(&&str, &String)| {
            alike().any(|group| group.options.get(**name) != self.options.get(**name))
        };
        let options = self.options.iter().filter(telling).map(|(_, shown)| shown.clone());
        let run = self.run.filter(|run| alike().any(|group| group.run != Some(*run)));
        let run = run.map(|run| format!("run {run}"));
        [self.system.to_owned()]
            .into_iter()
            .chain(options)
            .chain(run)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn into_curve(self, label: String) -> Curve {
        let points = self.points.into_iter();
        Curve {
            system: self.system.to_owned(),
            label,
            options: self.options,
            points: points.map(|(clients, trials)| point(clients, &trials)).collect(),
        }
    }
}

fn point(clients: usize, trials: &[&Row]) -> Point {
    let values = |value: fn(&Row) -> Option<f64>| {
        trials.iter().filter_map(|row| value(row)).collect::<Vec<_>>()
    };
    let mean_of = |value| Estimate::of(&values(value)).map(|estimate| estimate.mean);
    let throughput = values(|row| Some(row.throughput_per_s));
    let pass = |row: &&Row| ((row.run_id.clone(), row.trial), row.throughput_per_s);
    Point {
        clients,
        throughput: Estimate::of(&throughput).unwrap_or_default(),
        passes: trials.iter().map(pass).collect(),
        rtt_p50_us: mean_of(|row| row.rtt_p50_us),
        rtt_p99_us: mean_of(|row| row.rtt_p99_us),
        server_cpu_us_per_msg: mean_of(|row| row.server_cpu_us_per_msg),
        client_cpu_us_per_msg: mean_of(|row| row.client_cpu_us_per_msg),
        server_switches_per_msg: mean_of(|row| row.server_switches_per_msg),
        client_fairness: mean_of(|row| row.client_fairness),
        bounds: trials.iter().filter_map(|row| row.bound.clone()).collect(),
        disturbed: trials.iter().filter(|row| is_disturbed(row)).count(),
    }
}

fn is_disturbed(row: &Row) -> bool {
    let others = [row.server_cpus_others, row.client_cpus_others].into_iter().flatten();
    others.fold(0.0, f64::max) >= DISTURBED
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
        let b: Vec<_> = curves[0]
            .points
            .iter()
            .map(|p| (p.clients, p.throughput.count, p.throughput.mean))
            .collect();
        assert_eq!(b, [(1, 2, 100.0), (8, 1, 300.0)]);
        assert_eq!(curves[0].peak().unwrap().clients, 8);
        assert_eq!(curves[0].at(24), None);
        assert!(curves[0].points[0].bounds.is_empty());
    }

    #[test]
    fn what_is_not_valid_is_in_no_mean() {
        let rows = [row("a", 1, 100.0), Row { valid: false, ..row("a", 1, 9000.0) }];
        assert_eq!(curves(&rows)[0].points[0].throughput.mean, 100.0);
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
    fn runs_are_one_curve_unless_they_measured_the_same() {
        let of_run = |run: &str, clients| Row { run_id: run.to_owned(), ..row("a", clients, 1.0) };
        let labels = |rows: &[Row]| -> Vec<String> {
            curves(rows).into_iter().map(|curve| curve.label).collect()
        };
        assert_eq!(labels(&[of_run("x", 1), of_run("y", 2)]), ["a"]);
        assert_eq!(labels(&[of_run("x", 1), of_run("x", 1)]), ["a"]);
        let again = [of_run("x", 1), of_run("x", 2), of_run("y", 2)];
        assert_eq!(labels(&again), ["a, run x", "a, run y"]);
        let second_pass = Row { trial: 2, ..of_run("y", 1) };
        assert_eq!(labels(&[of_run("x", 1), second_pass]), ["a"]);
    }

    #[test]
    fn what_some_trials_do_not_know_is_the_mean_of_those_that_do() {
        let known = Row { server_cpu_us_per_msg: Some(12.0), ..row("a", 1, 1.0) };
        let point = &curves(&[row("a", 1, 1.0), known])[0].points[0];
        assert_eq!((point.server_cpu_us_per_msg, point.client_cpu_us_per_msg), (Some(12.0), None));
    }

    #[test]
    fn a_point_that_the_clients_bounded_or_others_disturbed_ranks_no_server() {
        let bound = |bound: &str| Row { bound: Some(bound.to_owned()), ..row("a", 1, 1.0) };
        let others = |others| Row { client_cpus_others: Some(others), ..bound("server") };
        let ranks = |rows: &[Row]| curves(rows)[0].points[0].ranks();
        assert!(ranks(&[bound("server"), bound("host"), row("a", 1, 1.0)]));
        assert!(!ranks(&[bound("server"), bound("client")]));
        assert!(ranks(&[others(0.09)]) && !ranks(&[others(0.01), others(0.11)]));
    }
}

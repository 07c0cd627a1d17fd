//! Curves: the means of the trials at each value of the axis.

use std::collections::{BTreeMap, BTreeSet};

use super::axis::is_closed_loop;
use super::options::{Grouping, conditions, labels};
use super::rounds::RoundsByRow;
use super::{Axis, CurveOptions, Point};
use crate::results::Row;

/// The points of one contender with one set of options, by ascending values of the axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The system.
    pub system: String,
    /// The contender's label in the rows; the system's name in rows of an older version.
    pub name: String,
    /// The contender's label, followed by the options that differ within the rows.
    pub label: String,
    /// All options except the axis.
    pub options: CurveOptions,
    /// The run, if several runs measured the same point.
    pub run: Option<String>,
    /// At least one point.
    pub points: Vec<Point>,
}

impl Curve {
    /// Whether both have the same system, contender and options, so that they may be compared
    /// between two measurements.
    pub fn has_same_options(&self, other: &Curve) -> bool {
        (&self.system, &self.name, &self.options) == (&other.system, &other.name, &other.options)
    }

    /// Whether both were measured under the same conditions, so that they may be ranked. Unknown
    /// server CPUs, as of a server that echometer did not start, count as equal.
    pub fn is_comparable(&self, other: &Curve) -> bool {
        const SERVER_CPUS: &str = "server-cpus";
        let known = |curve: &Curve| curve.options.contains_key(SERVER_CPUS);
        let ((mut a, run_a), (mut b, run_b)) = (self.conditions(), other.conditions());
        if !known(self) || !known(other) {
            a.remove(SERVER_CPUS);
            b.remove(SERVER_CPUS);
        }
        (a, run_a) == (b, run_b)
    }

    /// The options that are not the server's own, and the run. Curves with the same conditions may
    /// be ranked.
    pub fn conditions(&self) -> (CurveOptions, Option<&str>) {
        (conditions(&self.options), self.run.as_deref())
    }

    /// The label at this value of the axis. A service time of 0 has no kind of work, so the label
    /// omits the kind there.
    pub fn label_at(&self, axis: Axis, x: f64) -> String {
        match self.options.get(axis.option()) {
            Some(kind) if axis == Axis::Work && x == 0.0 => {
                self.label.replacen(&format!(", {kind}"), "", 1)
            }
            _ => self.label.clone(),
        }
    }

    /// The point at this value of the axis, if it was measured.
    pub fn at(&self, x: f64) -> Option<&Point> {
        self.points.iter().find(|point| point.x == x)
    }

    /// The point with the highest throughput of those that were not disturbed.
    pub(super) fn undisturbed_peak(&self) -> Option<&Point> {
        let undisturbed = self.points.iter().filter(|point| point.disturbed == 0);
        undisturbed.max_by(|a, b| a.throughput.mean.total_cmp(&b.throughput.mean))
    }

    /// The point by which a curve is ranked: its undisturbed peak; `None` if it cannot be ranked.
    pub(super) fn rankable_peak(&self) -> Option<&Point> {
        self.undisturbed_peak().filter(|point| point.is_rankable())
    }

    /// The point with the highest mean throughput.
    pub fn peak(&self) -> Option<&Point> {
        self.points.iter().max_by(|a, b| a.throughput.mean.total_cmp(&b.throughput.mean))
    }
}

/// Returns the curves of the valid closed-loop rows along an axis, in the order in which they first
/// appear.
///
/// Rows with different options are never averaged: each set of options is a separate curve. If two
/// runs measured the same point in the same pass, each run is a separate curve, too; a script that
/// starts one run per point still makes one curve. Rows without a value on the axis are on no
/// curve.
pub fn curves(rows: &[Row], axis: Axis) -> Vec<Curve> {
    sliced_curves(rows, &RoundsByRow::new(), axis)
}

/// Returns the same curves, with the rounds of rows that were measured in slices.
pub fn sliced_curves(rows: &[Row], rounds: &RoundsByRow, axis: Axis) -> Vec<Curve> {
    let closed_loop: Vec<&Row> =
        rows.iter().filter(|row| row.valid && is_closed_loop(row)).collect();
    let grouping = Grouping::of(&closed_loop, axis);
    let placed: Vec<_> =
        closed_loop.iter().filter_map(|&row| Some((row, axis.value(row)?))).collect();
    let placed = placed.into_iter().flat_map(|(row, x)| {
        grouping.options(row).into_iter().map(move |options| PlacedRow { row, x, options })
    });
    let placed: Vec<_> = placed.collect();
    let by_run = runs_overlap(&placed);
    let mut groups: Vec<Group<'_>> = Vec::new();
    for PlacedRow { row, x, options } in placed {
        let run = by_run.then_some(&*row.run_id);
        let (system, name) = (&*row.system, name(row, axis));
        let same = |group: &Group<'_>| {
            (group.system, &group.name, group.run, &group.options) == (system, &name, run, &options)
        };
        let at = groups.iter().position(same).unwrap_or_else(|| {
            groups.push(Group { system, name, run, options, points: BTreeMap::new() });
            groups.len() - 1
        });
        groups[at].points.entry(sort_key(x)).or_default().push(row);
    }
    let named: Vec<_> = groups.iter().map(|group| (&*group.name, &group.options)).collect();
    let labels: Vec<_> =
        labels(&named).into_iter().zip(&groups).map(|(l, group)| group.label(l, &groups)).collect();
    groups.into_iter().zip(labels).map(|(group, label)| group.into_curve(label, rounds)).collect()
}

/// The contender's label without a key that sets the value of the axis: `router,workers=4` is a
/// point of the curve `router` over the number of workers.
pub(super) fn name(row: &Row, axis: Axis) -> String {
    if row.label.is_empty() {
        return row.system.clone();
    }
    let is_axis = |part: &&str| part.split_once('=').is_some_and(|(key, _)| key == axis.option());
    row.label.split(',').filter(|part| !is_axis(part)).collect::<Vec<_>>().join(",")
}

/// A row, its value of the axis, and the options of a curve that it belongs to.
struct PlacedRow<'a> {
    row: &'a Row,
    x: f64,
    options: CurveOptions,
}

/// The bits of a number that is not negative; they sort as the numbers do.
fn sort_key(x: f64) -> u64 {
    x.abs().to_bits()
}

/// Whether two runs measured the same point in the same pass.
fn runs_overlap(placed: &[PlacedRow<'_>]) -> bool {
    let mut first: BTreeMap<_, &str> = BTreeMap::new();
    placed.iter().any(|PlacedRow { row, x, options }| {
        let point = (&row.system, &row.label, sort_key(*x), row.trial, options);
        *first.entry(point).or_insert(&row.run_id) != row.run_id
    })
}

/// The rows of a curve, by value of the axis.
struct Group<'a> {
    system: &'a str,
    name: String,
    /// The run, if each run is a separate curve.
    run: Option<&'a str>,
    options: CurveOptions,
    points: BTreeMap<u64, Vec<&'a Row>>,
}

impl Group<'_> {
    /// Appends the run to a label if the contender has several runs.
    fn label(&self, label: String, all: &[Group<'_>]) -> String {
        let runs: BTreeSet<_> =
            all.iter().filter(|group| group.name == self.name).map(|group| group.run).collect();
        match self.run.filter(|_| runs.len() > 1) {
            Some(run) => format!("{label}, run {run}"),
            None => label,
        }
    }

    fn into_curve(self, label: String, rounds: &RoundsByRow) -> Curve {
        let points = self.points.iter();
        let points =
            points.map(|(x, trials)| Point::of(f64::from_bits(*x), trials, rounds)).collect();
        let (system, run) = (self.system.to_owned(), self.run.map(str::to_owned));
        let name = self.name;
        Curve { system, name, label, options: self.options, run, points }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves(rows: &[Row]) -> Vec<Curve> {
        super::curves(rows, Axis::Clients)
    }

    fn labels(rows: &[Row], axis: Axis) -> Vec<String> {
        super::curves(rows, axis).into_iter().map(|curve| curve.label).collect()
    }

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
        assert_eq!(curves[0].at(24.0), None);
        assert!(curves[0].points[0].bounds.is_empty());
    }

    #[test]
    fn a_point_is_client_bound_if_half_of_its_trials_are() {
        let is_rankable = |bounds: &[&str]| {
            let trial = |bound: &&str| Row { bound: Some((*bound).to_owned()), ..row("a", 1, 9.0) };
            curves(&bounds.iter().map(trial).collect::<Vec<_>>())[0].points[0].is_rankable()
        };
        assert!(is_rankable(&["server"]) && is_rankable(&["client", "server", "host"]));
        assert!(!is_rankable(&["client"]) && !is_rankable(&["client", "server"]));
    }

    #[test]
    fn a_point_whose_clients_may_have_lacked_cpu_time_ranks_no_server() {
        let on = |bound: &str, server: &str, idle| Row {
            bound: Some(bound.to_owned()),
            server_cpus: Some(server.to_owned()),
            client_cpus: "1-2".to_owned(),
            client_cpus_idle: idle,
            ..row("a", 1, 9.0)
        };
        let point = |rows: &[Row]| curves(rows)[0].points[0].clone();
        let host = on("host", "0", Some(0.0));
        let mixed = point(&[host.clone(), on("client", "0", None), on("server", "0", None)]);
        assert!(!mixed.is_rankable() && !mixed.is_bounded_by_clients());
        assert!(
            point(&[host.clone(), on("server", "0", None), on("server", "0", None)]).is_rankable()
        );
        // On shared CPUs or with a quota for both sides, a row measures both in any case.
        assert!(point(&[on("host", "0-1", None)]).is_rankable());
        assert!(point(&[Row { cpu_quota: Some(2.0), ..host.clone() }]).is_rankable());
        assert!(!point(&[Row { cpu_quota: Some(3.0), ..host }]).is_rankable());
        assert!(!point(&[on("unclear", "0", Some(0.06))]).is_rankable());
        assert!(!point(&[on("unclear", "0", None)]).is_rankable());
        // It is only unclear whether the server had CPU time left.
        let unclear = point(&[on("unclear", "0", Some(0.3))]);
        assert!(unclear.is_rankable() && !unclear.is_bounded_by_server());
    }

    #[test]
    fn a_saturated_thread_bounds_the_server() {
        let bound = |bound: &str| Row { bound: Some(bound.to_owned()), ..row("a", 1, 9.0) };
        let point = |rows: &[Row]| curves(rows)[0].points[0].clone();
        let mixed = point(&[bound("thread"), bound("server"), bound("latency")]);
        assert!(mixed.is_bounded_by_server() && mixed.is_rankable());
        assert!(!point(&[bound("thread"), bound("latency")]).is_bounded_by_server());
    }

    #[test]
    fn invalid_rows_are_in_no_mean() {
        let rows = [row("a", 1, 100.0), Row { valid: false, ..row("a", 1, 9000.0) }];
        assert_eq!(curves(&rows)[0].points[0].throughput.mean, 100.0);
    }

    #[test]
    fn contender_labels_distinguish_curves_except_for_the_axis_value() {
        let with = |label: &str, workers| Row {
            label: label.to_owned(),
            workers: Some(workers),
            ..row("a", 1, 1.0)
        };
        let rows = [with("mine", 4), with("theirs", 4)];
        assert_eq!(labels(&rows, Axis::Clients), ["mine", "theirs"]);
        let sizes = [with("a,workers=1,backend=ipc", 1), with("a,workers=4,backend=ipc", 4)];
        assert_eq!(labels(&sizes, Axis::Workers), ["a,backend=ipc"]);
        assert_eq!(super::curves(&sizes, Axis::Workers)[0].points.len(), 2);
    }

    #[test]
    fn labels_show_only_options_that_differ() {
        let with = |workers, backend: &str| Row {
            workers: Some(workers),
            backend: Some(backend.to_owned()),
            ..row("a", 1, 1.0)
        };
        let rows = [with(4, "inproc"), with(16, "inproc"), row("b", 1, 1.0)];
        assert_eq!(labels(&rows, Axis::Clients), ["a, 4 workers", "a, 16 workers", "b"]);
        // The axis is no option, and rows without a value on the axis are on no curve.
        assert_eq!(labels(&rows, Axis::Workers), ["a"]);
        let ipc = [with(4, "inproc"), with(4, "ipc")];
        assert_eq!(labels(&ipc, Axis::Workers), ["a, inproc", "a, ipc"]);
    }

    #[test]
    fn runs_are_one_curve_unless_they_measured_the_same_point() {
        let of_run = |run: &str, clients| Row { run_id: run.to_owned(), ..row("a", clients, 1.0) };
        let labels = |rows: &[Row]| labels(rows, Axis::Clients);
        assert_eq!(labels(&[of_run("x", 1), of_run("y", 2)]), ["a"]);
        assert_eq!(labels(&[of_run("x", 1), of_run("x", 1)]), ["a"]);
        let again = [of_run("x", 1), of_run("x", 2), of_run("y", 2)];
        assert_eq!(labels(&again), ["a, run x", "a, run y"]);
        let second_pass = Row { trial: 2, ..of_run("y", 1) };
        assert_eq!(labels(&[of_run("x", 1), second_pass]), ["a"]);
    }

    #[test]
    fn means_are_over_the_trials_with_a_known_value() {
        let known = Row { server_cpu_us_per_msg: Some(12.0), ..row("a", 1, 1.0) };
        let point = &curves(&[row("a", 1, 1.0), known])[0].points[0];
        assert_eq!((point.server_cpu_us_per_msg, point.client_cpu_us_per_msg), (Some(12.0), None));
    }

    #[test]
    fn a_client_bound_or_disturbed_point_is_not_rankable() {
        let bound = |bound: &str| Row { bound: Some(bound.to_owned()), ..row("a", 1, 1.0) };
        let others = |others| Row { client_cpus_others: Some(others), ..bound("server") };
        let is_rankable = |rows: &[Row]| curves(rows)[0].points[0].is_rankable();
        assert!(is_rankable(&[bound("server"), bound("host"), row("a", 1, 1.0)]));
        assert!(!is_rankable(&[bound("server"), bound("client")]));
        assert!(is_rankable(&[others(0.09)]) && !is_rankable(&[others(0.01), others(0.11)]));
    }

    #[test]
    fn disturbed_trials_are_excluded_if_three_trials_are_left() {
        let trial = |rate, others| Row { server_cpus_others: Some(others), ..row("a", 1, rate) };
        let rows = [trial(10.0, 0.0), trial(11.0, 0.05), trial(3.0, 0.5), trial(12.0, 0.0)];
        let point = &curves(&rows)[0].points[0];
        assert_eq!((point.throughput.mean, point.disturbed, point.excluded_trials), (11.0, 0, 1));
        assert!(point.is_rankable() && point.passes.values().all(|rate| *rate > 3.0));
        let point = &curves(&rows[1..])[0].points[0];
        assert_eq!((point.throughput.count, point.disturbed, point.excluded_trials), (3, 1, 0));
        assert!(!point.is_rankable());
    }

    #[test]
    fn clients_are_an_option_if_they_are_not_the_axis() {
        let with = |clients, think_us| Row { think_us, ..row("a", clients, 1.0) };
        let rows = [with(1, 0.0), with(8, 0.0), with(1, 300.0), with(8, 1000.0)];
        assert_eq!(labels(&rows, Axis::Think), ["a, 1 client", "a, 8 clients"]);
        let points = &super::curves(&rows, Axis::Think)[1].points;
        let at: Vec<_> = points.iter().map(|point| (point.x, point.clients)).collect();
        assert_eq!(at, [(0.0, 8), (1000.0, 8)]);
    }

    #[test]
    fn curves_of_all_kinds_of_work_begin_at_a_service_time_of_0() {
        let with = |work: &str, rate| Row { work: Some(work.to_owned()), ..row("a", 8, rate) };
        let rows = [with("none", 9.0), with("spin:10us", 5.0), with("sleep:1ms", 2.0)];
        assert_eq!(labels(&rows, Axis::Work), ["a, sleep", "a, spin"]);
        for (curve, last) in super::curves(&rows, Axis::Work).iter().zip([1000.0, 10.0]) {
            assert_eq!(curve.points.iter().map(|p| p.x).collect::<Vec<_>>(), [0.0, last]);
            assert_eq!(curve.points[0].throughput.mean, 9.0);
        }
        assert_eq!(labels(&rows[..2], Axis::Work), ["a"]);
        assert_eq!(labels(&rows[..2], Axis::Clients), ["a", "a, work spin:10us"]);
    }

    #[test]
    fn a_reply_size_equal_to_the_payload_is_no_option() {
        let with = |payload_bytes, reply_bytes| {
            let row = row("a", 8, f64::from(1 << 20));
            Row { payload_bytes, reply_bytes, ..row }
        };
        let both = [with(16, 16), with(1024, 1024)];
        assert_eq!(labels(&both, Axis::Payload), ["a"]);
        assert_eq!(super::curves(&both, Axis::Payload)[0].points[1].mib_per_s, Some(2048.0));
        let fixed = [with(16, 0), with(1024, 0), with(16, 16)];
        assert_eq!(labels(&fixed, Axis::Payload), ["a, reply 0 B", "a, reply 16 B"]);
    }

    #[test]
    fn paced_rows_are_on_no_curve() {
        let paced = Row { rate_per_s: Some(100.0), ..row("a", 1, 100.0) };
        assert_eq!(curves(&[paced.clone(), row("a", 1, 500.0)])[0].points[0].throughput.count, 1);
        assert!(curves(&[paced]).is_empty());
    }

    #[test]
    fn server_cpus_are_limited_by_the_cpu_list_and_the_quota() {
        let with = |server_cpus: &str, cpu_quota| {
            let server_cpus = Some(server_cpus.to_owned());
            curves(&[Row { cpu_quota, server_cpus, ..row("a", 1, 1.0) }])[0].points[0].server_cpus
        };
        assert_eq!(with("0,2-3", None), Some(3.0));
        assert_eq!(with("0,2-3", Some(1.5)), Some(1.5));
        assert_eq!(with("", None), None);
    }
}

//! Tables of what was measured.

use super::numbers::{UNKNOWN, half_width, percent, shown};
use super::page::Table;
use super::prose::findings::place;
use super::prose::phrases::{column_of, written};
use super::sliced::ratio;
use crate::analysis::{Axis, Change, Claim, Comparison, Curve, LogEstimate, Point, Verdict};

/// The numbers of clients whose throughput has a column of its own.
const AT: [f64; 3] = [1.0, 8.0, 24.0];

/// One line per curve: throughput, and at its peak what it cost and what bounded it.
///
/// Latencies and CPU times are in us; `-` stands for what was not measured.
pub fn summary(curves: &[Curve], axis: Axis) -> Table {
    let columns = columns(curves, axis);
    let at = columns.iter().map(|x| format!("msg/s at {}", written(axis)(*x)));
    let peak = ["peak msg/s", "± 95 %", "at"].map(str::to_owned);
    let titles = [SYSTEM.to_owned()].into_iter().chain(at).chain(peak);
    let titles = titles.chain(COSTS.map(str::to_owned)).collect();
    let caption = "rtt, CPU time, switches and bound are those at the peak; times are in us";
    let mut table = Table { caption: caption.to_owned(), titles, lines: Vec::new() };
    for curve in curves {
        let Some(peak) = curve.peak() else { continue };
        let mut cells = vec![curve.label.clone()];
        let rate = |x: &f64| shown(curve.at(*x).map(|point| point.throughput.mean), 0);
        cells.extend(columns.iter().map(rate));
        cells.push(shown(Some(peak.throughput.mean), 0));
        cells.push(shown(peak.half_width(), 0));
        cells.push(written(axis)(peak.x));
        table.add(cells.into_iter().chain(costs(peak)));
    }
    table
}

const SYSTEM: &str = "system";

/// The places of the axis that have columns in a summary: of any but clients, the first, the
/// middle one and the last.
fn columns(curves: &[Curve], axis: Axis) -> Vec<f64> {
    if axis == Axis::Clients {
        return AT.to_vec();
    }
    let mut places: Vec<f64> = curves.iter().flat_map(|c| c.points.iter().map(|p| p.x)).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let mut chosen: Vec<_> = [0, places.len() / 2, places.len().saturating_sub(1)]
        .iter()
        .filter_map(|at| places.get(*at).copied())
        .collect();
    chosen.dedup();
    chosen
}

/// One line per point: mean and interval, and what it cost and what bounded it.
pub fn points(curves: &[Curve], axis: Axis) -> Table {
    let titles = [SYSTEM, column_of(axis), "trials", "msg/s", "± 95 %"];
    let mut table = Table::new("All points", &[&titles[..], &COSTS].concat());
    for (curve, point) in all(curves) {
        table.add(rate(curve, point, axis).into_iter().chain(costs(point)));
    }
    table
}

/// One line per point: mean and interval, and what bounded it.
pub fn rates(curves: &[Curve], axis: Axis) -> Table {
    let titles = [SYSTEM, column_of(axis), "trials", "msg/s", "± 95 %", "MiB/s", "bound"];
    let mut table = Table::new("Throughput, the mean of the trials", &titles);
    for (curve, point) in all(curves) {
        let rest = [shown(point.mib_per_s, 1), bounds(point)];
        table.add(rate(curve, point, axis).into_iter().chain(rest));
    }
    table
}

/// One line per point: percentiles of the round-trip time.
pub fn round_trips(curves: &[Curve], axis: Axis) -> Table {
    let titles = [SYSTEM, column_of(axis), "p50", "p90", "p99", "p99.9"];
    let mut table = Table::new("Round-trip times in us", &titles);
    for (curve, point) in all(curves) {
        let times = [point.rtt_p50_us, point.rtt_p90_us, point.rtt_p99_us, point.rtt_p999_us];
        let place = [curve.label.clone(), written(axis)(point.x)];
        table.add(place.into_iter().chain(times.map(|time| shown(time, 1))));
    }
    table
}

fn all(curves: &[Curve]) -> impl Iterator<Item = (&Curve, &Point)> {
    curves.iter().flat_map(|curve| curve.points.iter().map(move |point| (curve, point)))
}

fn rate(curve: &Curve, point: &Point, axis: Axis) -> [String; 5] {
    [
        curve.label.clone(),
        written(axis)(point.x),
        point.throughput.count.to_string(),
        shown(Some(point.throughput.mean), 0),
        shown(point.half_width(), 0),
    ]
}

const COSTS: [&str; 7] = [
    "rtt p50",
    "rtt p99",
    "CPU/msg server",
    "CPU/msg clients",
    "switches/msg server",
    "fairness",
    "bound",
];

/// What a point cost, and what bounded it.
fn costs(point: &Point) -> [String; 7] {
    [
        shown(point.rtt_p50_us, 1),
        shown(point.rtt_p99_us, 1),
        shown(point.server_cpu_us_per_msg, 1),
        shown(point.client_cpu_us_per_msg, 1),
        shown(point.server_switches_per_msg, 2),
        shown(point.client_fairness, 3),
        bounds(point),
    ]
}

/// What bounded a point, in its trials.
pub fn bounds(point: &Point) -> String {
    let bounds: Vec<_> = point.bounds.keys().map(String::as_str).collect();
    if bounds.is_empty() { UNKNOWN.to_owned() } else { bounds.join(", ") }
}

/// The throughput of each contender over that of each other one, row over column: over the whole
/// curve if clients are the axis, and at both ends of any other axis. None without a pair.
pub fn matrices(comparisons: &[Comparison], axis: Axis) -> Vec<Table> {
    let overall = comparisons.iter().any(|one| one.overall.is_some());
    if axis == Axis::Clients && overall {
        let caption = "Throughput of the row over that of the column: the geometric mean over the \
                       numbers of clients at which the server was the bound of both";
        let whole = |one: &Comparison| {
            let overall = one.overall.as_ref()?;
            Some(cell(overall.estimate.value(), Some(&overall.estimate), overall.claim, true))
        };
        return matrix(comparisons, caption, whole).into_iter().collect();
    }
    let mut xs: Vec<f64> =
        comparisons.iter().flat_map(|one| one.at.iter().map(|at| at.x)).collect();
    xs.sort_by(f64::total_cmp);
    let mut ends: Vec<f64> = xs.first().into_iter().chain(xs.last()).copied().collect();
    ends.dedup();
    let at = |x: &f64| {
        let caption = format!("Throughput of the row over that of the column, {}", place(axis, *x));
        let of_pair = |one: &Comparison| {
            let at = one.at.iter().find(|at| at.x == *x)?;
            Some(cell(at.ratio, at.estimate.as_ref(), at.claim, at.ranks))
        };
        matrix(comparisons, &caption, of_pair)
    };
    ends.iter().filter_map(at).collect()
}

fn matrix(
    comparisons: &[Comparison],
    caption: &str,
    of_pair: impl Fn(&Comparison) -> Option<String>,
) -> Option<Table> {
    let mut labels: Vec<&str> = Vec::new();
    for label in comparisons.iter().flat_map(|one| [&*one.numerator, &*one.denominator]) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let titles = ["row / column"].into_iter().chain(labels.iter().copied());
    let mut table = Table {
        caption: format!("{caption}; in parentheses: bounded by the clients or disturbed"),
        titles: titles.map(str::to_owned).collect(),
        lines: Vec::new(),
    };
    for row in &labels {
        let of_column = |column: &&str| {
            let is =
                |one: &&Comparison, a: &str, b: &str| one.numerator == a && one.denominator == b;
            let straight = comparisons.iter().find(|one| is(one, row, column)).and_then(&of_pair);
            let reversed = || {
                let found = comparisons.iter().find(|one| is(one, column, row))?;
                of_pair(&found.reversed())
            };
            let cell = straight.or_else(reversed);
            cell.unwrap_or_else(|| if row == column { String::new() } else { UNKNOWN.to_owned() })
        };
        let cells: Vec<_> = labels.iter().map(of_column).collect();
        table.add([(*row).to_owned()].into_iter().chain(cells));
    }
    (!labels.is_empty()).then_some(table)
}

/// One line per pair and point.
pub fn ratios(comparisons: &[Comparison], axis: Axis) -> Table {
    let titles = ["ratio", column_of(axis), "value", "low", "high", "verdict", "rounds", "trials"];
    let mut table = Table::new("Ratios of throughput with their 95 % intervals", &titles);
    for one in comparisons {
        for at in &one.at {
            let end = |of: fn((f64, f64)) -> f64| shown(at.interval().map(of), 3);
            table.add([
                format!("{} / {}", one.numerator, one.denominator),
                written(axis)(at.x),
                shown(Some(at.ratio), 3),
                end(|(low, _)| low),
                end(|(_, high)| high),
                if at.ranks { claim(at.claim) } else { "not ranked" }.to_owned(),
                at.rounds.to_string(),
                at.trials.to_string(),
            ]);
        }
    }
    table
}

fn claim(claim: Claim) -> &'static str {
    match claim {
        Claim::Higher => "higher",
        Claim::Lower => "lower",
        Claim::Tie => "tie",
        Claim::TooFew => "too few",
    }
}

fn cell(value: f64, estimate: Option<&LogEstimate>, claim: Claim, ranks: bool) -> String {
    let text = match (estimate, claim) {
        (Some(estimate), Claim::Tie) => format!("{} tie", ratio(estimate)),
        (Some(estimate), _) => ratio(estimate),
        (None, _) => shown(Some(value), 2),
    };
    if ranks { text } else { format!("({text})") }
}

/// One line per point that two measurements have in common.
pub fn changes(changes: &[Change]) -> Table {
    let titles = ["system", "clients", "A msg/s", "± 95 %", "B msg/s", "± 95 %"];
    let caption = if changes.iter().all(|change| change.ranks) {
        ""
    } else {
        "in brackets: bounded by the clients, or disturbed by others; it says little of the server"
    };
    let mut table = Table::new(caption, &[&titles[..], &["change", "± 95 %", "verdict"]].concat());
    for change in changes {
        let verdict = match (change.verdict, change.relative() < 0.0) {
            (Verdict::TooFew, _) => "too few trials",
            (Verdict::Tie, _) => "tie",
            (Verdict::Differs, true) => "slower",
            (Verdict::Differs, false) => "faster",
        };
        let verdict = if change.ranks { verdict.to_owned() } else { format!("({verdict})") };
        let cells = [
            change.label.clone(),
            change.clients.to_string(),
            shown(Some(change.a.mean), 0),
            half_width(&change.a, 0),
            shown(Some(change.b.mean), 0),
            half_width(&change.b, 0),
            format!("{:+.1} %", change.relative() * 100.0),
            change.relative_half_width().map_or_else(|| UNKNOWN.to_owned(), percent),
            verdict,
        ];
        table.add(cells);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::comparisons;
    use crate::report::terminal::shown_as_text;
    use crate::results::Row;

    fn curves(rows: &[Row]) -> Vec<Curve> {
        crate::analysis::curves(rows, Axis::Clients)
    }

    fn rows(system: &str, clients: usize, rates: &[f64], bound: &str) -> Vec<Row> {
        let row = |(trial, rate): (u32, &f64)| Row {
            system: system.to_owned(),
            clients,
            trial,
            throughput_per_s: *rate,
            rtt_p50_us: Some(12.34),
            bound: Some(bound.to_owned()),
            valid: true,
            ..Row::default()
        };
        (1..).zip(rates).map(row).collect()
    }

    /// The cells of the line whose first is `first`.
    fn line<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
        let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect();
        let mut lines = text.lines().map(cells);
        let line = lines.find(|cells: &Vec<_>| cells[0] == first);
        line.unwrap_or_else(|| panic!("{first} is not in:\n{text}"))
    }

    #[test]
    fn a_line_per_curve_with_dashes_for_what_was_not_measured() {
        let rows = [rows("a", 1, &[9999.6], "client"), rows("a", 8, &[43210.0], "client")];
        let text = shown_as_text(&summary(&curves(&rows.concat()), Axis::Clients));
        assert_eq!(
            line(&text, "a"),
            [
                "a", "10,000", "43,210", "-", "43,210", "-", "8", "12.3", "-", "-", "-", "-", "-",
                "client"
            ]
        );
    }

    #[test]
    fn a_line_per_point_with_mean_and_interval() {
        let rows = [rows("a", 1, &[90.0, 100.0, 110.0], "server"), rows("b", 2, &[5.0], "host")];
        let text = shown_as_text(&points(&curves(&rows.concat()), Axis::Clients));
        assert_eq!(line(&text, "a")[..5], ["a", "1", "3", "100", "25"]);
        assert_eq!(line(&text, "b")[..5], ["b", "2", "1", "5", "-"]);
    }

    #[test]
    fn the_matrix_has_the_row_over_the_column_and_marks_ties() {
        let all = [
            rows("a", 1, &[200.0, 202.0, 198.0], "server"),
            rows("b", 1, &[100.0, 101.0, 99.0], "server"),
            rows("c", 1, &[100.0, 99.0, 101.0], "server"),
        ];
        let compared = comparisons(&curves(&all.concat()));
        let text = shown_as_text(&matrices(&compared, Axis::Clients)[0]);
        assert_eq!(line(&text, "a")[1..], ["", "2.000 ± 0.000", "2.00 ± 0.10"]);
        assert_eq!(line(&text, "b")[1], "0.500 ± 0.000");
        assert!(line(&text, "b")[3].ends_with("tie"), "{text}");
        assert!(matrices(&[], Axis::Clients).is_empty());
    }

    #[test]
    fn the_long_table_has_a_line_for_each_pair_and_point() {
        let all = [
            rows("a", 1, &[200.0, 202.0, 198.0], "client"),
            rows("b", 1, &[100.0, 101.0, 99.0], "server"),
            rows("a", 4, &[200.0], "server"),
            rows("b", 4, &[100.0], "server"),
        ];
        let text = shown_as_text(&ratios(&comparisons(&curves(&all.concat())), Axis::Clients));
        let verdicts: Vec<_> = text.lines().filter(|line| line.contains("a / b")).collect();
        assert!(verdicts[0].contains("not ranked") && verdicts[1].contains("too few"), "{text}");
    }
}

//! Tables of the measured values.

use super::numbers::{UNKNOWN, grouped_or_unknown, half_width, percent};
use super::page::Table;
use super::prose::phrases::{at_value, axis_column, axis_format};
use super::sliced::ratio;
use crate::analysis::{Axis, Change, Claim, Comparison, Curve, LogEstimate, Point, Verdict};

/// The numbers of clients with a throughput column in the summary.
const SUMMARY_CLIENTS: [f64; 3] = [1.0, 8.0, 24.0];

/// One line per curve: throughput at selected values of the axis, and the peak with its round-trip
/// times, CPU time, context switches, fairness and bound.
///
/// Times are in us; `-` means unknown.
pub fn summary(curves: &[Curve], axis: Axis) -> Table {
    let xs = summary_xs(curves, axis);
    let at = xs.iter().map(|x| format!("msg/s at {}", axis_format(axis)(*x)));
    let peak = ["peak msg/s", "± 95 %", "at"].map(str::to_owned);
    let header = [SYSTEM.to_owned()].into_iter().chain(at).chain(peak);
    let header = header.chain(DETAILS.map(str::to_owned)).collect();
    let caption = "rtt, CPU time, switches, fairness and bound are those at the peak; times in us";
    let mut table = Table { caption: caption.to_owned(), header, body: Vec::new() };
    for curve in curves {
        let Some(peak) = curve.peak() else { continue };
        let mut cells = vec![curve.label.clone()];
        let rate = |x: &f64| grouped_or_unknown(curve.at(*x).map(|point| point.throughput.mean), 0);
        cells.extend(xs.iter().map(rate));
        cells.push(grouped_or_unknown(Some(peak.throughput.mean), 0));
        cells.push(grouped_or_unknown(peak.half_width(), 0));
        cells.push(axis_format(axis)(peak.x));
        table.add(cells.into_iter().chain(details(peak)));
    }
    table
}

const SYSTEM: &str = "system";

/// The values of the axis with a throughput column in the summary: fixed numbers of clients; on
/// other axes the first, the middle and the last value.
fn summary_xs(curves: &[Curve], axis: Axis) -> Vec<f64> {
    if axis == Axis::Clients {
        return SUMMARY_CLIENTS.to_vec();
    }
    let mut xs: Vec<f64> = curves.iter().flat_map(|c| c.points.iter().map(|p| p.x)).collect();
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    let mut chosen: Vec<_> = [0, xs.len() / 2, xs.len().saturating_sub(1)]
        .iter()
        .filter_map(|at| xs.get(*at).copied())
        .collect();
    chosen.dedup();
    chosen
}

/// One line per point: throughput with interval, round-trip times, CPU time, context switches,
/// fairness and bound.
pub fn points(curves: &[Curve], axis: Axis) -> Table {
    let header = [SYSTEM, axis_column(axis), "trials", "msg/s", "± 95 %"];
    let mut table = Table::new("All points", &[&header[..], &DETAILS].concat());
    for (curve, point) in all_points(curves) {
        table.add(rate_cells(curve, point, axis).into_iter().chain(details(point)));
    }
    table
}

/// One line per point: throughput with interval, data rate and bound.
pub fn rates(curves: &[Curve], axis: Axis) -> Table {
    let header = [SYSTEM, axis_column(axis), "trials", "msg/s", "± 95 %", "MiB/s", "bound"];
    let mut table = Table::new("Throughput, the mean of the trials", &header);
    for (curve, point) in all_points(curves) {
        let rest = [grouped_or_unknown(point.mib_per_s, 1), bounds(point)];
        table.add(rate_cells(curve, point, axis).into_iter().chain(rest));
    }
    table
}

/// One line per point: percentiles of the round-trip time.
pub fn round_trips(curves: &[Curve], axis: Axis) -> Table {
    let header = [SYSTEM, axis_column(axis), "p50", "p90", "p99", "p99.9"];
    let mut table = Table::new("Round-trip times in us", &header);
    for (curve, point) in all_points(curves) {
        let times = [point.rtt_p50_us, point.rtt_p90_us, point.rtt_p99_us, point.rtt_p999_us];
        let cells = [curve.label.clone(), axis_format(axis)(point.x)];
        table.add(cells.into_iter().chain(times.map(|time| grouped_or_unknown(time, 1))));
    }
    table
}

fn all_points(curves: &[Curve]) -> impl Iterator<Item = (&Curve, &Point)> {
    curves.iter().flat_map(|curve| curve.points.iter().map(move |point| (curve, point)))
}

fn rate_cells(curve: &Curve, point: &Point, axis: Axis) -> [String; 5] {
    [
        curve.label.clone(),
        axis_format(axis)(point.x),
        point.throughput.count.to_string(),
        grouped_or_unknown(Some(point.throughput.mean), 0),
        grouped_or_unknown(point.half_width(), 0),
    ]
}

/// The titles of the columns of [`details`].
const DETAILS: [&str; 7] = [
    "rtt p50",
    "rtt p99",
    "CPU/msg server",
    "CPU/msg clients",
    "switches/msg server",
    "fairness",
    "bound",
];

fn details(point: &Point) -> [String; 7] {
    [
        grouped_or_unknown(point.rtt_p50_us, 1),
        grouped_or_unknown(point.rtt_p99_us, 1),
        grouped_or_unknown(point.server_cpu_us_per_msg, 1),
        grouped_or_unknown(point.client_cpu_us_per_msg, 1),
        grouped_or_unknown(point.server_switches_per_msg, 2),
        grouped_or_unknown(point.client_fairness, 3),
        bounds(point),
    ]
}

/// The distinct bounds of the trials of a point.
pub fn bounds(point: &Point) -> String {
    let bounds: Vec<_> = point.bounds.keys().map(String::as_str).collect();
    if bounds.is_empty() { UNKNOWN.to_owned() } else { bounds.join(", ") }
}

/// The throughput of each contender over that of each other one, row over column: over the whole
/// curve if clients are the axis, and at both ends of any other axis. Empty without a pair.
pub fn matrices(comparisons: &[Comparison], axis: Axis) -> Vec<Table> {
    let overall = comparisons.iter().any(|one| one.overall.is_some());
    if axis == Axis::Clients && overall {
        let caption = "Throughput of the row over that of the column: the geometric mean over the \
                       numbers of clients at which the server was the bound of both contenders";
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
        let caption =
            format!("Throughput of the row over that of the column, {}", at_value(axis, *x));
        let pair_cell = |one: &Comparison| {
            let at = one.at.iter().find(|at| at.x == *x)?;
            Some(cell(at.ratio, at.estimate.as_ref(), at.claim, at.is_rankable))
        };
        matrix(comparisons, &caption, pair_cell)
    };
    ends.iter().filter_map(at).collect()
}

fn matrix(
    comparisons: &[Comparison],
    caption: &str,
    pair_cell: impl Fn(&Comparison) -> Option<String>,
) -> Option<Table> {
    let mut labels: Vec<&str> = Vec::new();
    for label in comparisons.iter().flat_map(|one| [&*one.numerator, &*one.denominator]) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let header = ["row / column"].into_iter().chain(labels.iter().copied());
    let mut table = Table {
        caption: format!(
            "{caption}; in parentheses: bounded by the clients or possibly so, or disturbed"
        ),
        header: header.map(str::to_owned).collect(),
        body: Vec::new(),
    };
    for row in &labels {
        let of_column = |column: &&str| {
            let is =
                |one: &&Comparison, a: &str, b: &str| one.numerator == a && one.denominator == b;
            let direct = comparisons.iter().find(|one| is(one, row, column)).and_then(&pair_cell);
            let reversed = || {
                let found = comparisons.iter().find(|one| is(one, column, row))?;
                pair_cell(&found.reversed())
            };
            let cell = direct.or_else(reversed);
            cell.unwrap_or_else(|| if row == column { String::new() } else { UNKNOWN.to_owned() })
        };
        let cells: Vec<_> = labels.iter().map(of_column).collect();
        table.add([(*row).to_owned()].into_iter().chain(cells));
    }
    (!labels.is_empty()).then_some(table)
}

/// One line per pair of contenders and point.
pub fn ratios(comparisons: &[Comparison], axis: Axis) -> Table {
    let header = ["ratio", axis_column(axis), "value", "low", "high", "verdict", "detectable"];
    let mut table = Table::new(
        "Ratios of throughput with their 95 % intervals, and the smallest difference that would \
         have been detected",
        &[&header[..], &["rounds", "trials"]].concat(),
    );
    for one in comparisons {
        for at in &one.at {
            let end = |of: fn((f64, f64)) -> f64| grouped_or_unknown(at.interval().map(of), 3);
            table.add([
                format!("{} / {}", one.numerator, one.denominator),
                axis_format(axis)(at.x),
                grouped_or_unknown(Some(at.ratio), 3),
                end(|(low, _)| low),
                end(|(_, high)| high),
                if at.is_rankable { claim(at.claim) } else { "not ranked" }.to_owned(),
                at.detectable.map_or_else(|| UNKNOWN.to_owned(), percent),
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
        Claim::InsufficientData => "too few",
    }
}

fn cell(value: f64, estimate: Option<&LogEstimate>, claim: Claim, ranks: bool) -> String {
    let text = match (estimate, claim) {
        (Some(estimate), Claim::Tie) => format!("{} tie", ratio(estimate)),
        (Some(estimate), _) => ratio(estimate),
        (None, _) => grouped_or_unknown(Some(value), 2),
    };
    if ranks { text } else { format!("({text})") }
}

/// One line per point that both measurements have.
pub fn changes(changes: &[Change]) -> Table {
    let header = ["system", "clients", "A msg/s", "± 95 %", "B msg/s", "± 95 %"];
    let caption = if changes.iter().all(|change| change.is_rankable) {
        ""
    } else {
        "in parentheses: bounded by the clients or possibly so, or disturbed, so little evidence about the server"
    };
    let mut table = Table::new(caption, &[&header[..], &["change", "± 95 %", "verdict"]].concat());
    for change in changes {
        let verdict = match (change.verdict, change.relative() < 0.0) {
            (Verdict::InsufficientData, _) => "too few trials",
            (Verdict::Tie, _) => "tie",
            (Verdict::Differs, true) => "slower",
            (Verdict::Differs, false) => "faster",
        };
        let verdict = if change.is_rankable { verdict.to_owned() } else { format!("({verdict})") };
        let cells = [
            change.label.clone(),
            change.clients.to_string(),
            grouped_or_unknown(Some(change.a.mean), 0),
            half_width(&change.a, 0),
            grouped_or_unknown(Some(change.b.mean), 0),
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
    use crate::analysis::claims;
    use crate::report::terminal::render_text;
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

    /// The cells of the line with this first cell.
    fn line<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
        let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect();
        let mut lines = text.lines().map(cells);
        let line = lines.find(|cells: &Vec<_>| cells[0] == first);
        line.unwrap_or_else(|| panic!("no line starts with {first}:\n{text}"))
    }

    #[test]
    fn summary_has_a_line_per_curve_with_dashes_for_unknown_values() {
        let rows = [rows("a", 1, &[9999.6], "client"), rows("a", 8, &[43210.0], "client")];
        let text = render_text(&summary(&curves(&rows.concat()), Axis::Clients));
        assert_eq!(
            line(&text, "a"),
            [
                "a", "10,000", "43,210", "-", "43,210", "-", "8", "12.3", "-", "-", "-", "-", "-",
                "client"
            ]
        );
    }

    #[test]
    fn points_table_has_a_line_per_point_with_mean_and_interval() {
        let rows = [rows("a", 1, &[90.0, 100.0, 110.0], "server"), rows("b", 2, &[5.0], "host")];
        let text = render_text(&points(&curves(&rows.concat()), Axis::Clients));
        assert_eq!(line(&text, "a")[..5], ["a", "1", "3", "100", "25"]);
        assert_eq!(line(&text, "b")[..5], ["b", "2", "1", "5", "-"]);
    }

    #[test]
    fn matrix_has_ratios_of_row_over_column_and_marks_ties() {
        let all = [
            rows("a", 1, &[200.0, 202.0, 198.0], "server"),
            rows("b", 1, &[100.0, 101.0, 99.0], "server"),
            rows("c", 1, &[100.0, 99.0, 101.0], "server"),
        ];
        let compared = claims(&curves(&all.concat()), Axis::Clients).comparisons;
        let text = render_text(&matrices(&compared, Axis::Clients)[0]);
        assert_eq!(line(&text, "a")[1..], ["", "2.000 ± 0.000", "2.00 ± 0.10"]);
        assert_eq!(line(&text, "b")[1], "0.500 ± 0.000");
        assert!(line(&text, "b")[3].ends_with("tie"), "{text}");
        assert!(matrices(&[], Axis::Clients).is_empty());
    }

    #[test]
    fn ratios_table_has_a_line_per_pair_and_point() {
        let all = [
            rows("a", 1, &[200.0, 202.0, 198.0], "client"),
            rows("b", 1, &[100.0, 101.0, 99.0], "server"),
            rows("a", 4, &[200.0], "server"),
            rows("b", 4, &[100.0], "server"),
        ];
        let compared = claims(&curves(&all.concat()), Axis::Clients).comparisons;
        let text = render_text(&ratios(&compared, Axis::Clients));
        let verdicts: Vec<_> = text.lines().filter(|line| line.contains("a / b")).collect();
        assert!(verdicts[0].contains("not ranked") && verdicts[1].contains("too few"), "{text}");
    }
}

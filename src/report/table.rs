//! Tables of what was measured.

use super::numbers::{UNKNOWN, half_width, percent, shown};
use super::page::Table;
use super::phrases::{column_of, written};
use crate::analysis::{Axis, Change, Curve, Point, Ratio, Verdict};

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
        cells.push(half_width(&peak.throughput, 0));
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
        half_width(&point.throughput, 0),
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

/// One line per place of the axis, one column per pair of systems; `None` where there is no
/// pair.
pub fn ratios(curves: &[Curve], axis: Axis) -> Option<Table> {
    let pairs = pairs(curves);
    let titles = pairs.iter().map(|(a, b, _)| format!("{} / {}", a.label, b.label));
    let titles: Vec<_> = [column_of(axis).to_owned()].into_iter().chain(titles).collect();
    let mut places: Vec<_> = pairs.iter().flat_map(|pair| &pair.2).map(|ratio| ratio.x).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let caption = "Ratios of throughput, within each pass; in brackets: bounded by the clients, or \
                   disturbed by others, which ranks no server";
    let mut table = Table { caption: caption.to_owned(), titles, lines: Vec::new() };
    for x in places {
        let cell = |(_, _, ratios): &(&Curve, &Curve, Vec<Ratio>)| {
            let found = ratios.iter().find(|ratio| ratio.x == x);
            found.map_or_else(|| UNKNOWN.to_owned(), ratio)
        };
        table.add([written(axis)(x)].into_iter().chain(pairs.iter().map(cell)));
    }
    (!pairs.is_empty()).then_some(table)
}

/// Of curves that were measured under the same conditions, all pairs if they are few; of many,
/// each with the first.
fn pairs(curves: &[Curve]) -> Vec<(&Curve, &Curve, Vec<Ratio>)> {
    const FEW: usize = 4;
    let alike = |a: &Curve, b: &Curve| a.conditions() == b.conditions();
    let is_first = |at: usize| !curves[..at].iter().any(|before| alike(before, &curves[at]));
    (0..curves.len())
        .filter(|at| curves.len() <= FEW || is_first(*at))
        .flat_map(|a| curves[a + 1..].iter().map(move |b| (&curves[a], b)))
        .filter(|(a, b)| alike(a, b))
        .map(|(a, b)| (a, b, crate::analysis::ratios(a, b)))
        .filter(|(_, _, ratios)| !ratios.is_empty())
        .collect()
}

fn ratio(ratio: &Ratio) -> String {
    let mean = shown(Some(ratio.estimate.mean), 2);
    let text = match (ratio.verdict, ratio.estimate.half_width()) {
        (Verdict::TooFew, _) | (_, None) => mean,
        (Verdict::Tie, _) => format!("{mean} tie"),
        (Verdict::Differs, Some(half)) => format!("{mean} ± {}", shown(Some(half), 2)),
    };
    if ratio.ranks { text } else { format!("({text})") }
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
        let verdict = match (change.verdict(), change.relative() < 0.0) {
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
    fn ratios_are_claimed_only_where_they_hold() {
        let all = [
            rows("a", 1, &[200.0, 202.0, 198.0], "server"),
            rows("b", 1, &[100.0, 101.0, 99.0], "server"),
            rows("a", 2, &[200.0, 210.0, 205.0], "server"),
            rows("b", 2, &[210.0, 200.0, 205.0], "host"),
            rows("a", 3, &[200.0, 202.0, 198.0], "client"),
            rows("b", 3, &[100.0, 101.0, 99.0], "server"),
            rows("a", 4, &[200.0], "server"),
            rows("b", 4, &[100.0], "server"),
        ];
        let text = shown_as_text(&ratios(&curves(&all.concat()), Axis::Clients).unwrap());
        assert!(text.contains("a / b"), "{text}");
        let cells = ["1", "2", "3", "4"].map(|clients| line(&text, clients)[1].to_owned());
        assert_eq!(cells, ["2.00 ± 0.00", "1.00 tie", "(2.00 ± 0.00)", "2.00"]);
        assert_eq!(ratios(&curves(&all[..1].concat()), Axis::Clients), None);
    }
}

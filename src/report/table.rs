//! Tables for the terminal, which are Markdown too.

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::numbers::{UNKNOWN, half_width, percent, shown};
use crate::analysis::{Change, Curve, Point, Verdict};

/// The numbers of clients whose throughput has a column of its own.
const AT: [usize; 3] = [1, 8, 24];

/// One line per curve: throughput, and at its peak what it cost and what bounded it.
///
/// Latencies and CPU times are in us; `-` stands for what was not measured.
pub fn summary(curves: &[Curve]) -> String {
    let at = AT.map(|clients| format!("msg/s at {clients}"));
    let peak = ["peak msg/s", "± 95 %", "at"];
    let titles: Vec<_> =
        ["system"].into_iter().chain(at.iter().map(String::as_str)).chain(peak).collect();
    let mut table = table_of(&[&titles[..], &COSTS].concat());
    for curve in curves {
        let Some(peak) = curve.peak() else { continue };
        let mut cells = vec![curve.label.clone()];
        let rate = |clients| shown(curve.at(clients as f64).map(|point| point.throughput.mean), 0);
        cells.extend(AT.map(rate));
        cells.push(shown(Some(peak.throughput.mean), 0));
        cells.push(half_width(&peak.throughput, 0));
        cells.push(peak.clients.to_string());
        add(&mut table, cells.into_iter().chain(costs(peak)));
    }
    format!("{table}\nrtt, CPU time, switches and bound are those at the peak; times are in us\n")
}

/// One line per point: mean and interval, and what it cost and what bounded it.
pub fn points(curves: &[Curve]) -> String {
    let titles = ["system", "clients", "trials", "msg/s", "± 95 %"];
    let mut table = table_of(&[&titles[..], &COSTS].concat());
    for (curve, point) in curves.iter().flat_map(|c| c.points.iter().map(move |p| (c, p))) {
        let cells = [
            curve.label.clone(),
            point.clients.to_string(),
            point.throughput.count.to_string(),
            shown(Some(point.throughput.mean), 0),
            half_width(&point.throughput, 0),
        ];
        add(&mut table, cells.into_iter().chain(costs(point)));
    }
    format!("{table}\n")
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
    let bounds: Vec<_> = point.bounds.iter().map(String::as_str).collect();
    [
        shown(point.rtt_p50_us, 1),
        shown(point.rtt_p99_us, 1),
        shown(point.server_cpu_us_per_msg, 1),
        shown(point.client_cpu_us_per_msg, 1),
        shown(point.server_switches_per_msg, 2),
        shown(point.client_fairness, 3),
        if bounds.is_empty() { UNKNOWN.to_owned() } else { bounds.join(", ") },
    ]
}

/// One line per number of clients, one column per pair of systems.
pub fn ratios(curves: &[Curve]) -> String {
    let pairs = pairs(curves);
    if pairs.is_empty() {
        return String::new();
    }
    let titles = pairs.iter().map(|(a, b)| format!("{} / {}", a.label, b.label));
    let titles: Vec<_> = ["clients".to_owned()].into_iter().chain(titles).collect();
    let mut table = table_of(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    let columns: Vec<_> = pairs.iter().map(|(a, b)| crate::analysis::ratios(a, b)).collect();
    let mut counts: Vec<_> = columns.iter().flatten().map(|ratio| ratio.x).collect();
    counts.sort_by(f64::total_cmp);
    counts.dedup();
    for clients in counts {
        let cell = |column: &Vec<crate::analysis::Ratio>| {
            let found = column.iter().find(|ratio| ratio.x == clients);
            found.map_or_else(|| UNKNOWN.to_owned(), ratio)
        };
        add(&mut table, [clients.to_string()].into_iter().chain(columns.iter().map(cell)));
    }
    format!(
        "{table}\nratios of throughput, within each pass; in brackets: bounded by the clients, or \
         disturbed by others, which ranks no server\n"
    )
}

/// All pairs of a few curves; of many, each with the first.
fn pairs(curves: &[Curve]) -> Vec<(&Curve, &Curve)> {
    const FEW: usize = 4;
    let firsts = if curves.len() > FEW { 1 } else { curves.len() };
    (0..firsts)
        .flat_map(|a| curves[a + 1..].iter().map(move |b| (&curves[a], b)))
        .filter(|(a, b)| !crate::analysis::ratios(a, b).is_empty())
        .collect()
}

fn ratio(ratio: &crate::analysis::Ratio) -> String {
    let mean = shown(Some(ratio.estimate.mean), 2);
    let text = match (ratio.verdict, ratio.estimate.half_width()) {
        (Verdict::TooFew, _) | (_, None) => mean,
        (Verdict::Tie, _) => format!("{mean} tie"),
        (Verdict::Differs, Some(half)) => format!("{mean} ± {}", shown(Some(half), 2)),
    };
    if ratio.ranks { text } else { format!("({text})") }
}

/// One line per point that two measurements have in common.
pub fn changes(changes: &[Change]) -> String {
    let titles = ["system", "clients", "A msg/s", "± 95 %", "B msg/s", "± 95 %"];
    let mut table = table_of(&[&titles[..], &["change", "± 95 %", "verdict"]].concat());
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
        add(&mut table, cells);
    }
    let bracket = if changes.iter().all(|change| change.ranks) {
        ""
    } else {
        "in brackets: bounded by the clients, or disturbed by others; it says little of the server\n"
    };
    format!("{table}\n{bracket}")
}

fn table_of(titles: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(titles.iter().map(Cell::new));
    table
}

/// Adds a line: words to the left, numbers to the right.
fn add(table: &mut Table, cells: impl IntoIterator<Item = String>) {
    let aligned = cells.into_iter().map(|text| {
        let number = text.starts_with(|c: char| "+-(".contains(c) || c.is_ascii_digit());
        let side = if number { CellAlignment::Right } else { CellAlignment::Left };
        Cell::new(text).set_alignment(side)
    });
    table.add_row(aligned);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Axis;
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
        let text = summary(&curves(&rows.concat()));
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
        let text = points(&curves(&rows.concat()));
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
        let text = ratios(&curves(&all.concat()));
        assert!(text.contains("a / b"), "{text}");
        let cells = ["1", "2", "3", "4"].map(|clients| line(&text, clients)[1].to_owned());
        assert_eq!(cells, ["2.00 ± 0.00", "1.00 tie", "(2.00 ± 0.00)", "2.00"]);
        assert_eq!(ratios(&curves(&all[..1].concat())), "");
    }
}

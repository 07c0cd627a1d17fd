//! The table for the terminal.

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::analysis::{Curve, Point};

/// The numbers of clients whose throughput has a column.
const AT: [usize; 3] = [1, 8, 24];

/// One line per curve: throughput, its peak, and at the peak latency and cost.
///
/// Latencies and CPU times are in us; `-` stands for what was not measured.
pub fn table(curves: &[Curve]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let at = AT.map(|clients| format!("msg/s at {clients}"));
    let rest = ["peak msg/s", "at", "rtt p50", "rtt p99", "CPU/msg server", "clients", "bound"];
    let titles = ["system"].into_iter().chain(at.iter().map(String::as_str)).chain(rest);
    table.set_header(titles.map(Cell::new));
    for curve in curves {
        let peak = curve.peak();
        let us = |value: fn(&Point) -> Option<f64>| shown(peak.and_then(value), 1);
        let mut line = vec![Cell::new(&curve.label)];
        let mut number =
            |text: String| line.push(Cell::new(text).set_alignment(CellAlignment::Right));
        for clients in AT {
            number(shown(curve.at(clients).map(|point| point.throughput_per_s), 0));
        }
        number(shown(peak.map(|point| point.throughput_per_s), 0));
        number(peak.map_or_else(String::new, |point| point.clients.to_string()));
        number(us(|point| point.rtt_p50_us));
        number(us(|point| point.rtt_p99_us));
        number(us(|point| point.server_cpu_us_per_msg));
        number(us(|point| point.client_cpu_us_per_msg));
        number(bound(peak));
        table.add_row(line);
    }
    format!("{table}\nrtt, CPU time and bound are those at the peak; times are in us\n")
}

/// What bounded the trials of a point, where that is known.
fn bound(point: Option<&Point>) -> String {
    let bounds = point.map(|point| point.bounds.iter().map(String::as_str).collect::<Vec<_>>());
    bounds.filter(|bounds| !bounds.is_empty()).map_or_else(|| "-".to_owned(), |b| b.join(", "))
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| super::figure::grouped(value, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_per_curve_with_dashes_for_what_was_not_measured() {
        let point = |clients, throughput_per_s| Point {
            clients,
            throughput_per_s,
            rtt_p50_us: Some(12.34),
            bounds: ["client".to_owned()].into(),
            ..Point::default()
        };
        let curve = Curve {
            system: "a".to_owned(),
            label: "a".to_owned(),
            points: vec![point(1, 9999.6), point(8, 43210.0)],
        };
        let text = table(&[curve]);
        let line = text.lines().find(|line| line.starts_with("| a ")).unwrap();
        let words: Vec<_> = line.split(['|', ' ']).filter(|word| !word.is_empty()).collect();
        assert_eq!(
            words,
            ["a", "10,000", "43,210", "-", "43,210", "8", "12.3", "-", "-", "-", "client"]
        );
    }
}

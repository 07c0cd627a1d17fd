//! Rows with given values, directories that contain them, and the output of `report`.

use std::fs;
use std::path::Path;

use echometer::analysis::{Axis, curves, findings};
use echometer::results::{CsvSink, Row};
use echometer::systems::SYSTEMS;
use roxmltree::Document;
use tempfile::TempDir;

use super::{CommandOutput, file_in_new_directory, run};

/// The first and the last system of the registry.
pub fn two_systems() -> [&'static str; 2] {
    [SYSTEMS[0].name(), SYSTEMS[SYSTEMS.len() - 1].name()]
}

/// One valid trial per throughput, all in one run.
pub fn trials(system: &str, clients: usize, throughputs: &[f64]) -> Vec<Row> {
    let row = |(trial, throughput_per_s): (u32, &f64)| Row {
        run_id: "run".to_owned(),
        trial,
        valid: true,
        system: system.to_owned(),
        clients,
        throughput_per_s: *throughput_per_s,
        ..Row::default()
    };
    (1..).zip(throughputs).map(row).collect()
}

/// The same rows with this `bound`.
pub fn bounded(rows: Vec<Row>, bound: &str) -> Vec<Row> {
    rows.into_iter().map(|row| Row { bound: Some(bound.to_owned()), ..row }).collect()
}

/// The same row as an invalid trial with this reason.
pub fn invalid(row: Row, reason: &str) -> Row {
    Row { valid: false, invalid_reason: Some(reason.to_owned()), ..row }
}

/// A directory whose results.csv contains these rows.
pub fn directory_with_rows(rows: &[Row]) -> TempDir {
    let (directory, csv) = file_in_new_directory("results.csv");
    CsvSink::open(&csv).unwrap().append(rows).unwrap();
    directory
}

/// A directory whose results.csv has this content.
pub fn directory_with_csv(csv: impl AsRef<[u8]>) -> TempDir {
    let (directory, path) = file_in_new_directory("results.csv");
    fs::write(path, csv).unwrap();
    directory
}

/// Rows of two systems, three trials each, with a value in every kind of column.
pub fn sample_rows() -> Vec<Row> {
    let rows = two_systems()
        .map(|system| trials(system, 4, &[10_000.293, 10_100.293, 9_900.293]))
        .concat();
    let filled = |row: Row| Row {
        driver: "native".to_owned(),
        messages: 10_000,
        window_s: 1.0,
        gaps: Some(0),
        rtt_p50_us: Some(12.5),
        server_cpu_us_per_msg: Some(7.25),
        bound: Some("server".to_owned()),
        started_at: "2026-01-01T00:00:00.000Z".to_owned(),
        server_cpus: Some("0,2-3".to_owned()),
        client_cpus: "1".to_owned(),
        ..row
    };
    rows.into_iter().map(filled).collect()
}

/// The rows as CSV text.
pub fn csv_text(rows: &[Row]) -> String {
    fs::read_to_string(directory_with_rows(rows).path().join("results.csv")).unwrap()
}

/// Runs `report DIRECTORY` with `extra` flags.
pub fn report(directory: &Path, extra: &[&str]) -> CommandOutput {
    run(["report", directory.to_str().unwrap()].iter().chain(extra))
}

/// The throughput figure (SVG) that `report` wrote.
pub fn figure(directory: &Path) -> String {
    fs::read_to_string(directory.join("throughput.svg")).unwrap()
}

/// All text labels of a figure.
pub fn svg_texts(figure: &Document<'_>) -> Vec<String> {
    let nodes = figure.descendants().filter(|node| node.has_tag_name("text"));
    nodes.filter_map(|node| node.text()).map(|text| text.trim().to_owned()).collect()
}

/// The cells of the first table row whose leading cells equal `first`.
pub fn table_row(text: &str, first: &[&str]) -> Vec<String> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let found = text.lines().map(cells).find(|cells| {
        cells.len() >= first.len() && cells.iter().zip(first).all(|(cell, word)| cell == word)
    });
    found.unwrap_or_else(|| panic!("no table row begins with {first:?}:\n{text}"))
}

/// Label of the baseline.
pub const BASELINE: &str = "base";

/// The findings about the rows as sentences, in order.
pub fn sentences(rows: &[Row]) -> Vec<String> {
    let axis = Axis::of(rows);
    findings(&curves(rows, axis), rows, axis, BASELINE).iter().map(ToString::to_string).collect()
}

/// Three trials: the mean, 1 % above it, and 1 % below it.
pub fn around(system: &str, clients: usize, mean: f64) -> Vec<Row> {
    trials(system, clients, &[mean, mean * 1.01, mean * 0.99])
}

/// The same rows after `set` changed each of them.
pub fn modified(rows: Vec<Row>, set: impl Fn(&mut Row)) -> Vec<Row> {
    let changed = |mut row: Row| {
        set(&mut row);
        row
    };
    rows.into_iter().map(changed).collect()
}

//! `echometer report`: the table, the figure, and errors.

mod common;

use std::fs;
use std::sync::LazyLock;

use common::bench::rows;
use common::rows::{directory_with_rows, figure, report, svg_texts, two_systems};
use common::{file_in_new_directory, run};
use echometer::results::Row;
use roxmltree::Document;

const CLIENTS: [&str; 3] = ["1", "2", "4"];

/// The rows of a real sweep: two systems at three client counts.
static SWEEP: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let (_directory, csv) = file_in_new_directory("results.csv");
    for (system, clients) in two_systems().iter().flat_map(|s| CLIENTS.map(|clients| (s, clients)))
    {
        let point = ["bench", system, "--spawn", "--clients", clients, "--duration", "100ms"];
        let rest = ["--warmup", "20ms", "--csv", csv.to_str().unwrap()];
        assert_eq!(run(point.iter().chain(&rest)).status, 0);
    }
    rows(&csv)
});

/// Number of polylines with one point per client count. Markers and legend lines have different
/// numbers of points.
fn curves(figure: &Document<'_>) -> usize {
    let lines = figure.descendants().filter(|node| node.has_tag_name("polyline"));
    let points =
        lines.filter_map(|line| Some(line.attribute("points")?.split_whitespace().count()));
    points.filter(|points| *points == CLIENTS.len()).count()
}

#[test]
fn the_figure_has_a_curve_and_a_label_for_each_system() {
    let directory = directory_with_rows(&SWEEP);
    assert_eq!(report(directory.path(), &[]).status, 0);
    let svg = figure(directory.path());
    let figure = Document::parse(&svg).unwrap();
    assert_eq!(curves(&figure), 2);
    let texts = svg_texts(&figure);
    for word in
        ["concurrent clients", "throughput (messages/s)", "0", two_systems()[0], two_systems()[1]]
    {
        assert!(texts.iter().any(|text| text == word), "{word} is not in {texts:?}");
    }
    let children: Vec<_> = figure.root_element().children().map(|c| c.tag_name().name()).collect();
    assert!(children.contains(&"title") && children.contains(&"desc"));
}

#[test]
fn the_table_has_rows_for_each_system_with_its_throughput() {
    let directory = directory_with_rows(&SWEEP);
    let reported = report(directory.path(), &[]);
    for system in two_systems() {
        let cells = |line: &'_ str| line.split('|').map(|cell| cell.trim().to_owned()).collect();
        let lines = reported.stdout.lines().map(cells);
        let lines: Vec<Vec<String>> = lines
            .filter(|cells: &Vec<String>| cells.get(1).is_some_and(|name| name == system))
            .collect();
        // One row per point, and then one for the curve.
        assert_eq!(lines.len(), CLIENTS.len() + 1, "{}", reported.stdout);
        let row = SWEEP.iter().find(|row| row.system == system && row.clients == 1).unwrap();
        let shown: f64 = lines[CLIENTS.len()][2].replace(',', "").parse().unwrap();
        assert!((shown - row.throughput_per_s).abs() <= 0.5, "{}", reported.stdout);
    }
    for fragment in ["throughput.svg", "fewer than 3 trials have no interval"] {
        assert!(reported.stderr.contains(fragment), "{reported:?}");
    }
}

#[test]
fn a_second_report_replaces_the_first() {
    let directory = directory_with_rows(&SWEEP);
    let first = report(directory.path(), &[]).stdout;
    let svg = figure(directory.path());
    assert_eq!(report(directory.path(), &[]).stdout, first);
    assert_eq!(figure(directory.path()), svg);
}

#[test]
fn a_reference_measurement_is_drawn() {
    let directory = directory_with_rows(&SWEEP);
    let reference = directory.path().join("reference.csv");
    let points = "note,system,clients,throughput_per_s\nx,before,1,100.5\nx,before,4,250\n";
    fs::write(&reference, points).unwrap();
    assert_eq!(report(directory.path(), &[]).status, 0);
    let without_reference = figure(directory.path());
    let reported = report(directory.path(), &["--reference", reference.to_str().unwrap()]);
    assert_eq!(reported.status, 0, "{reported:?}");
    let svg = figure(directory.path());
    let (alone, both) =
        (Document::parse(&without_reference).unwrap(), Document::parse(&svg).unwrap());
    assert_eq!(
        (curves(&alone), curves(&both)),
        (2, 2),
        "the reference curve is dashed, so it is not one polyline"
    );
    let count = |figure: &Document<'_>| figure.descendants().count();
    assert!(count(&both) > count(&alone) + 10);
    assert!(svg_texts(&both).contains(&"before (reference)".to_owned()), "{:?}", svg_texts(&both));
}

#[test]
fn an_unreadable_reference_is_in_the_error() {
    let directory = directory_with_rows(&SWEEP);
    for (text, fragment) in [
        ("system,clients\na,1\n", "throughput_per_s"),
        ("system,clients,throughput_per_s\na,b,1\n", "clients"),
        ("system,clients,throughput_per_s\na,1,NaN\n", "line 2, column throughput_per_s"),
        ("system,clients,throughput_per_s\na,1,-5\n", "line 2, column throughput_per_s"),
    ] {
        let reference = directory.path().join("reference.csv");
        fs::write(&reference, text).unwrap();
        let path = reference.to_str().unwrap();
        report(directory.path(), &["--reference", path]).assert_fails(1, &[path, fragment]);
    }
    report(directory.path(), &["--reference", "/no/such/file"]).assert_fails(1, &["/no/such/file"]);
}

#[test]
fn invalid_rows_are_excluded_and_reported() {
    let bad = Row {
        valid: false,
        invalid_reason: Some("interrupted".to_owned()),
        trial: 7,
        throughput_per_s: 1e9,
        ..SWEEP[0].clone()
    };
    let directory = directory_with_rows(&[&SWEEP[..], &[bad]].concat());
    let reported = report(directory.path(), &[]);
    let expected = format!("left out: {}, 1 client, trial 7: interrupted", two_systems()[0]);
    assert!(reported.stderr.contains(&expected), "{reported:?}");
    let valid_only = directory_with_rows(&SWEEP);
    // All lines except the sentence about the invalid trial are the same.
    let is_other = |line: &&str| !line.contains("1 of 7 trials is invalid");
    let others: Vec<_> = reported.stdout.lines().filter(is_other).collect();
    assert_eq!(others, report(valid_only.path(), &[]).stdout.lines().collect::<Vec<_>>());
    assert_eq!(others.len() + 1, reported.stdout.lines().count());
}

#[test]
fn an_invalid_number_is_reported_with_line_and_column() {
    let directory = directory_with_rows(&SWEEP);
    let csv = directory.path().join("results.csv");
    let text = fs::read_to_string(&csv).unwrap();
    let third = text.lines().nth(3).unwrap();
    let bad = third.replace(",native,", ",native,many");
    fs::write(&csv, text.replace(third, &bad)).unwrap();
    let place = ["results.csv", "line 4", "column clients"];
    report(directory.path(), &[]).assert_fails(1, &place);
    assert!(!directory.path().join("throughput.svg").exists());
}

#[test]
fn a_line_with_too_few_fields_is_rejected() {
    let directory = directory_with_rows(&SWEEP);
    let csv = directory.path().join("results.csv");
    let text = fs::read_to_string(&csv).unwrap();
    let last = text.trim_end().rfind('\n').unwrap();
    fs::write(&csv, &text[..usize::midpoint(last, text.len())]).unwrap();
    report(directory.path(), &[]).assert_fails(1, &["results.csv", "line 7, column"]);
}

#[test]
fn a_directory_without_valid_rows_is_rejected() {
    let (directory, missing) = file_in_new_directory("nowhere");
    let wanted = directory.path().join("results.csv");
    report(directory.path(), &[]).assert_fails(1, &[wanted.to_str().unwrap()]);
    report(&missing, &[]).assert_fails(1, &[missing.to_str().unwrap()]);
    let empty = directory_with_rows(&[]);
    report(empty.path(), &[]).assert_fails(1, &["no valid rows"]);
    let bad = directory_with_rows(&[Row { valid: false, ..SWEEP[0].clone() }]);
    report(bad.path(), &[]).assert_fails(1, &["no valid rows", "of 1"]);
}

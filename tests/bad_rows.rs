//! results.csv files from older versions, with damage, or with several runs. Readable rows are
//! read; an unreadable row is an error with line and column and is never misread.

mod common;

use std::fs;
use std::path::Path;

use common::rows::{
    csv_text, directory_with_csv, directory_with_rows, figure, invalid, report, sample_rows,
    svg_texts, table_row, trials, two_systems,
};
use common::{file_in_new_directory, run};
use echometer::results::{CsvSink, Row, ThreadRow, read_threads};
use roxmltree::Document;

/// Columns that the first version did not have.
const NEWER_COLUMNS: &str = "gaps repeats strays malformed late refused disconnects window_skew_us \
    pause_mean_us littles_law client_fairness slowest_client_share fastest_client_share \
    worker_fairness slowest_worker_share fastest_worker_share server_user_us_per_msg \
    server_system_us_per_msg client_user_us_per_msg client_system_us_per_msg \
    server_voluntary_switches_per_msg server_involuntary_switches_per_msg \
    client_voluntary_switches_per_msg client_involuntary_switches_per_msg server_busy \
    server_busiest_thread client_busy server_cpus_idle client_cpus_idle bound cpu_quota \
    server_cpus_asked client_cpus_asked notes tuning work channels driver_lag_p99_us \
    oldest_in_flight_us";

/// The CSV text without `columns`.
fn without(csv: &str, columns: &[&str]) -> String {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let kept = |record: &csv::StringRecord| -> csv::StringRecord {
        let pairs = headers.iter().zip(record).filter(|(name, _)| !columns.contains(name));
        pairs.map(|(_, field)| field).collect()
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&kept(&headers)).unwrap();
    for record in reader.records() {
        writer.write_record(&kept(&record.unwrap())).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

fn newer_columns() -> Vec<&'static str> {
    NEWER_COLUMNS.split_whitespace().collect()
}

#[test]
fn rows_of_an_older_version_are_read_and_reported() {
    let old = without(&csv_text(&sample_rows()), &newer_columns());
    assert!(!old.contains("bound") && old.contains("rtt_p50_us"), "{old}");
    let directory = directory_with_csv(&old);
    let output = report(directory.path(), &[]);
    assert_eq!(output.status, 0, "{output:?}");
    let point = table_row(&output.stdout, &[two_systems()[0], "4"]);
    assert_eq!(point[2..6], ["3", "10,000", "248", "12.5"], "{output:?}");
    assert_eq!(point.last().map(String::as_str), Some("-"), "{output:?}");
    let rows = echometer::results::read_rows(&directory.path().join("results.csv")).unwrap();
    assert!(rows.iter().all(|row| row.gaps.is_none() && row.bound.is_none()), "{rows:?}");
    // Any single one of them may be missing, too.
    for column in newer_columns() {
        let directory = directory_with_csv(without(&csv_text(&sample_rows()), &[column]));
        assert_eq!(report(directory.path(), &[]).status, 0, "{column}");
    }
}

#[test]
fn a_missing_required_column_is_in_the_error() {
    for column in ["throughput_per_s", "system", "clients", "valid", "trial", "run_id"] {
        let directory = directory_with_csv(without(&csv_text(&sample_rows()), &[column]));
        let rejected = report(directory.path(), &[]);
        rejected.assert_fails(1, &["results.csv", column, "is missing"]);
    }
}

#[test]
fn a_file_of_an_older_version_is_not_appended_to() {
    let old = without(&csv_text(&sample_rows()), &newer_columns());
    let directory = directory_with_csv(&old);
    let csv = directory.path().join("results.csv");
    let bench = ["bench", two_systems()[0], "--spawn", "--duration", "10m", "--csv"];
    let rejected = run(bench.iter().chain(&[csv.to_str().unwrap()]));
    rejected.assert_fails(1, &[csv.to_str().unwrap(), "header", "another file"]);
    assert_eq!(fs::read_to_string(&csv).unwrap(), old);
}

/// The file with its third line (the second row) changed.
fn with_third_line(text: &str, change: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let lines = text.split_inclusive('\n').enumerate();
    let changed = |(at, line): (usize, &str)| {
        if at == 2 { change(line) } else { line.as_bytes().to_vec() }
    };
    lines.flat_map(changed).collect()
}

/// The file with `old` replaced by `new` in its third line, where `old` occurs once.
fn replaced(text: &str, old: &str, new: &str) -> Vec<u8> {
    with_third_line(text, |line| {
        assert_eq!(line.matches(old).count(), 1, "{old} in {line}");
        line.replace(old, new).into_bytes()
    })
}

/// Asserts that `report` fails with one line that contains `fragments` and writes no figure.
fn assert_rejected(csv: impl AsRef<[u8]>, fragments: &[&str]) {
    let directory = directory_with_csv(csv);
    let rejected = report(directory.path(), &[]);
    rejected.assert_fails(1, &[&["results.csv"], fragments].concat());
    assert!(!directory.path().join("throughput.svg").exists());
}

#[test]
fn an_invalid_field_is_reported_with_line_and_column() {
    let text = csv_text(&sample_rows());
    let number = "10100.293";
    for wrong in ["10x00.293", "NaN", "-10100.293", "inf", "1e999", "10100e293", "", " 10100.293"] {
        let csv = replaced(&text, number, wrong);
        assert_rejected(csv, &["line 3", "column throughput_per_s"]);
    }
    assert_rejected(replaced(&text, ",12.5,", ",NaN,"), &["line 3", "column rtt_p50_us"]);
    assert_rejected(replaced(&text, "run,2,true", "run,2,tru"), &["line 3", "column valid"]);
    assert_rejected(replaced(&text, ",10000,", ",10000.5,"), &["line 3", "column messages"]);
    let not_text = with_third_line(&text, |line| {
        let at = line.find("native").unwrap();
        let mut bytes = line.as_bytes().to_vec();
        bytes[at] = 0xff;
        bytes
    });
    assert_rejected(not_text, &["line 3", "column driver", "not valid UTF-8"]);
}

#[test]
fn a_line_with_too_few_or_too_many_fields_is_rejected() {
    let text = csv_text(&sample_rows());
    let last = Row::default();
    let columns = text.lines().next().unwrap().split(',').count();
    assert_eq!(csv_text(&[last]).lines().nth(1).unwrap().split(',').count(), columns);
    let counted = |count: usize| format!("has {count} columns, not {columns}");
    let fewer = counted(columns - 1);
    assert_rejected(replaced(&text, ",10100.293,", ","), &["line 3", "column notes", &fewer]);
    let more = counted(columns + 1);
    assert_rejected(replaced(&text, ",10100.293,", ",1,10100.293,"), &["line 3", "column", &more]);
    for kept in [5, 40, 60] {
        let cut = with_third_line(&text, |line| line.as_bytes()[..kept].to_vec());
        assert_rejected(cut, &["line 3", "column", "columns, not"]);
        // The same for the last line, which has nothing after it.
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        let end = lines[..2].concat() + &lines[2][..kept];
        assert_rejected(end, &["line 3", "column", "columns, not"]);
    }
}

#[test]
fn an_unclosed_quote_hides_no_rows() {
    let text = csv_text(&sample_rows());
    assert_rejected(replaced(&text, "10100.293", "\"10100.293"), &["line 3", "column"]);
    assert_rejected(replaced(&text, "\"0,2-3\"", "\"0,2-3"), &["line 3", "column"]);
    // In the last column, the field extends to the next quote or to the end of the file.
    let open = |line: &str| line.replace('\n', "\"\n").into_bytes();
    let unquoted = text.replace("\"0,2-3\"", "0");
    for text in [&text, &unquoted] {
        assert_rejected(with_third_line(text, open), &["line 3", "column"]);
    }
    assert_rejected(with_third_line(&unquoted, open), &["line 3", "column notes", "quote"]);
    assert_rejected(text.trim_end().to_owned() + "\"\n", &["line 7", "column notes", "quote"]);
}

#[test]
fn a_multiline_reason_survives_a_round_trip() {
    let mut rows = sample_rows();
    rows[1] = invalid(rows[1].clone(), "a server said:\n\"so, no\"\r\n");
    let directory = directory_with_rows(&rows);
    let csv = directory.path().join("results.csv");
    assert_eq!(echometer::results::read_rows(&csv).unwrap(), rows);
    assert_eq!(report(directory.path(), &[]).status, 0);
}

#[test]
fn a_file_in_another_format_is_rejected() {
    for csv in [&b"\xff\xfe\x00"[..], b"\0\0\0\n\0", b"<html>\n</html>\n", b"a,b\n1,2\n", b"\n\n"] {
        assert_rejected(csv, &[]);
    }
}

/// Three trials of one point in the run `run_id`.
fn trials_of_run(run_id: &str, clients: usize, mean: f64) -> Vec<Row> {
    let rows = trials(two_systems()[0], clients, &[mean, mean + 100.0, mean - 100.0]).into_iter();
    rows.map(|row| Row { run_id: run_id.to_owned(), ..row }).collect()
}

/// The text labels of the figure in this directory.
fn labels_in_figure(directory: &Path) -> Vec<String> {
    let svg = figure(directory);
    svg_texts(&Document::parse(&svg).unwrap())
}

#[test]
fn two_runs_of_the_same_points_in_one_file_are_separate_curves() {
    let directory = directory_with_rows(
        &[trials_of_run("first", 4, 10_000.0), trials_of_run("second", 4, 5_000.0)].concat(),
    );
    let output = report(directory.path(), &[]);
    assert_eq!(output.status, 0, "{output:?}");
    let labels = ["first", "second"].map(|run| format!("{}, run {run}", two_systems()[0]));
    for (label, mean) in labels.iter().zip(["10,000", "5,000"]) {
        assert_eq!(table_row(&output.stdout, &[label, "4"])[2..4], ["3", mean], "{output:?}");
        assert!(labels_in_figure(directory.path()).contains(label), "{label}");
    }
}

#[test]
fn runs_with_one_point_each_form_one_curve() {
    let (directory, csv) = file_in_new_directory("results.csv");
    let mut sink = CsvSink::open(&csv).unwrap();
    for (run, clients) in [("a", 1), ("b", 2), ("c", 4)] {
        sink.append(&trials_of_run(run, clients, 1_000.0)).unwrap();
    }
    let output = report(directory.path(), &[]);
    for clients in ["1", "2", "4"] {
        assert_eq!(
            table_row(&output.stdout, &[two_systems()[0], clients])[2..4],
            ["3", "1,000"],
            "{output:?}"
        );
    }
    assert!(
        !output.stdout.contains("run ")
            && labels_in_figure(directory.path()).contains(&two_systems()[0].to_owned())
    );
}

#[test]
fn thread_rows_are_read_and_damage_is_reported_with_line_and_column() {
    let (_directory, path) = file_in_new_directory("threads.csv");
    assert!(read_threads(&path).unwrap().is_empty(), "a missing file has no rows");
    let row = ThreadRow {
        run_id: "run".to_owned(),
        started_at: "2026-01-01T00:00:00.000Z".to_owned(),
        role: "io".to_owned(),
        threads: 2,
        cpu_us_per_msg: Some(7.25),
        ..ThreadRow::default()
    };
    CsvSink::open(&path).unwrap().append(std::slice::from_ref(&row)).unwrap();
    assert_eq!(read_threads(&path).unwrap(), [row]);
    let text = fs::read_to_string(&path).unwrap();
    for (wrong, fragment) in [("-7.25", "'-7.25' is not a number from 0 to 1e18"), ("x", "invalid")]
    {
        fs::write(&path, text.replace("7.25", wrong)).unwrap();
        let error = format!("{:#}", read_threads(&path).unwrap_err());
        for part in ["threads.csv", "line 2, column cpu_us_per_msg", fragment] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

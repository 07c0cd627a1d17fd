//! Files of rows that are old, damaged, or of several runs: what can be read is, and what
//! cannot is named with its line and column, and never misread.

mod common;

use std::fs;
use std::path::Path;

use common::rows::{
    directory_of, directory_with, figure, invalid, line, pair, report, some_rows, text_of, texts,
    trials,
};
use common::{file_in_new_directory, run};
use echometer::results::{CsvSink, Row, ThreadRow, read_threads};
use roxmltree::Document;

/// The columns that the first version did not have.
const NEWER: &str = "gaps repeats strays malformed late refused disconnects window_skew_us \
    pause_mean_us littles_law client_fairness slowest_client_share fastest_client_share \
    worker_fairness slowest_worker_share fastest_worker_share server_user_us_per_msg \
    server_system_us_per_msg client_user_us_per_msg client_system_us_per_msg \
    server_voluntary_switches_per_msg server_involuntary_switches_per_msg \
    client_voluntary_switches_per_msg client_involuntary_switches_per_msg server_busy \
    client_busy server_cpus_idle client_cpus_idle bound cpu_quota server_cpus_asked \
    client_cpus_asked notes tuning work channels";

/// The same file without some of its columns.
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

fn newer() -> Vec<&'static str> {
    NEWER.split_whitespace().collect()
}

#[test]
fn rows_of_an_older_version_are_read_and_reported() {
    let old = without(&text_of(&some_rows()), &newer());
    assert!(!old.contains("bound") && old.contains("rtt_p50_us"), "{old}");
    let directory = directory_with(&old);
    let ran = report(directory.path(), &[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let point = line(&ran.stdout, &[pair()[0], "4"]);
    assert_eq!(point[2..6], ["3", "10,000", "248", "12.5"], "{ran:?}");
    assert_eq!(point.last().map(String::as_str), Some("-"), "{ran:?}");
    let rows = echometer::results::read_rows(&directory.path().join("results.csv")).unwrap();
    assert!(rows.iter().all(|row| row.gaps.is_none() && row.bound.is_none()), "{rows:?}");
    // Each of them alone may lack, too.
    for column in newer() {
        let directory = directory_with(without(&text_of(&some_rows()), &[column]));
        assert_eq!(report(directory.path(), &[]).status, 0, "{column}");
    }
}

#[test]
fn a_column_without_which_there_is_no_report_is_named() {
    for column in ["throughput_per_s", "system", "clients", "valid", "trial", "run_id"] {
        let directory = directory_with(without(&text_of(&some_rows()), &[column]));
        let refused = report(directory.path(), &[]);
        refused.assert_fails(1, &["results.csv", "there is no column", column]);
    }
}

#[test]
fn nothing_is_appended_to_the_file_of_an_older_version() {
    let old = without(&text_of(&some_rows()), &newer());
    let directory = directory_with(&old);
    let csv = directory.path().join("results.csv");
    let bench = ["bench", pair()[0], "--spawn", "--duration", "10m", "--csv"];
    let refused = run(bench.iter().chain(&[csv.to_str().unwrap()]));
    refused.assert_fails(1, &[csv.to_str().unwrap(), "header", "another file"]);
    assert_eq!(fs::read_to_string(&csv).unwrap(), old);
}

/// The file, with its third line (the second row) changed.
fn with_third(text: &str, change: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let lines = text.split_inclusive('\n').enumerate();
    let changed = |(at, line): (usize, &str)| {
        if at == 2 { change(line) } else { line.as_bytes().to_vec() }
    };
    lines.flat_map(changed).collect()
}

/// Its third line with this in place of that, of which there is one.
fn replaced(text: &str, this: &str, that: &str) -> Vec<u8> {
    with_third(text, |line| {
        assert_eq!(line.matches(this).count(), 1, "{this} in {line}");
        line.replace(this, that).into_bytes()
    })
}

/// Asserts that `report` refuses the file in one line with all of this, and draws nothing.
fn assert_refused(csv: impl AsRef<[u8]>, telling: &[&str]) {
    let directory = directory_with(csv);
    let refused = report(directory.path(), &[]);
    refused.assert_fails(1, &[&["results.csv"], telling].concat());
    assert!(!directory.path().join("throughput.svg").exists());
}

#[test]
fn damage_in_the_middle_is_told_with_line_and_column() {
    let text = text_of(&some_rows());
    let number = "10100.293";
    for wrong in ["10x00.293", "NaN", "-10100.293", "inf", "1e999", "10100e293", "", " 10100.293"] {
        let csv = replaced(&text, number, wrong);
        assert_refused(csv, &["line 3", "column throughput_per_s"]);
    }
    assert_refused(replaced(&text, ",12.5,", ",NaN,"), &["line 3", "column rtt_p50_us"]);
    assert_refused(replaced(&text, "run,2,true", "run,2,tru"), &["line 3", "column valid"]);
    assert_refused(replaced(&text, ",10000,", ",10000.5,"), &["line 3", "column messages"]);
    let not_text = with_third(&text, |line| {
        let at = line.find("native").unwrap();
        let mut bytes = line.as_bytes().to_vec();
        bytes[at] = 0xff;
        bytes
    });
    assert_refused(not_text, &["line 3", "column driver", "not text"]);
}

#[test]
fn lines_that_are_too_short_or_too_long_are_told() {
    let text = text_of(&some_rows());
    let last = Row::default();
    let columns = text.lines().next().unwrap().split(',').count();
    assert_eq!(text_of(&[last]).lines().nth(1).unwrap().split(',').count(), columns);
    let counted = |count: usize| format!("has {count} columns, not {columns}");
    let fewer = counted(columns - 1);
    assert_refused(replaced(&text, ",10100.293,", ","), &["line 3", "column notes", &fewer]);
    let more = counted(columns + 1);
    assert_refused(replaced(&text, ",10100.293,", ",1,10100.293,"), &["line 3", "column", &more]);
    for kept in [5, 40, 60] {
        let cut = with_third(&text, |line| line.as_bytes()[..kept].to_vec());
        assert_refused(cut, &["line 3", "column", "columns, not"]);
        // Where it is the last, nothing is joined to it.
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        let end = lines[..2].concat() + &lines[2][..kept];
        assert_refused(end, &["line 3", "column", "columns, not"]);
    }
}

#[test]
fn a_quote_that_is_not_closed_swallows_no_rows() {
    let text = text_of(&some_rows());
    assert_refused(replaced(&text, "10100.293", "\"10100.293"), &["line 3", "column"]);
    assert_refused(replaced(&text, "\"0,2-3\"", "\"0,2-3"), &["line 3", "column"]);
    // In the last column all that follows is a part of it, up to the next quote, or the end.
    let open = |line: &str| line.replace('\n', "\"\n").into_bytes();
    let unquoted = text.replace("\"0,2-3\"", "0");
    for text in [&text, &unquoted] {
        assert_refused(with_third(text, open), &["line 3", "column"]);
    }
    assert_refused(with_third(&unquoted, open), &["line 3", "column notes", "quote"]);
    assert_refused(text.trim_end().to_owned() + "\"\n", &["line 7", "column notes", "quote"]);
}

#[test]
fn a_reason_of_several_lines_is_read_as_it_was_written() {
    let mut rows = some_rows();
    rows[1] = invalid(rows[1].clone(), "a server said:\n\"so, no\"\r\n");
    let directory = directory_of(&rows);
    let csv = directory.path().join("results.csv");
    assert_eq!(echometer::results::read_rows(&csv).unwrap(), rows);
    assert_eq!(report(directory.path(), &[]).status, 0);
}

#[test]
fn what_is_no_file_of_rows_at_all_is_refused() {
    for csv in [&b"\xff\xfe\x00"[..], b"\0\0\0\n\0", b"<html>\n</html>\n", b"a,b\n1,2\n", b"\n\n"] {
        assert_refused(csv, &[]);
    }
}

/// Rows of one point in three passes, of a run of this name.
fn of_run(run_id: &str, clients: usize, mean: f64) -> Vec<Row> {
    let rows = trials(pair()[0], clients, &[mean, mean + 100.0, mean - 100.0]).into_iter();
    rows.map(|row| Row { run_id: run_id.to_owned(), ..row }).collect()
}

/// The words of the figure in this directory.
fn words(directory: &Path) -> Vec<String> {
    let svg = figure(directory);
    texts(&Document::parse(&svg).unwrap())
}

#[test]
fn two_runs_of_the_same_points_in_one_file_are_told_apart() {
    let directory =
        directory_of(&[of_run("first", 4, 10_000.0), of_run("second", 4, 5_000.0)].concat());
    let ran = report(directory.path(), &[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let labels = ["first", "second"].map(|run| format!("{}, run {run}", pair()[0]));
    for (label, mean) in labels.iter().zip(["10,000", "5,000"]) {
        assert_eq!(line(&ran.stdout, &[label, "4"])[2..4], ["3", mean], "{ran:?}");
        assert!(words(directory.path()).contains(label), "{label}");
    }
}

#[test]
fn a_loop_whose_every_call_is_a_run_is_one_curve() {
    let (directory, csv) = file_in_new_directory("results.csv");
    let mut sink = CsvSink::open(&csv).unwrap();
    for (run, clients) in [("a", 1), ("b", 2), ("c", 4)] {
        sink.append(&of_run(run, clients, 1_000.0)).unwrap();
    }
    let ran = report(directory.path(), &[]);
    for clients in ["1", "2", "4"] {
        assert_eq!(line(&ran.stdout, &[pair()[0], clients])[2..4], ["3", "1,000"], "{ran:?}");
    }
    assert!(
        !ran.stdout.contains("run ") && words(directory.path()).contains(&pair()[0].to_owned())
    );
}

#[test]
fn rows_of_threads_are_read_and_damage_is_told_as_of_other_rows() {
    let (_directory, path) = file_in_new_directory("threads.csv");
    assert!(read_threads(&path).unwrap().is_empty(), "a file that is missing holds none");
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
    for (wrong, telling) in [("-7.25", "'-7.25' cannot have been measured"), ("x", "invalid")] {
        fs::write(&path, text.replace("7.25", wrong)).unwrap();
        let error = format!("{:#}", read_threads(&path).unwrap_err());
        for part in ["threads.csv", "line 2, column cpu_us_per_msg", telling] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

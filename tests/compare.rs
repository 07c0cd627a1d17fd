//! `echometer compare`: changes between two directories of rows.
//!
//! The rows have given values. Three throughputs that differ by 100 have a standard deviation of
//! 100, so the half-width of their interval is 4.302653 · 100 / √3 = 248.

mod common;

use std::fs;
use std::path::Path;

use common::rows::{bounded, directory_with_rows, invalid, table_row, trials};
use common::{CommandOutput, run};
use echometer::results::Row;
use echometer::systems::SYSTEMS;
use serde_json::json;
use tempfile::TempDir;

/// Throughputs of three trials with this mean.
fn around(mean: f64) -> [f64; 3] {
    [mean, mean + 100.0, mean - 100.0]
}

fn system() -> &'static str {
    SYSTEMS[0].name()
}

/// A directory with one point at 4 clients and these throughputs.
fn one_point(throughputs: &[f64]) -> TempDir {
    directory_with_rows(&trials(system(), 4, throughputs))
}

fn compare(a: &TempDir, b: &TempDir, extra: &[&str]) -> CommandOutput {
    let [a, b] = [a, b].map(|directory| directory.path().to_str().unwrap());
    run(["compare", a, b].iter().chain(extra))
}

/// The table cells of the point at 4 clients.
fn cells(output: &CommandOutput) -> Vec<String> {
    assert_eq!(output.status, 0, "{output:?}");
    table_row(&output.stdout, &[system(), "4"])
}

#[test]
fn change_interval_and_verdict_equal_a_hand_calculation() {
    let a = one_point(&around(10_000.0));
    for (mean, shown, change, half, verdict) in [
        (9_000.0, "9,000", "-10.0 %", "2.2 %", "slower"),
        (11_000.0, "11,000", "+10.0 %", "2.4 %", "faster"),
        (10_000.0, "10,000", "+0.0 %", "2.3 %", "tie"),
        // Just inside and just outside of chance: t(0.975, 4) = 2.776445 standard errors of the
        // logarithms, which is 2.24 % below and 2.29 % above.
        (9_774.0, "9,774", "-2.3 %", "2.2 %", "tie"),
        (9_773.0, "9,773", "-2.3 %", "2.2 %", "slower"),
        (10_226.0, "10,226", "+2.3 %", "2.3 %", "tie"),
        (10_227.0, "10,227", "+2.3 %", "2.3 %", "faster"),
    ] {
        let compared = compare(&a, &one_point(&around(mean)), &[]);
        let cells = cells(&compared);
        assert_eq!(cells[..3], [system(), "4", "10,000"]);
        assert_eq!(
            (&*cells[4], &cells[6..]),
            (shown, &[change, half, verdict].map(String::from)[..])
        );
        assert_eq!(compared.stderr, "");
    }
}

#[test]
fn both_directories_are_named_in_order() {
    let (a, b) = (one_point(&around(10_000.0)), one_point(&around(9_000.0)));
    let output = compare(&a, &b, &[]).stdout;
    let position = |directory: &TempDir| output.find(directory.path().to_str().unwrap()).unwrap();
    assert!(position(&a) < position(&b), "{output}");
    // A ninth of 9,000 is 1,000.
    assert_eq!(cells(&compare(&b, &a, &[]))[6], "+11.1 %");
}

#[test]
fn fewer_than_three_trials_give_no_verdict() {
    let compared = compare(&one_point(&[10_000.0, 10_001.0]), &one_point(&around(5_000.0)), &[]);
    let cells = cells(&compared);
    assert_eq!(cells[3], "-", "{compared:?}");
    assert_eq!(cells[6..], ["-50.0 %", "-", "too few trials"], "{compared:?}");
}

#[test]
fn a_point_is_tested_against_the_limit_and_may_be_inconclusive() {
    let a = one_point(&around(10_000.0));
    let noise = [6_000.0, 14_000.0, 7_000.0];
    // The error of the logarithm of the ratio is about 0.8 % with 4 degrees of freedom, except with
    // noise. The one-sided quantile t(0.95, 4) is 2.132.
    let cases: [(&[f64], &str, i32); 8] = [
        (&around(9_000.0), "5%", 1),
        (&around(9_000.0), "15%", 0),
        (&around(9_700.0), "5%", 0),
        (&around(9_600.0), "5%", 3),
        (&around(9_700.0), "2%", 3),
        (&around(10_000.0), "1%", 3),
        (&noise, "5%", 3),
        (&around(11_000.0), "5%", 0),
    ];
    for (throughputs, limit, status) in cases {
        let b = one_point(throughputs);
        let compared = compare(&a, &b, &["--fail-on-regression", limit]);
        assert_eq!(compared.status, status, "{throughputs:?}, {limit}: {compared:?}");
        assert_eq!(compared.stdout, compare(&a, &b, &[]).stdout);
        let count = |word: &str| compared.stderr.lines().filter(|line| line.contains(word)).count();
        assert_eq!(count(" lost "), usize::from(status == 1), "{compared:?}");
        assert_eq!(count(" is inconclusive: "), usize::from(status == 3), "{compared:?}");
    }
    let lost = compare(&a, &one_point(&around(9_000.0)), &["--fail-on-regression", "5%"]).stderr;
    let expected = format!(
        "echometer: {} at 4 clients lost 10.0 % of its throughput, more than the allowed 5.0 %\n",
        system()
    );
    assert_eq!(lost, expected);
    let undecided = compare(&a, &one_point(&noise), &["--fail-on-regression", "5%"]).stderr;
    assert!(undecided.contains("trials") && undecided.contains("--interleave"), "{undecided}");
    let shares = compare(&a, &a, &["--fail-on-regression", "0%"]);
    shares.assert_fails(2, &["--fail-on-regression", "as in 5%"]);
}

const LIMIT: [&str; 2] = ["--fail-on-regression", "5%"];

#[test]
fn points_and_trials_missing_in_b_fail_and_points_missing_in_a_do_not() {
    let five = [10_000.0, 10_050.0, 9_950.0, 10_020.0, 9_980.0];
    let (four, eight) = (trials(system(), 4, &five), trials(system(), 8, &five));
    let both = directory_with_rows(&[four.clone(), eight].concat());
    let one = directory_with_rows(&four);
    let fewer = directory_with_rows(&four[..4]);
    let name = system();

    let missing = compare(&both, &one, &LIMIT);
    assert_eq!(missing.status, 1, "{missing:?}");
    assert!(
        missing.stderr.contains(&format!("{name} at 8 clients is missing in B")),
        "{missing:?}"
    );
    assert_eq!(missing.stderr.lines().count(), 1, "{missing:?}");

    let fewer_trials = compare(&one, &fewer, &LIMIT);
    assert_eq!(fewer_trials.status, 1, "{fewer_trials:?}");
    let text = format!("{name} at 4 clients has 4 of A's 5 valid trials in B");
    assert!(fewer_trials.stderr.contains(&text), "{fewer_trials:?}");

    for (a, stderr) in [(&one, format!("B only: {name} at 8 clients\n")), (&both, String::new())] {
        let compared = compare(a, &both, &LIMIT);
        assert_eq!((compared.status, compared.stderr), (0, stderr));
    }
    assert_eq!(compare(&fewer, &one, &LIMIT).status, 0, "more trials in B are no failure");
    let unlimited = compare(&both, &one, &[]);
    let expected = format!("A only: {name} at 8 clients\n");
    assert_eq!((unlimited.status, unlimited.stderr), (0, expected));
}

#[test]
fn an_invalid_trial_of_b_is_a_missing_one() {
    let mut rows = trials(system(), 4, &[10_000.0, 10_100.0, 9_900.0, 10_000.0]);
    let a = directory_with_rows(&rows);
    rows[3] = invalid(rows[3].clone(), "the server exited");
    let compared = compare(&a, &directory_with_rows(&rows), &LIMIT);
    assert_eq!(compared.status, 1, "{compared:?}");
    assert!(compared.stderr.contains("has 3 of A's 4 valid trials in B"), "{compared:?}");
    assert_eq!(compare(&directory_with_rows(&rows), &a, &LIMIT).status, 0);
}

#[test]
fn fewer_than_three_trials_on_both_sides_are_inconclusive() {
    let (a, b) = (one_point(&[10_000.0, 10_001.0]), one_point(&[5_000.0, 5_001.0]));
    let compared = compare(&a, &b, &LIMIT);
    assert_eq!(compared.status, 3, "{compared:?}");
    for text in ["1 of 1 points have fewer than 3 trials", "at 4 clients is inconclusive: fewer"] {
        assert!(compared.stderr.contains(text), "{compared:?}");
    }
}

#[test]
fn a_failure_takes_precedence_over_an_inconclusive_point() {
    let point = |clients, mean| trials(system(), clients, &around(mean));
    let a = directory_with_rows(&[point(4, 10_000.0), point(8, 10_000.0)].concat());
    let b = directory_with_rows(&[point(4, 9_500.0), point(8, 5_000.0)].concat());
    let compared = compare(&a, &b, &LIMIT);
    assert_eq!(compared.status, 1, "{compared:?}");
    assert_eq!(compared.stderr.lines().count(), 1, "{compared:?}");
}

#[test]
fn a_part_of_a_sweep_over_workers_is_compared_on_the_axis_of_a() {
    let of = |counts: &[usize]| {
        let rows = counts.iter().flat_map(|workers| {
            let rows = trials(system(), 4, &around(10_000.0)).into_iter();
            rows.map(|row| Row { workers: Some(*workers), ..row })
        });
        directory_with_rows(&rows.collect::<Vec<_>>())
    };
    let compared = compare(&of(&[1, 2, 4]), &of(&[2]), &["--fail-on-regression", "50%"]);
    assert_eq!(compared.status, 1, "{compared:?}");
    for workers in ["with 1 worker is missing", "with 4 workers is missing"] {
        assert!(compared.stderr.contains(workers), "{compared:?}");
    }
    assert_eq!(compared.stderr.lines().count(), 2, "{compared:?}");
}

#[test]
fn exit_statuses_are_in_the_help_text() {
    let help = run(["compare", "--help"]);
    for text in ["3 inconclusive", "--interleave", "PROGRAM_A"] {
        assert!(help.stdout.contains(text), "{text}: {}", help.stdout);
    }
}

/// A directory with one point at 4 clients, measured with this number of workers.
fn directory_with_workers(workers: usize, mean: f64) -> TempDir {
    let rows = trials(system(), 4, &around(mean)).into_iter();
    let rows: Vec<_> = rows.map(|row| Row { workers: Some(workers), ..row }).collect();
    directory_with_rows(&rows)
}

#[test]
fn rows_with_different_options_are_compared_only_with_anyway() {
    let (a, b) = (directory_with_workers(4, 10_000.0), directory_with_workers(16, 9_000.0));
    let rejected = compare(&a, &b, &[]);
    let [path_a, path_b] = [&a, &b].map(|directory| directory.path().to_str().unwrap());
    rejected.assert_fails(1, &[path_a, path_b, "--workers", system(), "'4 ", "'16 ", "--anyway"]);
    assert_eq!(cells(&compare(&a, &b, &["--anyway"]))[6], "-10.0 %");
    assert_eq!(compare(&a, &directory_with_workers(4, 9_000.0), &[]).status, 0);
}

/// Writes a run.json with these options next to the rows.
fn write_run_json(directory: &Path, options: &serde_json::Value) {
    let program = json!({"version": "1", "commit": "c", "compilers": [], "libraries": {}});
    let machine = json!({
        "host": "h", "kernel": "k", "cpu_model": "m", "cpus": "0", "cpu_quota": null,
        "memory_mib": 1
    });
    let run = json!({
        "run_id": "run", "started_at": "", "command": "", "program": program, "machine": machine,
        "trials": [{"system": system(), "command": "", "options": options}]
    });
    fs::write(directory.join("run.json"), json!({"runs": [run]}).to_string()).unwrap();
}

#[test]
fn options_that_only_run_json_records_are_compared_too() {
    let (a, b) = (one_point(&around(10_000.0)), one_point(&around(9_000.0)));
    write_run_json(a.path(), &json!({"duration": "30s", "retries": "3"}));
    // If only one side has a run.json, no difference is known.
    assert_eq!(compare(&a, &b, &[]).status, 0);
    write_run_json(b.path(), &json!({"duration": "5s", "retries": "3"}));
    let rejected = compare(&a, &b, &[]);
    rejected.assert_fails(1, &["--duration", system(), "'30s'", "'5s'", "--anyway"]);
    assert_eq!(cells(&compare(&a, &b, &["--anyway"]))[6], "-10.0 %");
    write_run_json(b.path(), &json!({"duration": "30s", "retries": "3"}));
    assert_eq!(compare(&a, &b, &[]).status, 0);
}

#[test]
fn a_different_address_name_or_client_count_is_no_difference() {
    let (a, b) = (one_point(&around(10_000.0)), one_point(&around(9_000.0)));
    write_run_json(a.path(), &json!({"addr": "a:1", "name": "a", "clients": "4"}));
    write_run_json(b.path(), &json!({"addr": "b:2", "name": "b", "clients": "8"}));
    assert_eq!(cells(&compare(&a, &b, &[]))[6], "-10.0 %");
}

#[test]
fn directories_without_a_common_point_are_rejected() {
    let a = one_point(&around(10_000.0));
    let path_a = a.path().to_str().unwrap();
    for other in
        [trials(system(), 5, &around(1_000.0)), trials(SYSTEMS[1].name(), 4, &around(1_000.0))]
    {
        let b = directory_with_rows(&other);
        for flags in [&[][..], &["--anyway"]] {
            let rejected = compare(&a, &b, flags);
            rejected.assert_fails(1, &[path_a, b.path().to_str().unwrap(), "no points in common"]);
        }
    }
}

#[test]
fn only_common_points_are_compared() {
    let b = [trials(system(), 4, &around(9_000.0)), trials(system(), 8, &around(9_000.0))].concat();
    let compared = compare(&one_point(&around(10_000.0)), &directory_with_rows(&b), &[]);
    assert_eq!(cells(&compared)[6], "-10.0 %");
    assert_eq!(compared.stdout.lines().filter(|line| line.contains(system())).count(), 1);
}

#[test]
fn a_directory_with_two_runs_of_one_point_is_rejected() {
    let other_run = |row: Row| Row { run_id: "another".to_owned(), ..row };
    let again = trials(system(), 4, &around(9_000.0)).into_iter().map(other_run);
    let rows: Vec<_> = trials(system(), 4, &around(10_000.0)).into_iter().chain(again).collect();
    let (one, two) = (one_point(&around(10_000.0)), directory_with_rows(&rows));
    for (a, b) in [(&one, &two), (&two, &one), (&two, &two)] {
        for flags in [&[][..], &["--anyway"]] {
            let rejected = compare(a, b, flags);
            rejected.assert_fails(1, &[two.path().to_str().unwrap(), "runs", "the same points"]);
        }
    }
}

#[test]
fn invalid_trials_are_excluded_and_reported() {
    let mut rows = trials(system(), 4, &[10_000.0, 10_100.0, 9_900.0, 1e9]);
    rows[3] = invalid(rows[3].clone(), "interrupted");
    let (a, b) = (directory_with_rows(&rows), one_point(&around(9_000.0)));
    for (compared, change, side) in
        [(compare(&a, &b, &[]), "-10.0 %", "A"), (compare(&b, &a, &[]), "+11.1 %", "B")]
    {
        assert_eq!(cells(&compared)[6], change);
        let trial = format!("{side}: left out: {}, 4 clients, trial 4: interrupted", system());
        for fragment in ["left out of every mean: 1 of 4 trials", &trial] {
            assert!(compared.stderr.contains(fragment), "{compared:?}");
        }
    }
    let none = directory_with_rows(&rows[3..]);
    compare(&b, &none, &[]).assert_fails(1, &[none.path().to_str().unwrap(), "no valid rows"]);
}

#[test]
fn client_bound_points_are_marked() {
    let by_server =
        |mean| directory_with_rows(&bounded(trials(system(), 4, &around(mean)), "server"));
    let by_clients = directory_with_rows(&bounded(trials(system(), 4, &around(9_000.0)), "client"));
    let a = by_server(10_000.0);
    let unmarked = compare(&a, &by_server(9_000.0), &[]);
    assert_eq!(cells(&unmarked)[8], "slower");
    assert!(!unmarked.stdout.contains("bounded by the clients"), "{unmarked:?}");
    for marked in [compare(&a, &by_clients, &[]), compare(&by_clients, &a, &[])] {
        assert!(cells(&marked)[8].ends_with("er)"), "{marked:?}");
        assert!(marked.stdout.contains("bounded by the clients"), "{marked:?}");
    }
}

#[test]
fn a_missing_directory_is_in_the_error() {
    let a = one_point(&around(1_000.0));
    let existing = a.path().to_str().unwrap();
    for pair in [[existing, "/no/such/place"], ["/no/such/place", existing]] {
        run([&["compare"], &pair[..]].concat()).assert_fails(1, &["/no/such/place"]);
    }
}

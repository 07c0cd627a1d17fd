//! `compare`, the real binary: what changed between two directories of rows.
//!
//! The rows are made by hand. Three throughputs a hundred apart have a standard deviation of
//! 100, so that half their interval is 4.302653 · 100 / √3 = 248.

mod common;

use std::fs;
use std::path::Path;

use common::rows::{bounded, directory_of, invalid, line, trials};
use common::{Ran, run};
use echometer::results::Row;
use echometer::systems::SYSTEMS;
use serde_json::json;
use tempfile::TempDir;

/// The throughputs of a point: this is their mean.
fn around(mean: f64) -> [f64; 3] {
    [mean, mean + 100.0, mean - 100.0]
}

fn name() -> &'static str {
    SYSTEMS[0].name()
}

/// A directory with one point of 4 clients, and these throughputs.
fn point(throughputs: &[f64]) -> TempDir {
    directory_of(&trials(name(), 4, throughputs))
}

fn compare(a: &TempDir, b: &TempDir, extra: &[&str]) -> Ran {
    let [a, b] = [a, b].map(|directory| directory.path().to_str().unwrap());
    run(["compare", a, b].iter().chain(extra))
}

/// The cells of the point of 4 clients.
fn cells(ran: &Ran) -> Vec<String> {
    assert_eq!(ran.status, 0, "{ran:?}");
    line(&ran.stdout, &[name(), "4"])
}

#[test]
fn a_change_its_interval_and_its_verdict_are_those_worked_out_by_hand() {
    let a = point(&around(10_000.0));
    for (mean, shown, change, half, verdict) in [
        (9_000.0, "9,000", "-10.0 %", "2.2 %", "slower"),
        (11_000.0, "11,000", "+10.0 %", "2.4 %", "faster"),
        (10_000.0, "10,000", "+0.0 %", "2.3 %", "tie"),
        // Just within chance, and just beyond it: t(0.975, 4) = 2.776445 standard errors of the
        // logarithms, 2.24 % below and 2.29 % above.
        (9_774.0, "9,774", "-2.3 %", "2.2 %", "tie"),
        (9_773.0, "9,773", "-2.3 %", "2.2 %", "slower"),
        (10_226.0, "10,226", "+2.3 %", "2.3 %", "tie"),
        (10_227.0, "10,227", "+2.3 %", "2.3 %", "faster"),
    ] {
        let compared = compare(&a, &point(&around(mean)), &[]);
        let cells = cells(&compared);
        assert_eq!(cells[..3], [name(), "4", "10,000"]);
        assert_eq!(
            (&*cells[4], &cells[6..]),
            (shown, &[change, half, verdict].map(String::from)[..])
        );
        assert_eq!(compared.stderr, "");
    }
}

#[test]
fn the_two_directories_are_named_in_their_order() {
    let (a, b) = (point(&around(10_000.0)), point(&around(9_000.0)));
    let there = compare(&a, &b, &[]).stdout;
    let place = |directory: &TempDir| there.find(directory.path().to_str().unwrap()).unwrap();
    assert!(place(&a) < place(&b), "{there}");
    // A ninth of 9,000 is 1,000.
    assert_eq!(cells(&compare(&b, &a, &[]))[6], "+11.1 %");
}

#[test]
fn of_fewer_than_three_trials_nothing_is_claimed() {
    let compared = compare(&point(&[10_000.0, 10_001.0]), &point(&around(5_000.0)), &[]);
    let cells = cells(&compared);
    assert_eq!(cells[3], "-", "{compared:?}");
    assert_eq!(cells[6..], ["-50.0 %", "-", "too few trials"], "{compared:?}");
}

#[test]
fn a_regression_is_a_loss_that_is_larger_than_allowed_and_than_chance() {
    let a = point(&around(10_000.0));
    let noise = [6_000.0, 14_000.0, 7_000.0];
    let few = [5_000.0, 5_001.0];
    let cases: [(&[f64], &str, i32); 7] = [
        (&around(9_000.0), "5%", 1),
        (&around(9_000.0), "15%", 0),
        (&around(9_700.0), "5%", 0),
        (&around(9_700.0), "2%", 1),
        (&noise, "5%", 0),
        (&few, "5%", 0),
        (&around(11_000.0), "5%", 0),
    ];
    for (throughputs, most, status) in cases {
        let b = point(throughputs);
        let compared = compare(&a, &b, &["--fail-on-regression", most]);
        assert_eq!(compared.status, status, "{throughputs:?}, {most}: {compared:?}");
        assert_eq!(compared.stdout, compare(&a, &b, &[]).stdout);
        let lost = compared.stderr.lines().filter(|line| line.contains(" lost ")).count();
        assert_eq!(lost, usize::from(status == 1), "{compared:?}");
        let warns = compared.stderr.contains("1 of 1 points have fewer than 3 trials");
        assert_eq!(warns, throughputs.len() < 3, "{compared:?}");
    }
    let lost = compare(&a, &point(&around(9_000.0)), &["--fail-on-regression", "5%"]).stderr;
    let expected = format!("echometer: {} at 4 clients lost 10.0 %, more than 5.0 %\n", name());
    assert_eq!(lost, expected);
    let shares = compare(&a, &a, &["--fail-on-regression", "0%"]);
    shares.assert_fails(2, &["--fail-on-regression", "as in 5%"]);
}

/// The rows of [`point`], with so many workers.
fn with_workers(workers: usize, mean: f64) -> TempDir {
    let rows = trials(name(), 4, &around(mean)).into_iter();
    let rows: Vec<_> = rows.map(|row| Row { workers: Some(workers), ..row }).collect();
    directory_of(&rows)
}

#[test]
fn what_was_measured_with_other_options_is_compared_only_if_that_is_wanted() {
    let (a, b) = (with_workers(4, 10_000.0), with_workers(16, 9_000.0));
    let refused = compare(&a, &b, &[]);
    let [of_a, of_b] = [&a, &b].map(|directory| directory.path().to_str().unwrap());
    refused.assert_fails(1, &[of_a, of_b, "--workers", name(), "'4 ", "'16 ", "--anyway"]);
    assert_eq!(cells(&compare(&a, &b, &["--anyway"]))[6], "-10.0 %");
    assert_eq!(compare(&a, &with_workers(4, 9_000.0), &[]).status, 0);
}

/// Puts a run.json beside the rows, by which they were measured with these options.
fn tell_options(directory: &Path, options: &serde_json::Value) {
    let program = json!({"version": "1", "commit": "c", "compilers": [], "libraries": {}});
    let machine = json!({
        "host": "h", "kernel": "k", "cpu_model": "m", "cpus": "0", "cpu_quota": null,
        "memory_mib": 1
    });
    let run = json!({
        "run_id": "run", "started_at": "", "command": "", "program": program, "machine": machine,
        "trials": [{"system": name(), "command": "", "options": options}]
    });
    fs::write(directory.join("run.json"), json!({"runs": [run]}).to_string()).unwrap();
}

#[test]
fn options_of_which_the_rows_know_nothing_are_compared_too() {
    let (a, b) = (point(&around(10_000.0)), point(&around(9_000.0)));
    tell_options(a.path(), &json!({"duration": "30s", "retries": "3"}));
    // Of one side alone nothing is known to differ.
    assert_eq!(compare(&a, &b, &[]).status, 0);
    tell_options(b.path(), &json!({"duration": "5s", "retries": "3"}));
    let refused = compare(&a, &b, &[]);
    refused.assert_fails(1, &["--duration", name(), "'30s'", "'5s'", "--anyway"]);
    assert_eq!(cells(&compare(&a, &b, &["--anyway"]))[6], "-10.0 %");
    tell_options(b.path(), &json!({"duration": "30s", "retries": "3"}));
    assert_eq!(compare(&a, &b, &[]).status, 0);
}

#[test]
fn who_is_asked_and_where_makes_no_difference() {
    let (a, b) = (point(&around(10_000.0)), point(&around(9_000.0)));
    tell_options(a.path(), &json!({"addr": "a:1", "name": "a", "clients": "4"}));
    tell_options(b.path(), &json!({"addr": "b:2", "name": "b", "clients": "8"}));
    assert_eq!(cells(&compare(&a, &b, &[]))[6], "-10.0 %");
}

#[test]
fn without_a_common_point_there_is_nothing_to_compare() {
    let a = point(&around(10_000.0));
    let of_a = a.path().to_str().unwrap();
    for other in
        [trials(name(), 5, &around(1_000.0)), trials(SYSTEMS[1].name(), 4, &around(1_000.0))]
    {
        let b = directory_of(&other);
        for flags in [&[][..], &["--anyway"]] {
            let refused = compare(&a, &b, flags);
            refused.assert_fails(1, &[of_a, b.path().to_str().unwrap(), "no points in common"]);
        }
    }
}

#[test]
fn only_the_points_that_both_have_are_told() {
    let b = [trials(name(), 4, &around(9_000.0)), trials(name(), 8, &around(9_000.0))].concat();
    let compared = compare(&point(&around(10_000.0)), &directory_of(&b), &[]);
    assert_eq!(cells(&compared)[6], "-10.0 %");
    assert_eq!(compared.stdout.lines().filter(|line| line.contains(name())).count(), 1);
}

#[test]
fn a_directory_with_two_runs_of_one_point_is_refused() {
    let other_run = |row: Row| Row { run_id: "another".to_owned(), ..row };
    let again = trials(name(), 4, &around(9_000.0)).into_iter().map(other_run);
    let rows: Vec<_> = trials(name(), 4, &around(10_000.0)).into_iter().chain(again).collect();
    let (one, two) = (point(&around(10_000.0)), directory_of(&rows));
    for (a, b) in [(&one, &two), (&two, &one), (&two, &two)] {
        for flags in [&[][..], &["--anyway"]] {
            let refused = compare(a, b, flags);
            refused.assert_fails(1, &[two.path().to_str().unwrap(), "runs", "the same points"]);
        }
    }
}

#[test]
fn trials_that_do_not_hold_are_left_out_and_that_is_said() {
    let mut rows = trials(name(), 4, &[10_000.0, 10_100.0, 9_900.0, 1e9]);
    rows[3] = invalid(rows[3].clone(), "interrupted");
    let (a, b) = (directory_of(&rows), point(&around(9_000.0)));
    for (compared, change, side) in
        [(compare(&a, &b, &[]), "-10.0 %", "A"), (compare(&b, &a, &[]), "+11.1 %", "B")]
    {
        assert_eq!(cells(&compared)[6], change);
        let each = format!("{side}: left out: {}, 4 clients, trial 4: interrupted", name());
        for telling in ["left out of every mean: 1 of 4 trials", &each] {
            assert!(compared.stderr.contains(telling), "{compared:?}");
        }
    }
    let none = directory_of(&rows[3..]);
    compare(&b, &none, &[]).assert_fails(1, &[none.path().to_str().unwrap(), "no valid rows"]);
}

#[test]
fn points_that_the_clients_bounded_are_marked() {
    let by_server = |mean| directory_of(&bounded(trials(name(), 4, &around(mean)), "server"));
    let by_clients = directory_of(&bounded(trials(name(), 4, &around(9_000.0)), "client"));
    let a = by_server(10_000.0);
    let held = compare(&a, &by_server(9_000.0), &[]);
    assert_eq!(cells(&held)[8], "slower");
    assert!(!held.stdout.contains("bounded by the clients"), "{held:?}");
    for marked in [compare(&a, &by_clients, &[]), compare(&by_clients, &a, &[])] {
        assert!(cells(&marked)[8].ends_with("er)"), "{marked:?}");
        assert!(marked.stdout.contains("bounded by the clients"), "{marked:?}");
    }
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let a = point(&around(1_000.0));
    let there = a.path().to_str().unwrap();
    for pair in [[there, "/no/such/place"], ["/no/such/place", there]] {
        run([&["compare"], &pair[..]].concat()).assert_fails(1, &["/no/such/place"]);
    }
}

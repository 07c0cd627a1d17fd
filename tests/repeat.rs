//! `bench --trials` and `bench --until`, the real binary: a point measured more than once.

mod common;

use std::collections::BTreeSet;

use common::bench::{Bench, Measured, bench};
use common::{eventually, run};
use echometer::results::Row;
use echometer::systems::SYSTEMS;
use nix::sys::signal::Signal;

/// Short, and long enough for some echoes on a machine that is busy.
const SHORT: [&str; 5] = ["--spawn", "--duration", "100ms", "--warmup", "20ms"];

/// The fewest trials and the most of `--until`.
const LEAST: usize = 5;
const MOST: usize = 20;

/// The quantiles of Student's t for a two-sided 95 % interval of 3 to 20 values, as tables
/// have them.
const T: [f64; 18] = [
    4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004, 2.262_157,
    2.228_139, 2.200_985, 2.178_813, 2.160_369, 2.144_787, 2.131_450, 2.119_905, 2.109_816,
    2.100_922, 2.093_024,
];

/// The mean of the valid rows, and half the width of its interval: at least 3 rows.
fn mean_and_half_width(rows: &[Row]) -> (f64, f64) {
    let valid = rows.iter().filter(|row| row.valid);
    let values: Vec<_> = valid.map(|row| row.throughput_per_s).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, T[values.len() - 3] * (squares / (n - 1.0) / n).sqrt())
}

/// The number behind `word`.
fn number_after(text: &str, word: &str) -> f64 {
    let rest = text.split_once(word).unwrap_or_else(|| panic!("no '{word}' in: {text}")).1;
    rest.split_whitespace().next().unwrap().trim_start_matches('(').parse().unwrap()
}

/// What is said of all trials together.
fn summary(measured: &Measured) -> &str {
    let mut lines = measured.ran.stderr.lines();
    lines.find(|line| line.contains(" trials") && line.contains(": mean")).unwrap_or("")
}

/// Asserts that these are passes of one run, beginning with `first`.
fn assert_one_run(rows: &[Row], first: u32) {
    let numbers: Vec<_> = rows.iter().map(|row| row.trial).collect();
    assert_eq!(numbers, (first..).take(rows.len()).collect::<Vec<_>>());
    let runs: BTreeSet<_> = rows.iter().map(|row| row.run_id.as_str()).collect();
    assert!(runs.len() == 1 && !runs.contains(""), "{runs:?}");
    let begun: BTreeSet<_> = rows.iter().map(|row| row.started_at.as_str()).collect();
    assert_eq!(begun.len(), rows.len(), "each is a trial of its own");
}

#[test]
fn so_many_trials_are_so_many_rows_of_one_run_and_their_mean_has_an_interval() {
    for system in SYSTEMS {
        let measured = bench(system.name(), &[&SHORT[..], &["--trials", "3"]].concat());
        assert_eq!((measured.ran.status, measured.rows.len()), (0, 3), "{measured:?}");
        assert_one_run(&measured.rows, 1);
        let (mean, half) = mean_and_half_width(&measured.rows);
        let said = summary(&measured);
        assert!(said.starts_with("3 trials: ") && said.contains("95 % confidence"), "{said}");
        assert!((number_after(said, "mean ") - mean).abs() < 0.51, "{mean}: {said}");
        assert!((number_after(said, "± ") - half).abs() < 0.51, "{half}: {said}");
        let share = 100.0 * half / mean;
        assert!((number_after(said, " (") - share).abs() < 0.051, "{share}: {said}");
    }
}

#[test]
fn two_trials_have_a_mean_and_no_interval_and_one_has_neither() {
    let of = |trials| {
        bench(SYSTEMS[0].name(), &[&SHORT[..], &["--trials", trials, "--trial", "7"]].concat())
    };
    let two = of("2");
    assert_one_run(&two.rows, 7);
    let said = summary(&two);
    let mean = f64::midpoint(two.rows[0].throughput_per_s, two.rows[1].throughput_per_s);
    assert!((number_after(said, "mean ") - mean).abs() < 0.51, "{mean}: {said}");
    assert!(said.contains("fewer than 3 trials have no interval"), "{said}");
    assert!(!said.contains('±'), "{said}");
    let one = of("1");
    assert_eq!((one.rows.len(), summary(&one)), (1, ""));
}

#[test]
fn who_wants_no_summary_gets_the_rows_alone() {
    let quiet = bench(SYSTEMS[0].name(), &[&SHORT[..], &["--trials", "3", "--quiet"]].concat());
    assert_eq!((quiet.rows.len(), &*quiet.ran.stderr), (3, ""));
}

/// Asserts that trials went on exactly until the interval was within `share` of the mean.
fn assert_no_sooner_and_no_later(rows: &[Row], share: f64) {
    let valid: Vec<_> = rows.iter().filter(|row| row.valid).cloned().collect();
    let within = |count: usize| {
        let (mean, half) = mean_and_half_width(&valid[..count]);
        half <= share * mean
    };
    assert!(valid.len() >= LEAST && rows.len() <= MOST, "{rows:?}");
    assert!((LEAST..valid.len()).all(|count| !within(count)), "too late: {rows:?}");
    assert!(within(valid.len()) || rows.len() == MOST, "too soon: {rows:?}");
}

#[test]
fn it_measures_at_least_five_times_and_until_the_interval_is_narrow() {
    for (until, share) in [("100%", 1.0), ("10%", 0.1)] {
        let measured = bench(SYSTEMS[0].name(), &[&SHORT[..], &["--until", until]].concat());
        assert_one_run(&measured.rows, 1);
        assert_no_sooner_and_no_later(&measured.rows, share);
        let gave_up = measured.ran.stderr.contains("gave up");
        let (mean, half) = mean_and_half_width(&measured.rows);
        assert_eq!(gave_up, half > share * mean, "{measured:?}");
        assert!(summary(&measured).starts_with(&measured.rows.len().to_string()));
    }
}

#[test]
fn it_gives_up_after_twenty_trials_and_says_so() {
    let brief = ["--spawn", "--duration", "30ms", "--warmup", "0", "--until", "0.001%"];
    let measured = bench(SYSTEMS[0].name(), &brief);
    assert_eq!(measured.rows.len(), MOST, "{measured:?}");
    assert_one_run(&measured.rows, 1);
    assert!(measured.ran.stderr.contains("gave up after 20 trials"), "{measured:?}");
    // That is no failure: what was measured holds.
    let all_hold = measured.rows.iter().all(|row| row.valid);
    assert_eq!(measured.ran.status, i32::from(!all_hold), "{measured:?}");
}

#[test]
fn an_interrupt_leaves_the_rows_of_the_trials_that_have_ended() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let bench = Bench::start(SYSTEMS[0].name(), &[&SHORT[..], &["--trials", "9999"]].concat());
        eventually("two trials have ended", || (bench.finished() >= 2).then_some(()));
        bench.process.signal(signal);
        let measured = bench.end();
        assert_eq!(measured.ran.status, 130, "{measured:?}");
        assert_one_run(&measured.rows, 1);
        let (held, cut): (Vec<_>, Vec<_>) = measured.rows.iter().partition(|row| row.valid);
        assert!(held.len() >= 2 && cut.len() <= 1, "{measured:?}");
        for row in cut {
            let last = measured.rows.last().unwrap();
            assert_eq!((row, row.invalid_reason.as_deref()), (last, Some("interrupted")));
        }
        assert_eq!(summary(&measured), "", "not all were measured");
    }
}

#[test]
fn numbers_of_trials_that_cannot_be_are_refused() {
    let point = ["bench", SYSTEMS[0].name(), "--spawn", "--duration", "10m"];
    let refused = |flags: &[&str]| run(point.iter().chain(flags));
    refused(&["--until", "2%", "--trials", "3"]).assert_fails(2, &["--until", "--trials"]);
    refused(&["--trials", "0"]).assert_fails(2, &["--trials", "at least 1"]);
    for share in ["0%", "-1%", "101%", "nan", "narrow"] {
        refused(&["--until", share]).assert_fails(2, &["--until", share, "as in 5%"]);
    }
}

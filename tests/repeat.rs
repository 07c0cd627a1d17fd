//! `echometer bench --trials` and `--until`: several trials of one point.

mod common;

use std::collections::BTreeSet;

use common::bench::{Bench, BenchResult, bench};
use common::{eventually, run};
use echometer::results::Row;
use echometer::systems::SYSTEMS;
use nix::sys::signal::Signal;

/// Short, but long enough for some echoes on a busy machine.
const SHORT: [&str; 5] = ["--spawn", "--duration", "100ms", "--warmup", "20ms"];

/// Minimum and maximum number of trials with `--until`.
const MIN_TRIALS: usize = 5;
const MAX_TRIALS: usize = 20;

/// Quantiles of Student's t from tables, for two-sided 95 % intervals of 3 to 20 values.
const T_QUANTILES: [f64; 18] = [
    4.302_653, 3.182_446, 2.776_445, 2.570_582, 2.446_912, 2.364_624, 2.306_004, 2.262_157,
    2.228_139, 2.200_985, 2.178_813, 2.160_369, 2.144_787, 2.131_450, 2.119_905, 2.109_816,
    2.100_922, 2.093_024,
];

/// Mean of at least 3 valid rows, and the half-width of its interval.
fn mean_and_half_width(rows: &[Row]) -> (f64, f64) {
    let valid = rows.iter().filter(|row| row.valid);
    let values: Vec<_> = valid.map(|row| row.throughput_per_s).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, T_QUANTILES[values.len() - 3] * (squares / (n - 1.0) / n).sqrt())
}

/// The number after `word`.
fn number_after(text: &str, word: &str) -> f64 {
    let rest = text.split_once(word).unwrap_or_else(|| panic!("no '{word}' in: {text}")).1;
    rest.split_whitespace().next().unwrap().trim_start_matches('(').parse().unwrap()
}

/// The summary line of all trials, or an empty string.
fn summary(measured: &BenchResult) -> &str {
    let mut lines = measured.output.stderr.lines();
    lines.find(|line| line.contains(" trials") && line.contains(": mean")).unwrap_or("")
}

/// Asserts that the rows are consecutive trials of one run, starting with number `first`.
fn assert_one_run(rows: &[Row], first: u32) {
    let numbers: Vec<_> = rows.iter().map(|row| row.trial).collect();
    assert_eq!(numbers, (first..).take(rows.len()).collect::<Vec<_>>());
    let runs: BTreeSet<_> = rows.iter().map(|row| row.run_id.as_str()).collect();
    assert!(runs.len() == 1 && !runs.contains(""), "{runs:?}");
    let start_times: BTreeSet<_> = rows.iter().map(|row| row.started_at.as_str()).collect();
    assert_eq!(start_times.len(), rows.len(), "two trials have the same start time");
}

#[test]
fn each_trial_is_a_row_of_one_run_and_the_mean_has_an_interval() {
    for system in SYSTEMS {
        let measured = bench(system.name(), &[&SHORT[..], &["--trials", "3"]].concat());
        assert_eq!((measured.output.status, measured.rows.len()), (0, 3), "{measured:?}");
        assert_one_run(&measured.rows, 1);
        let (mean, half_width) = mean_and_half_width(&measured.rows);
        let summary_line = summary(&measured);
        assert!(
            summary_line.starts_with("3 trials: ") && summary_line.contains("95 % confidence"),
            "{summary_line}"
        );
        assert!(
            (number_after(summary_line, "mean ") - mean).abs() < 0.51,
            "{mean}: {summary_line}"
        );
        assert!(
            (number_after(summary_line, "± ") - half_width).abs() < 0.51,
            "{half_width}: {summary_line}"
        );
        let share = 100.0 * half_width / mean;
        assert!(
            (number_after(summary_line, " (") - share).abs() < 0.051,
            "{share}: {summary_line}"
        );
    }
}

#[test]
fn two_trials_have_a_mean_and_no_interval_and_one_has_neither() {
    let of = |trials| {
        bench(SYSTEMS[0].name(), &[&SHORT[..], &["--trials", trials, "--trial", "7"]].concat())
    };
    let two = of("2");
    assert_one_run(&two.rows, 7);
    let summary_line = summary(&two);
    let mean = f64::midpoint(two.rows[0].throughput_per_s, two.rows[1].throughput_per_s);
    assert!((number_after(summary_line, "mean ") - mean).abs() < 0.51, "{mean}: {summary_line}");
    assert!(summary_line.contains("too few trials for a confidence interval"), "{summary_line}");
    assert!(!summary_line.contains('±'), "{summary_line}");
    let one = of("1");
    assert_eq!((one.rows.len(), summary(&one)), (1, ""));
}

#[test]
fn with_quiet_only_rows_are_written() {
    let quiet = bench(SYSTEMS[0].name(), &[&SHORT[..], &["--trials", "3", "--quiet"]].concat());
    assert_eq!((quiet.rows.len(), &*quiet.output.stderr), (3, ""));
}

/// The number of valid trials for a half-width within `share` of the mean, from the first five: the
/// half-width falls with the square root of the number.
fn needed_trials(rows: &[Row], share: f64) -> f64 {
    let valid: Vec<_> = rows.iter().filter(|row| row.valid).cloned().collect();
    let (mean, half_width) = mean_and_half_width(&valid[..MIN_TRIALS]);
    let needed = MIN_TRIALS as f64 * (half_width / mean / share).powi(2);
    needed.ceil().max(MIN_TRIALS as f64)
}

#[test]
fn until_measures_as_many_trials_as_the_first_five_require() {
    for (until, share) in [("100%", 1.0), ("10%", 0.1)] {
        let measured = bench(SYSTEMS[0].name(), &[&SHORT[..], &["--until", until]].concat());
        assert_one_run(&measured.rows, 1);
        let valid = measured.rows.iter().filter(|row| row.valid).count() as f64;
        let needed = needed_trials(&measured.rows, share);
        let gave_up = measured.output.stderr.contains("gave up");
        assert!(valid == needed || gave_up, "{needed} trials are needed: {measured:?}");
        assert_eq!(gave_up, valid < needed, "{measured:?}");
        assert!(!gave_up || measured.rows.len() == MAX_TRIALS, "{measured:?}");
        let (_, first_half_width) = mean_and_half_width(&measured.rows[..MIN_TRIALS]);
        let half_width = first_half_width * (MIN_TRIALS as f64 / valid).sqrt();
        let line = summary(&measured);
        if measured.rows.len() as f64 == valid {
            assert!((number_after(line, "± ") - half_width).abs() < 0.51, "{half_width}: {line}");
        }
        assert!(summary(&measured).starts_with(&measured.rows.len().to_string()));
    }
}

#[test]
fn until_gives_up_after_twenty_trials_and_reports_it() {
    let brief = ["--spawn", "--duration", "30ms", "--warmup", "0", "--until", "0.001%"];
    let measured = bench(SYSTEMS[0].name(), &brief);
    assert_eq!(measured.rows.len(), MAX_TRIALS, "{measured:?}");
    assert_one_run(&measured.rows, 1);
    assert!(measured.output.stderr.contains("gave up after 20 trials"), "{measured:?}");
    // Giving up is not a failure: the measured rows are valid.
    let all_hold = measured.rows.iter().all(|row| row.valid);
    assert_eq!(measured.output.status, i32::from(!all_hold), "{measured:?}");
}

#[test]
fn an_interrupt_keeps_the_rows_of_finished_trials() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let bench = Bench::start(SYSTEMS[0].name(), &[&SHORT[..], &["--trials", "9999"]].concat());
        eventually("two trials have ended", || (bench.written_rows() >= 2).then_some(()));
        bench.process.signal(signal);
        let measured = bench.wait();
        assert_eq!(measured.output.status, 130, "{measured:?}");
        assert_one_run(&measured.rows, 1);
        let (held, cut): (Vec<_>, Vec<_>) = measured.rows.iter().partition(|row| row.valid);
        assert!(held.len() >= 2 && cut.len() <= 1, "{measured:?}");
        for row in cut {
            let last = measured.rows.last().unwrap();
            assert_eq!((row, row.invalid_reason.as_deref()), (last, Some("interrupted")));
        }
        assert_eq!(summary(&measured), "", "an interrupted run has no summary");
    }
}

#[test]
fn invalid_trial_counts_are_rejected() {
    let point = ["bench", SYSTEMS[0].name(), "--spawn", "--duration", "10m"];
    let rejected = |flags: &[&str]| run(point.iter().chain(flags));
    rejected(&["--until", "2%", "--trials", "3"]).assert_fails(2, &["--until", "--trials"]);
    rejected(&["--trials", "0"]).assert_fails(2, &["--trials", "at least 1"]);
    for share in ["0%", "-1%", "101%", "nan", "narrow"] {
        rejected(&["--until", share]).assert_fails(2, &["--until", share, "as in 5%"]);
    }
}

//! Findings about open-loop rows, and properties of the findings about any rows.

mod common;

use common::rows::{around, modified, sentences};
use echometer::analysis::{Axis, curves, findings};
use echometer::results::Row;
use proptest::prelude::*;

#[test]
fn the_highest_kept_rate_and_missed_rates_are_reported() {
    let at = |system: &str, rate: f64, sent: f64, us: f64| {
        modified(around(system, 24, sent), |row| {
            row.rate_per_s = Some(rate);
            row.arrivals = Some("poisson".to_owned());
            row.window_s = 10.0;
            row.due_p99_us = Some(us);
        })
    };
    let peaks = [around("a", 24, 1000.0), around("b", 24, 400.0)].concat();
    let paced = [
        at("a", 500.0, 500.0, 100.0),
        at("a", 700.0, 699.0, 200.0),
        at("a", 900.0, 810.0, 9000.0),
        at("b", 360.0, 300.0, 9000.0),
    ];
    let found = sentences(&[peaks, paced.concat()].concat());
    assert_eq!(
        found[1..],
        [
            "a: at 70 % of its peak, 99 % of requests are answered within 200 us of their scheduled \
             send time. Rates not kept: 810 of 900 requests/s sent (90 % of its peak).",
            "b kept no rate: 300 of 360 requests/s sent (90 % of its peak)."
        ]
    );
    assert_eq!(
        sentences(&paced.concat())[0],
        "a: at 700 requests/s, 99 % of requests are answered within 200 us of their scheduled send \
         time. Rates not kept: 810 of 900 requests/s sent."
    );
}

/// A paced trial with exact counts. `answered` of 1,000 requests were answered in the window.
fn counted(trial: u32, answered: u64, p99_us: f64) -> Row {
    Row {
        trial,
        rate_per_s: Some(1000.0),
        arrivals: Some("poisson".to_owned()),
        window_s: 1.0,
        requests_due: Some(1000),
        backlog_open: Some(answered.saturating_sub(1000)),
        backlog_close: Some(1000_u64.saturating_sub(answered)),
        due_p99_us: Some(p99_us),
        ..around("a", 4, 1000.0).remove(0)
    }
}

#[test]
fn a_percentile_has_its_range_over_the_trials_and_a_missed_trial_is_named() {
    let kept = [2_996.0, 2_589.0, 63_996.0];
    let rows: Vec<_> = (1..).zip(kept).map(|(trial, us)| counted(trial, 1000, us)).collect();
    assert_eq!(
        sentences(&rows)[0],
        "a: at 1,000 requests/s, 99 % of requests are answered within 63,996 us of their scheduled \
         send time (2,589 to 63,996 us in single trials)."
    );
    let surplus = [counted(1, 1000, 100.0), counted(2, 1100, 100.0), counted(3, 1000, 100.0)];
    assert_eq!(
        sentences(&surplus)[0],
        "a kept no rate: 1,100 of 1,000 requests/s sent in 1 of 3 trials."
    );
}

#[test]
fn a_latency_that_late_clients_determined_is_attributed_to_them() {
    let late = |sent_late| Row {
        sent_late: Some(sent_late),
        send_lag_p99_us: Some(80.0),
        ..counted(1, 1000, 100.0)
    };
    let sentence = |sent_late| sentences(&[late(sent_late)])[0].clone();
    assert_eq!(
        sentence(0.123),
        "a: at 1,000 requests/s, 99 % of requests are answered within 100 us of their scheduled \
         send time. The wait for a free client, not for the server's reply, determined it: 12.3 % of \
         requests were sent late (p99 of the delay: 80 us). Measure again with more clients."
    );
    let woke = sentence(0.001);
    let expected = "Late wake-ups of the clients, not the server's replies, determined it (p99 of \
                    the delay: 80 us).";
    assert!(woke.ends_with(expected), "{woke}");
}

fn any_row() -> impl Strategy<Value = Row> {
    let rate = prop_oneof![Just(0.0), Just(1e18), Just(7.0), 0.0..1e6_f64];
    let clients = prop_oneof![Just(1_usize), 1_usize..30, Just(10_000_usize)];
    let kind = (0..3_usize, 0..3_usize, 0..4_usize, proptest::option::of(0..3_usize));
    (rate, clients, kind, 1_u32..5, any::<bool>()).prop_map(
        |(throughput_per_s, clients, (system, bound, work, workers), trial, valid)| Row {
            run_id: "run".to_owned(),
            system: ["a", "b", "c"][system].to_owned(),
            bound: Some(["server", "client", "odd"][bound].to_owned()),
            work: Some(["none", "spin:10us", "sleep:1ms", "rubbish"][work].to_owned()),
            server_cpu_us_per_msg: Some(throughput_per_s),
            server_cpus: Some("0".to_owned()),
            throughput_per_s,
            clients,
            workers,
            trial,
            valid,
            ..Row::default()
        },
    )
}

proptest! {
    #[test]
    fn findings_about_any_rows_are_sentences_without_nan_or_infinity(
        rows in proptest::collection::vec(any_row(), 0..60)
    ) {
        for axis in Axis::ALL {
            for finding in findings(&curves(&rows, axis), &rows, axis, "c") {
                let sentence = finding.to_string();
                prop_assert!(sentence.ends_with('.'), "{sentence}");
                prop_assert!(!sentence.contains("NaN") && !sentence.contains("inf "), "{sentence}");
            }
        }
    }
}

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

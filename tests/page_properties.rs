//! Any valid rows produce a valid page.

mod common;

use common::page::{assert_page_is_valid, parse_page};
use echometer::results::Row;
use proptest::prelude::*;

fn any_row() -> impl Strategy<Value = Row> {
    let number =
        || prop_oneof![Just(0.0), Just(1.0), 0.0..1e6_f64, Just(1e18), Just(1e-12), 1e3..1e5_f64];
    let system = prop_oneof!["[a-c]", ".{0,40}"];
    let trial = (0..4_u32, any::<bool>(), system, prop_oneof![0..40_usize, Just(10_000)]);
    let numbers = (number(), proptest::option::of(number()), proptest::option::of(number()));
    let options = (
        proptest::option::of(prop_oneof!["none", "spin:[0-9]{1,3}us", ".{0,5}"]),
        proptest::option::of(1..100_usize),
        prop_oneof![Just(64_usize), 0..2_000_000_usize],
        proptest::option::weighted(0.2, number()),
    );
    (trial, numbers, options).prop_map(|((trial, valid, system, clients), numbers, options)| {
        let (throughput_per_s, time, cpu) = numbers;
        let (work, workers, payload_bytes, rate_per_s) = options;
        Row {
            run_id: "run".to_owned(),
            trial,
            valid,
            system,
            clients,
            throughput_per_s,
            rtt_mean_us: time,
            rtt_p50_us: time,
            rtt_p99_us: time.map(|time| time * 2.0),
            due_p50_us: cpu,
            due_p99_us: time,
            server_cpu_us_per_msg: cpu,
            server_switches_per_msg: time,
            server_cpus: Some("0".to_owned()),
            work,
            workers,
            payload_bytes,
            rate_per_s,
            bound: Some("server".to_owned()),
            ..Row::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_valid_rows_produce_a_valid_page(rows in proptest::collection::vec(any_row(), 1..24)) {
        use echometer::{analysis, report};
        let axis = analysis::Axis::of(&rows);
        let curves = analysis::curves(&rows, axis);
        if rows.iter().any(|row| row.valid) {
            let claims = analysis::claims(&curves, axis);
            let page = report::page(&report::ReportInput {
                rows: &rows,
                axis,
                curves: &curves,
                reference: &curves,
                costs: &analysis::costs(&curves, axis, &[], "a"),
                baseline: "a",
                comparisons: &claims.comparisons,
                claim_count: claims.count(),
                paced: &analysis::paced_loads(&rows, &curves),
                findings: &analysis::findings(&curves, &rows, axis, "a"),
                provenance: None,
            });
            let page = page.unwrap();
            assert_page_is_valid(&parse_page(&report::html(&page).unwrap()));
            let markdown = report::markdown(&page);
            prop_assert!(markdown.contains("## The verdict"));
        }
    }
}

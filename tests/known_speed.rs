//! Against a server whose speed is known, the row says that speed.

mod common;

use std::time::Duration;

use common::load_spec;
use common::scripted::{Attempt, alone, assert_within, trial_of};
use echometer::results::Row;
use echometer::spec::LoadSpec;

/// How long clients think that do.
const THINK: Duration = Duration::from_millis(10);

/// For two seconds, so that the echoes at the window's ends do not matter.
fn measure(manner: &str, clients: usize, think: Duration) -> Row {
    let (window, warmup) = (Duration::from_secs(2), Duration::from_millis(200));
    let row = trial_of(manner, &LoadSpec { window, warmup, think, ..load_spec(clients) });
    assert!(row.valid && row.errors == 0, "{row:?}");
    println!(
        "{manner}: rtt {:?} us, pause {:?} us, notes {:?}",
        row.rtt_mean_us, row.pause_mean_us, row.notes
    );
    row
}

fn assert_speed(manner: &str, clients: usize, per_s: f64) {
    assert_within(0.02, &format!("{clients} clients of {manner}"), || {
        let row = measure(manner, clients, Duration::ZERO);
        Attempt { measured: row.throughput_per_s, due: per_s }
    });
}

#[test]
fn a_handler_of_2_ms_carries_500_a_second_however_many_clients_wait() {
    let _alone = alone();
    for clients in [4, 16] {
        assert_speed("spin:2ms", clients, 500.0);
    }
}

#[test]
fn one_client_waits_for_the_handler_and_for_the_way() {
    let _alone = alone();
    assert_within(0.03, "1 client of spin:2ms", || {
        // An echo on a machine that is as idle as it is between two of the others.
        let idle = measure("honest", 1, Duration::from_millis(2));
        // The median: were it the mean, who disturbs it would excuse a row that says too little.
        let way_s = idle.rtt_p50_us.unwrap() / 1e6;
        let row = measure("spin:2ms", 1, Duration::ZERO);
        Attempt { measured: row.throughput_per_s, due: 1.0 / (0.002 + way_s) }
    });
}

#[test]
fn sixteen_handlers_that_wait_20_ms_carry_800_a_second() {
    let _alone = alone();
    assert_speed("wait:20ms", 32, 800.0);
}

#[test]
fn clients_that_think_come_once_per_pause_and_round_trip() {
    let _alone = alone();
    for clients in [1, 8, 32] {
        assert_within(0.02, &format!("{clients} clients that think {THINK:?}"), || {
            let row = measure("honest", clients, THINK);
            let cycle_s = THINK.as_secs_f64() + row.rtt_mean_us.unwrap() / 1e6;
            Attempt { measured: row.throughput_per_s, due: clients as f64 / cycle_s }
        });
    }
}

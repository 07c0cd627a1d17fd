//! Trials against a server with a known service rate measure that rate.

mod common;

use std::time::Duration;

use common::load_spec;
use common::scripted::{Attempt, assert_within, machine_lock, run_trial};
use echometer::results::Row;
use echometer::spec::LoadSpec;

/// Think time of the clients that have one.
const THINK: Duration = Duration::from_millis(10);

/// Measures for two seconds, so that echoes at the window's edges are negligible.
fn measure(behavior: &str, clients: usize, think: Duration) -> Row {
    let (window, warmup) = (Duration::from_secs(2), Duration::from_millis(200));
    let row = run_trial(behavior, &LoadSpec { window, warmup, think, ..load_spec(clients) });
    assert!(row.valid && row.errors == 0, "{row:?}");
    println!(
        "{behavior}: rtt {:?} us, pause {:?} us, notes {:?}",
        row.rtt_mean_us, row.pause_mean_us, row.notes
    );
    row
}

fn assert_speed(behavior: &str, clients: usize, per_s: f64) {
    assert_within(0.02, &format!("{clients} clients of {behavior}"), || {
        let row = measure(behavior, clients, Duration::ZERO);
        Attempt { measured: row.throughput_per_s, expected: per_s }
    });
}

#[test]
fn a_2_ms_handler_delivers_500_per_s_at_any_number_of_clients() {
    let _lock = machine_lock();
    for clients in [4, 16] {
        assert_speed("spin:2ms", clients, 500.0);
    }
}

#[test]
fn one_client_waits_for_the_handler_and_one_idle_round_trip() {
    let _lock = machine_lock();
    assert_within(0.03, "1 client of spin:2ms", || {
        // The think time makes the machine as idle as between two echoes of the measured trial.
        let idle = measure("correct", 1, Duration::from_millis(2));
        // Not the mean: disturbances raise it, which would hide a throughput that is too low.
        let idle_rtt_s = idle.rtt_p50_us.unwrap() / 1e6;
        let row = measure("spin:2ms", 1, Duration::ZERO);
        Attempt { measured: row.throughput_per_s, expected: 1.0 / (0.002 + idle_rtt_s) }
    });
}

#[test]
fn sixteen_handlers_that_sleep_20_ms_deliver_800_per_s() {
    let _lock = machine_lock();
    assert_speed("sleep:20ms", 32, 800.0);
}

#[test]
fn clients_with_think_time_echo_once_per_think_time_and_round_trip() {
    let _lock = machine_lock();
    for clients in [1, 8, 32] {
        assert_within(0.02, &format!("{clients} clients with a think time of {THINK:?}"), || {
            let row = measure("correct", clients, THINK);
            let cycle_s = THINK.as_secs_f64() + row.rtt_mean_us.unwrap() / 1e6;
            Attempt { measured: row.throughput_per_s, expected: clients as f64 / cycle_s }
        });
    }
}

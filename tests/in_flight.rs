//! Requests in flight at the close of the window, and the lag of the lean driver.

mod common;

use std::time::Duration;

use common::scripted::{machine_lock, run_trial};
use common::{DEADLINE, load_spec, run};
use echometer::results::{Row, read_rows};
use echometer::spec::{Driver, LoadSpec};
use echometer::systems::SYSTEMS;

const DRIVERS: [Driver; 2] = [Driver::Native, Driver::Lean { threads: None }];

/// A trial of one client whose hundredth request is answered long after the close.
fn stalled(driver: Driver, timeout: Duration) -> Row {
    let _lock = machine_lock();
    let window = Duration::from_millis(800);
    run_trial("late:1s", &LoadSpec { driver, window, timeout, ..load_spec(1) })
}

fn assert_stall_is_shown(row: &Row) {
    let oldest = row.oldest_in_flight_us.unwrap();
    assert_eq!(row.messages, 98, "the first echo is not in the window: {row:?}");
    // 98 echoes and a stall fill the window; only the stall is as long as a tenth of it.
    assert!((0.1..1.0).contains(&(oldest / (row.window_s * 1e6))), "{row:?}");
    assert_eq!(row.rtt_max_us, Some(oldest), "{row:?}");
    let p999 = row.rtt_p999_us.unwrap();
    assert!((p999 / oldest - 1.0).abs() < 0.002, "three significant digits: {row:?}");
    assert!(row.rtt_mean_us.unwrap() < oldest / 10.0, "the mean is of the messages: {row:?}");
}

#[test]
fn a_stall_at_the_close_is_in_the_percentiles_at_its_age() {
    for driver in DRIVERS {
        let row = stalled(driver, DEADLINE);
        assert_stall_is_shown(&row);
        assert!(row.valid && row.errors == 0, "{row:?}");
    }
}

#[test]
fn a_request_that_times_out_after_the_close_was_in_flight() {
    for driver in DRIVERS {
        let row = stalled(driver, Duration::from_millis(900));
        assert_stall_is_shown(&row);
        assert_eq!((row.timeouts, row.errors), (1, 1), "{row:?}");
    }
}

#[test]
fn the_lag_is_known_for_the_lean_driver_and_below_the_round_trip() {
    let _lock = machine_lock();
    let (_directory, csv) = common::file_in_new_directory("results.csv");
    let path = csv.to_str().unwrap();
    let (one, several) = (vec![SYSTEMS[0].name()], vec![SYSTEMS[0].name(), SYSTEMS[1].name()]);
    for contenders in [one, several] {
        for driver in ["native", "lean"] {
            let load = ["--spawn", "--clients", "4", "--driver", driver, "--csv", path];
            let window = ["--duration", "300ms", "--warmup", "50ms"];
            let output = run(["bench"].iter().chain(&contenders).chain(&load).chain(&window));
            assert!(output.status <= 1, "{output:?}");
        }
    }
    let rows = read_rows(&csv).unwrap();
    assert_eq!(rows.len(), 6);
    // A busy machine may disturb every slice of a row.
    for row in rows.iter().filter(|row| row.valid) {
        assert_eq!(row.driver_lag_p99_us.is_some(), row.driver == "lean", "{row:?}");
        if let Some(lag) = row.driver_lag_p99_us {
            assert!(lag > 0.0 && lag <= row.rtt_max_us.unwrap(), "{row:?}");
            let is_large = lag >= 0.5 * row.rtt_p50_us.unwrap();
            let notes = row.notes.as_deref().unwrap_or_default();
            assert_eq!(notes.contains("the driver's lag"), is_large, "{row:?}");
        }
        // Without a pause, every client has a request in flight when a window closes.
        assert!(row.oldest_in_flight_us.is_some(), "{row:?}");
    }
}

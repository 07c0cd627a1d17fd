//! Clients that send at a given rate, with both drivers.

mod common;

use std::fs;
use std::thread;
use std::time::Duration;

use common::bench::{Bench, Measured, bench};
use common::{Served, file_in_new_directory, run};
use echometer::systems::SYSTEMS;
use nix::sys::signal::Signal;

const DRIVERS: [&str; 2] = ["native", "lean"];

fn paced(system: &str, driver: &str, rate: &str, extra: &[&str]) -> Measured {
    let point = ["--spawn", "--clients", "4", "--duration", "1s", "--warmup", "100ms"];
    let pace = ["--driver", driver, "--rate", rate];
    bench(system, &[&point[..], &pace, extra].concat())
}

#[test]
fn a_rate_that_can_be_kept_is_kept_and_latency_is_from_the_due_time() {
    for system in SYSTEMS {
        let ways: [(_, _, &[_]); 3] = [
            ("native", "constant", &[]),
            ("lean", "poisson", &[]),
            ("lean", "constant", &["--threads", "2"]),
        ];
        for (driver, arrivals, threads) in ways {
            let arrive = ["--arrivals", arrivals];
            let measured = paced(system.name(), driver, "500", &[&arrive, threads].concat());
            assert_eq!(measured.ran.status, 0, "{measured:?}");
            let row = measured.row();
            // 500 in a second; at random, give or take five times their root.
            assert!((380.0..620.0).contains(&row.throughput_per_s), "{row:?}");
            assert_eq!((row.rate_per_s, row.arrivals.as_deref()), (Some(500.0), Some(arrivals)));
            // Nobody sends before it is due.
            assert!(
                row.due_mean_us >= row.rtt_mean_us && row.due_max_us >= row.rtt_max_us,
                "{row:?}"
            );
            let due = [row.due_p50_us, row.due_p90_us, row.due_p99_us, row.due_p999_us];
            assert!(due.iter().all(Option::is_some) && due.is_sorted(), "{row:?}");
        }
    }
}

#[test]
fn a_rate_that_cannot_be_kept_is_said_and_shows_in_the_latency() {
    for driver in DRIVERS {
        // Not even from those who want no summary.
        let measured = paced(SYSTEMS[0].name(), driver, "5000000", &["--quiet"]);
        let row = measured.row();
        assert!(measured.ran.stderr.contains("offered 5000000/s, sent "), "{measured:?}");
        assert!(row.notes.as_ref().unwrap().contains("the rate was not kept"), "{row:?}");
        assert!(row.due_p50_us.unwrap() > 10.0 * row.rtt_p50_us.unwrap(), "{row:?}");
    }
}

#[test]
fn who_had_to_wait_for_a_stalled_server_is_not_left_out() {
    for driver in DRIVERS {
        let server = Served::start(SYSTEMS[0], &[]);
        let load = ["--addr", &server.address, "--clients", "4", "--duration", "4s"];
        let pace = ["--warmup", "0", "--driver", driver, "--rate", "500"];
        let bench = Bench::start(SYSTEMS[0].name(), &[load, pace].concat());
        bench.until_echoing(0);
        server.process.signal(Signal::SIGSTOP);
        // The stall itself: more than a tenth of all requests become due in it.
        thread::sleep(Duration::from_millis(800));
        server.process.signal(Signal::SIGCONT);
        let measured = bench.end();
        let row = measured.row();
        // Four requests were under way; those that were due meanwhile waited too.
        let (due, rtt) = (row.due_p90_us.unwrap(), row.rtt_p90_us.unwrap());
        assert!(due > 100_000.0 && rtt < due / 2.0, "{row:?}");
        assert_eq!((row.errors, row.timeouts), (0, 0), "{row:?}");
    }
}

#[test]
fn a_rate_that_is_missed_by_a_quarter_is_said() {
    for driver in DRIVERS {
        // One handler, which has an answer each 13 ms.
        let slow = ["--work", "sleep:13ms", "--arrivals", "constant"];
        let measured = paced(SYSTEMS[0].name(), driver, "100", &slow);
        let row = measured.row();
        assert!(measured.ran.stderr.contains("offered 100/s, sent "), "{measured:?}");
        assert!(row.notes.as_ref().unwrap().contains("the rate was not kept"), "{row:?}");
        assert!(measured.ran.stderr.contains("at 100/s, from when requests were due"));
    }
}

#[test]
fn a_closed_loop_has_no_due_times() {
    let measured = bench(SYSTEMS[0].name(), &["--spawn", "--duration", "100ms"]);
    let row = measured.row();
    assert_eq!((row.rate_per_s, row.due_mean_us, row.due_max_us), (None, None, None));
}

#[test]
fn percentiles_are_left_for_the_usual_plotters() {
    for driver in DRIVERS {
        let (_directory, path) = file_in_new_directory("latency.hgrm");
        let to = ["--hgrm", path.to_str().unwrap()];
        let measured = paced(SYSTEMS[0].name(), driver, "1000", &to);
        let text = fs::read_to_string(&path).unwrap();
        let total = text.lines().last().unwrap().split("Total count").nth(1).unwrap();
        let total: u64 = total.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
        assert_eq!(total, measured.row().messages, "{text}");
        assert!(text.trim_start().starts_with("Value"), "{text}");
    }
}

#[test]
fn what_is_no_rate_is_refused() {
    for (flags, telling) in [
        (&["--rate", "0"][..], "'0' is no rate"),
        (&["--rate", "10", "--think", "1ms"], "cannot be used with"),
        (&["--arrivals", "poisson"], "--rate"),
        (&["--rate", "10", "--arrivals", "daily"], "constant or poisson"),
    ] {
        let ran = run(["bench", SYSTEMS[0].name(), "--spawn"].iter().chain(flags));
        ran.assert_fails(2, &[telling]);
    }
}

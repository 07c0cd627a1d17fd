//! Open loop: clients that send at a given rate, with both drivers.

mod common;

use std::fs;
use std::thread;
use std::time::Duration;

use common::bench::{Bench, BenchResult, bench};
use common::{ServerProcess, file_in_new_directory, run};
use echometer::systems::SYSTEMS;
use nix::sys::signal::Signal;

const DRIVERS: [&str; 2] = ["native", "lean"];

fn paced(system: &str, driver: &str, rate: &str, extra: &[&str]) -> BenchResult {
    let point = ["--spawn", "--clients", "4", "--duration", "1s", "--warmup", "100ms"];
    let pace = ["--driver", driver, "--rate", rate];
    bench(system, &[&point[..], &pace, extra].concat())
}

#[test]
fn a_feasible_rate_is_kept_and_latency_counts_from_the_due_time() {
    for system in SYSTEMS {
        let cases: [(_, _, &[_]); 3] = [
            ("native", "constant", &[]),
            ("lean", "poisson", &[]),
            ("lean", "constant", &["--threads", "2"]),
        ];
        for (driver, arrivals, threads) in cases {
            let arrive = ["--arrivals", arrivals];
            let measured = paced(system.name(), driver, "500", &[&arrive, threads].concat());
            assert_eq!(measured.output.status, 0, "{measured:?}");
            let row = measured.row();
            // 500 in one second; for Poisson arrivals, plus or minus five standard deviations.
            assert!((380.0..620.0).contains(&row.throughput_per_s), "{row:?}");
            assert_eq!((row.rate_per_s, row.arrivals.as_deref()), (Some(500.0), Some(arrivals)));
            // No request is sent before it is due.
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
fn an_infeasible_rate_is_reported_and_raises_the_latency() {
    for driver in DRIVERS {
        // The warning appears despite --quiet.
        let measured = paced(SYSTEMS[0].name(), driver, "5000000", &["--quiet"]);
        let row = measured.row();
        assert!(measured.output.stderr.contains("offered 5000000/s, sent "), "{measured:?}");
        assert!(row.notes.as_ref().unwrap().contains("the rate was not kept"), "{row:?}");
        assert!(row.due_p50_us.unwrap() > 10.0 * row.rtt_p50_us.unwrap(), "{row:?}");
    }
}

#[test]
fn requests_delayed_by_a_stalled_server_are_counted() {
    for driver in DRIVERS {
        let server = ServerProcess::start(SYSTEMS[0], &[]);
        let load = ["--addr", &server.address, "--clients", "4", "--duration", "4s"];
        let pace = ["--warmup", "0", "--driver", driver, "--rate", "500"];
        let bench = Bench::start(SYSTEMS[0].name(), &[load, pace].concat());
        bench.wait_until_echoing(0);
        server.process.signal(Signal::SIGSTOP);
        // The stall itself. More than a tenth of all requests become due during it.
        thread::sleep(Duration::from_millis(800));
        server.process.signal(Signal::SIGCONT);
        let measured = bench.wait();
        let row = measured.row();
        // Four requests were in flight; those that became due meanwhile waited, too.
        let (due, rtt) = (row.due_p90_us.unwrap(), row.rtt_p90_us.unwrap());
        assert!(due > 100_000.0 && rtt < due / 2.0, "{row:?}");
        assert_eq!((row.errors, row.timeouts), (0, 0), "{row:?}");
    }
}

#[test]
fn a_rate_missed_by_a_quarter_is_reported() {
    for driver in DRIVERS {
        // One handler, which replies every 13 ms.
        let slow = ["--work", "sleep:13ms", "--arrivals", "constant"];
        let measured = paced(SYSTEMS[0].name(), driver, "100", &slow);
        let row = measured.row();
        assert!(measured.output.stderr.contains("offered 100/s, sent "), "{measured:?}");
        assert!(row.notes.as_ref().unwrap().contains("the rate was not kept"), "{row:?}");
        assert!(measured.output.stderr.contains("offered 100/s, latency from scheduled send time"));
    }
}

#[test]
fn a_closed_loop_has_no_due_times() {
    let measured = bench(SYSTEMS[0].name(), &["--spawn", "--duration", "100ms"]);
    let row = measured.row();
    assert_eq!((row.rate_per_s, row.due_mean_us, row.due_max_us), (None, None, None));
}

#[test]
fn percentiles_are_written_in_the_hgrm_format() {
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
fn invalid_rates_are_rejected() {
    for (flags, fragment) in [
        (&["--rate", "0"][..], "'0' is not a rate"),
        (&["--rate", "10", "--think", "1ms"], "cannot be used with"),
        (&["--arrivals", "poisson"], "--rate"),
        (&["--rate", "10", "--arrivals", "daily"], "constant or poisson"),
    ] {
        let output = run(["bench", SYSTEMS[0].name(), "--spawn"].iter().chain(flags));
        output.assert_fails(2, &[fragment]);
    }
}

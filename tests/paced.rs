//! Open loop: clients that send at a given rate, with both drivers.

mod common;

use std::fs;
use std::thread;
use std::time::Duration;

use common::bench::{Bench, BenchResult, bench};
use common::{ServerProcess, file_in_new_directory, run};
use echometer::measure::LatencyHistogram;
use echometer::results::{HistogramRow, read_histograms, read_rows};
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
        let load = ["--spawn", "--clients", "4", "--duration", "1s", "--timeout", "500ms"];
        let pace = ["--warmup", "0", "--driver", driver, "--rate", "5000000"];
        // The warning appears despite --quiet.
        let measured = bench(SYSTEMS[0].name(), &[&load[..], &pace, &["--quiet"]].concat());
        let row = measured.row();
        assert!(measured.output.stderr.contains("offered 5000000/s, sent "), "{measured:?}");
        assert!(row.notes.as_ref().unwrap().contains("the rate was not kept"), "{row:?}");
        assert!(row.due_p50_us.unwrap() > 10.0 * row.rtt_p50_us.unwrap(), "{row:?}");
        // Most requests were never sent: they count at their age.
        assert_eq!(row.requests_due, Some(row.messages + row.censored.unwrap()), "{row:?}");
        assert!(row.censored.unwrap() > row.messages, "{row:?}");
    }
}

#[test]
fn a_backlog_of_the_warm_up_is_not_counted_in_the_window() {
    for driver in DRIVERS {
        let (_directory, csv) = file_in_new_directory("results.csv");
        let point = ["bench", SYSTEMS[0].name(), "--spawn", "--clients", "4", "--duration", "1s"];
        let pace = ["--warmup", "100ms", "--driver", driver, "--rate", "20000000"];
        let to = ["--timeout", "300ms", "--csv", csv.to_str().unwrap()];
        let output = run(point.iter().chain(&pace).chain(&to));
        assert_eq!(output.status, 0, "{output:?}");
        let row = &read_rows(&csv).unwrap()[0];
        // All replies are to requests that were due in the warm-up of 100 ms.
        assert_eq!((row.messages, row.requests_due), (0, row.censored));
        assert!(row.valid && row.replies_in_window().unwrap() > 0, "{row:?}");
        assert!(row.backlog_open > Some(1_000_000) && row.due_p50_us > Some(500_000.0), "{row:?}");
        assert_eq!(row.is_rate_kept(), Some(false));
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
        assert_eq!((row.requests_due, row.seed.is_some()), (Some(100), true), "{row:?}");
        assert!(measured.output.stderr.contains("offered 100/s, sent "), "{measured:?}");
        assert!(row.notes.as_ref().unwrap().contains("the rate was not kept"), "{row:?}");
        assert!(measured.output.stderr.contains("offered 100/s, latency from scheduled send time"));
    }
}

#[test]
fn an_echo_counts_where_it_was_due_although_its_reply_arrives_after_the_close() {
    for driver in DRIVERS {
        // One handler, which replies every 13 ms: the backlog grows by more than 20 per second.
        let slow = ["--work", "sleep:13ms", "--arrivals", "constant", "--warmup", "1s"];
        let point = ["--spawn", "--clients", "4", "--duration", "1s", "--timeout", "30s"];
        let pace = ["--driver", driver, "--rate", "100"];
        let measured = bench(SYSTEMS[0].name(), &[&point[..], &pace, &slow].concat());
        let row = measured.row();
        // All of them, and none that was due in the warm-up.
        assert_eq!((row.requests_due, row.messages), (Some(100), 100), "{row:?}");
        assert_eq!((row.censored, row.errors, row.due_out_of_range), (Some(0), 0, Some(0)));
        let (open, close) = (row.backlog_open.unwrap(), row.backlog_close.unwrap());
        assert!(open > 10 && close > open + 10, "{row:?}");
        assert!(row.replies_in_window().unwrap() < 90 && row.is_rate_kept() == Some(false));
        // Every request waited for its client.
        assert!(row.sent_late.unwrap() > 0.9, "{row:?}");
        assert!(row.send_lag_p99_us > Some(100_000.0) && row.send_lag_p99_us < row.due_p99_us);
        assert!(row.due_p999_us <= row.due_max_us && row.rtt_p999_us <= row.rtt_max_us, "{row:?}");
    }
}

#[test]
fn requests_that_a_dead_server_never_answers_count_at_their_age() {
    for driver in DRIVERS {
        let server = ServerProcess::start(SYSTEMS[0], &[]);
        let load = ["--addr", &server.address, "--clients", "4", "--duration", "2s"];
        let pace = ["--warmup", "0", "--driver", driver, "--rate", "500"];
        let give_up = ["--timeout", "300ms", "--retries", "0"];
        let bench = Bench::start(SYSTEMS[0].name(), &[&load[..], &pace, &give_up].concat());
        bench.wait_until_echoing(0);
        server.process.signal(Signal::SIGSTOP);
        let measured = bench.wait();
        server.process.signal(Signal::SIGCONT);
        let row = measured.row();
        let (due, censored) = (row.requests_due.unwrap(), row.censored.unwrap());
        assert!((999..=1001).contains(&due), "{row:?}");
        assert!(censored > 0 && row.messages + censored == due, "{row:?}");
        assert_eq!(row.backlog_close, Some(censored), "{row:?}");
        // The oldest one became due near the opening. It is as old as the wait for a reply at least.
        assert!(row.due_max_us >= Some(300_000.0), "{row:?}");
        let note = "latencies of unanswered requests are lower bounds";
        assert!(row.notes.as_ref().unwrap().contains(note), "{row:?}");
    }
}

#[test]
fn the_seed_varies_by_trial_is_recorded_and_repeats_the_arrivals() {
    let due = |seed: &str| {
        let seeded = ["--arrivals", "poisson", "--seed", seed, "--trials", "2"];
        let point = ["--spawn", "--clients", "4", "--duration", "1s", "--warmup", "0"];
        let pace = ["--driver", "lean", "--rate", "2000"];
        let measured = bench(SYSTEMS[0].name(), &[&point[..], &pace, &seeded].concat());
        let rows = measured.rows;
        rows.iter().map(|row| (row.seed.unwrap(), row.requests_due.unwrap())).collect::<Vec<_>>()
    };
    let first = due("7");
    assert_eq!(first.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), [7, 8]);
    assert_ne!(first[0].1, first[1].1, "the numbers of arrivals are equal by chance in 1 %");
    // The second trial of the one is the first of the other.
    assert_eq!(due("8")[0], first[1]);
}

#[test]
fn a_client_that_delays_itself_is_reported() {
    // A handler that replies after 20 ms, and a client that therefore waits for 60 % of the time.
    let arrivals = ["--work", "sleep:20ms", "--arrivals", "poisson", "--seed", "1"];
    let point = ["--spawn", "--clients", "1", "--duration", "2s", "--warmup", "100ms"];
    let pace = ["--driver", "lean", "--rate", "30"];
    let measured = bench(SYSTEMS[0].name(), &[&point[..], &pace, &arrivals].concat());
    let row = measured.row();
    assert!((0.2..0.95).contains(&row.sent_late.unwrap()), "{row:?}");
    assert!(row.send_lag_p99_us.unwrap() > 10_000.0, "{row:?}");
}

#[test]
fn each_row_has_a_record_of_histograms() {
    let (directory, csv) = file_in_new_directory("results.csv");
    let point = ["bench", SYSTEMS[0].name(), "--spawn", "--clients", "4", "--duration", "300ms"];
    let to = ["--warmup", "0", "--driver", "lean", "--csv", csv.to_str().unwrap()];
    for pace in [&["--rate", "1000"][..], &[]] {
        let output = run(point.iter().chain(&to).chain(pace));
        assert_eq!(output.status, 0, "{output:?}");
    }
    let rows = read_rows(&csv).unwrap();
    let records = read_histograms(&directory.path().join(HistogramRow::FILE_NAME)).unwrap();
    assert_eq!((rows.len(), records.len()), (2, 2));
    let count = |histogram: Option<LatencyHistogram>| histogram.map(|histogram| histogram.count());
    for (row, record) in rows.iter().zip(&records) {
        let key = (&record.run_id, &record.started_at, &record.label);
        assert_eq!(key, (&row.run_id, &row.started_at, &row.label));
        assert_eq!(count(Some(record.rtt().unwrap())), Some(row.messages));
        let scheduled = row.requests_due;
        assert_eq!(count(record.due().unwrap()), scheduled);
        assert_eq!(count(record.send_lag().unwrap()), scheduled);
    }
}

#[test]
fn a_closed_loop_has_no_due_times() {
    let measured = bench(SYSTEMS[0].name(), &["--spawn", "--duration", "100ms"]);
    let row = measured.row();
    assert_eq!((row.rate_per_s, row.due_mean_us, row.due_max_us), (None, None, None));
    assert_eq!((row.requests_due, row.sent_late, row.seed), (None, None, None));
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

//! `bench`, the real binary, when something happens in the middle: what was measured so far
//! is written, marked, and no process is left behind.

mod common;

use common::bench::{Bench, is_alive};
use common::{Served, echometer, eventually, with_each_system};
use echometer::systems::SYSTEMS;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Far longer than a test: whatever ends before was ended.
const LONG: [&str; 6] = ["--duration", "10m", "--warmup", "0", "--clients", "2"];

/// Short waits, for a server that will not answer.
const IMPATIENT: [&str; 4] = ["--timeout", "300ms", "--retries", "0"];

/// A bench with a server of its own, when both clients are echoing, and the server's id.
fn spawned(system: &str, load: &[&str]) -> (Bench, i32) {
    let bench = Bench::start(system, &[&["--spawn"], load, &IMPATIENT].concat());
    bench.until_echoing(0);
    bench.until_echoing(1);
    let server = bench.server_pid();
    (bench, server)
}

#[test]
fn an_interrupt_ends_a_trial_whose_row_is_written_and_marked() {
    for system in SYSTEMS {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let (bench, server) = spawned(system.name(), &LONG);
            bench.process.signal(signal);
            let measured = bench.end();
            assert_eq!(measured.ran.status, 130, "{measured:?}");
            let row = measured.row();
            assert_eq!((row.valid, row.invalid_reason.as_deref()), (false, Some("interrupted")));
            assert!(row.messages > 0 && row.errors == 0, "{row:?}");
            assert!(row.window_s < 60.0 && row.server_accesses >= Some(row.messages), "{row:?}");
            assert!(measured.ran.stderr.contains("not valid: interrupted"), "{measured:?}");
            assert!(!is_alive(server));
        }
    }
}

#[test]
fn an_interrupt_in_the_warm_up_leaves_no_row_and_says_so() {
    for system in SYSTEMS {
        let warm_up = ["--warmup", "10m", "--clients", "2"];
        let (bench, server) = spawned(system.name(), &warm_up);
        bench.process.signal(Signal::SIGINT);
        let measured = bench.end();
        assert_eq!((measured.ran.status, measured.rows.len()), (130, 0), "{measured:?}");
        measured.ran.assert_fails(130, &["nothing was measured"]);
        assert!(!is_alive(server));
    }
}

#[test]
fn a_server_that_is_not_asked_what_it_counted_tidies_up_all_the_same() {
    // Sockets with names, where a system has such: in a directory of its own.
    let warm_up = ["--spawn", "--backend", "ipc", "--warmup", "10m"];
    for system in SYSTEMS {
        let place = tempfile::tempdir().unwrap();
        let mut command = echometer();
        let bench = Bench::start_by(command.env("TMPDIR", place.path()), system.name(), &warm_up);
        bench.until_echoing(0);
        bench.process.signal(Signal::SIGINT);
        assert_eq!(bench.end().ran.status, 130);
        let left: Vec<_> = place.path().read_dir().unwrap().collect();
        assert!(left.is_empty(), "{}: {left:?}", system.name());
    }
}

#[test]
fn a_spawned_server_that_goes_away_leaves_a_row_that_says_so() {
    for system in SYSTEMS {
        for signal in [Signal::SIGKILL, Signal::SIGTERM] {
            let (bench, server) = spawned(system.name(), &LONG);
            kill(Pid::from_raw(server), signal).unwrap();
            let measured = bench.end();
            assert_eq!(measured.ran.status, 1, "{measured:?}");
            let row = measured.row();
            assert!(row.messages > 0 && !row.valid, "{row:?}");
            // That it ended, or what its clients saw of that, if it took its time.
            let reason = row.invalid_reason.as_deref().unwrap();
            assert!(reason.contains("server"), "{reason}");
            assert!(measured.ran.stderr.contains(reason), "{measured:?}");
        }
    }
}

#[test]
fn a_server_elsewhere_that_goes_away_leaves_a_row_with_errors() {
    with_each_system(|system| {
        let server = Served::start(system, &[]);
        // A framework that waits for the server to come back does so to the end of the window.
        let load = ["--addr", &server.address, "--duration", "5s", "--warmup", "0"];
        let bench = Bench::start(system.name(), &[&load[..], &IMPATIENT].concat());
        bench.until_echoing(0);
        server.process.signal(Signal::SIGKILL);
        let measured = bench.end();
        assert_eq!(measured.ran.status, 1, "{measured:?}");
        let row = measured.row();
        assert!(row.messages > 0 && row.errors > 0, "{row:?}");
        assert!(measured.ran.stderr.contains("warning"), "{measured:?}");
    });
}

#[test]
fn a_server_that_comes_back_is_found_again_by_those_who_retry() {
    with_each_system(|system| {
        let first = Served::start(system, &[]);
        let load = ["--addr", &first.address, "--duration", "4s", "--warmup", "0"];
        let patience = ["--timeout", "300ms", "--retries", "20"];
        let bench = Bench::start(system.name(), &[&load[..], &patience].concat());
        bench.until_echoing(0);
        let address = first.address.clone();
        assert_eq!(first.stop().status.code(), Some(0));
        let second = Served::start_at(system, &address, &[]);
        let measured = bench.end();
        assert_eq!(measured.ran.status, 0, "{measured:?}");
        assert_eq!(measured.row().errors, 0);
        assert!(second.stop().metrics["accesses"].as_u64().unwrap() > 0);
    });
}

#[test]
fn a_server_ends_with_the_bench_that_was_killed() {
    for system in SYSTEMS {
        let (bench, server) = spawned(system.name(), &LONG);
        bench.process.signal(Signal::SIGKILL);
        assert!(bench.end().rows.is_empty());
        eventually("the server ends too", || (!is_alive(server)).then_some(()));
    }
}

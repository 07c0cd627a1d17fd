//! `echometer bench` when a signal arrives or a server exits during a trial: the results so far
//! are written as an invalid row, and no process is left behind.

mod common;

use common::bench::{Bench, is_alive};
use common::{ServerProcess, echometer, eventually, for_each_system};
use echometer::systems::SYSTEMS;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Far longer than any test: a bench that exits earlier was stopped.
const LONG: [&str; 6] = ["--duration", "10m", "--warmup", "0", "--clients", "2"];

/// Short timeouts for a server that does not answer.
const SHORT_TIMEOUT: [&str; 4] = ["--timeout", "300ms", "--retries", "0"];

/// A bench whose two clients echo, and the process ID of its spawned server.
fn start_spawning_bench(system: &str, load: &[&str]) -> (Bench, i32) {
    let bench = Bench::start(system, &[&["--spawn"], load, &SHORT_TIMEOUT].concat());
    bench.wait_until_echoing(0);
    bench.wait_until_echoing(1);
    let server = bench.server_pid();
    (bench, server)
}

#[test]
fn an_interrupted_trial_writes_an_invalid_row() {
    for system in SYSTEMS {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let (bench, server) = start_spawning_bench(system.name(), &LONG);
            bench.process.signal(signal);
            let measured = bench.wait();
            assert_eq!(measured.output.status, 130, "{measured:?}");
            let row = measured.row();
            assert_eq!((row.valid, row.invalid_reason.as_deref()), (false, Some("interrupted")));
            assert!(row.messages > 0 && row.errors == 0, "{row:?}");
            assert!(row.window_s < 60.0 && row.server_accesses >= Some(row.messages), "{row:?}");
            assert!(measured.output.stderr.contains("not valid: interrupted"), "{measured:?}");
            assert!(!is_alive(server));
        }
    }
}

#[test]
fn an_interrupt_during_the_warm_up_writes_no_row_and_reports_it() {
    for system in SYSTEMS {
        let warm_up = ["--warmup", "10m", "--clients", "2"];
        let (bench, server) = start_spawning_bench(system.name(), &warm_up);
        bench.process.signal(Signal::SIGINT);
        let measured = bench.wait();
        assert_eq!((measured.output.status, measured.rows.len()), (130, 0), "{measured:?}");
        measured.output.assert_fails(130, &["nothing was measured"]);
        assert!(!is_alive(server));
    }
}

#[test]
fn a_server_whose_counters_are_not_read_removes_its_files() {
    // Systems with an ipc backend create named sockets, here in a directory of the test.
    let warm_up = ["--spawn", "--backend", "ipc", "--warmup", "10m"];
    for system in SYSTEMS {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = echometer();
        let bench =
            Bench::start_by(command.env("TMPDIR", temporary.path()), system.name(), &warm_up);
        bench.wait_until_echoing(0);
        bench.process.signal(Signal::SIGINT);
        assert_eq!(bench.wait().output.status, 130);
        let left: Vec<_> = temporary.path().read_dir().unwrap().collect();
        assert!(left.is_empty(), "{}: {left:?}", system.name());
    }
}

#[test]
fn a_spawned_server_that_exits_is_the_reason_of_an_invalid_row() {
    for system in SYSTEMS {
        for signal in [Signal::SIGKILL, Signal::SIGTERM] {
            let (bench, server) = start_spawning_bench(system.name(), &LONG);
            kill(Pid::from_raw(server), signal).unwrap();
            let measured = bench.wait();
            assert_eq!(measured.output.status, 1, "{measured:?}");
            let row = measured.row();
            assert!(row.messages > 0 && !row.valid, "{row:?}");
            // Either the exit of the server or, if that took some time, the clients' errors.
            let reason = row.invalid_reason.as_deref().unwrap();
            assert!(reason.contains("server"), "{reason}");
            assert!(measured.output.stderr.contains(reason), "{measured:?}");
        }
    }
}

#[test]
fn an_external_server_that_exits_causes_a_row_with_errors() {
    for_each_system(|system| {
        let server = ServerProcess::start(system, &[]);
        // A framework that waits for the server to come back waits until the window closes.
        let load = ["--addr", &server.address, "--duration", "5s", "--warmup", "0"];
        let bench = Bench::start(system.name(), &[&load[..], &SHORT_TIMEOUT].concat());
        bench.wait_until_echoing(0);
        server.process.signal(Signal::SIGKILL);
        let measured = bench.wait();
        assert_eq!(measured.output.status, 1, "{measured:?}");
        let row = measured.row();
        assert!(row.messages > 0 && row.errors > 0, "{row:?}");
        assert!(measured.output.stderr.contains("warning"), "{measured:?}");
    });
}

#[test]
fn clients_with_retries_reconnect_to_a_restarted_server() {
    for_each_system(|system| {
        let first = ServerProcess::start(system, &[]);
        let load = ["--addr", &first.address, "--duration", "4s", "--warmup", "0"];
        let retries = ["--timeout", "300ms", "--retries", "20"];
        let bench = Bench::start(system.name(), &[&load[..], &retries].concat());
        bench.wait_until_echoing(0);
        let address = first.address.clone();
        assert_eq!(first.stop().status.code(), Some(0));
        let second = ServerProcess::start_at(system, &address, &[]);
        let measured = bench.wait();
        assert_eq!(measured.output.status, 0, "{measured:?}");
        assert_eq!(measured.row().errors, 0);
        assert!(second.stop().metrics["accesses"].as_u64().unwrap() > 0);
    });
}

#[test]
fn a_spawned_server_exits_when_its_bench_is_killed() {
    for system in SYSTEMS {
        let (bench, server) = start_spawning_bench(system.name(), &LONG);
        bench.process.signal(Signal::SIGKILL);
        assert!(bench.wait().rows.is_empty());
        eventually("the server exits", || (!is_alive(server)).then_some(()));
    }
}

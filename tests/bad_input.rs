//! Invalid input ends with one line and the right exit status, and no file is changed.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{ANY_PORT, ServerProcess, file_in_new_directory, run, run_command, unused_address};
use echometer::results::{CsvSink, Row};
use echometer::systems::{SYSTEMS, System};

const LONG: [&str; 2] = ["--duration", "10m"];

#[test]
fn an_unknown_system_is_rejected_with_the_nearest_name() {
    for system in SYSTEMS {
        let name = system.name();
        let wrong = format!("{name}x");
        for command in ["serve", "send", "bench"] {
            let rejected = run([command, &wrong, "--addr", ANY_PORT]);
            rejected.assert_fails(2, &[&format!("'{wrong}'"), &format!("did you mean '{name}'?")]);
        }
    }
}

#[test]
fn invalid_numbers_and_durations_are_rejected() {
    let wrong = [
        ("--clients", "0", "at least 1"),
        ("--clients", "-1", "at least 1"),
        ("--clients", "many", "at least 1"),
        ("--workers", "0", "at least 1"),
        ("--duration", "0", "longer than 0"),
        ("--duration", "0s", "longer than 0"),
        ("--duration", "-1s", "not a duration"),
        ("--duration", "abc", "not a duration"),
        ("--warmup", "abc", "not a duration"),
        ("--timeout", "0", "longer than 0"),
        ("--think", "-1s", "not a duration"),
        ("--payload", "big", "not a size"),
        ("--max-message", "0", "at least 1"),
    ];
    for system in SYSTEMS {
        for (flag, value, fragment) in wrong {
            let rejected = run(["bench", system.name(), "--spawn", flag, value]);
            rejected.assert_fails(2, &[flag, &format!("'{value}'"), fragment]);
        }
    }
}

#[test]
fn zero_workers_or_zero_uptime_is_rejected() {
    for system in SYSTEMS {
        for (flag, value) in [("--workers", "0"), ("--uptime", "0"), ("--uptime", "-1s")] {
            let rejected = run(["serve", system.name(), "--addr", ANY_PORT, flag, value]);
            rejected.assert_fails(2, &[flag, value]);
        }
    }
}

#[test]
fn without_a_server_the_error_says_how_to_start_one() {
    for system in SYSTEMS {
        let (name, address) = (system.name(), unused_address());
        let advice = format!("start a server with 'echometer serve {name} --addr {address}'");
        let rejected = run(["bench", name, "--addr", &address, LONG[0], LONG[1]]);
        rejected.assert_fails(1, &[&address, &advice]);
        run(["send", name, "--addr", &address, "hello"]).assert_fails(1, &[&address, &advice]);
    }
}

#[test]
fn a_host_name_that_does_not_resolve_is_in_the_error() {
    for system in SYSTEMS {
        let rejected = run(["bench", system.name(), "--addr", "name.invalid:4157"]);
        rejected.assert_fails(1, &["name.invalid"]);
    }
}

/// Runs a ten-minute bench with `--csv csv`, which must fail before it measures.
fn bench_into(csv: &Path) -> common::CommandOutput {
    let csv = csv.to_str().unwrap();
    run(["bench", SYSTEMS[0].name(), "--spawn", LONG[0], LONG[1], "--csv", csv])
}

#[test]
fn a_csv_file_with_a_different_header_is_rejected_and_unchanged() {
    let (_directory, csv) = file_in_new_directory("results.csv");
    for text in ["system,clients\nother,1\n", "a", "\n"] {
        fs::write(&csv, text).unwrap();
        bench_into(&csv).assert_fails(1, &[csv.to_str().unwrap(), "header", "another file"]);
        assert_eq!(fs::read_to_string(&csv).unwrap(), text);
    }
}

#[test]
fn a_csv_file_without_a_final_newline_is_rejected_and_unchanged() {
    let (_directory, csv) = file_in_new_directory("results.csv");
    CsvSink::open(&csv).unwrap().append(&[Row::default()]).unwrap();
    let whole = fs::read_to_string(&csv).unwrap();
    for cut in [1, 20] {
        let text = &whole[..whole.len() - cut];
        fs::write(&csv, text).unwrap();
        bench_into(&csv).assert_fails(1, &[csv.to_str().unwrap(), "cut off"]);
        assert_eq!(fs::read_to_string(&csv).unwrap(), text);
    }
}

#[test]
fn unwritable_files_are_rejected_before_the_measurement() {
    let (directory, missing) = file_in_new_directory("no/such/file");
    for path in [directory.path(), &missing] {
        bench_into(path).assert_fails(1, &[path.to_str().unwrap()]);
        let path = path.to_str().unwrap();
        let name = SYSTEMS[0].name();
        let rejected = run(["bench", name, "--spawn", LONG[0], LONG[1], "--results", path]);
        rejected.assert_fails(1, &["cannot append to", path]);
    }
}

#[test]
fn a_payload_over_the_spawned_servers_limit_is_rejected() {
    for system in SYSTEMS {
        for flag in ["--payload", "--reply-payload"] {
            let rejected = run(["bench", system.name(), "--spawn", flag, "2MiB"]);
            rejected.assert_fails(2, &[flag, "1048576", "raise --max-message"]);
        }
    }
}

/// Runs a bench with `flag` 64KiB against a server whose limit is 2 KiB.
fn bench_too_large(system: &dyn System, flag: &str) {
    let server = ServerProcess::start(system, &["--max-message", "2KiB"]);
    let load = ["--timeout", "300ms", "--retries", "0", flag, "64KiB", LONG[0], LONG[1]];
    let bench = ["bench", system.name(), "--addr", &server.address];
    let rejected = run(bench.iter().chain(&load));
    rejected.assert_fails(1, &[&server.address]);
    let names_the_cause =
        ["size", "limit", "larger"].iter().any(|word| rejected.stderr.contains(word));
    assert!(names_the_cause, "the error does not say that the message is too large: {rejected:?}");
    let sent = run(["send", system.name(), "--addr", &server.address, "hello"]);
    assert_eq!(sent.status, 0, "{sent:?}");
    assert_eq!(server.stop().status.code(), Some(0));
}

#[test]
fn a_payload_over_a_running_servers_limit_is_rejected_with_cause_and_address() {
    for system in SYSTEMS {
        bench_too_large(*system, "--payload");
    }
}

#[test]
fn a_reply_payload_over_a_running_servers_limit_is_rejected_with_cause_and_address() {
    for system in SYSTEMS {
        bench_too_large(*system, "--reply-payload");
    }
}

#[test]
fn more_clients_than_open_files_are_rejected_with_the_limit() {
    for system in SYSTEMS {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"ulimit -n 64; exec "$0" "$@""#]);
        shell.arg(env!("CARGO_BIN_EXE_echometer"));
        shell.args(["bench", system.name(), "--spawn", "--clients", "100"]).args(LONG);
        let rejected = run_command(shell.stdin(Stdio::null()));
        rejected.assert_fails(1, &["100 clients", "limit of open files is 64", "ulimit -Hn"]);
    }
}

#[test]
fn unavailable_cpus_are_rejected() {
    for system in SYSTEMS {
        for flag in ["--server-cpus", "--client-cpus"] {
            let bench = ["bench", system.name(), "--spawn", LONG[0], LONG[1]];
            run(bench.iter().chain(&[flag, "1000"])).assert_fails(1, &["CPUs 1000", "may use"]);
            run(bench.iter().chain(&[flag, "x"])).assert_fails(2, &[flag, "'x'"]);
        }
    }
}

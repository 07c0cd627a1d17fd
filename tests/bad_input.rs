//! Bad input: each gets one clear line and the right exit status, and loses nothing.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{ANY_PORT, Served, file_in_new_directory, finish, nobody, run};
use echometer::results::{CsvSink, Row};
use echometer::systems::{SYSTEMS, System};

const LONG: [&str; 2] = ["--duration", "10m"];

#[test]
fn an_unknown_system_is_refused_with_the_nearest_name() {
    for system in SYSTEMS {
        let name = system.name();
        let wrong = format!("{name}x");
        for verb in ["serve", "send", "bench"] {
            let refused = run([verb, &wrong, "--addr", ANY_PORT]);
            refused.assert_fails(2, &[&format!("'{wrong}'"), &format!("did you mean '{name}'?")]);
        }
    }
}

#[test]
fn numbers_and_durations_that_cannot_be_are_refused() {
    let wrong = [
        ("--clients", "0", "at least 1"),
        ("--clients", "-1", "at least 1"),
        ("--clients", "many", "at least 1"),
        ("--workers", "0", "at least 1"),
        ("--duration", "0", "longer than 0"),
        ("--duration", "0s", "longer than 0"),
        ("--duration", "-1s", "no duration"),
        ("--duration", "abc", "no duration"),
        ("--warmup", "abc", "no duration"),
        ("--timeout", "0", "longer than 0"),
        ("--think", "-1s", "no duration"),
        ("--payload", "big", "no size"),
        ("--max-message", "0", "at least 1"),
    ];
    for system in SYSTEMS {
        for (flag, value, telling) in wrong {
            let refused = run(["bench", system.name(), "--spawn", flag, value]);
            refused.assert_fails(2, &[flag, &format!("'{value}'"), telling]);
        }
    }
}

#[test]
fn a_server_without_workers_or_without_time_is_refused() {
    for system in SYSTEMS {
        for (flag, value) in [("--workers", "0"), ("--uptime", "0"), ("--uptime", "-1s")] {
            let refused = run(["serve", system.name(), "--addr", ANY_PORT, flag, value]);
            refused.assert_fails(2, &[flag, value]);
        }
    }
}

#[test]
fn where_no_server_is_one_is_told_how_to_start_it() {
    for system in SYSTEMS {
        let (name, address) = (system.name(), nobody());
        let advice = format!("start one with 'echometer serve {name} --addr {address}'");
        let refused = run(["bench", name, "--addr", &address, LONG[0], LONG[1]]);
        refused.assert_fails(1, &[&address, &advice]);
        run(["send", name, "--addr", &address, "hello"]).assert_fails(1, &[&address, &advice]);
    }
}

#[test]
fn a_server_whose_name_does_not_resolve_is_named() {
    for system in SYSTEMS {
        let refused = run(["bench", system.name(), "--addr", "name.invalid:4157"]);
        refused.assert_fails(1, &["name.invalid"]);
    }
}

/// Benches into `csv`, which is not possible: at once, or this would take ten minutes.
fn bench_into(csv: &Path) -> common::Ran {
    let csv = csv.to_str().unwrap();
    run(["bench", SYSTEMS[0].name(), "--spawn", LONG[0], LONG[1], "--csv", csv])
}

#[test]
fn a_csv_file_with_another_header_is_refused_and_left_as_it_was() {
    let (_directory, csv) = file_in_new_directory("results.csv");
    for text in ["system,clients\nother,1\n", "a", "\n"] {
        fs::write(&csv, text).unwrap();
        bench_into(&csv).assert_fails(1, &[csv.to_str().unwrap(), "header", "another file"]);
        assert_eq!(fs::read_to_string(&csv).unwrap(), text);
    }
}

#[test]
fn a_csv_file_that_is_cut_off_in_a_line_is_refused_and_left_as_it_was() {
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
fn files_that_cannot_be_written_are_refused_before_anything_is_measured() {
    let (directory, missing) = file_in_new_directory("no/such/file");
    for path in [directory.path(), &missing] {
        bench_into(path).assert_fails(1, &[path.to_str().unwrap()]);
        let path = path.to_str().unwrap();
        let name = SYSTEMS[0].name();
        let refused = run(["bench", name, "--spawn", LONG[0], LONG[1], "--results", path]);
        refused.assert_fails(1, &["cannot append to", path]);
    }
}

#[test]
fn a_payload_that_the_spawned_server_would_not_take_is_refused() {
    for system in SYSTEMS {
        for flag in ["--payload", "--reply-payload"] {
            let refused = run(["bench", system.name(), "--spawn", flag, "2MiB"]);
            refused.assert_fails(2, &[flag, "1048576", "raise --max-message"]);
        }
    }
}

/// Benches a server that takes 2 KiB with `flag` 64KiB.
fn bench_too_large(system: &dyn System, flag: &str) {
    let server = Served::start(system, &["--max-message", "2KiB"]);
    let patience = ["--timeout", "300ms", "--retries", "0", flag, "64KiB", LONG[0], LONG[1]];
    let bench = ["bench", system.name(), "--addr", &server.address];
    let refused = run(bench.iter().chain(&patience));
    refused.assert_fails(1, &[&server.address]);
    let tells = ["size", "limit", "larger"].iter().any(|word| refused.stderr.contains(word));
    assert!(tells, "it is not said that it is too large: {refused:?}");
    let sent = run(["send", system.name(), "--addr", &server.address, "hello"]);
    assert_eq!(sent.status, 0, "{sent:?}");
    assert_eq!(server.stop().status.code(), Some(0));
}

#[test]
fn a_payload_that_a_server_elsewhere_does_not_take_is_told_with_size_and_address() {
    for system in SYSTEMS {
        bench_too_large(*system, "--payload");
    }
}

#[test]
fn a_reply_payload_that_a_server_elsewhere_does_not_give_is_told_with_size_and_address() {
    for system in SYSTEMS {
        bench_too_large(*system, "--reply-payload");
    }
}

#[test]
fn more_clients_than_files_may_be_open_are_refused_with_the_limit() {
    for system in SYSTEMS {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"ulimit -n 64; exec "$0" "$@""#]);
        shell.arg(env!("CARGO_BIN_EXE_echometer"));
        shell.args(["bench", system.name(), "--spawn", "--clients", "100"]).args(LONG);
        let refused = finish(shell.stdin(Stdio::null()));
        refused.assert_fails(1, &["100 clients", "limit of open files is 64", "ulimit -Hn"]);
    }
}

#[test]
fn cpus_that_are_not_there_are_refused() {
    for system in SYSTEMS {
        for flag in ["--server-cpus", "--client-cpus"] {
            let bench = ["bench", system.name(), "--spawn", LONG[0], LONG[1]];
            run(bench.iter().chain(&[flag, "1000"])).assert_fails(1, &["CPUs 1000", "may use"]);
            run(bench.iter().chain(&[flag, "x"])).assert_fails(2, &[flag, "'x'"]);
        }
    }
}

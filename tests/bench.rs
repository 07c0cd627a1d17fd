//! `echometer bench` from start to exit: the measured values and the files that it writes.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;

use common::bench::{Bench, BenchResult, bench, connections_to, is_alive, rows};
use common::scripted::machine_lock;
use common::{
    Guard, ServerProcess, echometer, eventually, file_in_new_directory, run, server_spec,
};
use echometer::os::cpus::{CpuChoice, Cpus, Placement};
use echometer::results::Row;
use echometer::systems::SYSTEMS;
use nix::sys::signal::Signal;
use serde_json::Value;

/// Short, but long enough for a thousand echoes.
const SHORT: [&str; 4] = ["--duration", "200ms", "--warmup", "50ms"];

/// Columns that a row must have at least.
const COLUMNS: &str = "run_id, trial, started_at, host, system, driver, clients, workers, backend, \
    payload_bytes, reply_bytes, think_us, server_cpus, client_cpus, warmup_s, window_s, messages, \
    errors, timeouts, throughput_per_s, rtt_mean_us, rtt_min_us, rtt_p50_us, rtt_p90_us, \
    rtt_p99_us, rtt_p999_us, rtt_max_us, server_accesses, server_clients, server_throughput_per_s, \
    server_cpu_us_per_msg, client_cpu_us_per_msg, server_switches_per_msg, \
    client_switches_per_msg, server_rss_mib, server_threads, verified";

/// Values by column name of the only row of a CSV text.
fn columns(csv: &str) -> BTreeMap<String, String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 1, "{csv}");
    let pairs = headers.iter().zip(records[0].iter());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Parses a CSV text and asserts that its rows serialize to the same text.
fn parse_round_trip(csv: &str) -> Vec<Row> {
    let (_directory, path) = file_in_new_directory("results.csv");
    fs::write(&path, csv).unwrap();
    let rows = rows(&path);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in &rows {
        writer.serialize(row).unwrap();
    }
    assert_eq!(String::from_utf8(writer.into_inner().unwrap()).unwrap(), csv);
    rows
}

fn assert_valid(row: &Row, clients: usize) {
    assert!(row.valid && row.verified && row.invalid_reason.is_none(), "{row:?}");
    assert_eq!((row.errors, row.timeouts, row.clients), (0, 0, clients), "{row:?}");
    assert!(row.messages > 0 && row.throughput_per_s > 0.0, "{row:?}");
    assert!((row.messages as f64 / row.window_s - row.throughput_per_s).abs() < 0.01, "{row:?}");
    let quantiles =
        [row.rtt_min_us, row.rtt_p50_us, row.rtt_p90_us, row.rtt_p99_us, row.rtt_p999_us];
    assert!(quantiles.iter().all(Option::is_some) && quantiles.is_sorted(), "{row:?}");
}

#[test]
fn every_system_is_measured_and_server_and_client_counts_agree() {
    // A test with a thousand clients in parallel would leave no CPU time to open the window.
    let _lock = machine_lock();
    for system in SYSTEMS {
        for clients in [1, 2, 4] {
            let (name, number) = (system.name(), clients.to_string());
            let point = ["bench", name, "--spawn", "--clients", &number, "--csv", "-"];
            let output = run(point.iter().chain(&SHORT));
            assert_eq!(output.status, 0, "{output:?}");
            // The bench warns if other tests or virtual machines use the same CPUs.
            let (warnings, summary): (Vec<_>, Vec<_>) =
                output.stderr.lines().partition(|line| line.starts_with("echometer: warning: "));
            assert!(summary.len() == 2 && warnings.len() <= 5, "{output:?}");
            let rows = parse_round_trip(&output.stdout);
            assert_valid(&rows[0], clients);
            assert_eq!(rows[0].system, name);
            assert!(rows[0].server_accesses.unwrap() >= rows[0].messages, "{rows:?}");
            assert_eq!(rows[0].server_clients, Some(clients));
            let columns = columns(&output.stdout);
            let missing = COLUMNS.split(", ").filter(|name| !columns.contains_key(*name));
            assert_eq!(missing.collect::<Vec<_>>(), [""; 0]);
            // Such a short window may contain no tick that separates user from system time.
            let needs_ticks = |name: &str| name.contains("_user_") || name.contains("_system_");
            let server_columns = columns
                .iter()
                .filter(|(name, _)| name.starts_with("server_") && !needs_ticks(name));
            assert!(server_columns.clone().all(|(_, value)| !value.is_empty()), "{columns:?}");
        }
    }
}

#[test]
fn server_columns_of_an_external_server_are_empty_and_never_0() {
    for system in SYSTEMS {
        let server = ServerProcess::start(*system, &[]);
        let arguments = ["bench", system.name(), "--addr", &server.address, "--csv", "-"];
        let output = run(arguments.iter().chain(&SHORT));
        assert_eq!(output.status, 0, "{output:?}");
        assert_valid(&parse_round_trip(&output.stdout)[0], 1);
        let unknown = ["workers", "backend", "completion_queues"];
        for (name, value) in columns(&output.stdout) {
            if name.starts_with("server_") || unknown.contains(&name.as_str()) {
                assert_eq!(value, "", "{name}");
            }
        }
        assert!(server.stop().metrics["accesses"].as_u64().unwrap() > 0);
    }
}

#[test]
fn rows_are_appended_after_one_header() {
    let (_directory, csv) = file_in_new_directory("results.csv");
    for trial in ["1", "2"] {
        let point = ["bench", SYSTEMS[0].name(), "--spawn", "--run-id", "a run", "--trial", trial];
        let to = ["--quiet", "--csv", csv.to_str().unwrap()];
        let output = run(point.iter().chain(&SHORT).chain(&to));
        assert_eq!((output.status, output.stdout + &output.stderr), (0, String::new()));
    }
    let rows = parse_round_trip(&fs::read_to_string(&csv).unwrap());
    let named = rows.iter().map(|row| (row.run_id.as_str(), row.trial));
    assert_eq!(named.collect::<Vec<_>>(), [("a run", 1), ("a run", 2)]);
}

/// Asserts that the object has the keys that the older tools wrote.
fn assert_keys(line: &Value) {
    for key in ["name", "n_clients", "messages", "latency (nsec)", "throughput (msg/sec)"] {
        assert!(line.get(key).is_some(), "{key}: {line}");
    }
    let keys = ["maximum", "mean", "minimum", "range", "samples", "stddev", "total", "variance"];
    for key in keys {
        assert!(line["latency distribution"][key].is_number(), "{key}: {line}");
    }
    assert_eq!(line["latency (nsec)"], line["latency distribution"]["total"]);
    assert_eq!(line["messages"], line["latency distribution"]["samples"]);
}

#[test]
fn each_client_writes_a_line_and_the_lines_add_up_to_the_row() {
    for system in SYSTEMS {
        let (_directory, results) = file_in_new_directory("clients.jsonl");
        let to = ["--results", results.to_str().unwrap(), "--clients", "3", "--spawn"];
        let measured = bench(system.name(), &[&to[..], &SHORT].concat());
        let text = fs::read_to_string(&results).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter().for_each(assert_keys);
        assert!(lines.iter().all(|line| line["n_clients"] == 3));
        let names: BTreeSet<_> = lines.iter().map(|line| line["name"].as_str().unwrap()).collect();
        assert_eq!((lines.len(), names.len()), (3, 3));
        let messages = lines.iter().map(|line| line["messages"].as_u64().unwrap());
        assert_eq!(messages.sum::<u64>(), measured.row().messages);
    }
}

#[test]
fn each_client_has_its_own_connection() {
    for system in SYSTEMS {
        let server = ServerProcess::start(*system, &[]);
        let load = ["--addr", &server.address, "--clients", "5", "--duration", "10m"];
        let bench = Bench::start(system.name(), &load);
        (0..5).for_each(|client| bench.wait_until_echoing(client));
        eventually("there are 5 connections", || {
            (connections_to(server.port()) == 5).then_some(())
        });
        bench.process.signal(Signal::SIGKILL);
        assert_eq!(server.stop().metrics["clients"], 5);
    }
}

#[test]
fn a_client_with_think_time_pauses_for_that_time() {
    for system in SYSTEMS {
        let think = ["--spawn", "--think", "20ms", "--duration", "500ms", "--warmup", "0"];
        let BenchResult { rows, .. } = bench(system.name(), &think);
        assert_valid(&rows[0], 1);
        // One echo at the beginning, and then at most one every 20 ms.
        assert!((1..=26).contains(&rows[0].messages), "{rows:?}");
        assert_eq!(rows[0].think_us, 20_000.0);
    }
}

#[test]
fn the_row_records_the_requested_options() {
    for system in SYSTEMS {
        let sizes = ["--payload", "1000", "--reply-payload", "2KiB"];
        let server = ["--spawn", "--workers", "3", "--backend", "ipc", "--completion-queues", "2"];
        let measured = bench(system.name(), &[&sizes[..], &server, &SHORT].concat());
        let row = measured.row();
        assert_valid(row, 1);
        assert_eq!((row.payload_bytes, row.reply_bytes), (1000, 2048));
        let mut spec = server_spec();
        spec.workers = 3.try_into().unwrap();
        spec.backend = "ipc".parse().unwrap();
        spec.completion_queues = Some(2.try_into().unwrap());
        let server_options = system.server_options(&spec);
        assert_eq!(row.workers, server_options.workers);
        assert_eq!(row.backend, server_options.backend.map(|backend| backend.to_string()));
        assert_eq!(row.completion_queues, server_options.completion_queues);
    }
}

#[test]
fn the_row_records_the_cpus_of_both_sides() {
    let available = Cpus::of(0).unwrap();
    for choice in ["auto", "all"] {
        let cpus: CpuChoice = choice.parse().unwrap();
        let placement = Placement::choose(&available, &cpus, &cpus).unwrap();
        for system in SYSTEMS {
            let chosen = ["--spawn", "--server-cpus", choice, "--client-cpus", choice];
            let measured = bench(system.name(), &[&chosen[..], &SHORT].concat());
            let row = measured.row();
            assert_eq!(row.server_cpus, Some(placement.server.to_string()));
            assert_eq!(row.client_cpus, placement.clients.to_string());
        }
    }
}

#[test]
fn a_spawned_server_exits_with_its_trial_and_leaves_no_files() {
    for system in SYSTEMS {
        let temporary = tempfile::tempdir().unwrap();
        let load = ["--spawn", "--backend", "ipc", "--duration", "300ms", "--warmup", "0"];
        let command = &mut echometer();
        let bench = Bench::start_by(command.env("TMPDIR", temporary.path()), system.name(), &load);
        let server = bench.server_pid();
        assert_eq!(bench.wait().output.status, 0);
        assert!(!is_alive(server));
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "{}", system.name());
    }
}

#[test]
fn a_thousand_clients_run_on_every_system() {
    let _lock = machine_lock();
    for system in SYSTEMS {
        let load = ["--spawn", "--clients", "1000", "--duration", "1s", "--warmup", "0"];
        let measured = bench(system.name(), &load);
        assert_eq!(measured.output.status, 0, "{measured:?}");
        assert_valid(measured.row(), 1000);
    }
}

#[test]
fn clients_that_start_after_the_window_has_closed_are_not_lost() {
    let _lock = machine_lock();
    for system in SYSTEMS {
        let (_directory, results) = file_in_new_directory("clients.jsonl");
        let load = ["--spawn", "--clients", "500", "--duration", "10ms", "--warmup", "0"];
        let to = ["--results", results.to_str().unwrap()];
        let measured = bench(system.name(), &[&load[..], &to].concat());
        assert_eq!(fs::read_to_string(&results).unwrap().lines().count(), 500, "{measured:?}");
        let reason = measured.row().invalid_reason.as_deref();
        assert!(matches!(reason, None | Some("no echo completed in the window")), "{measured:?}");
    }
}

#[test]
fn a_bench_with_a_closed_stderr_writes_all_rows() {
    let (_directory, csv) = file_in_new_directory("rows.csv");
    let mut command = echometer();
    command.args(["bench", SYSTEMS[0].name(), "--spawn", "--trials", "2", "--warmup", "0"]);
    command.args(["--duration", "100ms", "--csv"]).arg(&csv).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(Guard(child).wait().code(), Some(0));
    assert_eq!(rows(&csv).len(), 2);
}

//! The experiment scripts, run with the built binary.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::bench::rows;
use common::scripted::machine_lock;
use common::{CommandOutput, Guard, eventually, run_command, server_spec};
use echometer::results::Row;
use echometer::systems::{SYSTEMS, System};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;

/// A script that uses the program under test and measures short points.
fn script(name: &str, out: &Path, settings: &[(&str, &str)]) -> Command {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut script = Command::new(scripts.join(name));
    script
        .env("ECHOMETER", env!("CARGO_BIN_EXE_echometer"))
        .env("OUT", out)
        .env("TRIALS", "1")
        .env("DURATION", "100ms")
        .env("WARMUP", "20ms")
        .envs(settings.iter().copied())
        .stdin(Stdio::null());
    script
}

/// Runs a script until all of its points are valid, at most 8 times. Each run repeats the points
/// that were disturbed.
fn run_script(name: &str, out: &Path, settings: &[(&str, &str)]) -> CommandOutput {
    const ATTEMPTS: usize = 8;
    let mut output = run_command(&mut script(name, out, settings));
    for _ in 1..ATTEMPTS {
        if output.status == 0 || !output.stderr.contains("disturbed") {
            break;
        }
        output = run_command(&mut script(name, out, settings));
    }
    output
}

/// Whether every attempt had points with only disturbed slices because the machine is too busy.
fn is_too_busy(output: &CommandOutput) -> bool {
    let busy = output.status == 1 && output.stderr.contains("disturbed");
    if busy {
        println!("skipped: steal or other processes disturbed every attempt");
    }
    busy
}

/// Runs a sweep until all of its points are valid.
fn run_sweep(out: &Path, systems: &str, counts: &str) -> CommandOutput {
    run_script("throughput.sh", out, &[("SYSTEMS", systems), ("COUNTS", counts)])
}

fn sweep(out: &Path, systems: &str, counts: &str) -> Command {
    script("throughput.sh", out, &[("SYSTEMS", systems), ("COUNTS", counts)])
}

fn two_systems() -> String {
    [SYSTEMS[0].name(), SYSTEMS[1].name()].join(" ")
}

fn points(out: &Path) -> Vec<(String, usize)> {
    let rows = rows(&out.join("results.csv"));
    rows.iter().filter(|row| row.valid).map(|row| (row.system.clone(), row.clients)).collect()
}

fn assert_done(output: &CommandOutput, out: &Path) {
    assert_eq!(output.status, 0, "{output:?}");
    assert!(output.stdout.contains("msg/s at 1"), "{output:?}");
    assert!(fs::read_to_string(out.join("throughput.svg")).unwrap().starts_with("<svg"));
}

#[test]
fn a_sweep_writes_a_row_per_contender_and_point_and_a_report_and_shows_progress() {
    let _lock = machine_lock();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("new directory/results");
    let output = run_sweep(&out, &two_systems(), "1 2 3");
    if is_too_busy(&output) {
        return;
    }
    assert_done(&output, &out);
    assert_eq!(points(&out).iter().collect::<BTreeSet<_>>().len(), 6);
    let is_last = |line: &&str| line.starts_with('[') && line.contains(" msg/s; 0 s left, until ");
    let line = output.stderr.lines().find(is_last).unwrap_or_else(|| panic!("{output:?}"));
    assert!(line.contains(", clients ") && line.contains(&two_systems()), "{line}");
    assert!(fs::read_to_string(out.join("clients.jsonl")).unwrap().lines().count() >= 12);
    assert!(out.join("slices.csv").exists());
}

#[test]
fn contenders_may_be_commands_with_spaces() {
    let _lock = machine_lock();
    let directory = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_echometer");
    let more = format!("tcp,label=one,exec={program} serve tcp --addr {{addr}}\ntcp,label=two");
    let settings = [("SYSTEMS", ""), ("CONTENDERS", &more), ("COUNTS", "2")];
    let output = run_script("throughput.sh", directory.path(), &settings);
    if is_too_busy(&output) {
        return;
    }
    assert_eq!(output.status, 0, "{output:?}");
    let rows = rows(&directory.path().join("results.csv"));
    let labels = distinct(&rows, |row| row.label.clone());
    assert_eq!(labels, ["one", "two"].map(str::to_owned).into());
}

#[test]
fn an_interrupted_sweep_continues_where_it_stopped() {
    let _lock = machine_lock();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("results");
    // As with Ctrl-C in a terminal, the signal reaches the script and its child processes.
    let mut script = sweep(&out, &two_systems(), "1 2 3 4 5 6 7 8");
    let child = script.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut script = Guard(child.unwrap());
    // Bash loses a signal that arrives just as a command exits, about one in 300. Therefore the
    // signal is sent again for each further point, as a user would press Ctrl-C again.
    let mut seen = 0;
    let status = eventually("the script stops", || {
        let measured = rows(&out.join("results.csv")).len();
        if measured > seen {
            seen = measured;
            let _ = killpg(Pid::from_raw(script.pid()), Signal::SIGINT);
        }
        script.0.try_wait().unwrap()
    });
    assert_eq!(status.code(), Some(130));
    // The polling above disturbs slices, so some of these rows may be invalid.
    let before = rows(&out.join("results.csv"));
    assert!((1..16).contains(&before.len()), "{before:?}");

    let output = run_sweep(&out, &two_systems(), "1 2 3 4 5 6 7 8");
    if is_too_busy(&output) {
        return;
    }
    assert_done(&output, &out);
    assert_eq!(rows(&out.join("results.csv"))[..before.len()], before[..]);
    assert_eq!(points(&out).iter().collect::<BTreeSet<_>>().len(), 16);
}

#[test]
fn a_sweep_of_an_unknown_system_stops_at_the_first_point() {
    let directory = tempfile::tempdir().unwrap();
    let output = run_command(&mut sweep(directory.path(), "no-such-system", "1 2 3"));
    assert_eq!(output.status, 2, "{output:?}");
    assert_eq!(
        output.stderr.matches("there is no system 'no-such-system'").count(),
        1,
        "{output:?}"
    );
}

/// Runs the script twice in a directory whose name has a space, and asserts that the second run
/// measures nothing. Returns the valid rows, one per contender and point, or `None` if the machine
/// is too busy.
fn rows_of(name: &str, settings: &[(&str, &str)]) -> Option<Vec<Row>> {
    let _lock = machine_lock();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("a directory");
    let mut rows_before = Vec::new();
    for run in 1..=2 {
        let output = run_script(name, &out, settings);
        if is_too_busy(&output) {
            return None;
        }
        assert_eq!(output.status, 0, "{name}, run {run}: {output:?}");
        let rows = rows(&out.join("results.csv"));
        assert!(rows.iter().any(|row| row.valid), "{name}: {rows:?}");
        if run == 2 {
            assert_eq!(rows, rows_before, "{name}");
        }
        rows_before = rows;
    }
    let run_json = fs::read_to_string(out.join("run.json")).unwrap();
    assert!(run_json.contains(&format!("./scripts/{name}")), "{run_json}");
    rows_before.retain(|row| row.valid);
    let point = |row: &Row| {
        let texts =
            [&row.label, &row.server_cpus_asked.clone().unwrap_or_default()].map(Clone::clone);
        let numbers = [row.think_us, row.rate_per_s.unwrap_or_default(), f64::from(row.trial)];
        let sizes = [row.clients, row.payload_bytes, row.workers.unwrap_or_default()];
        (texts, row.work.clone(), row.channels.clone(), sizes, numbers.map(f64::to_bits))
    };
    let mut seen = BTreeSet::new();
    rows_before.retain(|row| seen.insert(point(row)));
    Some(rows_before)
}

/// The distinct values of a column.
fn distinct<T: Ord>(rows: &[Row], column: impl Fn(&Row) -> T) -> BTreeSet<T> {
    rows.iter().map(column).collect()
}

fn set<const N: usize>(values: [&str; N]) -> BTreeSet<Option<String>> {
    values.into_iter().map(|value| Some(value.to_owned())).collect()
}

fn systems_with(property: fn(&dyn System) -> bool) -> String {
    let names: Vec<_> =
        SYSTEMS.iter().filter(|system| property(**system)).map(|system| system.name()).collect();
    names.join(" ")
}

#[test]
fn workers_are_measured_with_each_backend_on_one_cpu_and_on_all() {
    let systems = systems_with(|system| system.server_options(&server_spec()).workers.is_some());
    let Some(rows) =
        rows_of("workers.sh", &[("SYSTEMS", &systems), ("WORKERS", "1 3"), ("CLIENTS", "3")])
    else {
        return;
    };
    assert_eq!(rows.len(), 8);
    assert_eq!(distinct(&rows, |row| row.workers), [Some(1), Some(3)].into());
    assert_eq!(distinct(&rows, |row| row.backend.clone()), set(["inproc", "ipc"]));
    assert_eq!(distinct(&rows, |row| row.server_cpus_asked.clone()), set(["auto", "all"]));
}

#[test]
fn service_times_are_measured_with_every_system() {
    let works = [("WORKS", "none spin:10us sleep:1ms"), ("CLIENTS", "3")];
    let Some(rows) = rows_of("service.sh", &works) else { return };
    assert_eq!(distinct(&rows, |row| row.work.clone()), set(["none", "spin:10us", "sleep:1ms"]));
    assert_eq!(distinct(&rows, |row| row.system.clone()).len(), SYSTEMS.len());
    assert_eq!(rows.len(), 3 * SYSTEMS.len());
}

#[test]
fn payloads_have_the_same_size_in_both_directions() {
    let Some(rows) = rows_of("payload.sh", &[("PAYLOADS", "16 1MiB"), ("CLIENTS", "2")]) else {
        return;
    };
    let sizes = distinct(&rows, |row| (row.payload_bytes, row.reply_bytes));
    assert_eq!(sizes, [(16, 16), (1 << 20, 1 << 20)].into());
    assert_eq!(rows.len(), 2 * SYSTEMS.len());
}

#[test]
fn think_times_are_measured_at_each_client_count() {
    let few = [("THINKS", "0 1ms"), ("COUNTS", "1 3"), ("SYSTEMS", SYSTEMS[0].name())];
    let Some(rows) = rows_of("think.sh", &few) else { return };
    let points = distinct(&rows, |row| (row.think_us.to_string(), row.clients));
    assert_eq!((points.len(), rows.len()), (4, 4));
}

#[test]
fn channels_are_measured_with_each_number_of_completion_queues() {
    let systems = systems_with(|system| system.has_channels());
    let few = [("COUNTS", "2"), ("QUEUES", "1 2"), ("SYSTEMS", &systems)];
    let Some(rows) = rows_of("channels.sh", &few) else { return };
    assert_eq!(distinct(&rows, |row| row.channels.clone()), set(["per-client", "shared"]));
    assert_eq!(distinct(&rows, |row| row.completion_queues), [Some(1), Some(2)].into());
    assert_eq!(rows.len(), 4 * systems.split(' ').count());
}

#[test]
fn latency_is_measured_next_to_the_peak_of_the_same_pass() {
    let one = [("SYSTEMS", SYSTEMS[0].name()), ("DRIVER", "lean")];
    let few = [("CLIENTS", "2"), ("SHARES", "20 50"), ("TRIALS", "2"), one[0], one[1]];
    let Some(rows) = rows_of("latency.sh", &few) else { return };
    for trial in [1, 2] {
        let of_trial: Vec<_> = rows.iter().filter(|row| row.trial == trial).collect();
        assert!(of_trial[0].rate_per_s.is_none(), "the peak comes first: {of_trial:?}");
        let mut rates: Vec<_> = of_trial.iter().filter_map(|row| row.rate_per_s).collect();
        rates.sort_by(f64::total_cmp);
        assert!((rates[1] / rates[0] - 2.5).abs() < 0.01, "20 % and 50 % of one peak: {rates:?}");
        // A peak that lost time to steal was measured again.
        let peak = of_trial[0];
        if [peak.server_cpus_stolen, peak.client_cpus_stolen].iter().all(|s| *s < Some(0.02)) {
            assert!((rates[1] / peak.throughput_per_s - 0.5).abs() < 0.001, "{of_trial:?}");
        }
    }
    let mut paced = rows.iter().filter(|row| row.rate_per_s.is_some());
    assert!(paced.all(|row| row.due_p99_us.is_some() && row.requests_due.is_some()), "{rows:?}");
}

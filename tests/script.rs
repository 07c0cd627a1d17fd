//! The experiments as a user runs them: the scripts, through the real binary.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::bench::rows;
use common::scripted::alone;
use common::{Guard, Ran, eventually, finish, server_spec};
use echometer::results::Row;
use echometer::systems::{SYSTEMS, System};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;

/// A script, with the program that is under test, and short points.
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

/// Runs a script until all of its points are valid: run again, it measures those again that were
/// disturbed by what else this machine does.
fn run_script(name: &str, out: &Path, settings: &[(&str, &str)]) -> Ran {
    const ATTEMPTS: usize = 8;
    let mut ran = finish(&mut script(name, out, settings));
    for _ in 1..ATTEMPTS {
        if ran.status == 0 || !ran.stderr.contains("disturbed") {
            break;
        }
        ran = finish(&mut script(name, out, settings));
    }
    ran
}

/// Whether this machine is so busy that every attempt had points without an undisturbed slice.
fn is_too_busy(ran: &Ran) -> bool {
    let busy = ran.status == 1 && ran.stderr.contains("disturbed");
    if busy {
        println!("skipped: steal or other processes disturbed every attempt");
    }
    busy
}

/// Runs a sweep until all of its points are valid.
fn run_sweep(out: &Path, systems: &str, counts: &str) -> Ran {
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

fn assert_done(ran: &Ran, out: &Path) {
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stdout.contains("msg/s at 1"), "{ran:?}");
    assert!(fs::read_to_string(out.join("throughput.svg")).unwrap().starts_with("<svg"));
}

#[test]
fn a_sweep_leaves_a_row_for_each_contender_and_point_and_a_report_and_shows_its_progress() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("not there yet/results");
    let ran = run_sweep(&out, &two_systems(), "1 2 3");
    if is_too_busy(&ran) {
        return;
    }
    assert_done(&ran, &out);
    assert_eq!(points(&out).iter().collect::<BTreeSet<_>>().len(), 6);
    let is_last = |line: &&str| line.starts_with('[') && line.contains(" msg/s; 0 s left, until ");
    let line = ran.stderr.lines().find(is_last).unwrap_or_else(|| panic!("{ran:?}"));
    assert!(line.contains(", clients ") && line.contains(&two_systems()), "{line}");
    assert!(fs::read_to_string(out.join("clients.jsonl")).unwrap().lines().count() >= 12);
    assert!(out.join("slices.csv").exists());
}

#[test]
fn further_contenders_may_be_commands_with_spaces() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_echometer");
    let more = format!("tcp,label=one,exec={program} serve tcp --addr {{addr}}\ntcp,label=two");
    let settings = [("SYSTEMS", ""), ("CONTENDERS", &more), ("COUNTS", "2")];
    let ran = run_script("throughput.sh", directory.path(), &settings);
    if is_too_busy(&ran) {
        return;
    }
    assert_eq!(ran.status, 0, "{ran:?}");
    let rows = rows(&directory.path().join("results.csv"));
    let labels = each(&rows, |row| row.label.clone());
    assert_eq!(labels, ["one", "two"].map(str::to_owned).into());
}

#[test]
fn a_sweep_that_was_interrupted_continues_where_it_stopped() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("results");
    // As Ctrl-C in a terminal does, the signal reaches the script and what it has started.
    let mut script = sweep(&out, &two_systems(), "1 2 3 4 5 6 7 8");
    let child = script.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut script = Guard(child.unwrap());
    // Bash loses one that comes just as it learns that a command has ended, about one in 300;
    // a person presses again where the next point appears all the same.
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
    // Looking on disturbs slices, so that some of these rows may not be valid.
    let before = rows(&out.join("results.csv"));
    assert!((1..16).contains(&before.len()), "{before:?}");

    let ran = run_sweep(&out, &two_systems(), "1 2 3 4 5 6 7 8");
    if is_too_busy(&ran) {
        return;
    }
    assert_done(&ran, &out);
    assert_eq!(rows(&out.join("results.csv"))[..before.len()], before[..]);
    assert_eq!(points(&out).iter().collect::<BTreeSet<_>>().len(), 16);
}

#[test]
fn a_sweep_of_what_does_not_exist_ends_with_the_first_point() {
    let directory = tempfile::tempdir().unwrap();
    let ran = finish(&mut sweep(directory.path(), "no-such-system", "1 2 3"));
    assert_eq!(ran.status, 2, "{ran:?}");
    assert_eq!(ran.stderr.matches("there is no system 'no-such-system'").count(), 1, "{ran:?}");
}

/// Runs the script in a directory whose name has a space, twice: points that are measured already
/// are not measured again. The valid rows, each contender and point once; `None` if the machine is
/// too busy.
fn rows_of(name: &str, settings: &[(&str, &str)]) -> Option<Vec<Row>> {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("a directory");
    let mut rows_before = Vec::new();
    for run in 1..=2 {
        let ran = run_script(name, &out, settings);
        if is_too_busy(&ran) {
            return None;
        }
        assert_eq!(ran.status, 0, "{name}, run {run}: {ran:?}");
        let rows = rows(&out.join("results.csv"));
        assert!(rows.iter().any(|row| row.valid), "{name}: {rows:?}");
        if run == 2 {
            assert_eq!(rows, rows_before, "{name}");
        }
        rows_before = rows;
    }
    let told = fs::read_to_string(out.join("run.json")).unwrap();
    assert!(told.contains(&format!("./scripts/{name}")), "{told}");
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

/// What a column says of the rows, each once.
fn each<T: Ord>(rows: &[Row], column: impl Fn(&Row) -> T) -> BTreeSet<T> {
    rows.iter().map(column).collect()
}

fn set<const N: usize>(words: [&str; N]) -> BTreeSet<Option<String>> {
    words.into_iter().map(|word| Some(word.to_owned())).collect()
}

fn having(what: fn(&dyn System) -> bool) -> String {
    let names: Vec<_> =
        SYSTEMS.iter().filter(|system| what(**system)).map(|system| system.name()).collect();
    names.join(" ")
}

#[test]
fn workers_are_measured_with_each_backend_on_one_cpu_and_on_all() {
    let pools = having(|system| system.server_options(&server_spec()).workers.is_some());
    let Some(rows) =
        rows_of("workers.sh", &[("SYSTEMS", &pools), ("WORKERS", "1 3"), ("CLIENTS", "3")])
    else {
        return;
    };
    assert_eq!(rows.len(), 8);
    assert_eq!(each(&rows, |row| row.workers), [Some(1), Some(3)].into());
    assert_eq!(each(&rows, |row| row.backend.clone()), set(["inproc", "ipc"]));
    assert_eq!(each(&rows, |row| row.server_cpus_asked.clone()), set(["auto", "all"]));
}

#[test]
fn handlers_that_take_time_are_measured_with_every_system() {
    let works = [("WORKS", "none spin:10us sleep:1ms"), ("CLIENTS", "3")];
    let Some(rows) = rows_of("service.sh", &works) else { return };
    assert_eq!(each(&rows, |row| row.work.clone()), set(["none", "spin:10us", "sleep:1ms"]));
    assert_eq!(each(&rows, |row| row.system.clone()).len(), SYSTEMS.len());
    assert_eq!(rows.len(), 3 * SYSTEMS.len());
}

#[test]
fn payloads_are_as_long_both_ways() {
    let Some(rows) = rows_of("payload.sh", &[("PAYLOADS", "16 1MiB"), ("CLIENTS", "2")]) else {
        return;
    };
    let sizes = each(&rows, |row| (row.payload_bytes, row.reply_bytes));
    assert_eq!(sizes, [(16, 16), (1 << 20, 1 << 20)].into());
    assert_eq!(rows.len(), 2 * SYSTEMS.len());
}

#[test]
fn think_times_are_measured_with_each_number_of_clients() {
    let few = [("THINKS", "0 1ms"), ("COUNTS", "1 3"), ("SYSTEMS", SYSTEMS[0].name())];
    let Some(rows) = rows_of("think.sh", &few) else { return };
    let points = each(&rows, |row| (row.think_us.to_string(), row.clients));
    assert_eq!((points.len(), rows.len()), (4, 4));
}

#[test]
fn channels_are_measured_with_each_number_of_queues() {
    let systems = having(|system| system.has_channels());
    let few = [("COUNTS", "2"), ("QUEUES", "1 2"), ("SYSTEMS", &systems)];
    let Some(rows) = rows_of("channels.sh", &few) else { return };
    assert_eq!(each(&rows, |row| row.channels.clone()), set(["per-client", "shared"]));
    assert_eq!(each(&rows, |row| row.completion_queues), [Some(1), Some(2)].into());
    assert_eq!(rows.len(), 4 * systems.split(' ').count());
}

#[test]
fn latency_is_measured_at_shares_of_the_peaks_that_are_there_or_measured_first() {
    let one = [("SYSTEMS", SYSTEMS[0].name()), ("DRIVER", "lean")];
    let few = [("CLIENTS", "2"), ("SHARES", "20 50"), ("TRIALS", "2"), one[0], one[1]];
    let Some(rows) = rows_of("latency.sh", &few) else { return };
    let (peaks, paced): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.rate_per_s.is_none());
    assert_eq!((peaks.len(), paced.len()), (2, 4));
    // The peak itself may have been measured more than once, if the hypervisor took CPU time.
    for trial in [1, 2] {
        let of_trial = paced.iter().filter(|row| row.trial == trial);
        let mut rates: Vec<_> = of_trial.map(|row| row.rate_per_s.unwrap()).collect();
        rates.sort_by(f64::total_cmp);
        assert!((rates[1] / rates[0] - 2.5).abs() < 0.01, "20 % and 50 % of one peak: {rates:?}");
    }
    assert!(paced.iter().all(|row| row.due_p99_us.is_some()), "{paced:?}");

    // A sweep that has been there already knows one of the two peaks.
    let directory = tempfile::tempdir().unwrap();
    let _alone = alone();
    let counts = [one[0], one[1], ("COUNTS", "1 2")];
    let swept = run_script("throughput.sh", directory.path(), &counts);
    let ran = run_script("latency.sh", directory.path(), &few);
    if is_too_busy(&swept) || is_too_busy(&ran) {
        return;
    }
    assert_eq!(swept.status, 0, "{swept:?}");
    assert_eq!(ran.status, 0, "{ran:?}");
    let rows = common::bench::rows(&directory.path().join("results.csv"));
    let peaks = rows.iter().filter(|row| row.valid && row.clients == 2 && row.rate_per_s.is_none());
    assert!(peaks.count() >= 2);
    let paced = each(&rows, |row| (row.trial, row.rate_per_s.map(f64::to_bits)));
    assert_eq!(paced.iter().filter(|(_, rate)| rate.is_some()).count(), 4);
    assert_eq!(fs::read_dir(directory.path().join("hgrm")).unwrap().count(), 4);
}

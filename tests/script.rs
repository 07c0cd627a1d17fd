//! The experiment as a user runs it: `scripts/throughput.sh`.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::bench::rows;
use common::{Guard, Ran, eventually, finish};
use echometer::systems::SYSTEMS;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;

/// The script, with the program that is under test, and short points.
fn sweep(out: &Path, systems: &str, counts: &str) -> Command {
    let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/throughput.sh"));
    script
        .env("ECHOMETER", env!("CARGO_BIN_EXE_echometer"))
        .env("OUT", out)
        .env("SYSTEMS", systems)
        .env("COUNTS", counts)
        .env("TRIALS", "1")
        .env("DURATION", "100ms")
        .env("WARMUP", "20ms")
        .stdin(Stdio::null());
    script
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
fn a_sweep_leaves_a_row_a_point_and_a_report_and_tells_its_progress() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("not there yet/results");
    let ran = finish(&mut sweep(&out, &two_systems(), "1 2 3"));
    assert_done(&ran, &out);
    let measured = points(&out);
    assert_eq!((measured.len(), measured.iter().collect::<BTreeSet<_>>().len()), (6, 6));
    let line = ran.stderr.lines().find(|line| line.starts_with("[6/6] ")).unwrap();
    assert!(line.contains(" 3 clients: ") && line.contains(" msg/s"), "{line}");
    assert_eq!(fs::read_to_string(out.join("clients.jsonl")).unwrap().lines().count(), 12);
}

#[test]
fn a_sweep_that_was_interrupted_goes_on_where_it_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("results");
    // As Ctrl-C in a terminal does, the signal reaches the script and what it has started.
    let mut script = sweep(&out, &two_systems(), "1 2 3 4 5 6 7 8");
    let child = script.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut script = Guard(child.unwrap());
    eventually("some points are there", || (points(&out).len() >= 2).then_some(()));
    killpg(Pid::from_raw(script.pid()), Signal::SIGINT).unwrap();
    assert_eq!(script.wait().code(), Some(130));
    let before = points(&out);
    assert!((2..16).contains(&before.len()), "{before:?}");

    let ran = finish(&mut sweep(&out, &two_systems(), "1 2 3 4 5 6 7 8"));
    assert_done(&ran, &out);
    let after = points(&out);
    assert_eq!((&after[..before.len()], after.len()), (&before[..], 16));
    assert_eq!(after.iter().collect::<BTreeSet<_>>().len(), 16);
}

#[test]
fn a_sweep_of_what_does_not_exist_ends_with_the_first_point() {
    let directory = tempfile::tempdir().unwrap();
    let ran = finish(&mut sweep(directory.path(), "no-such-system", "1 2 3"));
    assert_eq!(ran.status, 2, "{ran:?}");
    assert_eq!(ran.stderr.matches("there is no system 'no-such-system'").count(), 1, "{ran:?}");
}

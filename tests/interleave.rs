//! `compare --interleave`: two builds, measured against each other in one bench.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::bench::rows;
use common::rows::table_row;
use common::scripted::machine_lock;
use common::{CommandOutput, file_in_new_directory, run};
use echometer::systems::{BASELINE, SYSTEMS};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_echometer");

/// A program that runs this build and records its arguments next to itself. `before` is a shell
/// command that runs first.
fn recording_program(before: &str) -> (TempDir, PathBuf) {
    let (directory, program) = file_in_new_directory("program");
    let script =
        format!("#!/bin/sh\necho \"$@\" >> \"$0.arguments\"\n{before}\nexec {PROGRAM} \"$@\"\n");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, program)
}

fn interleave(a: &Path, b: &Path, extra: &[&str]) -> CommandOutput {
    // Tests that run in parallel are other processes and would disturb slices.
    let _lock = machine_lock();
    let short = ["--clients", "4", "--duration", "200ms"];
    let programs = [a, b].map(|program| program.to_str().unwrap());
    run(["compare", "--interleave"].iter().chain(&programs).chain(&short).chain(extra))
}

/// Whether every slice of a trial was disturbed, as on a busy machine. Then nothing is decided.
fn is_disturbed(output: &CommandOutput) -> bool {
    output.stderr.contains("disturbed")
}

#[test]
fn two_builds_are_measured_in_one_bench_with_their_server_flags() {
    let ((_a, program_a), (_b, program_b)) = (recording_program(""), recording_program(""));
    let (directory, csv) = file_in_new_directory("rows.csv");
    let (first, second) = (SYSTEMS[0].name(), SYSTEMS[1].name());
    let contender = format!("{second},workers=3,label=three");
    let extra = [first, &contender, "--csv", csv.to_str().unwrap()];
    let output = interleave(&program_a, &program_b, &extra);
    assert!(output.status == 0 || is_disturbed(&output), "{output:?}");

    let rows = rows(&csv);
    let labels: Vec<_> = rows.iter().map(|row| row.label.clone()).collect();
    let each = [&format!("{first} A"), &format!("{first} B"), "three A", "three B"];
    assert_eq!(labels, [each; 3].concat(), "three trials");
    assert!(rows.iter().all(|row| (row.clients, &*row.driver) == (4, "lean")), "{rows:?}");
    assert!(directory.path().join("slices.csv").exists());

    for program in [&program_a, &program_b] {
        let arguments = fs::read_to_string(program.with_extension("arguments")).unwrap();
        let count = |text: &str| arguments.lines().filter(|line| line.contains(text)).count();
        assert_eq!(count(&format!("serve {first} --addr 127.0.0.1:")), 3, "{arguments}");
        assert_eq!(count(&format!("serve {second} --addr 127.0.0.1:")), 3, "{arguments}");
        assert_eq!(count("--workers=3"), 3, "only the given flags are passed on: {arguments}");
        assert_eq!(count("--tuning"), 0, "{arguments}");
    }
    let names = [&program_a, &program_b].map(|program| program.to_str().unwrap());
    assert!(output.stdout.contains(names[0]) && output.stdout.contains(names[1]), "{output:?}");
    for label in [first, "three"] {
        let cells = table_row(&output.stdout, &[label]);
        assert_eq!(cells.len(), 9, "{cells:?}");
        if !is_disturbed(&output) {
            let [ratio, low, high] = [3, 4, 5].map(|at| cells[at].parse::<f64>().unwrap());
            assert!(low <= ratio && ratio <= high, "{cells:?}");
        }
    }
}

#[test]
fn all_systems_but_the_baseline_are_measured_by_default_and_rows_are_discarded() {
    let program = Path::new(PROGRAM);
    let output = interleave(program, program, &["--trials", "1"]);
    assert!(output.status == 0 || is_disturbed(&output), "{output:?}");
    for system in SYSTEMS.iter().filter(|system| system.name() != BASELINE.name()) {
        table_row(&output.stdout, &[system.name()]);
    }
    assert!(!output.stdout.contains(BASELINE.name()), "{output:?}");
}

#[test]
fn a_slow_build_fails_and_a_single_trial_is_inconclusive() {
    let system = SYSTEMS[0].name();
    // The wrapper adds a service time to the build.
    let (_directory, slow) = recording_program("set -- \"$@\" --work=spin:200us");
    let program = Path::new(PROGRAM);
    let limit = ["--fail-on-regression", "20%"];
    let failed = interleave(program, &slow, &[&[system], &limit[..]].concat());
    assert!(failed.status == 1 || is_disturbed(&failed), "{failed:?}");
    if failed.status == 1 {
        let lost = format!("echometer: {system} at 4 clients lost ");
        assert!(failed.stderr.contains(&lost), "{failed:?}");
    }
    let faster = interleave(&slow, program, &[&[system], &limit[..]].concat());
    assert!(faster.status == 0 || is_disturbed(&faster), "{faster:?}");
    let few = interleave(program, &slow, &[&[system, "--trials", "1"], &limit[..]].concat());
    assert_eq!(few.status, 3, "{few:?}");
    assert!(few.stderr.contains("fewer than 3"), "{few:?}");
}

#[test]
fn a_program_that_does_not_exist_or_is_not_executable_is_rejected() {
    let (_directory, file) = file_in_new_directory("not-executable");
    fs::write(&file, "").unwrap();
    let (program, file) = (Path::new(PROGRAM), file.as_path());
    for (bad, reason) in [
        (Path::new("/no/such/program"), "No such file"),
        (file, "not an executable file"),
        (Path::new("/"), "not an executable file"),
    ] {
        for (a, b) in [(bad, program), (program, bad)] {
            let fragments = [bad.to_str().unwrap(), reason];
            interleave(a, b, &[]).assert_fails(1, &fragments);
        }
    }
}

#[test]
fn the_output_of_a_program_that_is_not_echometer_is_in_the_error() {
    let output = interleave(Path::new(PROGRAM), Path::new("/bin/false"), &[SYSTEMS[0].name()]);
    output.assert_fails(1, &["contender", " B'", "/bin/false", "exited during startup"]);
}

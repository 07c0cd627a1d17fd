//! CPU placement of servers and clients, and the warnings when it misleads: shared CPUs, a
//! control group with a CPU quota, and an unreadable /proc.
//!
//! Some tests need privileges. Without them, a test prints that it is skipped.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::bench::{Bench, BenchResult, bench};
use common::rows::{directory_with_rows, report};
use common::{CommandOutput, ServerProcess, run_command};
use echometer::os::cpus::Cpus;
use echometer::results::Row;
use echometer::systems::SYSTEMS;

const SHORT: [&str; 4] = ["--duration", "200ms", "--warmup", "20ms"];

/// Binds this test and its child processes to CPU 0. If that is not permitted, prints that the
/// test is skipped and returns false.
fn bind_to_cpu_0() -> bool {
    let bound = "0".parse::<Cpus>().unwrap().bind_this_thread().is_ok();
    if !bound {
        println!("skipped: this process may not use CPU 0");
    }
    bound
}

/// Number of warnings that contain this fragment.
fn warnings(output: &CommandOutput, fragment: &str) -> usize {
    let warnings = output.stderr.lines().filter(|line| line.starts_with("echometer: warning: "));
    warnings.filter(|line| line.contains(fragment)).count()
}

fn notes(row: &Row) -> Vec<&str> {
    row.notes.as_deref().map_or_else(Vec::new, |notes| notes.split("; ").collect())
}

/// A bench with these CPUs for server and clients.
fn bench_on_cpus(system: &str, server: &str, clients: &str, extra: &[&str]) -> BenchResult {
    let cpus = ["--spawn", "--server-cpus", server, "--client-cpus", clients];
    bench(system, &[&cpus[..], &SHORT, extra].concat())
}

#[test]
fn one_cpu_for_both_sides_is_a_warning_and_a_note() {
    if !bind_to_cpu_0() {
        return;
    }
    for system in SYSTEMS {
        let measured = bench_on_cpus(system.name(), "0", "0", &[]);
        assert_eq!(measured.output.status, 0, "{measured:?}");
        assert_eq!(warnings(&measured.output, "one CPU for server and clients"), 1, "{measured:?}");
        assert_eq!(warnings(&measured.output, "another machine"), 1, "advice: {measured:?}");
        let row = measured.row();
        assert!(notes(row).contains(&"one CPU for both sides"), "{row:?}");
        let cpus = [&row.server_cpus_asked, &row.client_cpus_asked, &row.server_cpus];
        assert!(cpus.iter().all(|cpus| cpus.as_deref() == Some("0")), "{row:?}");
        assert_eq!(row.client_cpus, "0");
        let reported = report(directory_with_rows(&measured.rows).path(), &[]);
        let note = "note, 1 of 1 trials: one CPU for both sides\n";
        assert!(reported.stderr.contains(note), "{reported:?}");
    }
}

#[test]
fn with_quiet_the_placement_note_is_only_in_the_row() {
    if !bind_to_cpu_0() {
        return;
    }
    let measured = bench_on_cpus(SYSTEMS[0].name(), "0", "0", &["--quiet"]);
    assert_eq!((measured.output.status, &*measured.output.stderr), (0, ""));
    assert!(notes(measured.row()).contains(&"one CPU for both sides"), "{measured:?}");
}

#[test]
fn several_trials_have_one_placement_warning_and_a_note_each() {
    if !bind_to_cpu_0() {
        return;
    }
    let measured = bench_on_cpus(SYSTEMS[0].name(), "0", "0", &["--trials", "3"]);
    assert_eq!(warnings(&measured.output, "one CPU for server and clients"), 1, "{measured:?}");
    let noted = |row: &&Row| notes(row).contains(&"one CPU for both sides");
    assert_eq!(measured.rows.iter().filter(noted).count(), 3, "{measured:?}");
}

#[test]
fn shared_cpus_are_named_with_the_flags_that_separate_them() {
    let available = Cpus::of(0).unwrap();
    if available.count() < 2 {
        println!("skipped: this process has one CPU");
        return;
    }
    let first = available.numbers()[0].to_string();
    let measured = bench_on_cpus(SYSTEMS[0].name(), "all", &first, &[]);
    let shared = format!("share the CPUs {first}, ");
    let count = warnings(&measured.output, &shared);
    assert_eq!((count, warnings(&measured.output, "--server-cpus and --client-cpus")), (1, 1));
    let row = measured.row();
    assert!(notes(row).contains(&"both sides share CPUs"), "{row:?}");
    assert_eq!(
        (row.server_cpus_asked.as_deref(), row.client_cpus_asked.as_ref()),
        (Some("all"), Some(&first))
    );
    assert_eq!((&row.server_cpus, &row.client_cpus), (&Some(available.to_string()), &first));
    // With separate CPUs there is no warning.
    let apart = bench_on_cpus(SYSTEMS[0].name(), "auto", "auto", &[]);
    assert_eq!(warnings(&apart.output, "share"), 0, "{apart:?}");
    assert!(!notes(apart.row()).contains(&"both sides share CPUs"), "{apart:?}");
}

/// The echometer command in a mount namespace with an empty /proc, or `None` if this user may not
/// create one.
fn without_proc() -> Option<Command> {
    let unshare = |flags: &str, then: &str| {
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs none /proc && {then}");
        command.args([flags, "sh", "-c", &script]).arg(env!("CARGO_BIN_EXE_echometer"));
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    };
    let works = |flags: &&&str| {
        let output = unshare(flags, "! test -e /proc/self").output();
        output.is_ok_and(|output: Output| output.status.success())
    };
    let flags = ["-m", "-rm"];
    let flags = flags.iter().find(works)?;
    Some(unshare(flags, r#"exec "$0" "$@""#))
}

#[test]
fn without_proc_its_columns_are_empty_and_one_warning_explains_it() {
    for system in SYSTEMS {
        let Some(mut command) = without_proc() else {
            println!("skipped: this user may not create a mount namespace");
            return;
        };
        let server = ServerProcess::start(*system, &[]);
        let load = [&["--addr", &server.address][..], &SHORT].concat();
        let measured = Bench::start_by(&mut command, system.name(), &load).wait();
        assert_eq!(measured.output.status, 0, "{measured:?}");
        assert_eq!(warnings(&measured.output, "/proc"), 1, "{measured:?}");
        assert_eq!(warnings(&measured.output, "cannot read"), 1, "{measured:?}");
        let row = measured.row();
        assert!(row.valid && row.verified && row.messages > 0, "{row:?}");
        assert!(notes(row).contains(&"/proc was not readable"), "{row:?}");
        for value in [
            row.client_cpu_us_per_msg,
            row.client_user_us_per_msg,
            row.client_system_us_per_msg,
            row.client_switches_per_msg,
            row.client_voluntary_switches_per_msg,
            row.client_involuntary_switches_per_msg,
            row.client_busy,
            row.client_cpus_idle,
            row.server_cpus_idle,
            row.server_rss_mib,
        ] {
            assert_eq!(value, None, "{row:?}");
        }
        assert_eq!((row.server_threads, row.bound.as_ref()), (None, None), "{row:?}");
        assert!(server.stop().metrics["accesses"].as_u64() >= Some(row.messages));
    }
}

/// A control group with a quota of half a CPU. It is removed on drop.
struct HalfCpuGroup(PathBuf);

impl HalfCpuGroup {
    /// Returns `None` if this user may not create one.
    fn new() -> Option<Self> {
        let name = format!("echometer-test-{}", std::process::id());
        let root = Path::new("/sys/fs/cgroup");
        let quotas: [(PathBuf, &[(&str, &str)]); 3] = [
            (root.join("cpu,cpuacct"), &VERSION_1),
            (root.join("cpu"), &VERSION_1),
            (root.to_owned(), &VERSION_2),
        ];
        quotas.into_iter().find_map(|(parent, files)| {
            // Outside of a cgroup file system it would be an ordinary directory.
            let is_cgroup = parent.join("cgroup.procs").exists();
            let group = HalfCpuGroup(parent.join(&name));
            fs::create_dir(&group.0).ok().filter(|()| is_cgroup)?;
            let set = |(file, text): &(&str, &str)| fs::write(group.0.join(file), text).is_ok();
            files.iter().all(set).then_some(group)
        })
    }

    /// The echometer command, started by a shell that first enters the group.
    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", r#"echo $$ >"$GROUP/cgroup.procs" && exec "$0" "$@""#]);
        command.arg(env!("CARGO_BIN_EXE_echometer")).env("GROUP", &self.0);
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }
}

const VERSION_1: [(&str, &str); 2] =
    [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "50000")];
const VERSION_2: [(&str, &str); 1] = [("cpu.max", "50000 100000")];

impl Drop for HalfCpuGroup {
    fn drop(&mut self) {
        // This fails if the group was not created, and then nothing needs to be removed.
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_cpu_quota_is_a_warning_and_in_the_row() {
    let Some(group) = HalfCpuGroup::new() else {
        println!("skipped: this user may not create a control group with a quota");
        return;
    };
    let version = run_command(group.command().arg("--version"));
    if version.status != 0 {
        println!("skipped: this process cannot enter a new control group");
        return;
    }
    let load = [&["--spawn"][..], &SHORT].concat();
    let measured = Bench::start_by(&mut group.command(), SYSTEMS[0].name(), &load).wait();
    assert_eq!(measured.output.status, 0, "{measured:?}");
    assert_eq!(warnings(&measured.output, "grants 0.50 CPUs"), 1, "{measured:?}");
    assert_eq!(warnings(&measured.output, "raise the quota"), 1, "{measured:?}");
    let row = measured.row();
    assert_eq!(row.cpu_quota, Some(0.5), "{row:?}");
    assert!(notes(row).contains(&"the CPU quota is below the number of CPUs"), "{row:?}");
    // At most half a CPU for both sides, plus one quota period of tolerance.
    let used = row.server_cpu_us_per_msg.unwrap() + row.client_cpu_us_per_msg.unwrap();
    let cpus = used * row.messages as f64 / 1e6 / row.window_s;
    assert!(cpus < 0.9, "{cpus} CPUs: {row:?}");
    let path = group.0.clone();
    drop(group);
    assert!(!path.exists());
}

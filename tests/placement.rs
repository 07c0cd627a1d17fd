//! Where the two sides of a trial run, and what a user is told where that misleads: CPUs that
//! both have, a control group that grants less, and a /proc that nobody can read.
//!
//! Some of this takes rights that a test may lack; then it says so, and is skipped.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::bench::{Bench, Measured, bench};
use common::rows::{directory_of, report};
use common::{Ran, Served, finish};
use echometer::os::cpus::Cpus;
use echometer::results::Row;
use echometer::systems::SYSTEMS;

const SHORT: [&str; 4] = ["--duration", "200ms", "--warmup", "20ms"];

/// Leaves this test, and what it starts, the CPU 0 alone; says that it is skipped if that
/// cannot be.
fn on_cpu_0() -> bool {
    let bound = "0".parse::<Cpus>().unwrap().bind_this_thread().is_ok();
    if !bound {
        println!("skipped: CPU 0 is not for this process");
    }
    bound
}

/// How many warnings there are with these words.
fn warnings(ran: &Ran, telling: &str) -> usize {
    let warnings = ran.stderr.lines().filter(|line| line.starts_with("echometer: warning: "));
    warnings.filter(|line| line.contains(telling)).count()
}

fn notes(row: &Row) -> Vec<&str> {
    row.notes.as_deref().map_or_else(Vec::new, |notes| notes.split("; ").collect())
}

/// A bench whose two sides are bound to these CPUs.
fn placed(system: &str, server: &str, clients: &str, extra: &[&str]) -> Measured {
    let cpus = ["--spawn", "--server-cpus", server, "--client-cpus", clients];
    bench(system, &[&cpus[..], &SHORT, extra].concat())
}

#[test]
fn both_sides_on_one_cpu_are_warned_of_and_the_row_says_so() {
    if !on_cpu_0() {
        return;
    }
    for system in SYSTEMS {
        let measured = placed(system.name(), "0", "0", &[]);
        assert_eq!(measured.ran.status, 0, "{measured:?}");
        assert_eq!(warnings(&measured.ran, "one CPU for server and clients"), 1, "{measured:?}");
        assert_eq!(warnings(&measured.ran, "another machine"), 1, "advice: {measured:?}");
        let row = measured.row();
        assert!(notes(row).contains(&"one CPU for both sides"), "{row:?}");
        let cpus = [&row.server_cpus_asked, &row.client_cpus_asked, &row.server_cpus];
        assert!(cpus.iter().all(|cpus| cpus.as_deref() == Some("0")), "{row:?}");
        assert_eq!(row.client_cpus, "0");
        let reported = report(directory_of(&measured.rows).path(), &[]);
        let note = "note, 1 of 1 trials: one CPU for both sides\n";
        assert!(reported.stderr.contains(note), "{reported:?}");
    }
}

#[test]
fn who_wants_no_summary_finds_it_in_the_row_alone() {
    if !on_cpu_0() {
        return;
    }
    let measured = placed(SYSTEMS[0].name(), "0", "0", &["--quiet"]);
    assert_eq!((measured.ran.status, &*measured.ran.stderr), (0, ""));
    assert!(notes(measured.row()).contains(&"one CPU for both sides"), "{measured:?}");
}

#[test]
fn of_several_trials_the_placement_is_warned_of_once_and_noted_in_each() {
    if !on_cpu_0() {
        return;
    }
    let measured = placed(SYSTEMS[0].name(), "0", "0", &["--trials", "3"]);
    assert_eq!(warnings(&measured.ran, "one CPU for server and clients"), 1, "{measured:?}");
    let noted = |row: &&Row| notes(row).contains(&"one CPU for both sides");
    assert_eq!(measured.rows.iter().filter(noted).count(), 3, "{measured:?}");
}

#[test]
fn cpus_that_both_have_are_named_with_the_flags_that_part_them() {
    let available = Cpus::of(0).unwrap();
    if available.count() < 2 {
        println!("skipped: this process has one CPU");
        return;
    }
    let first = available.numbers()[0].to_string();
    let measured = placed(SYSTEMS[0].name(), "all", &first, &[]);
    let telling = format!("share the CPUs {first}, ");
    let told = warnings(&measured.ran, &telling);
    assert_eq!((told, warnings(&measured.ran, "--server-cpus and --client-cpus")), (1, 1));
    let row = measured.row();
    assert!(notes(row).contains(&"both sides share CPUs"), "{row:?}");
    assert_eq!(
        (row.server_cpus_asked.as_deref(), row.client_cpus_asked.as_ref()),
        (Some("all"), Some(&first))
    );
    assert_eq!((&row.server_cpus, &row.client_cpus), (&Some(available.to_string()), &first));
    // Apart, nothing is said of it.
    let apart = placed(SYSTEMS[0].name(), "auto", "auto", &[]);
    assert_eq!(warnings(&apart.ran, "share"), 0, "{apart:?}");
    assert!(!notes(apart.row()).contains(&"both sides share CPUs"), "{apart:?}");
}

/// The command, in a mount namespace of its own whose /proc is empty; `None` where this user
/// cannot have one.
fn without_proc() -> Option<Command> {
    let prepared = |flags: &str, then: &str| {
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs none /proc && {then}");
        command.args([flags, "sh", "-c", &script]).arg(env!("CARGO_BIN_EXE_echometer"));
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    };
    let works = |flags: &&&str| {
        let output = prepared(flags, "! test -e /proc/self").output();
        output.is_ok_and(|output: Output| output.status.success())
    };
    let flags = ["-m", "-rm"];
    let flags = flags.iter().find(works)?;
    Some(prepared(flags, r#"exec "$0" "$@""#))
}

#[test]
fn where_proc_cannot_be_read_columns_are_empty_and_one_warning_says_why() {
    for system in SYSTEMS {
        let Some(mut command) = without_proc() else {
            println!("skipped: this user can have no mount namespace");
            return;
        };
        let server = Served::start(*system, &[]);
        let load = [&["--addr", &server.address][..], &SHORT].concat();
        let measured = Bench::start_by(&mut command, system.name(), &load).end();
        assert_eq!(measured.ran.status, 0, "{measured:?}");
        assert_eq!(warnings(&measured.ran, "/proc"), 1, "{measured:?}");
        assert_eq!(warnings(&measured.ran, "cannot read"), 1, "{measured:?}");
        let row = measured.row();
        assert!(row.valid && row.verified && row.messages > 0, "{row:?}");
        assert!(notes(row).contains(&"/proc was not readable"), "{row:?}");
        for of_proc in [
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
            assert_eq!(of_proc, None, "{row:?}");
        }
        assert_eq!((row.server_threads, row.bound.as_ref()), (None, None), "{row:?}");
        assert!(server.stop().metrics["accesses"].as_u64() >= Some(row.messages));
    }
}

/// A control group of the test's own that grants half a CPU; dropped, it is removed.
struct HalfACpu(PathBuf);

impl HalfACpu {
    /// `None` where this user can have none.
    fn new() -> Option<Self> {
        let name = format!("echometer-test-{}", std::process::id());
        let root = Path::new("/sys/fs/cgroup");
        let quotas: [(PathBuf, &[(&str, &str)]); 3] = [
            (root.join("cpu,cpuacct"), &VERSION_1),
            (root.join("cpu"), &VERSION_1),
            (root.to_owned(), &VERSION_2),
        ];
        quotas.into_iter().find_map(|(parent, files)| {
            // Elsewhere, it would be a directory like any other.
            let is_of_groups = parent.join("cgroup.procs").exists();
            let group = HalfACpu(parent.join(&name));
            fs::create_dir(&group.0).ok().filter(|()| is_of_groups)?;
            let set = |(file, text): &(&str, &str)| fs::write(group.0.join(file), text).is_ok();
            files.iter().all(set).then_some(group)
        })
    }

    /// The command, which goes into the group before it becomes what it is.
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

impl Drop for HalfACpu {
    fn drop(&mut self) {
        // It fails where the group could not be made, and nothing is left then.
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_quota_of_cpu_time_is_warned_of_and_stands_in_the_row() {
    let Some(group) = HalfACpu::new() else {
        println!("skipped: this user can have no control group with a quota");
        return;
    };
    let is_there = finish(group.command().arg("--version"));
    if is_there.status != 0 {
        println!("skipped: this process cannot go into a control group of its own");
        return;
    }
    let load = [&["--spawn"][..], &SHORT].concat();
    let measured = Bench::start_by(&mut group.command(), SYSTEMS[0].name(), &load).end();
    assert_eq!(measured.ran.status, 0, "{measured:?}");
    assert_eq!(warnings(&measured.ran, "grants 0.50 CPUs"), 1, "{measured:?}");
    assert_eq!(warnings(&measured.ran, "raise the quota"), 1, "{measured:?}");
    let row = measured.row();
    assert_eq!(row.cpu_quota, Some(0.5), "{row:?}");
    assert!(notes(row).contains(&"a CPU quota is below the CPUs"), "{row:?}");
    // No more than half a CPU for both, and what one period more lets them have.
    let used = row.server_cpu_us_per_msg.unwrap() + row.client_cpu_us_per_msg.unwrap();
    let cpus = used * row.messages as f64 / 1e6 / row.window_s;
    assert!(cpus < 0.9, "{cpus} CPUs: {row:?}");
    let path = group.0.clone();
    drop(group);
    assert!(!path.exists());
}

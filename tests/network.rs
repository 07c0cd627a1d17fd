//! `bench --network veth`: servers and clients in network namespaces of their own. Tests that need
//! privileges which this process lacks print that they are skipped.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::bench::{Bench, bench, is_alive};
use common::rows::{directory_with_rows, trials, two_systems};
use common::{echometer, eventually, run, run_command};
use echometer::analysis::{Axis, curves};
use echometer::results::Row;
use echometer::systems::SYSTEMS;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use procfs::process::{Process, all_processes};
use serde_json::Value;

/// The user and group that exist on most systems for processes without privileges.
const NOBODY_ID: u32 = 65534;

const VETH: [&str; 6] = ["--spawn", "--network", "veth", "--clients", "4", "--warmup=50ms"];

/// Whether this process may create network namespaces. Only a thread of its own enters one.
fn may_create_namespaces() -> bool {
    let thread = std::thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET));
    let result = thread.join().unwrap();
    if let Err(error) = result {
        println!("skipped: this process may not create a network namespace: {error}");
    }
    result.is_ok()
}

/// The names of the network interfaces of this process's namespace.
fn interfaces() -> BTreeSet<String> {
    procfs::net::dev_status().unwrap().into_keys().collect()
}

/// The network namespaces of the threads of a process.
fn namespaces_of(process: &Process) -> BTreeSet<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.pid)).into_iter().flatten().flatten();
    let links = tasks.filter_map(|task| fs::read_link(task.path().join("ns/net")).ok());
    links.map(|link| link.to_string_lossy().into_owned()).collect()
}

/// The network namespaces of all processes.
fn namespaces_in_use() -> BTreeSet<String> {
    all_processes().unwrap().flatten().flat_map(|process| namespaces_of(&process)).collect()
}

/// The namespaces of a bench and of its server, which differ from each other and from this one.
fn namespaces_of_bench(bench: &Bench) -> BTreeSet<String> {
    let this = namespaces_of(&Process::myself().unwrap());
    let server = bench.server_pid();
    let of = |pid| namespaces_of(&Process::new(pid).unwrap());
    // The server inherits its namespace before it runs its program.
    let (clients, servers) = (of(bench.process.pid()), of(server));
    assert_eq!((clients.len(), servers.len()), (1, 1), "{clients:?} {servers:?}");
    let all: BTreeSet<_> = clients.into_iter().chain(servers).collect();
    assert!(all.len() == 2 && all.is_disjoint(&this), "{all:?} {this:?}");
    all
}

/// Waits until no process is in these namespaces, and checks that no interface was added here and
/// no namespace has a name, which would keep it alive.
fn assert_disappear(namespaces: &BTreeSet<String>, before: &BTreeSet<String>) {
    eventually("the namespaces disappear", || {
        namespaces.is_disjoint(&namespaces_in_use()).then_some(())
    });
    assert_eq!(&interfaces(), before);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!namespaces.iter().any(|namespace| mounts.contains(namespace)), "{mounts}");
}

#[test]
fn every_system_is_measured_over_veth_and_nothing_is_left_afterwards() {
    if !may_create_namespaces() {
        return;
    }
    let (before, directory) = (interfaces(), tempfile::tempdir().unwrap());
    let csv = directory.path().join("results.csv");
    let systems: Vec<_> = SYSTEMS.iter().map(|system| system.name()).collect();
    for driver in ["native", "lean"] {
        let mut command = echometer();
        command.arg("bench").args(&systems).args(VETH).args(["--duration=300ms", "--driver"]);
        run_command(command.arg(driver).arg("--csv").arg(&csv));
    }
    let rows = common::bench::rows(&csv);
    assert_eq!(rows.len(), 2 * systems.len());
    for row in &rows {
        // A busy machine may disturb every slice.
        let reason = row.invalid_reason.clone().unwrap_or_default();
        assert!(row.valid || reason.contains("disturbed"), "{row:?}");
        assert!((row.server_accesses > Some(0)) && row.errors == 0, "{row:?}");
        assert_eq!(row.network.as_deref(), Some("veth"));
    }
    let text = fs::read_to_string(directory.path().join("run.json")).unwrap();
    let run: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(run["runs"][0]["trials"][0]["options"]["network"], "veth");
    assert_eq!(interfaces(), before);
}

#[test]
fn repeated_trials_in_one_window_are_valid_over_veth() {
    if !may_create_namespaces() {
        return;
    }
    for system in two_systems() {
        let flags = [&VETH[..], &["--duration=100ms", "--trials=2", "--quiet"]].concat();
        let result = bench(system, &flags);
        assert_eq!(result.output.status, 0, "{result:?}");
        let valid = result.rows.iter().filter(|row| row.valid && row.messages > 0);
        assert_eq!(valid.count(), 2, "{result:?}");
    }
}

#[test]
fn namespaces_disappear_after_the_bench_is_interrupted_or_killed() {
    if !may_create_namespaces() {
        return;
    }
    let before = interfaces();
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        for system in two_systems() {
            let mut bench = Bench::start(system, &[&VETH[..], &["--duration=1h"]].concat());
            bench.wait_until_echoing(1);
            let (namespaces, server) = (namespaces_of_bench(&bench), bench.server_pid());
            bench.process.signal(signal);
            let status = bench.process.wait();
            assert_eq!(status.code(), (signal == Signal::SIGINT).then_some(130));
            eventually("the server exits", || (!is_alive(server)).then_some(()));
            assert_disappear(&namespaces, &before);
        }
    }
}

#[test]
fn commands_get_the_address_of_the_servers_end() {
    if !may_create_namespaces() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("address").display().to_string();
    let (program, system) = (env!("CARGO_BIN_EXE_echometer"), two_systems()[0]);
    let script = format!("echo {{addr}} > {file}; exec {program} serve {system} --addr {{addr}}");
    let contender = format!("{system},exec=sh -c '{script}'");
    let result = bench(&contender, &[&VETH[1..], &["--duration=100ms"]].concat());
    assert!(result.row().valid, "{result:?}");
    assert_eq!(result.row().network.as_deref(), Some("veth"));
    assert!(fs::read_to_string(file).unwrap().starts_with("10.41.57.1:"));
}

#[test]
fn loopback_is_the_default_and_servers_elsewhere_have_no_network() {
    let system = SYSTEMS[0];
    let result = bench(system.name(), &["--spawn", "--duration=50ms", "--warmup=0"]);
    assert_eq!(result.row().network.as_deref(), Some("loopback"));
    let server = common::ServerProcess::start(system, &[]);
    let flags = ["--addr", &server.address, "--duration=50ms", "--warmup=0"];
    assert_eq!(bench(system.name(), &flags).row().network, None);
}

/// Runs a bench over veth through a command that takes privileges away.
fn assert_refused(command: &mut Command, csv: &Path, fragments: &[&str]) {
    command.args(["bench", SYSTEMS[0].name(), "--csv"]).arg(csv).args(VETH);
    let output = run_command(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    output.assert_fails(1, fragments);
    assert!(!csv.exists(), "no output file is created");
}

#[test]
fn missing_privileges_are_reported_with_advice() {
    let directory = tempfile::tempdir().unwrap();
    let csv = directory.path().join("results.csv");
    let fragments = ["network namespace", "run as root", "--network loopback"];
    let is_root = nix::unistd::Uid::effective().is_root();
    if !is_root {
        return assert_refused(&mut echometer(), &csv, &fragments);
    }
    let mut nobody = echometer();
    nobody.uid(NOBODY_ID).gid(NOBODY_ID);
    // The directory of the program may be accessible to root only.
    if nobody.arg("--version").output().is_ok_and(|output| output.status.success()) {
        let mut nobody = echometer();
        assert_refused(nobody.uid(NOBODY_ID).gid(NOBODY_ID), &csv, &fragments);
    } else {
        println!("skipped for an unprivileged user: only root can run the program");
    }
    let pair = ["veth pair", "run as root", "--network loopback"];
    for (capability, fragments) in [("sys_admin", fragments), ("net_admin", pair)] {
        let mut setpriv = Command::new("setpriv");
        setpriv.arg(format!("--bounding-set=-{capability}"));
        if !may_create_namespaces() || !setpriv.arg("true").status().is_ok_and(|it| it.success()) {
            println!("skipped for {capability}: setpriv cannot take it away");
            continue;
        }
        let mut setpriv = Command::new("setpriv");
        setpriv.arg(format!("--bounding-set=-{capability}"));
        assert_refused(setpriv.arg(env!("CARGO_BIN_EXE_echometer")), &csv, &fragments);
    }
}

#[test]
fn servers_that_are_already_running_are_rejected() {
    let name = SYSTEMS[0].name();
    let bench = |arguments: &[&str]| run([&["bench", "--network", "veth"], arguments].concat());
    bench(&[name, "--addr", "127.0.0.1:1"]).assert_fails(2, &["--network", "--addr"]);
    for keys in ["addr=127.0.0.1:1", "addr=127.0.0.1:1,exec=server"] {
        let contender = format!("{name},{keys}");
        bench(&[name, &contender, "--spawn"]).assert_fails(2, &[&contender, "remove addr="]);
    }
    run(["bench", name, "--spawn", "--network", "wire"])
        .assert_fails(2, &["'wire'", "loopback or veth"]);
}

/// Three valid trials with this network.
fn over(network: Option<&str>, throughput: f64) -> Vec<Row> {
    let rows = trials(two_systems()[0], 4, &[throughput, throughput * 1.01, throughput * 0.99]);
    rows.into_iter().map(|row| Row { network: network.map(str::to_owned), ..row }).collect()
}

#[test]
fn veth_rows_are_a_curve_of_their_own_and_old_rows_are_loopback_rows() {
    let rows = [over(Some("veth"), 1e4), over(Some("loopback"), 2e4), over(None, 2e4)].concat();
    let curves = curves(&rows, Axis::Clients);
    let found: BTreeMap<_, _> = curves
        .iter()
        .map(|curve| (curve.label.as_str(), curve.points[0].throughput.count))
        .collect();
    let name = two_systems()[0];
    let label = format!("{name}, over veth");
    assert_eq!(found, [(name, 6), (label.as_str(), 3)].into());
}

#[test]
fn reports_mention_veth_and_comparisons_with_loopback_are_rejected() {
    let [veth, loopback] =
        ["veth", "loopback"].map(|network| directory_with_rows(&over(Some(network), 1e4)));
    let output = run([Path::new("report"), veth.path()]);
    let note = "network, 3 of 3 trials: servers and clients in separate network namespaces";
    assert!(output.status == 0 && output.stderr.contains(note), "{output:?}");
    assert!(fs::read_to_string(veth.path().join("report.html")).unwrap().contains(note));
    let output = run([Path::new("report"), loopback.path()]);
    assert!(output.status == 0 && !output.stderr.contains("network"), "{output:?}");
    let output = run([Path::new("compare"), veth.path(), loopback.path()]);
    output.assert_fails(1, &["cannot compare"]);
}

#[test]
fn the_script_measures_over_the_network_of_its_environment() {
    if !may_create_namespaces() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/throughput.sh");
    let mut command = Command::new(script);
    command.env("ECHOMETER", env!("CARGO_BIN_EXE_echometer")).env("OUT", directory.path());
    let settings = [("COUNTS", "1 2"), ("DURATION", "100ms"), ("NETWORK", "veth")];
    command.envs(settings).env("SYSTEMS", two_systems()[0]).stdin(Stdio::null());
    let output = run_command(&mut command);
    let rows = common::bench::rows(&directory.path().join("results.csv"));
    // The script measures a point again if it was disturbed.
    assert!(rows.len() >= 2, "{output:?}");
    assert!(rows.iter().all(|row| row.network.as_deref() == Some("veth")), "{rows:?}");
    let run = fs::read_to_string(directory.path().join("run.json")).unwrap();
    assert!(run.contains("NETWORK='veth'"), "{run}");
}

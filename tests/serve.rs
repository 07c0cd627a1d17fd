//! `echometer serve`: its output and metrics, the events that stop it, and the errors that prevent
//! its start.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{
    ANY_PORT, Guard, ServerProcess, StoppedServer, echometer, eventually, file_in_new_directory,
    metrics_line, run, run_command,
};
use echometer::systems::{SYSTEMS, System};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

fn send_three(system: &dyn System, address: &str) {
    let sent = run(["send", system.name(), "--addr", address, "a", "b", "c"]);
    assert_eq!(sent.status, 0, "{sent:?}");
}

/// Asserts the values of all required keys after `send_three`.
fn assert_metrics_of_three(system: &dyn System, metrics: &Value) {
    assert_eq!(metrics["accesses"], 3, "{metrics}");
    assert_eq!(metrics["clients"], 1, "{metrics}");
    assert_eq!(metrics["mean"].as_f64(), Some(3.0), "{metrics}");
    assert_eq!(metrics["server"], system.name(), "{metrics}");
    let duration = metrics["duration"].as_str().expect("a string such as 1.25s");
    let seconds: f64 = duration.strip_suffix('s').unwrap().parse().unwrap();
    let throughput = metrics["throughput"].as_f64().unwrap();
    assert!((throughput * seconds - 3.0).abs() < 1e-6, "{metrics}");
}

fn assert_clean_stop(system: &dyn System, stopped: &StoppedServer) {
    assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
    assert_metrics_of_three(system, &stopped.metrics);
    let lines: Vec<_> = stopped.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{stopped:?}");
    let begin = format!("{}: 3 requests from 1 client", system.name());
    assert!(lines[0].starts_with(&begin), "{stopped:?}");
}

#[test]
fn a_signal_stops_a_server_which_writes_metrics_and_a_summary() {
    for system in SYSTEMS {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let server = ServerProcess::start(*system, &[]);
            assert_ne!(server.port(), 0);
            send_three(*system, &server.address);
            let stopped = server.stop_with(signal);
            assert_clean_stop(*system, &stopped);
            assert!(stopped.took < Duration::from_secs(1), "{} {stopped:?}", system.name());
        }
    }
}

#[test]
fn the_uptime_flag_stops_a_server() {
    common::for_each_system(|system| {
        let server = ServerProcess::start(system, &["--uptime", "2s"]);
        send_three(system, &server.address);
        assert_clean_stop(system, &server.wait());
    });
}

#[test]
fn a_server_with_a_closed_stderr_writes_its_metrics() {
    let (_directory, metrics) = file_in_new_directory("metrics");
    let mut command = echometer();
    command.args(["serve", SYSTEMS[0].name(), "--addr", ANY_PORT, "--metrics"]).arg(&metrics);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let stdout = child.stdout.take().unwrap();
    let mut server = Guard(child);
    assert!(BufReader::new(stdout).read_line(&mut String::new()).unwrap() > 0);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(metrics_line(&fs::read_to_string(&metrics).unwrap())["accesses"], 0);
}

/// A shell that starts a server in the background, prints its process ID, and waits.
fn shell_with_server(system: &dyn System, metrics: &std::path::Path) -> (Guard, String, Pid) {
    let mut command = Command::new("sh");
    command.args(["-c", r#""$0" "$@" & echo "pid $!"; exec 1>&-; read -r wait"#]);
    command.arg(env!("CARGO_BIN_EXE_echometer")).args(["serve", system.name()]);
    command.args(["--addr", ANY_PORT, "--metrics"]).arg(metrics);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut shell = command.spawn().unwrap();
    let lines = BufReader::new(shell.stdout.take().unwrap()).lines();
    let lines_read: Vec<_> = lines.take(2).map(Result::unwrap).collect();
    let value_of =
        |prefix| lines_read.iter().find_map(|line| line.strip_prefix(prefix)).expect("both lines");
    let pid = Pid::from_raw(value_of("pid ").parse().unwrap());
    (Guard(shell), value_of("listening ").to_owned(), pid)
}

#[test]
fn the_exit_of_its_parent_stops_a_server() {
    // The orphaned server becomes a child of this process, which can then read its exit status.
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    for system in SYSTEMS {
        let (_directory, metrics) = file_in_new_directory("metrics");
        let (mut shell, address, server) = shell_with_server(*system, &metrics);
        send_three(*system, &address);
        shell.signal(Signal::SIGKILL);
        shell.wait();
        let status = eventually("the server ends with its parent", || {
            match waitpid(server, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, status)) => Some(status),
                _ => None,
            }
        });
        assert_eq!(status, 0, "{}", system.name());
        assert_metrics_of_three(*system, &metrics_line(&fs::read_to_string(&metrics).unwrap()));
    }
}

#[test]
fn metrics_are_appended_to_an_existing_file() {
    let (_directory, metrics) = file_in_new_directory("metrics");
    for _ in 0..2 {
        let path = metrics.to_str().unwrap();
        let arguments = ["--addr", ANY_PORT, "--uptime", "1ms", "--metrics", path];
        assert_eq!(run(["serve", SYSTEMS[0].name()].iter().chain(&arguments)).status, 0);
    }
    let text = fs::read_to_string(&metrics).unwrap();
    let accesses = text.lines().map(|line| metrics_line(&format!("{line}\n"))["accesses"].clone());
    assert_eq!(accesses.collect::<Vec<_>>(), [0, 0]);
}

fn serve_at(system: &dyn System, address: &str) -> common::CommandOutput {
    run(["serve", system.name(), "--addr", address, "--uptime", "1ms"])
}

#[test]
fn an_address_in_use_is_rejected_with_advice() {
    for system in SYSTEMS {
        let server = ServerProcess::start(*system, &[]);
        let rejected = serve_at(*system, &server.address);
        rejected.assert_fails(1, &[&server.address, "in use", "choose another --addr"]);
        send_three(*system, &server.address);
        assert_clean_stop(*system, &server.stop());
    }
}

#[test]
fn a_host_name_that_does_not_resolve_is_rejected_with_advice() {
    for system in SYSTEMS {
        let rejected = serve_at(*system, "name.invalid:0");
        rejected.assert_fails(1, &["cannot resolve name.invalid", "check the host name"]);
    }
}

#[test]
fn an_address_of_another_machine_is_rejected_with_advice() {
    for system in SYSTEMS {
        let rejected = serve_at(*system, "192.0.2.1:0");
        rejected.assert_fails(1, &["192.0.2.1:0", "choose an address of this machine"]);
    }
}

/// Whether only root may bind the port.
fn is_privileged(port: u16) -> bool {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    port < first.map_or(1024, |text| text.trim().parse().unwrap())
}

/// The command as an unprivileged user, or `None` if that user cannot run the program.
fn unprivileged() -> Option<Command> {
    const NOBODY_UID: u32 = 65_534;
    let command = || {
        let mut command = echometer();
        if procfs::process::Process::myself().unwrap().status().unwrap().euid == 0 {
            command.uid(NOBODY_UID).gid(NOBODY_UID);
        }
        command
    };
    let runs = command().arg("--version").output().is_ok();
    runs.then(command)
}

#[test]
fn a_privileged_port_is_rejected_with_advice() {
    if !is_privileged(81) {
        return eprintln!("skipped: on this machine, any user may bind port 81");
    }
    for system in SYSTEMS {
        let Some(mut command) = unprivileged() else {
            return eprintln!("skipped: only root can run the program in its directory");
        };
        command.args(["serve", system.name(), "--addr", "127.0.0.1:81", "--uptime", "1ms"]);
        run_command(&mut command)
            .assert_fails(1, &["127.0.0.1:81", "choose a port of 1024 or higher"]);
    }
}

#[test]
fn an_unwritable_metrics_file_is_rejected_before_the_server_listens() {
    let (directory, missing) = file_in_new_directory("no/such/file");
    for system in SYSTEMS {
        for path in [&*missing, directory.path()] {
            let path = path.to_str().unwrap();
            let rejected = run(["serve", system.name(), "--addr", ANY_PORT, "--metrics", path]);
            rejected.assert_fails(1, &["cannot append to", path]);
        }
    }
}

//! Clients that share their CPU with a spinning process: the point is bounded by the clients, and
//! the report does not rank it.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::bench::rows;
use common::scripted::{ATTEMPTS, server_program, wait_until_idle};
use common::{ANY_PORT, CommandOutput, Guard, file_in_new_directory, run};
use echometer::os::cpus::Cpus;
use echometer::results::{CsvSink, Row};
use echometer::systems::SYSTEMS;
use tempfile::TempDir;

/// Starts a process that spins on these CPUs.
fn start_spinning(cpus: &Cpus) -> (Guard, TempDir) {
    let (directory, metrics) = file_in_new_directory("metrics");
    let before = Cpus::of(0).unwrap();
    // A child process inherits the affinity of the thread that starts it.
    cpus.bind_this_thread().unwrap();
    let address = format!("--addr={ANY_PORT}");
    let mut child = Command::new(server_program())
        .args([&address, "--name=burn", "--workers=1", "--metrics"])
        .arg(metrics)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    before.bind_this_thread().unwrap();
    let stdout = child.stdout.take().unwrap();
    let guard = Guard(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening "), "{line}");
    (guard, directory)
}

/// The row of one closed-loop trial with 4 clients.
fn measure(system: &str, server: &Cpus, clients: &Cpus) -> Row {
    let (_directory, csv) = file_in_new_directory("results.csv");
    let load = ["bench", system, "--spawn", "--run-id", "starved", "--clients", "4"];
    let window = ["--duration", "1s", "--warmup", "200ms", "--csv", csv.to_str().unwrap()];
    let place = [format!("--server-cpus={server}"), format!("--client-cpus={clients}")];
    let output = run(load.iter().chain(&window).map(ToString::to_string).chain(place));
    assert_eq!(output.status, 0, "{output:?}");
    rows(&csv).remove(0)
}

/// A client-bound row. If other processes use the server's CPU, too, the host is the bound, which
/// is why there are several attempts.
fn bounded_by_clients(system: &str, server: &Cpus, clients: &Cpus) -> Row {
    let mut bounds = Vec::new();
    for _ in 0..ATTEMPTS {
        wait_until_idle();
        let (_spinning, _directory) = start_spinning(clients);
        let row = measure(system, server, clients);
        println!(
            "{system}: bound {:?}, server busy {:?}, idle {:?}, clients busy {:?}, idle {:?}",
            row.bound, row.server_busy, row.server_cpus_idle, row.client_busy, row.client_cpus_idle
        );
        if row.bound.as_deref() == Some("client") {
            return row;
        }
        bounds.push(row.bound);
    }
    panic!("{system}: bounded by {bounds:?} although the clients' CPU was shared");
}

fn report(rows: &[Row]) -> CommandOutput {
    let (directory, csv) = file_in_new_directory("results.csv");
    CsvSink::open(&csv).unwrap().append(rows).unwrap();
    run(["report", directory.path().to_str().unwrap()])
}

#[test]
fn a_point_with_starved_clients_is_client_bound_and_not_ranked() {
    let all = Cpus::of(0).unwrap();
    let [first, .., last] = all.numbers() else {
        println!("skipped: on a single CPU the spinning process would starve the server, too");
        return;
    };
    let [server, clients] = [first, last].map(|cpu| cpu.to_string().parse::<Cpus>().unwrap());
    let systems = [SYSTEMS[0].name(), SYSTEMS[SYSTEMS.len() - 1].name()];
    let rows = systems.map(|system| bounded_by_clients(system, &server, &clients));
    for row in &rows {
        // The spinning process, not the clients themselves, used up the CPU.
        assert!(row.valid && row.client_busy < Some(0.95), "{row:?}");
    }
    let output = report(&rows);
    assert_eq!(output.status, 0, "{output:?}");
    let line = output.stderr.lines().find(|line| line.starts_with("not ranked")).unwrap();
    for system in systems {
        assert!(line.contains(&format!("{system} at 4")), "{line}");
    }
    // The ratio of the two is in parentheses, and the caption explains them.
    let [a, b] = systems;
    let row = |line: &&str| line.starts_with(&format!("| {a} ")) && line.contains('(');
    assert!(output.stdout.lines().any(|line| row(&line)), "{a} over {b}: {output:?}");
    assert!(output.stdout.contains("in parentheses: bounded by the clients"), "{output:?}");
}

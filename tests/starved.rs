//! Clients whose CPU a spinning process shares: the point says how fast they are, and the
//! report ranks no server by it.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::bench::rows;
use common::scripted::{ATTEMPTS, program, until_quiet};
use common::{ANY_PORT, Guard, Ran, file_in_new_directory, run};
use echometer::os::cpus::Cpus;
use echometer::results::{CsvSink, Row};
use echometer::systems::SYSTEMS;
use tempfile::TempDir;

/// A process that wants all of these CPUs, when it runs.
fn burn(cpus: &Cpus) -> (Guard, TempDir) {
    let (directory, metrics) = file_in_new_directory("metrics");
    let before = Cpus::of(0).unwrap();
    // A child runs where the thread ran that started it.
    cpus.bind_this_thread().unwrap();
    let address = format!("--addr={ANY_PORT}");
    let mut child = Command::new(program())
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

/// The row of one trial, whose clients want all that their CPU has to give.
fn measure(system: &str, server: &Cpus, clients: &Cpus) -> Row {
    let (_directory, csv) = file_in_new_directory("results.csv");
    let load = ["bench", system, "--spawn", "--run-id", "starved", "--clients", "4"];
    let window = ["--duration", "1s", "--warmup", "200ms", "--csv", csv.to_str().unwrap()];
    let place = [format!("--server-cpus={server}"), format!("--client-cpus={clients}")];
    let ran = run(load.iter().chain(&window).map(ToString::to_string).chain(place));
    assert_eq!(ran.status, 0, "{ran:?}");
    rows(&csv).remove(0)
}

/// A row that was bounded by the clients. Others on this machine may use the server's CPU,
/// too, and then both sides were the bound: this is what a few attempts are for.
fn bounded_by_clients(system: &str, server: &Cpus, clients: &Cpus) -> Row {
    let mut bounds = Vec::new();
    for _ in 0..ATTEMPTS {
        until_quiet();
        let (_burning, _directory) = burn(clients);
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
    panic!("{system}, whose clients were starved, was bounded by {bounds:?}");
}

fn report(rows: &[Row]) -> Ran {
    let (directory, csv) = file_in_new_directory("results.csv");
    CsvSink::open(&csv).unwrap().append(rows).unwrap();
    run(["report", directory.path().to_str().unwrap()])
}

#[test]
fn a_point_of_starved_clients_is_bounded_by_them_and_ranks_no_server() {
    let all = Cpus::of(0).unwrap();
    let [first, .., last] = all.numbers() else {
        println!("skipped: with one CPU, whoever starves the clients starves the server");
        return;
    };
    let [server, clients] = [first, last].map(|cpu| cpu.to_string().parse::<Cpus>().unwrap());
    let systems = [SYSTEMS[0].name(), SYSTEMS[SYSTEMS.len() - 1].name()];
    let rows = systems.map(|system| bounded_by_clients(system, &server, &clients));
    for row in &rows {
        // It is not what they used themselves that left them no time.
        assert!(row.valid && row.client_busy < Some(0.95), "{row:?}");
    }
    let ran = report(&rows);
    assert_eq!(ran.status, 0, "{ran:?}");
    let line = ran.stderr.lines().find(|line| line.starts_with("not ranked")).unwrap();
    for system in systems {
        assert!(line.contains(&format!("{system} at 4")), "{line}");
    }
    // The ratio of the two is in parentheses, and the caption says what these mean.
    let [a, b] = systems;
    let row = |line: &&str| line.starts_with(&format!("| {a} ")) && line.contains('(');
    assert!(ran.stdout.lines().any(|line| row(&line)), "{a} over {b}: {ran:?}");
    assert!(ran.stdout.contains("in parentheses: bounded by the clients"), "{ran:?}");
}

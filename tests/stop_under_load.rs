//! Stopping a server while requests are in flight. This is a separate test binary because a
//! framework that aborts ends the whole process with all of its tests.

mod common;

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::bench::Bench;
use common::{ServerProcess, client_spec, for_each_system, server_spec};
use echometer::message;
use echometer::spec::{ClientSpec, Endpoint, ServerSpec, Tuning};
use echometer::systems::System;

const CLIENTS: usize = 4;

/// Echoes after which a client counts as running.
const RUNNING_AFTER: u64 = 5;

/// Number of stops per system. Races between threads occur only occasionally.
const REPETITIONS: usize = 30;

/// Tunings, used in turn.
const TUNINGS: [Tuning; 2] = [Tuning::Default, Tuning::Throughput];

/// Echoes until the server is gone and returns the number of completed echoes. Sends true once the
/// client is running, or false if an echo failed.
fn echo_until_error(system: &dyn System, to: &Endpoint, name: &str, running: &Sender<bool>) -> u64 {
    // Some clients wait for this time after the server is gone. They wait in parallel.
    let spec = ClientSpec { timeout: Duration::from_secs(5), ..client_spec(name) };
    let mut client = system.connect(to, &spec).unwrap();
    let mut request = message::request(name, "hello".to_owned(), 0);
    let mut completed = 0;
    while client.echo(&request).is_ok() {
        request.advance();
        completed += 1;
        if completed == RUNNING_AFTER {
            running.send(true).unwrap();
        }
    }
    // After true was sent, there may be no receiver any more.
    let _ = running.send(false);
    completed
}

/// Stops a server under load. Returns its accesses and the threads that return the clients' echoes.
fn stop_under_load(system: &'static dyn System, tuning: Tuning) -> (u64, Vec<JoinHandle<u64>>) {
    let server = system.serve(&ServerSpec { tuning, ..server_spec() }).unwrap();
    let (running, is_running) = channel();
    let start = |index| {
        let (to, running) = (server.endpoint().clone(), running.clone());
        thread::spawn(move || echo_until_error(system, &to, &format!("client-{index}"), &running))
    };
    let clients: Vec<_> = (0..CLIENTS).map(start).collect();
    (0..CLIENTS).for_each(|_| assert!(is_running.recv().unwrap(), "a client failed too early"));
    (server.stop().unwrap().accesses, clients)
}

#[test]
fn a_server_stopped_under_load_has_counted_all_replies() {
    for_each_system(|system| {
        let stopped: Vec<_> = TUNINGS
            .into_iter()
            .cycle()
            .take(REPETITIONS)
            .map(|t| stop_under_load(system, t))
            .collect();
        for (answered, clients) in stopped {
            let completed = clients.into_iter().map(|client| client.join().unwrap()).sum();
            let agree = (completed..=completed + CLIENTS as u64).contains(&answered);
            assert!(agree, "{}: {completed} completed, {answered} answered", system.name());
        }
    });
}

#[test]
fn a_process_stopped_under_load_writes_its_metrics() {
    for_each_system(|system| {
        for tuning in TUNINGS.into_iter().cycle().take(REPETITIONS) {
            let server = ServerProcess::start(system, &["--tuning", &tuning.to_string()]);
            // A limited duration, in case the test above aborts and leaves the bench behind.
            let load = ["--addr", &server.address, "--duration", "30s", "--warmup", "0"];
            let bench = Bench::start(system.name(), &load);
            bench.wait_until_echoing(0);
            let stopped = server.stop();
            assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
            assert!(stopped.metrics["accesses"].as_u64() > Some(0), "{stopped:?}");
        }
    });
}

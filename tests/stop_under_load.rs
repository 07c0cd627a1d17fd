//! A server that is stopped while requests are on their way. In a file of its own: a framework
//! that aborts takes its process, and all tests in it, along.

mod common;

use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::bench::Bench;
use common::{Served, client_spec, server_spec, with_each_system};
use echometer::message;
use echometer::spec::{ClientSpec, Endpoint, ServerSpec, Tuning};
use echometer::systems::System;

const CLIENTS: usize = 4;

/// Echoes after which a client is in full flow.
const FULL_FLOW: u64 = 5;

/// How often each system is stopped: what goes wrong between threads does so now and then.
const TIMES: usize = 30;

/// How it is set, in turn.
const TUNINGS: [Tuning; 2] = [Tuning::Default, Tuning::Throughput];

/// Echoes until the server has gone, says whether it came to be in full flow, and returns how
/// often the server answered.
fn echo_until_gone(system: &dyn System, to: &Endpoint, name: &str, flowing: &Sender<bool>) -> u64 {
    // So long do some wait for an answer when the server has gone: all of them at once.
    let who = ClientSpec { timeout: Duration::from_secs(5), ..client_spec(name) };
    let mut client = system.connect(to, &who).unwrap();
    let mut request = message::request(name, "hello".to_owned(), 0);
    let mut completed = 0;
    while client.echo(&request).is_ok() {
        request.advance();
        completed += 1;
        if completed == FULL_FLOW {
            flowing.send(true).unwrap();
        }
    }
    // Nobody hears it from a client that was in full flow.
    let _ = flowing.send(false);
    completed
}

/// Stops a server that is in full flow: what it says it answered, and those who know better.
fn stop_in_full_flow(system: &'static dyn System, tuning: Tuning) -> (u64, Vec<JoinHandle<u64>>) {
    let server = system.serve(&ServerSpec { tuning, ..server_spec() }).unwrap();
    let (flowing, flows) = channel();
    let start = |index| {
        let (to, flowing) = (server.endpoint().clone(), flowing.clone());
        thread::spawn(move || echo_until_gone(system, &to, &format!("client-{index}"), &flowing))
    };
    let clients: Vec<_> = (0..CLIENTS).map(start).collect();
    (0..CLIENTS).for_each(|_| assert!(flows.recv().unwrap(), "a client failed too early"));
    (server.stop().unwrap().accesses, clients)
}

#[test]
fn a_server_that_is_stopped_in_full_flow_has_counted_all_that_it_answered() {
    with_each_system(|system| {
        let stopped: Vec<_> =
            TUNINGS.into_iter().cycle().take(TIMES).map(|t| stop_in_full_flow(system, t)).collect();
        for (answered, clients) in stopped {
            let completed = clients.into_iter().map(|client| client.join().unwrap()).sum();
            let agree = (completed..=completed + CLIENTS as u64).contains(&answered);
            assert!(agree, "{}: {completed} completed, {answered} answered", system.name());
        }
    });
}

#[test]
fn a_process_that_is_stopped_in_full_flow_leaves_its_metrics() {
    with_each_system(|system| {
        for tuning in TUNINGS.into_iter().cycle().take(TIMES) {
            let server = Served::start(system, &["--tuning", &tuning.to_string()]);
            // Not for long: an abort of the test above would leave it behind.
            let load = ["--addr", &server.address, "--duration", "30s", "--warmup", "0"];
            let bench = Bench::start(system.name(), &load);
            bench.until_echoing(0);
            let stopped = server.stop();
            assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
            assert!(stopped.metrics["accesses"].as_u64() > Some(0), "{stopped:?}");
        }
    });
}

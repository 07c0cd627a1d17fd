//! A server that is stopped while requests are on their way. In a file of its own: a framework
//! that aborts takes its process, and all tests in it, along.

mod common;

use std::sync::mpsc::{Sender, channel};
use std::thread;

use common::bench::Bench;
use common::{Served, client_spec, server_spec, with_each_system};
use echometer::message;
use echometer::spec::{ClientSpec, Endpoint};
use echometer::systems::System;

const CLIENTS: usize = 4;

/// How often each system is stopped: what goes wrong between threads does so now and then.
const TIMES: usize = 20;

/// Echoes until the server has gone, says when it is in full flow, and returns how often.
fn echo_until_gone(system: &dyn System, to: &Endpoint, name: &str, flowing: &Sender<()>) -> u64 {
    // What a framework retries in the background must not keep this from ending.
    let who = ClientSpec { timeout: std::time::Duration::from_millis(200), ..client_spec(name) };
    let mut client = system.connect(to, &who).unwrap();
    let mut request = message::request(name, "hello".to_owned(), 0);
    let mut completed = 0;
    while client.echo(&request).is_ok() {
        request.advance();
        completed += 1;
        if completed == 5 {
            flowing.send(()).unwrap();
        }
    }
    completed
}

/// Stops a server that is in full flow; what clients completed, and what it says it answered.
fn stop_in_full_flow(system: &'static dyn System) -> (u64, u64) {
    let server = system.serve(&server_spec()).unwrap();
    let (flowing, flows) = channel();
    let start = |index| {
        let (to, flowing) = (server.endpoint().clone(), flowing.clone());
        thread::spawn(move || echo_until_gone(system, &to, &format!("client-{index}"), &flowing))
    };
    let threads: Vec<_> = (0..CLIENTS).map(start).collect();
    // Else a client that failed would be waited for.
    drop(flowing);
    (0..CLIENTS).for_each(|_| flows.recv().unwrap());
    let tally = server.stop().unwrap();
    let completed = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    (completed, tally.accesses)
}

#[test]
fn a_server_that_is_stopped_in_full_flow_has_counted_all_that_it_answered() {
    with_each_system(|system| {
        for _ in 0..TIMES {
            let (completed, answered) = stop_in_full_flow(system);
            let unanswered = CLIENTS as u64;
            let agree = (completed..=completed + unanswered).contains(&answered);
            assert!(agree, "{}: {completed} completed, {answered} answered", system.name());
        }
    });
}

#[test]
fn a_process_that_is_stopped_in_full_flow_leaves_its_metrics() {
    with_each_system(|system| {
        for _ in 0..TIMES {
            let server = Served::start(system, &[]);
            let load = ["--addr", &server.address, "--duration", "10m", "--warmup", "0"];
            let bench = Bench::start(system.name(), &load);
            bench.until_echoing(0);
            let stopped = server.stop();
            assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
            assert!(stopped.metrics["accesses"].as_u64() > Some(0), "{stopped:?}");
        }
    });
}

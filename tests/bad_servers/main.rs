//! `echometer bench --driver lean` against faulty servers: a fault affects only the client on
//! the faulty connection and is counted by its kind, and the other clients continue.
//!
//! The servers are real ones behind a proxy that injects the faults. The address space of the
//! bench is limited, so that a length which a server announces cannot be allocated up front.

#[path = "../common/mod.rs"]
mod common;
mod faults;
#[allow(dead_code, reason = "the tests in tests/wire use the rest")]
#[path = "../wire/h2.rs"]
mod h2;
mod proxy;

use std::fs;
use std::process::{Command, Stdio};

use common::bench::{Bench, BenchResult};
use common::{ServerProcess, Wire, file_in_new_directory, wire_of};
use echometer::systems::{SYSTEMS, System};
use serde_json::Value;

use self::faults::{
    Expected, FAULTY_REQUEST, Fault, FollowUp, after_reply, faults, floods, goaway,
    instead_of_reply,
};
use self::proxy::FaultProxy;

const CLIENTS: usize = 8;

/// Number of the faulty connection. Connection 0 is the client's probe.
const FAULTY_CONNECTION: usize = 3;

/// Limit of the bench's address space in KiB.
const ADDRESS_SPACE_KIB: &str = "400000";

/// A client timeout that is longer than the window.
const LONG_TIMEOUT: &str = "10s";
/// A client timeout that is short, but long for a server that replies.
const SHORT_TIMEOUT: &str = "1s";

/// Runs `test` in parallel with one system per wire.
fn for_each_wire(test: impl Fn(&'static dyn System, Wire) + Sync) {
    std::thread::scope(|scope| {
        for wire in [Wire::Framed, Wire::ZeroMq, Wire::Grpc, Wire::GrpcStream] {
            let test = &test;
            let system = SYSTEMS.iter().find(|system| wire_of(**system) == wire).unwrap();
            scope.spawn(move || test(*system, wire));
        }
    });
}

/// Result of a bench through a proxy.
#[derive(Debug)]
struct Outcome {
    measured: BenchResult,
    /// Messages of each client.
    messages: Vec<u64>,
    connections: usize,
    injected: usize,
}

fn bench_through(proxy: &FaultProxy, system: &dyn System, extra: &[&str]) -> Outcome {
    let (_directory, results) = file_in_new_directory("clients.jsonl");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!(r#"ulimit -v {ADDRESS_SPACE_KIB}; exec "$0" "$@""#)]);
    shell.arg(env!("CARGO_BIN_EXE_echometer")).env_remove("RUST_LOG").stdin(Stdio::null());
    let clients = CLIENTS.to_string();
    let load = ["--addr", &proxy.address, "--driver", "lean", "--threads", "1", "--quiet"];
    let more = ["--clients", &clients, "--warmup", "0", "--results", results.to_str().unwrap()];
    let measured =
        Bench::start_by(&mut shell, system.name(), &[&load, &more[..], extra].concat()).wait();
    let stderr = &measured.output.stderr;
    assert!(!stderr.contains("panicked") && stderr.lines().count() <= 1, "{measured:?}");
    let lines = fs::read_to_string(&results).unwrap();
    let count = |line: &str| serde_json::from_str::<Value>(line).unwrap()["messages"].as_u64();
    let messages = lines.lines().map(|line| count(line).unwrap()).collect();
    Outcome { messages, connections: proxy.connections(), injected: proxy.injected(), measured }
}

/// A bench in which one fault is injected into one connection.
fn bench_with_fault(
    system: &dyn System,
    fault: Fault,
    expected: Expected,
    retries: &str,
) -> Outcome {
    let server = ServerProcess::start(system, &[]);
    let wire = wire_of(system);
    let proxy = FaultProxy::start(&server.address, wire, move |n| {
        (n == FAULTY_CONNECTION).then_some(fault)
    });
    let (timeout, duration) = match (expected, fault.follow_up) {
        // All clients need time because the flood takes CPU time from them.
        (Expected::Timeout, FollowUp::Flood) => (SHORT_TIMEOUT, "3s"),
        (_, FollowUp::Flood) => (LONG_TIMEOUT, "3s"),
        (Expected::Timeout, _) => (SHORT_TIMEOUT, "2500ms"),
        _ => (LONG_TIMEOUT, "800ms"),
    };
    let timing = ["--timeout", timeout, "--retries", retries, "--duration", duration];
    let outcome = bench_through(&proxy, system, &timing);
    assert_eq!(outcome.injected, 1, "{fault:?}: {outcome:?}");
    outcome
}

impl Outcome {
    /// Number of clients that continued well past the faulty request.
    fn continuing_clients(&self) -> usize {
        assert_eq!(self.messages.len(), CLIENTS, "{self:?}");
        self.messages.iter().filter(|messages| **messages > u64::from(2 * FAULTY_REQUEST)).count()
    }

    /// Asserts that all clients continued, the affected one on a new connection, and the counts
    /// of errors, timeouts, malformed, refused and disconnects.
    fn assert_all_continued(&self, counts: [u64; 5], fragment: &str) {
        assert_eq!(
            (self.continuing_clients(), self.connections),
            (CLIENTS, CLIENTS + 2),
            "{self:?}"
        );
        let row = self.measured.row();
        assert!(row.valid, "{self:?}");
        let kinds = [row.malformed, row.refused, row.disconnects].map(Option::unwrap);
        let [malformed, refused, disconnects] = kinds;
        let counted = [row.errors, row.timeouts, malformed, refused, disconnects];
        assert_eq!(counted, counts, "{self:?}");
        let output = &self.measured.output;
        assert_eq!(output.status, i32::from(row.errors > 0), "{self:?}");
        if row.errors > 0 {
            let start = "echometer: warning: 1 echo failed: ";
            assert!(
                output.stderr.starts_with(start) && output.stderr.contains(fragment),
                "{self:?}"
            );
        } else {
            assert_eq!(output.stderr, "");
        }
    }
}

#[test]
fn with_retries_only_malformed_and_refused_replies_are_errors() {
    for_each_wire(|system, wire| {
        for (fault, expected) in faults(wire) {
            let outcome = bench_with_fault(system, fault, expected, "3");
            match expected {
                Expected::Lost(_) => outcome.assert_all_continued([0, 0, 0, 0, 1], ""),
                Expected::Timeout => outcome.assert_all_continued([0, 1, 0, 0, 0], ""),
                Expected::Malformed(fragment) => {
                    outcome.assert_all_continued([1, 0, 1, 0, 0], fragment);
                }
                Expected::Refused(fragment) => {
                    outcome.assert_all_continued([1, 0, 0, 1, 0], fragment);
                }
            }
        }
    });
}

#[test]
fn without_retries_only_the_disconnected_client_stops() {
    for_each_wire(|system, wire| {
        for (fault, expected) in faults(wire) {
            match expected {
                Expected::Lost(fragment) => {
                    let outcome = bench_with_fault(system, fault, expected, "0");
                    let (row, output) = (outcome.measured.row(), &outcome.measured.output);
                    assert_eq!(
                        (outcome.continuing_clients(), output.status),
                        (CLIENTS - 1, 1),
                        "{outcome:?}"
                    );
                    assert_eq!(outcome.connections, CLIENTS + 1, "{outcome:?}");
                    assert_eq!((row.valid, row.errors, row.window_s), (false, 1, 0.8));
                    assert_eq!(row.disconnects, Some(1), "{outcome:?}");
                    let reason = row.invalid_reason.as_ref().unwrap();
                    assert!(
                        reason.starts_with("clients lost the connection to the server: "),
                        "{reason}"
                    );
                    assert!(
                        reason.contains(fragment) && output.stderr.contains(reason),
                        "{outcome:?}"
                    );
                }
                Expected::Timeout => {
                    let outcome = bench_with_fault(system, fault, expected, "0");
                    outcome.assert_all_continued([1, 1, 0, 0, 0], "no reply within 1s");
                }
                // The number of retries does not matter.
                Expected::Malformed(_) | Expected::Refused(_) => {}
            }
        }
    });
}

#[test]
fn a_flooding_server_blocks_only_its_own_client() {
    for_each_wire(|system, wire| {
        for (fault, expected) in floods(wire) {
            let outcome = bench_with_fault(system, fault, expected, "3");
            let timeouts = u64::from(expected == Expected::Timeout);
            outcome.assert_all_continued([0, timeouts, 0, 0, 1 - timeouts], "");
        }
    });
}

#[test]
fn with_only_faulty_connections_the_bench_ends_on_time_within_its_memory_limit() {
    for_each_wire(|system, wire| {
        let server = ServerProcess::start(system, &[]);
        let faults = faults(wire);
        let all = faults.len();
        let proxy = FaultProxy::start(&server.address, wire, move |n| Some(faults[n % all].0));
        let timing = ["--timeout", "300ms", "--retries", "2", "--duration", "2s"];
        let outcome = bench_through(&proxy, system, &timing);
        let row = outcome.measured.row();
        assert!(row.window_s == 2.0 && row.messages > 0, "{outcome:?}");
        assert!(row.errors > 0 && row.timeouts > 0 && row.malformed > Some(0), "{outcome:?}");
        assert_eq!(outcome.measured.output.status, 1, "{outcome:?}");
        assert!(outcome.injected > 2 * CLIENTS, "{outcome:?}");
        // The proxy's faults do not affect the server itself.
        assert_eq!(server.stop().status.code(), Some(0));
    });
}

/// Servers of another protocol at the address of the previous server.
fn foreign_servers() -> [Fault; 4] {
    let at_once = |bytes, follow_up| Fault { at: 0, ..instead_of_reply(bytes, follow_up) };
    [
        at_once(faults::http, FollowUp::Close),
        at_once(faults::tls, FollowUp::Silence),
        at_once(faults::garbage, FollowUp::Silence),
        at_once(faults::no_bytes, FollowUp::Close),
    ]
}

#[test]
fn only_the_client_that_reconnects_to_a_foreign_server_fails() {
    for_each_wire(|system, wire| {
        for foreign_server in foreign_servers() {
            let server = ServerProcess::start(system, &[]);
            let proxy = FaultProxy::start(&server.address, wire, move |n| match n {
                FAULTY_CONNECTION => Some(instead_of_reply(faults::no_bytes, FollowUp::Close)),
                n => (n > CLIENTS).then_some(foreign_server),
            });
            let timing = ["--timeout", "500ms", "--retries", "1", "--duration", "1s"];
            let outcome = bench_through(&proxy, system, &timing);
            assert_eq!(outcome.continuing_clients(), CLIENTS - 1, "{outcome:?}");
            assert!(outcome.connections > CLIENTS + 1 && outcome.injected > 1, "{outcome:?}");
            assert_eq!(outcome.measured.output.status, 1, "{outcome:?}");
            let row = outcome.measured.row();
            assert!(row.errors > 0 && row.window_s == 1.0, "{outcome:?}");
            assert!(row.disconnects > Some(0), "{outcome:?}");
        }
    });
}

/// A bench with think time in which `fault` is injected into a connection during its pause.
fn bench_with_fault_in_pause(system: &dyn System, fault: Fault) -> Outcome {
    let server = ServerProcess::start(system, &[]);
    let wire = wire_of(system);
    let proxy = FaultProxy::start(&server.address, wire, move |n| {
        (n == FAULTY_CONNECTION).then_some(fault)
    });
    let load = ["--think", "20ms", "--duration", "1s", "--timeout", LONG_TIMEOUT, "--retries", "0"];
    let outcome = bench_through(&proxy, system, &load);
    assert_eq!((outcome.injected, outcome.continuing_clients()), (1, CLIENTS), "{outcome:?}");
    assert_eq!((outcome.connections, outcome.measured.output.status), (CLIENTS + 2, 0));
    let row = outcome.measured.row();
    assert!(row.valid && row.errors == 0, "{outcome:?}");
    // Every echo in the window was sent once, plus one per client before and at most one after it.
    let (clients, asked) = (CLIENTS as u64, server.stop().metrics["accesses"].as_u64().unwrap());
    assert!(asked >= row.messages + clients && asked <= row.messages + 2 * clients, "{outcome:?}");
    outcome
}

/// Like [`for_each_wire`], without streaming gRPC, where flow control precedes the reply.
fn for_each_wire_without_streaming(test: impl Fn(&'static dyn System, Wire) + Sync) {
    for_each_wire(|system, wire| {
        if wire != Wire::GrpcStream {
            test(system, wire);
        }
    });
}

#[test]
fn a_connection_that_closes_during_a_pause_costs_no_echo() {
    for_each_wire_without_streaming(|system, wire| {
        let outcome =
            bench_with_fault_in_pause(system, after_reply(faults::no_bytes, FollowUp::Close));
        assert_eq!(outcome.measured.row().disconnects, Some(1), "{outcome:?}");
        if wire == Wire::Grpc {
            // After GOAWAY, the connection is not used again.
            bench_with_fault_in_pause(system, after_reply(goaway, FollowUp::Continue));
        }
    });
}

#[test]
fn a_duplicate_reply_during_a_pause_is_a_repeat_and_not_an_echo() {
    for_each_wire_without_streaming(|system, wire| {
        // On HTTP/2, the duplicate is on a stream that has ended, so the connection is lost.
        let outcome =
            bench_with_fault_in_pause(system, after_reply(faults::duplicate, FollowUp::Continue));
        let repeats = outcome.measured.row().repeats;
        assert_eq!(repeats, Some(u64::from(wire != Wire::Grpc)), "{outcome:?}");
    });
}

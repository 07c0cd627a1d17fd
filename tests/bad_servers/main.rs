//! Bad servers, and the lean driver, through the real binary: who meets one is counted under
//! what it did, and the others go on.
//!
//! The servers are real ones behind a relay, which is well-behaved but for what the tests say.
//! The binary has little memory: what a server announces is not to be allocated.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "the tests of the codecs use the rest")]
#[path = "../wire/h2.rs"]
mod h2;
mod harm;
mod relay;

use std::fs;
use std::process::{Command, Stdio};

use common::bench::{Bench, Measured};
use common::{Served, Wire, file_in_new_directory, known};
use echometer::systems::{SYSTEMS, System};
use serde_json::Value;

use self::harm::{AT, Harm, Taken, Then, behind, floods, goes_away, harms, instead};
use self::relay::Relay;

const CLIENTS: usize = 8;

/// The connection that is harmed where one is: the first is a probe.
const HARMED: usize = 3;

/// What the binary may have of memory, in KiB, all of its address space included.
const MEMORY: &str = "400000";

/// Long for a client to wait, and longer than a window.
const PATIENT: &str = "10s";
/// Short for a client to wait, and long for a server that means to answer.
const IMPATIENT: &str = "1s";

/// One system of each wire, all at once.
fn with_each_wire(test: impl Fn(&'static dyn System, Wire) + Sync) {
    std::thread::scope(|scope| {
        for wire in [Wire::Framed, Wire::ZeroMq, Wire::Grpc, Wire::GrpcStream] {
            let test = &test;
            let system = SYSTEMS.iter().find(|system| known(**system).1 == wire).unwrap();
            scope.spawn(move || test(*system, wire));
        }
    });
}

/// What came of a bench against a relay.
#[derive(Debug)]
struct Outcome {
    measured: Measured,
    /// Of each client, its messages.
    messages: Vec<u64>,
    connections: usize,
    struck: usize,
}

fn bench_through(relay: &Relay, system: &dyn System, extra: &[&str]) -> Outcome {
    let (_directory, results) = file_in_new_directory("clients.jsonl");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!(r#"ulimit -v {MEMORY}; exec "$0" "$@""#)]);
    shell.arg(env!("CARGO_BIN_EXE_echometer")).env_remove("RUST_LOG").stdin(Stdio::null());
    let clients = CLIENTS.to_string();
    let load = ["--addr", &relay.address, "--driver", "lean", "--threads", "1", "--quiet"];
    let more = ["--clients", &clients, "--warmup", "0", "--results", results.to_str().unwrap()];
    let measured =
        Bench::start_by(&mut shell, system.name(), &[&load, &more[..], extra].concat()).end();
    let stderr = &measured.ran.stderr;
    assert!(!stderr.contains("panicked") && stderr.lines().count() <= 1, "{measured:?}");
    let lines = fs::read_to_string(&results).unwrap();
    let count = |line: &str| serde_json::from_str::<Value>(line).unwrap()["messages"].as_u64();
    let messages = lines.lines().map(|line| count(line).unwrap()).collect();
    Outcome { messages, connections: relay.connections(), struck: relay.struck(), measured }
}

/// A bench in which one connection is harmed, once.
fn harm_one(system: &dyn System, harm: Harm, taken: Taken, retries: &str) -> Outcome {
    let server = Served::start(system, &[]);
    let wire = known(system).1;
    let relay = Relay::start(&server.address, wire, move |n| (n == HARMED).then_some(harm));
    let (timeout, duration) = match (taken, harm.then) {
        // Who is flooded, and the others, go on with what CPU time the flood leaves them.
        (Taken::Timeout, Then::Again) => (IMPATIENT, "3s"),
        (_, Then::Again) => (PATIENT, "3s"),
        (Taken::Timeout, _) => (IMPATIENT, "2500ms"),
        _ => (PATIENT, "800ms"),
    };
    let patience = ["--timeout", timeout, "--retries", retries, "--duration", duration];
    let outcome = bench_through(&relay, system, &patience);
    assert_eq!(outcome.struck, 1, "{harm:?}: {outcome:?}");
    outcome
}

impl Outcome {
    /// How many clients echoed on, long after the harm.
    fn going_on(&self) -> usize {
        assert_eq!(self.messages.len(), CLIENTS, "{self:?}");
        self.messages.iter().filter(|messages| **messages > u64::from(2 * AT)).count()
    }

    /// Asserts that all went on, the one that was harmed on a new connection, and which counts
    /// it has: errors, timeouts, malformed, refused, disconnects.
    fn assert_went_on(&self, counts: [u64; 5], telling: &str) {
        assert_eq!((self.going_on(), self.connections), (CLIENTS, CLIENTS + 2), "{self:?}");
        let row = self.measured.row();
        assert!(row.valid, "{self:?}");
        let kinds = [row.malformed, row.refused, row.disconnects].map(Option::unwrap);
        let [malformed, refused, disconnects] = kinds;
        let counted = [row.errors, row.timeouts, malformed, refused, disconnects];
        assert_eq!(counted, counts, "{self:?}");
        let ran = &self.measured.ran;
        assert_eq!(ran.status, i32::from(row.errors > 0), "{self:?}");
        if row.errors > 0 {
            let start = "echometer: warning: 1 echoes failed, the first of them so: ";
            assert!(ran.stderr.starts_with(start) && ran.stderr.contains(telling), "{self:?}");
        } else {
            assert_eq!(ran.stderr, "");
        }
    }
}

#[test]
fn with_retries_only_what_the_server_would_say_again_is_an_error() {
    with_each_wire(|system, wire| {
        for (harm, taken) in harms(wire) {
            let outcome = harm_one(system, harm, taken, "3");
            match taken {
                Taken::Lost(_) => outcome.assert_went_on([0, 0, 0, 0, 1], ""),
                Taken::Timeout => outcome.assert_went_on([0, 1, 0, 0, 0], ""),
                Taken::Malformed(words) => outcome.assert_went_on([1, 0, 1, 0, 0], words),
                Taken::Refused(words) => outcome.assert_went_on([1, 0, 0, 1, 0], words),
            }
        }
    });
}

#[test]
fn without_retries_a_client_stops_that_lost_its_server_and_the_others_go_on() {
    with_each_wire(|system, wire| {
        for (harm, taken) in harms(wire) {
            match taken {
                Taken::Lost(words) => {
                    let outcome = harm_one(system, harm, taken, "0");
                    let (row, ran) = (outcome.measured.row(), &outcome.measured.ran);
                    assert_eq!((outcome.going_on(), ran.status), (CLIENTS - 1, 1), "{outcome:?}");
                    assert_eq!(outcome.connections, CLIENTS + 1, "{outcome:?}");
                    assert_eq!((row.valid, row.errors, row.window_s), (false, 1, 0.8));
                    assert_eq!(row.disconnects, Some(1), "{outcome:?}");
                    let reason = row.invalid_reason.as_ref().unwrap();
                    assert!(reason.starts_with("clients lost their server: "), "{reason}");
                    assert!(reason.contains(words) && ran.stderr.contains(reason), "{outcome:?}");
                }
                Taken::Timeout => {
                    let outcome = harm_one(system, harm, taken, "0");
                    outcome.assert_went_on([1, 1, 0, 0, 0], "no reply within 1s");
                }
                // No matter how many there are.
                Taken::Malformed(_) | Taken::Refused(_) => {}
            }
        }
    });
}

#[test]
fn who_speaks_without_end_has_one_client_and_not_its_thread() {
    with_each_wire(|system, wire| {
        for (harm, taken) in floods(wire) {
            let outcome = harm_one(system, harm, taken, "3");
            let timeouts = u64::from(taken == Taken::Timeout);
            outcome.assert_went_on([0, timeouts, 0, 0, 1 - timeouts], "");
        }
    });
}

#[test]
fn where_every_connection_goes_bad_it_ends_in_time_and_in_little_memory() {
    with_each_wire(|system, wire| {
        let server = Served::start(system, &[]);
        let harms = harms(wire);
        let all = harms.len();
        let relay = Relay::start(&server.address, wire, move |n| Some(harms[n % all].0));
        let patience = ["--timeout", "300ms", "--retries", "2", "--duration", "2s"];
        let outcome = bench_through(&relay, system, &patience);
        let row = outcome.measured.row();
        assert!(row.window_s == 2.0 && row.messages > 0, "{outcome:?}");
        assert!(row.errors > 0 && row.timeouts > 0 && row.malformed > Some(0), "{outcome:?}");
        assert_eq!(outcome.measured.ran.status, 1, "{outcome:?}");
        assert!(outcome.struck > 2 * CLIENTS, "{outcome:?}");
        // The server itself has met nothing that it could not take.
        assert_eq!(server.stop().status.code(), Some(0));
    });
}

/// What listens where the server was, and is something else.
fn strangers() -> [Harm; 4] {
    let at_once = |bytes, then| Harm { at: 0, ..instead(bytes, then) };
    [
        at_once(harm::http, Then::Close),
        at_once(harm::tls, Then::Silence),
        at_once(harm::rubbish, Then::Silence),
        at_once(harm::nothing, Then::Close),
    ]
}

#[test]
fn a_client_that_comes_back_to_another_server_fails_alone() {
    with_each_wire(|system, wire| {
        for stranger in strangers() {
            let server = Served::start(system, &[]);
            let relay = Relay::start(&server.address, wire, move |n| match n {
                HARMED => Some(instead(harm::nothing, Then::Close)),
                n => (n > CLIENTS).then_some(stranger),
            });
            let patience = ["--timeout", "500ms", "--retries", "1", "--duration", "1s"];
            let outcome = bench_through(&relay, system, &patience);
            assert_eq!(outcome.going_on(), CLIENTS - 1, "{outcome:?}");
            assert!(outcome.connections > CLIENTS + 1 && outcome.struck > 1, "{outcome:?}");
            assert_eq!(outcome.measured.ran.status, 1, "{outcome:?}");
            let row = outcome.measured.row();
            assert!(row.errors > 0 && row.window_s == 1.0, "{outcome:?}");
            assert!(row.disconnects > Some(0), "{outcome:?}");
        }
    });
}

/// A bench of clients that pause, of which one meets `harm` in its pause.
fn harm_in_a_pause(system: &dyn System, harm: Harm) -> Outcome {
    let server = Served::start(system, &[]);
    let wire = known(system).1;
    let relay = Relay::start(&server.address, wire, move |n| (n == HARMED).then_some(harm));
    let load = ["--think", "20ms", "--duration", "1s", "--timeout", PATIENT, "--retries", "0"];
    let outcome = bench_through(&relay, system, &load);
    assert_eq!((outcome.struck, outcome.going_on()), (1, CLIENTS), "{outcome:?}");
    assert_eq!((outcome.connections, outcome.measured.ran.status), (CLIENTS + 2, 0));
    let row = outcome.measured.row();
    assert!(row.valid && row.errors == 0, "{outcome:?}");
    // Each was asked once: in the window, and before it opened, and at most one behind it.
    let (clients, asked) = (CLIENTS as u64, server.stop().metrics["accesses"].as_u64().unwrap());
    assert!(asked >= row.messages + clients && asked <= row.messages + 2 * clients, "{outcome:?}");
    outcome
}

/// The wires on which what comes first is the reply: of a conversation, it is of the flow control.
fn with_each_plain_wire(test: impl Fn(&'static dyn System, Wire) + Sync) {
    with_each_wire(|system, wire| {
        if wire != Wire::GrpcStream {
            test(system, wire);
        }
    });
}

#[test]
fn a_connection_that_ends_in_a_pause_costs_no_echo() {
    with_each_plain_wire(|system, wire| {
        let outcome = harm_in_a_pause(system, behind(harm::nothing, Then::Close));
        assert_eq!(outcome.measured.row().disconnects, Some(1), "{outcome:?}");
        if wire == Wire::Grpc {
            // The server said that it would go, and the connection is not used again.
            harm_in_a_pause(system, behind(goes_away, Then::GoOn));
        }
    });
}

#[test]
fn a_reply_that_comes_once_more_in_a_pause_is_a_repeat_and_no_echo() {
    with_each_plain_wire(|system, wire| {
        // What comes twice on HTTP/2 is on a stream that has ended: the connection is lost.
        let outcome = harm_in_a_pause(system, behind(harm::once_more, Then::GoOn));
        let repeats = outcome.measured.row().repeats;
        assert_eq!(repeats, Some(u64::from(wire != Wire::Grpc)), "{outcome:?}");
    });
}

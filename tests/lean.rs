//! `echometer bench --driver lean`: the same counts and the same checks as with the native
//! driver.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use common::bench::{Bench, BenchResult, bench, connections_to, is_alive};
use common::{
    ServerProcess, Wire, eventually, file_in_new_directory, run, unused_address, wire_of,
};
use echometer::message::BasicMessage;
use echometer::systems::SYSTEMS;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::Signal;
use protobuf::Message;
use serde_json::Value;

const SHORT: [&str; 6] = ["--duration", "200ms", "--warmup", "50ms", "--driver", "lean"];

/// Far longer than any test, with short timeouts.
const LONG: [&str; 10] = [
    "--duration",
    "10m",
    "--warmup",
    "0",
    "--timeout",
    "300ms",
    "--retries",
    "0",
    "--driver",
    "lean",
];

/// Replies that arrive before their requests. Recursion over them would overflow the stack.
const EARLY_REPLIES: u64 = 100_000;

/// One trial with the lean driver against a spawned server.
fn lean(system: &str, extra: &[&str]) -> BenchResult {
    bench(system, &[&["--spawn"], &SHORT[..], extra].concat())
}

#[test]
fn counts_and_checks_are_those_of_the_native_driver() {
    for system in SYSTEMS {
        for clients in ["1", "24"] {
            let (_directory, results) = file_in_new_directory("clients.jsonl");
            let to = ["--clients", clients, "--results", results.to_str().unwrap()];
            let measured = lean(system.name(), &to);
            assert_eq!(measured.output.status, 0, "{measured:?}");
            let row = measured.row();
            assert!(row.valid && row.verified && row.errors == 0, "{row:?}");
            assert_eq!((row.driver.as_str(), row.clients.to_string()), ("lean", clients.into()));
            assert_eq!(row.server_clients, Some(row.clients));
            // All clients are listed, and their messages add up to those of the row.
            let text = fs::read_to_string(&results).unwrap();
            let lines: Vec<Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let names: BTreeSet<_> = lines.iter().map(|line| line["name"].to_string()).collect();
            assert_eq!((lines.len(), names.len()), (row.clients, row.clients));
            let messages = lines.iter().map(|line| line["messages"].as_u64().unwrap());
            assert_eq!(messages.sum::<u64>(), row.messages);
            assert!(row.server_accesses.unwrap() >= row.messages);
        }
    }
}

#[test]
fn messages_of_any_size_are_echoed() {
    for system in SYSTEMS {
        for (payload, reply) in [("0", "0"), ("100000", "300000"), ("1000000", "1")] {
            let sizes = ["--payload", payload, "--reply-payload", reply, "--clients", "3"];
            let measured = lean(system.name(), &sizes);
            assert_eq!(measured.output.status, 0, "{measured:?}");
            assert!(measured.row().verified, "{measured:?}");
        }
    }
}

#[test]
fn a_thousand_clients_share_two_threads() {
    for system in SYSTEMS {
        let many = ["--clients", "1000", "--threads", "2"];
        let measured = lean(system.name(), &many);
        assert_eq!(measured.output.status, 0, "{measured:?}");
        assert_eq!(measured.row().server_clients, Some(1000));
    }
}

#[test]
fn ten_thousand_clients_run_or_are_rejected_with_the_descriptor_limit() {
    // A system whose server has no thread per client.
    let load = ["--spawn", "--driver", "lean", "--clients", "10000", "--timeout", "30s"];
    // Long enough for a first round of 10,000 echoes on CPUs that other processes use, too.
    let window = ["--duration", "2s", "--warmup", "0"];
    let measured = bench(SYSTEMS[0].name(), &[&load[..], &window].concat());
    let (_, limit) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // Some descriptors are not for clients.
    if limit >= 10_100 {
        assert_eq!(measured.output.status, 0, "{measured:?}");
        let row = measured.row();
        assert_eq!((row.server_clients, row.errors, row.disconnects), (Some(10_000), 0, Some(0)));
    } else {
        assert_eq!(measured.output.status, 1, "{measured:?}");
        assert!(measured.output.stderr.contains("10000 clients need"), "{measured:?}");
    }
}

#[test]
fn each_client_has_its_own_connection() {
    for system in SYSTEMS {
        let server = ServerProcess::start(*system, &[]);
        let load = [&["--addr", &server.address, "--clients", "5"], &LONG[..]].concat();
        let bench = Bench::start(system.name(), &load);
        eventually("there are 5 connections", || {
            (connections_to(server.port()) == 5).then_some(())
        });
        bench.wait_until_echoing(0);
        bench.process.signal(Signal::SIGKILL);
        assert_eq!(server.stop().metrics["clients"], 5);
    }
}

#[test]
fn a_client_with_think_time_pauses_for_that_time() {
    for system in SYSTEMS {
        let measured = lean(system.name(), &["--think", "20ms", "--clients", "2"]);
        let row = measured.row();
        assert!((2..=24).contains(&row.messages), "{row:?}");
        assert!((18_000.0..25_000.0).contains(&row.pause_mean_us.unwrap()), "{row:?}");
    }
}

#[test]
fn an_interrupted_trial_writes_an_invalid_row() {
    for system in SYSTEMS {
        let bench = Bench::start(system.name(), &[&["--spawn"], &LONG[..]].concat());
        bench.wait_until_echoing(0);
        let server = bench.server_pid();
        bench.process.signal(Signal::SIGINT);
        let measured = bench.wait();
        assert_eq!(measured.output.status, 130, "{measured:?}");
        assert_eq!(measured.row().invalid_reason.as_deref(), Some("interrupted"));
        assert!(!is_alive(server));
    }
}

#[test]
fn clients_do_not_wait_for_a_server_that_exits() {
    for system in SYSTEMS {
        let server = ServerProcess::start(*system, &[]);
        let load = [&["--addr", &server.address, "--clients", "3"], &LONG[..]].concat();
        let bench = Bench::start(system.name(), &load);
        bench.wait_until_echoing(0);
        server.stop_with(Signal::SIGTERM);
        let measured = bench.wait();
        assert_eq!(measured.output.status, 1, "{measured:?}");
        let row = measured.row();
        assert!(!row.valid && row.errors == 3, "{measured:?}");
        assert!(
            row.invalid_reason.as_ref().unwrap().contains("lost the connection to the server"),
            "{row:?}"
        );
    }
}

#[test]
fn a_missing_server_is_reported_at_once() {
    let address = unused_address();
    for system in SYSTEMS {
        let output = run(["bench", system.name(), "--addr", &address, "--driver", "lean"]);
        output.assert_fails(1, &["cannot connect to", &address]);
    }
}

/// Starts a TCP server that calls `handle` for one connection after the other. Returns its
/// address.
fn listen(handle: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind(common::ANY_PORT).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().for_each(|stream| handle(stream.unwrap())));
    address
}

#[test]
fn a_server_of_another_protocol_is_reported() {
    let address = listen(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        // Until the client closes the connection.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for system in SYSTEMS {
        let arguments = ["bench", system.name(), "--addr", &address, "--timeout", "2s"];
        let output = run(arguments.iter().chain(&["--driver", "lean", "--retries", "0"]));
        output.assert_fails(1, &["did not answer message 1"]);
    }
}

/// Reads the first request and replies to it and to many requests that were not sent yet.
fn reply_early(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1024]);
    let replies = (1..=EARLY_REPLIES).flat_map(|acknowledges| {
        let reply = BasicMessage { acknowledges, ..BasicMessage::default() };
        let bytes = reply.write_to_bytes().unwrap();
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()
    });
    let _ = stream.write_all(&replies.collect::<Vec<_>>());
    // Until the client closes the connection.
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn early_replies_are_accepted_one_after_the_other() {
    let address = listen(reply_early);
    let framed = SYSTEMS.iter().filter(|system| wire_of(**system) == Wire::Framed);
    for system in framed {
        let load = ["--addr", &address, "--driver", "lean", "--timeout", "300ms"];
        let rest = ["--retries", "0", "--duration", "2s", "--warmup", "0"];
        let measured = bench(system.name(), &[&load[..], &rest].concat());
        // All except the first, which arrives before the window. Then the client times out.
        assert_eq!(measured.output.status, 1, "{measured:?}");
        let row = measured.row();
        assert!(row.messages == EARLY_REPLIES - 1 && row.timeouts > 0, "{row:?}");
    }
}

#[test]
fn replies_before_the_end_of_a_request_are_malformed() {
    // Empty messages, which have no sequences.
    let address = listen(|mut stream| while stream.write_all(&[0; 4096]).is_ok() {});
    for system in SYSTEMS.iter().filter(|system| wire_of(**system) == Wire::Framed) {
        let load = ["--addr", &address, "--driver", "lean", "--timeout", "300ms"];
        let rest = ["--retries", "0", "--duration", "1s", "--warmup", "0", "--payload", "1MiB"];
        let measured = bench(system.name(), &[&load[..], &rest].concat());
        assert_eq!(measured.output.status, 1, "{measured:?}");
        // Each connection completes at most as many echoes as socket buffers accept requests.
        let row = measured.row();
        assert!(row.malformed > Some(0) && row.messages < 100 * row.errors, "{row:?}");
        let why = "it arrived before the request was completely sent";
        assert!(measured.output.stderr.contains(why), "{measured:?}");
    }
}

#[test]
fn a_reply_after_its_timeout_is_an_error_with_both_drivers() {
    for system in SYSTEMS {
        for driver in ["native", "lean"] {
            let slow = ["--spawn", "--work", "sleep:60ms", "--timeout", "30ms", "--retries", "0"];
            let output = run(["bench", system.name(), "--driver", driver].iter().chain(&slow));
            output.assert_fails(1, &["did not answer message 1", "no reply within 30ms"]);
        }
    }
}

#[test]
fn the_threads_flag_requires_the_lean_driver() {
    let output = run(["bench", SYSTEMS[0].name(), "--spawn", "--threads", "2"]);
    output.assert_fails(2, &["--threads needs --driver lean"]);
}

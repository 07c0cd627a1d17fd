//! The lean driver, through the real binary: the same counts and the same checks as with the
//! clients of the frameworks.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use common::bench::{Bench, Measured, bench, connections_to, is_alive};
use common::{Served, Wire, eventually, file_in_new_directory, known, nobody, run};
use echometer::message::BasicMessage;
use echometer::systems::SYSTEMS;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::Signal;
use protobuf::Message;
use serde_json::Value;

const SHORT: [&str; 6] = ["--duration", "200ms", "--warmup", "50ms", "--driver", "lean"];

/// Far longer than a test, and no patience.
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

/// Replies that come before they were asked for: more than a stack has room for.
const IN_ADVANCE: u64 = 100_000;

/// A point of a spawned server.
fn lean(system: &str, extra: &[&str]) -> Measured {
    bench(system, &[&["--spawn"], &SHORT[..], extra].concat())
}

#[test]
fn counts_and_checks_are_those_of_the_native_driver() {
    for system in SYSTEMS {
        for clients in ["1", "24"] {
            let (_directory, results) = file_in_new_directory("clients.jsonl");
            let to = ["--clients", clients, "--results", results.to_str().unwrap()];
            let measured = lean(system.name(), &to);
            assert_eq!(measured.ran.status, 0, "{measured:?}");
            let row = measured.row();
            assert!(row.valid && row.verified && row.errors == 0, "{row:?}");
            assert_eq!((row.driver.as_str(), row.clients.to_string()), ("lean", clients.into()));
            assert_eq!(row.server_clients, Some(row.clients));
            // All that the server answered was completed: nothing is left in flight.
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
fn messages_of_any_size_go_both_ways() {
    for system in SYSTEMS {
        for (payload, reply) in [("0", "0"), ("100000", "300000"), ("1000000", "1")] {
            let sizes = ["--payload", payload, "--reply-payload", reply, "--clients", "3"];
            let measured = lean(system.name(), &sizes);
            assert_eq!(measured.ran.status, 0, "{measured:?}");
            assert!(measured.row().verified, "{measured:?}");
        }
    }
}

#[test]
fn a_thousand_clients_share_two_threads() {
    for system in SYSTEMS {
        let many = ["--clients", "1000", "--threads", "2"];
        let measured = lean(system.name(), &many);
        assert_eq!(measured.ran.status, 0, "{measured:?}");
        assert_eq!(measured.row().server_clients, Some(1000));
    }
}

#[test]
fn ten_thousand_clients_are_fine_where_their_descriptors_are() {
    // Whose server has no thread for each of them.
    let load = ["--spawn", "--driver", "lean", "--clients", "10000", "--timeout", "30s"];
    let window = ["--duration", "500ms", "--warmup", "0"];
    let measured = bench(SYSTEMS[0].name(), &[&load[..], &window].concat());
    let (_, limit) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // Some descriptors are for other things than clients.
    if limit >= 10_100 {
        assert_eq!(measured.ran.status, 0, "{measured:?}");
        let row = measured.row();
        assert_eq!((row.server_clients, row.errors, row.disconnects), (Some(10_000), 0, Some(0)));
    } else {
        assert_eq!(measured.ran.status, 1, "{measured:?}");
        assert!(measured.ran.stderr.contains("10000 clients need"), "{measured:?}");
    }
}

#[test]
fn each_client_has_a_connection_of_its_own() {
    for system in SYSTEMS {
        let server = Served::start(*system, &[]);
        let load = [&["--addr", &server.address, "--clients", "5"], &LONG[..]].concat();
        let bench = Bench::start(system.name(), &load);
        eventually("there are 5 connections", || {
            (connections_to(server.port()) == 5).then_some(())
        });
        bench.until_echoing(0);
        bench.process.signal(Signal::SIGKILL);
        assert_eq!(server.stop().metrics["clients"], 5);
    }
}

#[test]
fn a_client_that_thinks_is_away_for_that_long() {
    for system in SYSTEMS {
        let measured = lean(system.name(), &["--think", "20ms", "--clients", "2"]);
        let row = measured.row();
        assert!((2..=24).contains(&row.messages), "{row:?}");
        assert!((18_000.0..25_000.0).contains(&row.pause_mean_us.unwrap()), "{row:?}");
    }
}

#[test]
fn an_interrupt_ends_a_trial_whose_row_is_written_and_marked() {
    for system in SYSTEMS {
        let bench = Bench::start(system.name(), &[&["--spawn"], &LONG[..]].concat());
        bench.until_echoing(0);
        let server = bench.server_pid();
        bench.process.signal(Signal::SIGINT);
        let measured = bench.end();
        assert_eq!(measured.ran.status, 130, "{measured:?}");
        assert_eq!(measured.row().invalid_reason.as_deref(), Some("interrupted"));
        assert!(!is_alive(server));
    }
}

#[test]
fn a_server_that_goes_away_is_lost_and_not_waited_for() {
    for system in SYSTEMS {
        let server = Served::start(*system, &[]);
        let load = [&["--addr", &server.address, "--clients", "3"], &LONG[..]].concat();
        let bench = Bench::start(system.name(), &load);
        bench.until_echoing(0);
        server.stop_by(Signal::SIGTERM);
        let measured = bench.end();
        assert_eq!(measured.ran.status, 1, "{measured:?}");
        let row = measured.row();
        assert!(!row.valid && row.errors == 3, "{measured:?}");
        assert!(row.invalid_reason.as_ref().unwrap().contains("lost their server"), "{row:?}");
    }
}

#[test]
fn where_nobody_listens_is_said_at_once() {
    let address = nobody();
    for system in SYSTEMS {
        let ran = run(["bench", system.name(), "--addr", &address, "--driver", "lean"]);
        ran.assert_fails(1, &["no server to reach", &address]);
    }
}

/// Does the same to every client that comes, one after the other; returns where.
fn listen(treat: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind(common::ANY_PORT).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().for_each(|stream| treat(stream.unwrap())));
    address
}

#[test]
fn a_server_that_speaks_something_else_is_named_by_what_it_said() {
    let address = listen(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        // Until the client has had enough.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for system in SYSTEMS {
        let arguments = ["bench", system.name(), "--addr", &address, "--timeout", "2s"];
        let ran = run(arguments.iter().chain(&["--driver", "lean", "--retries", "0"]));
        ran.assert_fails(1, &["did not answer message 1"]);
    }
}

/// A server that answers the first request, and many that nobody has sent yet, at once.
fn answer_in_advance(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1024]);
    let replies = (1..=IN_ADVANCE).flat_map(|acknowledges| {
        let reply = BasicMessage { acknowledges, ..BasicMessage::default() };
        let bytes = reply.write_to_bytes().unwrap();
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()
    });
    let _ = stream.write_all(&replies.collect::<Vec<_>>());
    // Until the client has had enough.
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn replies_in_advance_are_taken_one_after_the_other() {
    let address = listen(answer_in_advance);
    let framed = SYSTEMS.iter().filter(|system| known(**system).1 == Wire::Framed);
    for system in framed {
        let load = ["--addr", &address, "--driver", "lean", "--timeout", "300ms"];
        let rest = ["--retries", "0", "--duration", "2s", "--warmup", "0"];
        let measured = bench(system.name(), &[&load[..], &rest].concat());
        // All of them, the first before the window, and then nothing more comes.
        assert_eq!(measured.ran.status, 1, "{measured:?}");
        let row = measured.row();
        assert!(row.messages == IN_ADVANCE - 1 && row.timeouts > 0, "{row:?}");
    }
}

#[test]
fn a_server_that_answers_and_does_not_read_is_not_believed_for_long() {
    // Empty messages, which sequence nothing.
    let address = listen(|mut stream| while stream.write_all(&[0; 4096]).is_ok() {});
    for system in SYSTEMS.iter().filter(|system| known(**system).1 == Wire::Framed) {
        let load = ["--addr", &address, "--driver", "lean", "--timeout", "300ms"];
        let rest = ["--retries", "0", "--duration", "1s", "--warmup", "0", "--payload", "1MiB"];
        let measured = bench(system.name(), &[&load[..], &rest].concat());
        assert_eq!(measured.ran.status, 1, "{measured:?}");
        // Of each connection so many as the kernel has room for.
        let row = measured.row();
        assert!(row.malformed > Some(0) && row.messages < 100 * row.errors, "{row:?}");
        let why = "it came before all of the request had gone";
        assert!(measured.ran.stderr.contains(why), "{measured:?}");
    }
}

#[test]
fn a_reply_behind_its_timeout_is_none_with_either_driver() {
    for system in SYSTEMS {
        for driver in ["native", "lean"] {
            let slow = ["--spawn", "--work", "sleep:60ms", "--timeout", "30ms", "--retries", "0"];
            let ran = run(["bench", system.name(), "--driver", driver].iter().chain(&slow));
            ran.assert_fails(1, &["did not answer message 1", "no reply within 30ms"]);
        }
    }
}

#[test]
fn threads_are_for_the_lean_driver() {
    let ran = run(["bench", SYSTEMS[0].name(), "--spawn", "--threads", "2"]);
    ran.assert_fails(2, &["--threads is for --driver lean"]);
}

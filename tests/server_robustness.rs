//! Servers survive arbitrary input and vanishing clients, and then stop cleanly.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use common::raw::{INVALID_PROTOBUF, send_and_disconnect, send_raw, unsequenced_message};
use common::{
    ANY_PORT, DEADLINE, ServerProcess, StoppedServer, Wire, client_spec, echometer, eventually,
    wire_of,
};
use echometer::message::{self, Request};
use echometer::spec::ClientSpec;
use echometer::systems::{SYSTEMS, System};
use procfs::process::Process;

/// Every system with both tunings.
fn systems_and_tunings() -> impl Iterator<Item = (&'static dyn System, [&'static str; 2])> {
    let each = |system: &&'static dyn System| {
        ["default", "throughput"].map(|tuning| (*system, ["--tuning", tuning]))
    };
    SYSTEMS.iter().flat_map(each)
}

/// Runs `disturb` on a server and asserts that it still echoes and stops cleanly.
fn assert_survives(
    system: &dyn System,
    extra: &[&str],
    disturb: impl FnOnce(&ServerProcess),
) -> StoppedServer {
    let server = ServerProcess::start(system, extra);
    disturb(&server);
    assert_echoes(system, &server);
    let stopped = server.stop();
    assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
    assert!(!stopped.stderr.contains("panicked"), "{stopped:?}");
    assert!(stopped.took < Duration::from_secs(5), "{stopped:?}");
    stopped
}

fn assert_echoes(system: &dyn System, server: &ServerProcess) {
    let mut client = system.connect(&server.endpoint(), &client_spec("good client")).unwrap();
    let mut request = message::request("good client", "hello".to_owned(), 0);
    for _ in 0..3 {
        assert!(client.echo(&request).unwrap().verified);
        request.advance();
    }
}

#[test]
fn a_server_without_free_descriptors_stops_cleanly() {
    for (system, tuning) in systems_and_tunings() {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"ulimit -n 40; exec "$0" "$@""#]).arg(echometer().get_program());
        let server = ServerProcess::start_by(&mut shell, system, ANY_PORT, &tuning);
        // The kernel completes these connections even if the server does not accept them.
        let connections: Vec<_> =
            (0..50).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
        let process = Process::new(server.process.pid()).unwrap();
        let few = 40 - 5;
        eventually("the server has used up its descriptors", || {
            (process.fd_count().unwrap() > few).then_some(())
        });
        let stopped = server.stop();
        assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
        drop(connections);
    }
}

#[test]
fn a_server_stops_without_answering_all_waiting_requests() {
    const CLIENTS: usize = 12;
    let slow = ["--work", "sleep:250ms", "--workers", "1", "--completion-queues", "1"];
    for (system, tuning) in systems_and_tunings() {
        let server = ServerProcess::start(system, &[&slow[..], &tuning].concat());
        let (answered, answers) = channel();
        let start_client = |number| {
            let (to, answered) = (server.endpoint(), answered.clone());
            thread::spawn(move || {
                let spec = ClientSpec { timeout: DEADLINE, ..client_spec(&format!("{number}")) };
                let mut client = system.connect(&to, &spec).unwrap();
                let request = message::request(&spec.name, "hello".to_owned(), 0);
                while client.echo(&request).is_ok() && answered.send(()).is_ok() {}
            })
        };
        (0..CLIENTS).for_each(|number| drop(start_client(number)));
        answers.recv().unwrap();
        // By now, all other requests are waiting. To answer them takes three seconds.
        answers.recv().unwrap();
        let stopped = server.stop();
        assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
        assert!(stopped.metrics["accesses"].as_u64() >= Some(2), "{stopped:?}");
    }
}

/// Accesses and malformed requests, without the 3 accesses of `assert_echoes`.
fn counted(stopped: &StoppedServer) -> (u64, u64) {
    let count = |key| stopped.metrics[key].as_u64().unwrap();
    (count("accesses") - 3, count("malformed"))
}

/// Sends `bytes`, shuts down writing, and waits until the server closes the connection.
fn send_until_closed(address: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // A server that rejects the bytes may close or reset the connection before all are sent.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    if let Err(error) = stream.read_to_end(&mut Vec::new()) {
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::ConnectionReset,
            "the server did not close the connection"
        );
    }
}

#[test]
fn bytes_of_another_protocol_close_only_their_connection() {
    let noise: Vec<u8> =
        (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".as_slice();
    let zmtp = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".as_slice();
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".as_slice();
    let cut = b"\0\0\0\x20half".as_slice();
    for (system, tuning) in systems_and_tunings() {
        assert_survives(system, &tuning, |server| {
            for bytes in [&noise, http, zmtp, http2, cut, &[0xff; 64], &[0; 64], b"", b"\0"] {
                send_until_closed(&server.address, bytes);
            }
        });
    }
}

#[test]
fn invalid_protobuf_gets_an_error_reply_and_counts_as_malformed() {
    for (system, tuning) in systems_and_tunings() {
        let wire = wire_of(system);
        let stopped = assert_survives(system, &tuning, |server| {
            let answer = send_raw(wire, &server.address, INVALID_PROTOBUF);
            let text = match wire {
                Wire::Grpc => answer.expect_err("a status that is not OK"),
                Wire::ZeroMq | Wire::GrpcStream | Wire::Framed => answer.expect("an error reply"),
            };
            assert!(text.contains("malformed request: not a BasicMessage"), "{text}");
            assert_eq!(text.contains("INVALID_ARGUMENT"), wire == Wire::Grpc, "{text}");
        });
        assert_eq!(counted(&stopped), (0, 1), "{}", system.name());
        assert_eq!(stopped.metrics["clients"], 1);
    }
}

#[test]
fn an_empty_message_is_answered() {
    for (system, tuning) in systems_and_tunings() {
        let stopped = assert_survives(system, &tuning, |server| {
            let answer = send_raw(wire_of(system), &server.address, b"").unwrap();
            assert!(answer.starts_with("reply msg #1"), "{answer}");
        });
        assert_eq!(counted(&stopped), (1, 0), "{}", system.name());
    }
}

#[test]
fn a_peer_with_only_the_first_two_fields_is_answered() {
    for (system, tuning) in systems_and_tunings() {
        let stopped = assert_survives(system, &tuning, |server| {
            let answer =
                send_raw(wire_of(system), &server.address, &unsequenced_message("hi")).unwrap();
            assert!(answer.starts_with("reply msg #1"), "{answer}");
        });
        assert_eq!(counted(&stopped), (1, 0), "{}", system.name());
        assert_eq!(stopped.metrics["clients"], 2);
    }
}

/// A request of exactly this many bytes.
fn request_of(bytes: usize) -> Request {
    let sized = |text| message::request("client", "x".repeat(text), 0);
    (0..bytes).map(sized).find(|request| request.bytes().len() == bytes).unwrap()
}

#[test]
fn a_message_may_be_as_long_as_the_limit_but_not_longer() {
    for (system, tuning) in systems_and_tunings() {
        assert_survives(system, &[&tuning[..], &["--max-message", "1KiB"]].concat(), |server| {
            let spec = ClientSpec { timeout: Duration::from_secs(1), ..client_spec("client") };
            let echo = |bytes| {
                let mut client = system.connect(&server.endpoint(), &spec).unwrap();
                client.echo(&request_of(bytes))
            };
            for bytes in [1025, 1024, 1026, 1024, 5000] {
                assert_eq!(echo(bytes).is_ok(), bytes <= 1024, "{} {bytes}", system.name());
            }
        });
    }
}

#[test]
fn a_reply_size_over_the_limit_is_rejected() {
    for (system, tuning) in systems_and_tunings() {
        let stopped = assert_survives(
            system,
            &[&tuning[..], &["--max-message", "1KiB"]].concat(),
            |server| {
                let mut client =
                    system.connect(&server.endpoint(), &client_spec("client")).unwrap();
                let error = client.echo(&message::request("client", String::new(), u32::MAX));
                let error = error.unwrap_err().to_string();
                assert!(error.contains("over the limit of 1024"), "{error}");
            },
        );
        assert_eq!(counted(&stopped), (0, 1), "{}", system.name());
    }
}

#[test]
fn silent_clients_and_partial_requests_do_not_block_others() {
    for (system, tuning) in systems_and_tunings() {
        let mut held = Vec::new();
        assert_survives(system, &tuning, |server| {
            for bytes in [b"".as_slice(), b"\0", b"\0\0\0\x20half", b"\xff\0\0\0", b"PRI * HT"] {
                let mut stream = TcpStream::connect(&server.address).unwrap();
                stream.write_all(bytes).unwrap();
                held.push(stream);
            }
        });
    }
}

#[test]
fn clients_that_disconnect_before_their_reply_do_no_harm() {
    for (system, tuning) in systems_and_tunings() {
        assert_survives(system, &[&tuning[..], &["--workers", "2"]].concat(), |server| {
            for _ in 0..20 {
                send_and_disconnect(wire_of(system), &server.address, &unsequenced_message("bye"));
            }
        });
    }
}

#[test]
fn a_thousand_concurrent_connections_are_accepted() {
    echometer::os::host::raise_file_limit().unwrap();
    for (system, tuning) in systems_and_tunings() {
        assert_survives(system, &tuning, |server| {
            let connect = |_| TcpStream::connect(&server.address).unwrap();
            let connections: Vec<_> = (0..1000).map(connect).collect();
            assert_echoes(system, server);
            drop(connections);
        });
    }
}

//! Bad luck: servers go on after anything that comes to their port, and stop as they should.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use common::raw::{NO_PROTOBUF, ask, ask_and_vanish, old_message};
use common::{
    ANY_PORT, DEADLINE, Served, Stopped, Wire, client_spec, echometer, eventually, known,
};
use echometer::message::{self, Request};
use echometer::spec::ClientSpec;
use echometer::systems::{SYSTEMS, System};
use procfs::process::Process;

/// Every system as it comes, and as it is tuned.
fn settings() -> impl Iterator<Item = (&'static dyn System, [&'static str; 2])> {
    let each = |system: &&'static dyn System| {
        ["default", "throughput"].map(|tuning| (*system, ["--tuning", tuning]))
    };
    SYSTEMS.iter().flat_map(each)
}

/// Lets `trouble` happen to a server, which then echoes and stops.
fn survives(system: &dyn System, extra: &[&str], trouble: impl FnOnce(&Served)) -> Stopped {
    let server = Served::start(system, extra);
    trouble(&server);
    assert_echoes(system, &server);
    let stopped = server.stop();
    assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
    assert!(!stopped.stderr.contains("panicked"), "{stopped:?}");
    assert!(stopped.took < Duration::from_secs(5), "{stopped:?}");
    stopped
}

fn assert_echoes(system: &dyn System, server: &Served) {
    let mut client = system.connect(&server.endpoint(), &client_spec("good client")).unwrap();
    let mut request = message::request("good client", "hello".to_owned(), 0);
    for _ in 0..3 {
        assert!(client.echo(&request).unwrap().verified);
        request.advance();
    }
}

#[test]
fn a_server_that_has_no_descriptor_left_stops_as_it_should() {
    for (system, tuning) in settings() {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"ulimit -n 40; exec "$0" "$@""#]).arg(echometer().get_program());
        let server = Served::start_by(&mut shell, system, ANY_PORT, &tuning);
        // The kernel connects them, whether the server accepts them or not.
        let crowd: Vec<_> = (0..50).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
        let process = Process::new(server.process.pid()).unwrap();
        let few = 40 - 5;
        eventually("descriptors are lacking", || (process.fd_count().unwrap() > few).then_some(()));
        let stopped = server.stop();
        assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
        drop(crowd);
    }
}

#[test]
fn a_server_stops_between_two_requests_however_many_wait() {
    const CLIENTS: usize = 12;
    let slow = ["--work", "sleep:250ms", "--workers", "1", "--completion-queues", "1"];
    for (system, tuning) in settings() {
        let server = Served::start(system, &[&slow[..], &tuning].concat());
        let (answered, answers) = channel();
        let ask = |number| {
            let (to, answered) = (server.endpoint(), answered.clone());
            thread::spawn(move || {
                let who = ClientSpec { timeout: DEADLINE, ..client_spec(&format!("{number}")) };
                let mut client = system.connect(&to, &who).unwrap();
                let request = message::request(&who.name, "hello".to_owned(), 0);
                while client.echo(&request).is_ok() && answered.send(()).is_ok() {}
            })
        };
        (0..CLIENTS).for_each(|number| drop(ask(number)));
        answers.recv().unwrap();
        // By the end of this one, all others are there; to answer them takes three seconds.
        answers.recv().unwrap();
        let stopped = server.stop();
        assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
        assert!(stopped.metrics["accesses"].as_u64() >= Some(2), "{stopped:?}");
    }
}

/// Accesses and malformed requests, less those of `assert_echoes`.
fn counted(stopped: &Stopped) -> (u64, u64) {
    let count = |key| stopped.metrics[key].as_u64().unwrap();
    (count("accesses") - 3, count("malformed"))
}

/// Sends `bytes` and nothing more, and waits until the server closes the connection.
fn send_and_hear_out(address: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // A server that has heard enough may close, or reset, before all was sent.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    if let Err(error) = stream.read_to_end(&mut Vec::new()) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it was not closed");
    }
}

#[test]
fn bytes_of_no_wire_close_their_connection_only() {
    let noise: Vec<u8> =
        (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".as_slice();
    let zmtp = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".as_slice();
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".as_slice();
    let cut = b"\0\0\0\x20half".as_slice();
    for (system, tuning) in settings() {
        survives(system, &tuning, |server| {
            for bytes in [&noise, http, zmtp, http2, cut, &[0xff; 64], &[0; 64], b"", b"\0"] {
                send_and_hear_out(&server.address, bytes);
            }
        });
    }
}

#[test]
fn bytes_that_are_no_protobuf_are_answered_so_and_counted_as_malformed() {
    for (system, tuning) in settings() {
        let wire = known(system).1;
        let stopped = survives(system, &tuning, |server| {
            let answer = ask(wire, &server.address, NO_PROTOBUF);
            let text = match wire {
                Wire::Grpc => answer.expect_err("a status that is not OK"),
                Wire::ZeroMq | Wire::GrpcStream | Wire::Framed => {
                    answer.expect("a reply that says so")
                }
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
    for (system, tuning) in settings() {
        let stopped = survives(system, &tuning, |server| {
            let answer = ask(known(system).1, &server.address, b"").unwrap();
            assert!(answer.starts_with("reply msg #1"), "{answer}");
        });
        assert_eq!(counted(&stopped), (1, 0), "{}", system.name());
    }
}

#[test]
fn a_peer_that_knows_only_the_first_two_fields_is_answered() {
    for (system, tuning) in settings() {
        let stopped = survives(system, &tuning, |server| {
            let answer = ask(known(system).1, &server.address, &old_message("hi")).unwrap();
            assert!(answer.starts_with("reply msg #1"), "{answer}");
        });
        assert_eq!(counted(&stopped), (1, 0), "{}", system.name());
        assert_eq!(stopped.metrics["clients"], 2);
    }
}

/// A request of exactly so many bytes.
fn request_of(bytes: usize) -> Request {
    let sized = |text| message::request("client", "x".repeat(text), 0);
    (0..bytes).map(sized).find(|request| request.bytes().len() == bytes).unwrap()
}

#[test]
fn a_message_may_be_as_long_as_the_limit_and_not_a_byte_longer() {
    for (system, tuning) in settings() {
        survives(system, &[&tuning[..], &["--max-message", "1KiB"]].concat(), |server| {
            let who = ClientSpec { timeout: Duration::from_secs(1), ..client_spec("client") };
            let echo = |bytes| {
                let mut client = system.connect(&server.endpoint(), &who).unwrap();
                client.echo(&request_of(bytes))
            };
            for bytes in [1025, 1024, 1026, 1024, 5000] {
                assert_eq!(echo(bytes).is_ok(), bytes <= 1024, "{} {bytes}", system.name());
            }
        });
    }
}

#[test]
fn a_reply_that_is_asked_to_be_too_long_is_refused() {
    for (system, tuning) in settings() {
        let stopped =
            survives(system, &[&tuning[..], &["--max-message", "1KiB"]].concat(), |server| {
                let mut client =
                    system.connect(&server.endpoint(), &client_spec("client")).unwrap();
                let error = client.echo(&message::request("client", String::new(), u32::MAX));
                let error = error.unwrap_err().to_string();
                assert!(error.contains("over the limit of 1024"), "{error}");
            });
        assert_eq!(counted(&stopped), (0, 1), "{}", system.name());
    }
}

#[test]
fn clients_that_say_nothing_or_stop_in_the_middle_are_in_nobodys_way() {
    for (system, tuning) in settings() {
        let mut held = Vec::new();
        survives(system, &tuning, |server| {
            for said in [b"".as_slice(), b"\0", b"\0\0\0\x20half", b"\xff\0\0\0", b"PRI * HT"] {
                let mut stream = TcpStream::connect(&server.address).unwrap();
                stream.write_all(said).unwrap();
                held.push(stream);
            }
        });
    }
}

#[test]
fn clients_that_vanish_before_their_reply_are_not_missed() {
    for (system, tuning) in settings() {
        survives(system, &[&tuning[..], &["--workers", "2"]].concat(), |server| {
            for _ in 0..20 {
                ask_and_vanish(known(system).1, &server.address, &old_message("bye"));
            }
        });
    }
}

#[test]
fn a_thousand_connections_at_once_are_taken() {
    echometer::os::host::raise_file_limit().unwrap();
    for (system, tuning) in settings() {
        survives(system, &tuning, |server| {
            let connect = |_| TcpStream::connect(&server.address).unwrap();
            let crowd: Vec<_> = (0..1000).map(connect).collect();
            assert_echoes(system, server);
            drop(crowd);
        });
    }
}

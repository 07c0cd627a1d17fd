//! Input that only a ZeroMQ peer can send: multipart messages, and messages without an envelope.

mod common;

use common::raw::{INVALID_PROTOBUF, send_frames, unsequenced_message, zmq_socket};
use common::{ServerProcess, Wire, wire_of};
use echometer::systems::{SYSTEMS, System};

fn systems() -> impl Iterator<Item = &'static &'static dyn System> {
    SYSTEMS.iter().filter(|system| wire_of(**system) == Wire::ZeroMq)
}

#[test]
fn rep_and_router_speak_zeromq() {
    let names: Vec<_> = systems().map(|system| system.name()).collect();
    assert_eq!(names, ["rep", "router"]);
}

#[test]
fn extra_frames_get_an_error_reply_and_the_next_request_is_answered() {
    for system in systems() {
        let server = ServerProcess::start(*system, &[]);
        let message = unsequenced_message("hi");
        for extra in [vec![b"extra".as_slice()], vec![b"", b""], vec![&message; 20]] {
            let frames = [vec![message.as_slice()], extra].concat();
            let answer = send_frames(&server.address, &frames).unwrap();
            let expected = format!("malformed request: expected 1 frame, got {}", frames.len());
            assert!(answer.starts_with(&expected), "{answer}");
        }
        let answer = send_frames(&server.address, &[&message]).unwrap();
        assert!(answer.starts_with("reply msg #1"), "{answer}");
        let metrics = server.stop().metrics;
        assert_eq!((&metrics["accesses"], &metrics["malformed"]), (&1.into(), &3.into()));
    }
}

#[test]
fn a_socket_continues_after_its_malformed_request() {
    for system in systems() {
        let server = ServerProcess::start(*system, &["--workers", "1"]);
        let socket = zmq_socket(zmq::REQ, &server.address);
        for request in [INVALID_PROTOBUF, &unsequenced_message("hi"), INVALID_PROTOBUF, b""] {
            socket.send(request, 0).unwrap();
            assert!(!socket.recv_bytes(0).unwrap().is_empty());
        }
        let metrics = server.stop().metrics;
        assert_eq!((&metrics["accesses"], &metrics["malformed"]), (&2.into(), &2.into()));
    }
}

#[test]
fn a_message_without_an_envelope_is_dropped() {
    for system in systems() {
        let server = ServerProcess::start(*system, &[]);
        let dealer = zmq_socket(zmq::DEALER, &server.address);
        for _ in 0..20 {
            dealer.send("no envelope", 0).unwrap();
            dealer.send_multipart(["no", "envelope"], 0).unwrap();
        }
        // A connection is read in order, so the reply shows that all earlier messages were read.
        dealer.send_multipart([b"".as_slice(), &unsequenced_message("hi")], 0).unwrap();
        let answer = dealer.recv_multipart(0).unwrap();
        assert_eq!((answer.len(), answer[0].len()), (2, 0));
        let metrics = server.stop().metrics;
        assert_eq!((&metrics["accesses"], &metrics["malformed"]), (&1.into(), &0.into()));
    }
}

#[test]
fn a_dealer_that_sends_many_requests_at_once_gets_as_many_replies() {
    for system in systems() {
        let server = ServerProcess::start(*system, &["--workers", "3"]);
        let dealer = zmq_socket(zmq::DEALER, &server.address);
        for _ in 0..100 {
            dealer.send_multipart([b"".as_slice(), &unsequenced_message("hi")], 0).unwrap();
        }
        for _ in 0..100 {
            assert_eq!(dealer.recv_multipart(0).unwrap().len(), 2);
        }
        assert_eq!(server.stop().metrics["accesses"], 100);
    }
}

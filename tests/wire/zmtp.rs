//! ZMTP, the wire protocol of ZeroMQ.

use echometer::message::EchoError;
use echometer::wire::Zmtp;
use proptest::prelude::*;

use crate::harness::{Harness, OwnedEvent, assert_split_anywhere, error, outcome, split};

const MAX: usize = 70_000;

fn greeting(minor: u8, mechanism: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03".to_vec();
    bytes.push(minor);
    bytes.extend_from_slice(mechanism);
    bytes.resize(64, 0);
    bytes
}

fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => [&[flags | 2], &(body.len() as u64).to_be_bytes()[..], body].concat(),
    }
}

fn ready(kind: &[u8]) -> Vec<u8> {
    let length = u32::try_from(kind.len()).unwrap().to_be_bytes();
    frame(4, &[b"\x05READY\x0bSocket-Type", &length[..], kind].concat())
}

fn reply(message: &[u8]) -> Vec<u8> {
    [frame(1, b""), frame(0, message)].concat()
}

/// Greeting and READY command of a server.
pub fn handshake() -> Vec<u8> {
    [greeting(1, b"NULL"), ready(b"ROUTER")].concat()
}

#[test]
fn replies_are_the_same_wherever_the_input_is_split() {
    let ping = frame(4, b"\x04PING\0\x0acontext");
    let bytes = [
        handshake(),
        reply(b"one"),
        ping.clone(),
        frame(1, b""),
        ping,
        frame(0, b""),
        frame(4, b"\x07UNKNOWN"),
        reply(&[3; 300]),
    ]
    .concat();
    let replies = [b"one".to_vec(), Vec::new(), vec![3; 300]].map(OwnedEvent::Reply);
    let expected = [&[OwnedEvent::Ready][..], &replies].concat();
    assert_split_anywhere(|| Zmtp::new(MAX), &[b"a", b"b", b"c"], &bytes, &expected);
}

#[test]
fn requests_have_a_delimiter_frame_and_pings_are_answered() {
    let mut harness = Harness::new(Zmtp::new(MAX), &[b"hello", &[7; 256]]);
    let sent = harness.take_sent();
    // The bytes between the two ends of the signature are arbitrary.
    assert_eq!((sent.len(), sent[0], &sent[9..]), (64, 0xff, &greeting(0, b"NULL")[9..]));
    harness.feed(&greeting(0, b"NULL")).unwrap();
    assert_eq!(harness.take_sent()[..8], *b"\x04\x26\x05READY");
    harness.feed(&ready(b"REP")).unwrap();
    assert_eq!(harness.take_sent(), b"\x01\0\0\x05hello");
    harness.feed(&frame(4, b"\x04PING\0\x0actx")).unwrap();
    assert_eq!(harness.take_sent(), b"\x04\x08\x04PONGctx");
    harness.feed(&reply(b"")).unwrap();
    assert_eq!(harness.take_sent(), [b"\x01\0\x02\0\0\0\0\0\0\x01\0", &[7; 256][..]].concat());
}

#[test]
fn protocol_violations_are_named_in_the_error() {
    let after_handshake = |bytes: &[u8]| [&handshake(), bytes].concat();
    let after_greeting = |bytes: &[u8]| [&greeting(0, b"NULL"), bytes].concat();
    let bad: &[(&[u8], &str)] = &[
        (b"HTTP/1.1 400 Bad Request", "does not speak ZMTP; it sent 'HTTP/1.1 400"),
        (b"\x15\x03\x01\0\x02\x02", "does not speak ZMTP; it sent '\\x15\\x03"),
        (b"\xff\0\0\0\0\0\0\0\x01\x7e", "does not speak ZMTP"),
        (b"\xff\0\0\0\0\0\0\0\x01\x7f\x01", "the server speaks ZMTP 1, not 3.0"),
        (&greeting(0, b"PLAIN"), "the mechanism 'PLAIN', not NULL"),
        (&after_greeting(&ready(b"PUB")), "the socket type of the server is 'PUB'"),
        (&after_greeting(&reply(b"x")), "before READY"),
        (&after_greeting(&frame(4, b"\x04PING\0\0")), "the server sent 'PING' before READY"),
        (&after_greeting(&frame(4, b"\x05READY\x0bSocket")), "READY is cut off"),
        (&after_greeting(&frame(4, b"")), "a command has no name"),
        (&after_greeting(&frame(4, b"\x09READY")), "a command has no name"),
        (&after_greeting(&frame(4, b"\x05ERROR\x03bad")), "refused the connection: 'bad'"),
        (&after_handshake(&frame(0, b"no")), "does not begin with an empty frame, but with 'no'"),
        (&after_handshake(&frame(1, b"no")), "does not begin with an empty frame"),
        (&after_handshake(&[frame(1, b""), frame(1, b"x")].concat()), "more than one frame"),
        (&after_handshake(b"\x08\0"), "a frame has the invalid flags 0x08"),
        (&after_handshake(b"\x05\0"), "a frame has the invalid flags 0x05"),
        (
            &after_handshake(b"\x02\0\0\0\0\0\x01\x11\x71"),
            "70001 bytes are over the limit of 70000",
        ),
        (&after_handshake(b"\x02\xff\xff\xff\xff\xff\xff\xff\xff"), "over the limit of 70000"),
        (&after_handshake(b"\x06\0\0\0\0\0\0\x10\x01"), "4097 bytes are over the limit of 4096"),
    ];
    for (bytes, fragment) in bad {
        let error = error(Zmtp::new(MAX), &[b"x"], bytes).to_string();
        assert!(error.contains(fragment), "'{fragment}' is not in: {error}");
    }
    let closed = error(Zmtp::new(MAX), &[], b"GET / HTTP/1.1");
    assert!(matches!(closed, EchoError::Disconnected(_)));
}

proptest! {
    #[test]
    fn any_replies_in_any_parts_are_received_unchanged(
        replies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..8),
        lengths in prop::collection::vec(1_usize..900, 1..8),
    ) {
        let bytes = replies.iter().fold(handshake(), |all, one| [all, reply(one)].concat());
        let outcome = outcome(Zmtp::new(MAX), &[], &split(&bytes, &lengths));
        let replies = replies.into_iter().map(OwnedEvent::Reply);
        let expected = std::iter::once(OwnedEvent::Ready).chain(replies).collect::<Vec<_>>();
        prop_assert_eq!(outcome, (expected, None));
    }
}

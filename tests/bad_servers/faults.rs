//! Faults of servers per wire protocol, and how clients must count them.

use crate::common::Wire;
use crate::h2::{
    self, DATA, GOAWAY, PING, RESPONSE_HEADERS, RST_STREAM, frame, headers, literal, parse_frames,
    trailers, u32_frame,
};

/// When the fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Instead of the reply, or before it.
    Before,
    /// After the reply was forwarded.
    After,
}

/// What the server does after the injected bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUp {
    /// Sends the reply and continues normally.
    Continue,
    /// Sends nothing more but keeps the connection open.
    Silence,
    /// Closes the connection.
    Close,
    /// Repeats the injected bytes until the client disconnects, and reads nothing meanwhile.
    Flood,
}

/// A fault of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Number of the request at which the fault is injected; 0: right after connecting.
    pub at: u32,
    pub timing: Timing,
    /// Returns the bytes to inject, given the HTTP/2 stream and the preceding reply.
    pub bytes: fn(u32, &[u8]) -> Vec<u8>,
    pub follow_up: FollowUp,
}

/// How a client must count the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// As a lost connection, with this error fragment.
    Lost(&'static str),
    Malformed(&'static str),
    Refused(&'static str),
    Timeout,
}

/// The request at which faults are injected: not the first, and early even on a busy machine.
pub const FAULTY_REQUEST: u32 = 4;

/// A fault instead of a reply.
pub const fn instead_of_reply(bytes: fn(u32, &[u8]) -> Vec<u8>, follow_up: FollowUp) -> Fault {
    Fault { at: FAULTY_REQUEST, timing: Timing::Before, bytes, follow_up }
}

/// A fault after a reply.
pub const fn after_reply(bytes: fn(u32, &[u8]) -> Vec<u8>, follow_up: FollowUp) -> Fault {
    Fault { at: FAULTY_REQUEST, timing: Timing::After, bytes, follow_up }
}

pub fn no_bytes(_: u32, _: &[u8]) -> Vec<u8> {
    Vec::new()
}

pub fn duplicate(_: u32, reply: &[u8]) -> Vec<u8> {
    reply.to_vec()
}

pub fn garbage(_: u32, _: &[u8]) -> Vec<u8> {
    vec![0xf7; 1000]
}

pub fn http(_: u32, _: &[u8]) -> Vec<u8> {
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec()
}

/// The beginning of a TLS `ClientHello`.
pub fn tls(_: u32, _: &[u8]) -> Vec<u8> {
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()
}

pub fn goaway(_: u32, _: &[u8]) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[0; 8])
}

/// GOAWAY that still allows this stream to complete.
fn goaway_after_stream(stream: u32, _: &[u8]) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[&stream.to_be_bytes()[..], &[0; 4]].concat())
}

fn status(stream: u32, code: &str) -> Vec<u8> {
    trailers(
        stream,
        &[RESPONSE_HEADERS, &literal("grpc-status", code), &literal("grpc-message", "no")].concat(),
    )
}

/// A truncated frame or message.
fn truncated(wire: Wire) -> fn(u32, &[u8]) -> Vec<u8> {
    match wire {
        Wire::Framed => |_, _| b"\0\0\0\x20half".to_vec(),
        Wire::ZeroMq => |_, _| b"\x01\0\0\x20half".to_vec(),
        Wire::Grpc => |stream, _| {
            let data = frame(DATA, 0, stream, b"\0\0\0\0\x20half of it");
            [headers(stream, RESPONSE_HEADERS), data[..16].to_vec()].concat()
        },
        Wire::GrpcStream => {
            |stream, _| frame(DATA, 0, stream, b"\0\0\0\0\x20half of it")[..16].to_vec()
        }
    }
}

/// A message or frame of the maximum length that the wire can express.
fn oversized(wire: Wire) -> fn(u32, &[u8]) -> Vec<u8> {
    match wire {
        Wire::Framed => |_, _| vec![0xff; 4],
        Wire::ZeroMq => |_, _| b"\x01\0\x02\x80\0\0\0\0\0\0\0".to_vec(),
        Wire::Grpc => |stream, _| {
            [headers(stream, RESPONSE_HEADERS), frame(DATA, 0, stream, b"\0\xff\xff\xff\xff")]
                .concat()
        },
        Wire::GrpcStream => |stream, _| frame(DATA, 0, stream, b"\0\xff\xff\xff\xff"),
    }
}

/// Faults instead of a reply, and how clients must count them.
pub fn faults(wire: Wire) -> Vec<(Fault, Expected)> {
    use Expected::{Lost, Malformed, Refused, Timeout};
    let garbage_errors = match wire {
        Wire::Framed => [
            Malformed("4160223223 bytes are over the limit"),
            Malformed("1213486160 bytes are over the limit"),
            Malformed("369295618 bytes are over the limit"),
        ],
        Wire::ZeroMq => [
            Lost("a frame has the invalid flags 0xf7"),
            Lost("a frame has the invalid flags 0x48"),
            Lost("a frame has the invalid flags 0x16"),
        ],
        Wire::Grpc | Wire::GrpcStream => [
            Lost("a frame of type 247 of 16250871 bytes, over the limit of 16384"),
            Lost("a frame of type 80 of 4740180 bytes, over the limit of 16384"),
            Lost("PRIORITY of 1442561 bytes, over the limit of 16384"),
        ],
    };
    let oversized_error = match wire {
        Wire::ZeroMq => Malformed("9223372036854775808 bytes are over the limit"),
        Wire::Framed | Wire::Grpc | Wire::GrpcStream => {
            Malformed("4294967295 bytes are over the limit")
        }
    };
    let mut faults = vec![
        (instead_of_reply(garbage, FollowUp::Silence), garbage_errors[0]),
        (instead_of_reply(http, FollowUp::Close), garbage_errors[1]),
        (instead_of_reply(tls, FollowUp::Silence), garbage_errors[2]),
        (instead_of_reply(oversized(wire), FollowUp::Silence), oversized_error),
        (instead_of_reply(truncated(wire), FollowUp::Silence), Timeout),
        (
            instead_of_reply(truncated(wire), FollowUp::Close),
            Lost("the server closed the connection"),
        ),
        (instead_of_reply(no_bytes, FollowUp::Close), Lost("the server closed the connection")),
    ];
    match wire {
        Wire::Framed => {}
        Wire::ZeroMq => faults.extend([
            (
                instead_of_reply(|_, _| b"\0\x01a".to_vec(), FollowUp::Silence),
                Malformed("with 'a'"),
            ),
            (
                instead_of_reply(|_, _| b"\x01\0\x01\0".to_vec(), FollowUp::Silence),
                Malformed("more than one"),
            ),
            (instead_of_reply(|_, _| b"\x04\x06\x05READY".to_vec(), FollowUp::Silence), Timeout),
        ]),
        Wire::Grpc | Wire::GrpcStream => faults.extend([
            (
                instead_of_reply(
                    |stream, _| frame(DATA, 0, stream, b"x")[..9].to_vec(),
                    FollowUp::Silence,
                ),
                Timeout,
            ),
            (
                instead_of_reply(|_, _| vec![0xff; 9], FollowUp::Silence),
                Lost("a frame of type 255 of 16777215 bytes, over the limit of 16384"),
            ),
            (instead_of_reply(goaway, FollowUp::Silence), Lost("the server sent GOAWAY: NO_ERROR")),
            (
                instead_of_reply(|stream, _| u32_frame(RST_STREAM, stream, 2), FollowUp::Continue),
                Lost("the server reset the request: INTERNAL_ERROR"),
            ),
            (
                instead_of_reply(|stream, _| status(stream, "13"), FollowUp::Continue),
                Refused("INTERNAL: no"),
            ),
            (
                instead_of_reply(|stream, _| status(stream, "12"), FollowUp::Continue),
                Refused("UNIMPLEMENTED: no"),
            ),
            (
                instead_of_reply(|stream, _| status(stream, "14"), FollowUp::Continue),
                Lost("UNAVAILABLE: no"),
            ),
            (
                instead_of_reply(|stream, _| status(stream, "no"), FollowUp::Continue),
                Malformed("grpc-status is 'no'"),
            ),
        ]),
    }
    // On a streaming call, the server may complete the stream after GOAWAY.
    if wire == Wire::Grpc {
        let away = Lost("the server sent GOAWAY: NO_ERROR");
        faults.push((instead_of_reply(goaway_after_stream, FollowUp::Continue), away));
    }
    faults
}

/// Endless output of a server, and how clients must count it.
pub fn floods(wire: Wire) -> Vec<(Fault, Expected)> {
    use Expected::{Lost, Timeout};
    let unread_error = Lost("does not read the answers to its control frames");
    match wire {
        // On this wire, everything is a reply: tests/lean.rs covers replies without requests.
        Wire::Framed => vec![],
        Wire::ZeroMq => vec![
            (
                instead_of_reply(|_, _| b"\x04\x08\x04PING\0\0!".to_vec(), FollowUp::Flood),
                unread_error,
            ),
            (instead_of_reply(|_, _| b"\x04\x04\x03BOO".to_vec(), FollowUp::Flood), Timeout),
        ],
        Wire::Grpc | Wire::GrpcStream => vec![
            (
                instead_of_reply(|_, _| frame(PING, 0, 0, b"are you?"), FollowUp::Flood),
                unread_error,
            ),
            (instead_of_reply(|_, _| h2::settings(&[]), FollowUp::Flood), unread_error),
            (
                instead_of_reply(
                    |_, _| frame(0xee, 0, 0, b"nothing that is known"),
                    FollowUp::Flood,
                ),
                Timeout,
            ),
        ],
    }
}

/// The stream of the request that these client bytes begin, if they begin one.
pub fn request_stream(wire: Wire, bytes: &[u8]) -> Option<u32> {
    match wire {
        Wire::Framed => Some(0),
        Wire::ZeroMq => bytes.starts_with(b"\x01\0").then_some(0),
        Wire::Grpc | Wire::GrpcStream => {
            // A unary call begins with HEADERS. In a streaming call, each request is only DATA.
            let begin = if wire == Wire::Grpc { h2::HEADERS } else { DATA };
            let bytes = bytes.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap_or(bytes);
            let is_request = |sent: &h2::Frame| sent.kind == begin;
            parse_frames(bytes).iter().find(|sent| is_request(sent)).map(|sent| sent.stream)
        }
    }
}

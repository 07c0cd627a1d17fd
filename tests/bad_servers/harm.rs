//! What a bad server does, wire by wire, and what its client says of it.

use crate::common::Wire;
use crate::h2::{
    self, DATA, GOAWAY, HEAD, PING, RST_STREAM, frame, frames, head, literal, number, trailers,
};

/// When it does so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// In place of the reply, or before it.
    Before,
    /// Once the reply has been sent.
    Behind,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The reply, and all others.
    GoOn,
    /// Nothing, on a connection that stays.
    Silence,
    /// The end of the connection.
    Close,
    /// The same, until the client has had enough. Nothing is read meanwhile.
    Again,
}

/// Some harm that is done to a connection.
#[derive(Debug, Clone, Copy)]
pub struct Harm {
    /// With which request; 0: at once.
    pub at: u32,
    pub moment: Moment,
    /// What is said, on this stream, perhaps behind this reply.
    pub bytes: fn(u32, &[u8]) -> Vec<u8>,
    pub then: Then,
}

/// How a client is to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// As the loss of its connection, in these words.
    Lost(&'static str),
    Malformed(&'static str),
    Refused(&'static str),
    Timeout,
}

/// The request at which clients meet it: not the first, and soon enough on a busy machine.
pub const AT: u32 = 4;

/// In place of a reply.
pub const fn instead(bytes: fn(u32, &[u8]) -> Vec<u8>, then: Then) -> Harm {
    Harm { at: AT, moment: Moment::Before, bytes, then }
}

/// Behind a reply.
pub const fn behind(bytes: fn(u32, &[u8]) -> Vec<u8>, then: Then) -> Harm {
    Harm { at: AT, moment: Moment::Behind, bytes, then }
}

pub fn nothing(_: u32, _: &[u8]) -> Vec<u8> {
    Vec::new()
}

pub fn once_more(_: u32, reply: &[u8]) -> Vec<u8> {
    reply.to_vec()
}

pub fn rubbish(_: u32, _: &[u8]) -> Vec<u8> {
    vec![0xf7; 1000]
}

pub fn http(_: u32, _: &[u8]) -> Vec<u8> {
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec()
}

/// How a client begins to speak TLS.
pub fn tls(_: u32, _: &[u8]) -> Vec<u8> {
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()
}

pub fn goes_away(_: u32, _: &[u8]) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[0; 8])
}

/// It goes away when this stream is done.
fn goes_away_soon(stream: u32, _: &[u8]) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[&stream.to_be_bytes()[..], &[0; 4]].concat())
}

fn status(stream: u32, code: &str) -> Vec<u8> {
    trailers(
        stream,
        &[HEAD, &literal("grpc-status", code), &literal("grpc-message", "no")].concat(),
    )
}

/// Begins a frame, or a message, that is not there to its end.
fn half(wire: Wire) -> fn(u32, &[u8]) -> Vec<u8> {
    match wire {
        Wire::Framed => |_, _| b"\0\0\0\x20half".to_vec(),
        Wire::ZeroMq => |_, _| b"\x01\0\0\x20half".to_vec(),
        Wire::Grpc => |stream, _| {
            let data = frame(DATA, 0, stream, b"\0\0\0\0\x20half of it");
            [head(stream, HEAD), data[..16].to_vec()].concat()
        },
        Wire::GrpcStream => {
            |stream, _| frame(DATA, 0, stream, b"\0\0\0\0\x20half of it")[..16].to_vec()
        }
    }
}

/// A message, or a frame, of the greatest length there is.
fn greatest(wire: Wire) -> fn(u32, &[u8]) -> Vec<u8> {
    match wire {
        Wire::Framed => |_, _| vec![0xff; 4],
        Wire::ZeroMq => |_, _| b"\x01\0\x02\x80\0\0\0\0\0\0\0".to_vec(),
        Wire::Grpc => {
            |stream, _| [head(stream, HEAD), frame(DATA, 0, stream, b"\0\xff\xff\xff\xff")].concat()
        }
        Wire::GrpcStream => |stream, _| frame(DATA, 0, stream, b"\0\xff\xff\xff\xff"),
    }
}

/// What a server may do instead of answering.
pub fn harms(wire: Wire) -> Vec<(Harm, Taken)> {
    use Taken::{Lost, Malformed, Refused, Timeout};
    let foreign = match wire {
        Wire::Framed => [
            Malformed("4160223223 bytes are over the limit"),
            Malformed("1213486160 bytes are over the limit"),
            Malformed("369295618 bytes are over the limit"),
        ],
        Wire::ZeroMq => [
            Lost("a frame has the flags 0xf7"),
            Lost("a frame has the flags 0x48"),
            Lost("a frame has the flags 0x16"),
        ],
        Wire::Grpc | Wire::GrpcStream => [
            Lost("a frame of the kind 247 of 16250871 bytes, over the 16384"),
            Lost("a frame of the kind 80 of 4740180 bytes, over the 16384"),
            Lost("PRIORITY of 1442561 bytes, over the 16384"),
        ],
    };
    let too_long = match wire {
        Wire::ZeroMq => Malformed("9223372036854775808 bytes are over the limit"),
        Wire::Framed | Wire::Grpc | Wire::GrpcStream => {
            Malformed("4294967295 bytes are over the limit")
        }
    };
    let mut harms = vec![
        (instead(rubbish, Then::Silence), foreign[0]),
        (instead(http, Then::Close), foreign[1]),
        (instead(tls, Then::Silence), foreign[2]),
        (instead(greatest(wire), Then::Silence), too_long),
        (instead(half(wire), Then::Silence), Timeout),
        (instead(half(wire), Then::Close), Lost("the server closed the connection")),
        (instead(nothing, Then::Close), Lost("the server closed the connection")),
    ];
    match wire {
        Wire::Framed => {}
        Wire::ZeroMq => harms.extend([
            (instead(|_, _| b"\0\x01a".to_vec(), Then::Silence), Malformed("with 'a'")),
            (instead(|_, _| b"\x01\0\x01\0".to_vec(), Then::Silence), Malformed("more than one")),
            (instead(|_, _| b"\x04\x06\x05READY".to_vec(), Then::Silence), Timeout),
        ]),
        Wire::Grpc | Wire::GrpcStream => harms.extend([
            (
                instead(|stream, _| frame(DATA, 0, stream, b"x")[..9].to_vec(), Then::Silence),
                Timeout,
            ),
            (
                instead(|_, _| vec![0xff; 9], Then::Silence),
                Lost("a frame of the kind 255 of 16777215 bytes, over the 16384"),
            ),
            (instead(goes_away, Then::Silence), Lost("the server goes away: NO_ERROR")),
            (
                instead(|stream, _| number(RST_STREAM, stream, 2), Then::GoOn),
                Lost("the server reset the request: INTERNAL_ERROR"),
            ),
            (instead(|stream, _| status(stream, "13"), Then::GoOn), Refused("INTERNAL: no")),
            (instead(|stream, _| status(stream, "12"), Then::GoOn), Refused("UNIMPLEMENTED: no")),
            (instead(|stream, _| status(stream, "14"), Then::GoOn), Lost("UNAVAILABLE: no")),
            (
                instead(|stream, _| status(stream, "no"), Then::GoOn),
                Malformed("grpc-status is 'no'"),
            ),
        ]),
    }
    // A conversation is a stream that a server which goes away still lets be.
    if wire == Wire::Grpc {
        let away = Lost("the server goes away: NO_ERROR");
        harms.push((instead(goes_away_soon, Then::GoOn), away));
    }
    harms
}

/// What a server may say without end, and what its client makes of it.
pub fn floods(wire: Wire) -> Vec<(Harm, Taken)> {
    use Taken::{Lost, Timeout};
    let unread = Lost("asks for answers and does not read them");
    match wire {
        // On this wire, everything is a reply: see the test of those that were never asked for.
        Wire::Framed => vec![],
        Wire::ZeroMq => vec![
            (instead(|_, _| b"\x04\x08\x04PING\0\0!".to_vec(), Then::Again), unread),
            (instead(|_, _| b"\x04\x04\x03BOO".to_vec(), Then::Again), Timeout),
        ],
        Wire::Grpc | Wire::GrpcStream => vec![
            (instead(|_, _| frame(PING, 0, 0, b"are you?"), Then::Again), unread),
            (instead(|_, _| h2::settings(&[]), Then::Again), unread),
            (instead(|_, _| frame(0xee, 0, 0, b"nothing that is known"), Then::Again), Timeout),
        ],
    }
}

/// Whether a client sends a request with these bytes, and on which stream.
pub fn asks(wire: Wire, said: &[u8]) -> Option<u32> {
    match wire {
        Wire::Framed => Some(0),
        Wire::ZeroMq => said.starts_with(b"\x01\0").then_some(0),
        Wire::Grpc | Wire::GrpcStream => {
            // A call begins with its head; in a conversation, each request is but data.
            let begin = if wire == Wire::Grpc { h2::HEADERS } else { DATA };
            let said = said.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap_or(said);
            let asks = |sent: &h2::Sent| sent.kind == begin;
            frames(said).iter().find(|sent| asks(sent)).map(|sent| sent.stream)
        }
    }
}

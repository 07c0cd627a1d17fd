//! The other side of HTTP/2, made by hand: the bytes of a server, and what a client sent.

use echometer::wire::Http2;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const PRIORITIZED: u8 = 0x20;

/// A head and trailers that teach the client, and then the same as indices.
pub const HEAD: &[u8] = b"\x88\x5f\x10application/grpc";
pub const TRAILERS: &[u8] = b"\x40\x0bgrpc-status\x010";
pub const KNOWN_HEAD: &[u8] = b"\x88\xbf";
pub const KNOWN_TRAILERS: &[u8] = b"\xbe";

pub const MAX: usize = 100_000;

pub fn client() -> Http2 {
    Http2::new("127.0.0.1:1", "/msg.Hello/Respond", None, MAX)
}

/// A client that asks all on one stream.
pub fn conversation() -> Http2 {
    Http2::conversation("127.0.0.1:1", "/msg.Hello/Converse", MAX)
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = stream.to_be_bytes();
    [&length[1..], &[kind, flags], &stream, payload].concat()
}

pub fn settings(entries: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (setting, value) in entries {
        payload.extend_from_slice(&setting.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, &payload)
}

pub fn number(kind: u8, stream: u32, number: u32) -> Vec<u8> {
    frame(kind, 0, stream, &number.to_be_bytes())
}

/// A literal without indexing: it leaves the dynamic table as it is.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let (a, b) = (u8::try_from(name.len()).unwrap(), u8::try_from(value.len()).unwrap());
    [&[0, a], name.as_bytes(), &[b], value.as_bytes()].concat()
}

pub fn prefixed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

pub fn head(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, block)
}

pub fn trailers(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
}

/// DATA of a message, in frames as long as they may be.
pub fn data(stream: u32, message: &[u8]) -> Vec<u8> {
    prefixed(message).chunks(16_384).flat_map(|part| frame(DATA, 0, stream, part)).collect()
}

/// The `n`th reply of a connection, from 0: the first one teaches its header blocks.
pub fn reply(n: u32, message: &[u8]) -> Vec<u8> {
    let (begin, end) = if n == 0 { (HEAD, TRAILERS) } else { (KNOWN_HEAD, KNOWN_TRAILERS) };
    let stream = 2 * n + 1;
    [head(stream, begin), data(stream, message), trailers(stream, end)].concat()
}

/// A frame that the client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Sent {
    pub fn number(&self) -> u32 {
        u32::from_be_bytes(self.payload[..].try_into().unwrap())
    }
}

/// What a client sent, without the preface.
pub fn frames(mut bytes: &[u8]) -> Vec<Sent> {
    let mut frames = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let stream = u32::from_be_bytes(header[5..].try_into().unwrap());
        let (payload, rest) = rest.split_at(length);
        let (kind, flags, payload) = (header[3], header[4], payload.to_vec());
        frames.push(Sent { kind, flags, stream, payload });
        bytes = rest;
    }
    assert!(bytes.is_empty(), "no frame: {bytes:?}");
    frames
}

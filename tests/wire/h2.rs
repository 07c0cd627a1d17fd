//! Hand-made HTTP/2: builds the frames of a server and parses those of a client.

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

/// Header blocks that enter the dynamic table, and then the same blocks as table indices.
pub const RESPONSE_HEADERS: &[u8] = b"\x88\x5f\x10application/grpc";
pub const TRAILERS: &[u8] = b"\x40\x0bgrpc-status\x010";
pub const INDEXED_HEADERS: &[u8] = b"\x88\xbf";
pub const INDEXED_TRAILERS: &[u8] = b"\xbe";

pub const MAX: usize = 100_000;

pub fn client() -> Http2 {
    Http2::unary("127.0.0.1:1", "/msg.Hello/Respond", None, MAX)
}

/// A client that sends all requests on one stream.
pub fn streaming_client() -> Http2 {
    Http2::streaming("127.0.0.1:1", "/msg.Hello/Converse", MAX)
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

pub fn u32_frame(kind: u8, stream: u32, value: u32) -> Vec<u8> {
    frame(kind, 0, stream, &value.to_be_bytes())
}

/// A literal header field without indexing, which does not change the dynamic table.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let (a, b) = (u8::try_from(name.len()).unwrap(), u8::try_from(value.len()).unwrap());
    [&[0, a], name.as_bytes(), &[b], value.as_bytes()].concat()
}

pub fn grpc_message(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

pub fn headers(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, block)
}

pub fn trailers(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
}

/// A message in DATA frames of the maximum length.
pub fn data(stream: u32, message: &[u8]) -> Vec<u8> {
    grpc_message(message).chunks(16_384).flat_map(|part| frame(DATA, 0, stream, part)).collect()
}

/// The `n`th reply of a connection, from 0. The first one fills the dynamic table.
pub fn reply(n: u32, message: &[u8]) -> Vec<u8> {
    let (begin, end) =
        if n == 0 { (RESPONSE_HEADERS, TRAILERS) } else { (INDEXED_HEADERS, INDEXED_TRAILERS) };
    let stream = 2 * n + 1;
    [headers(stream, begin), data(stream, message), trailers(stream, end)].concat()
}

/// A parsed frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn value(&self) -> u32 {
        u32::from_be_bytes(self.payload[..].try_into().unwrap())
    }
}

/// Parses what a client sent after the preface.
pub fn parse_frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let stream = u32::from_be_bytes(header[5..].try_into().unwrap());
        let (payload, rest) = rest.split_at(length);
        let (kind, flags, payload) = (header[3], header[4], payload.to_vec());
        frames.push(Frame { kind, flags, stream, payload });
        bytes = rest;
    }
    assert!(bytes.is_empty(), "incomplete frame: {bytes:?}");
    frames
}

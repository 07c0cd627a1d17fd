//! How a connection begins: the preface, and the settings of both sides (RFC 9113, sections 3.4
//! and 6.5).

use super::flow::{Receiving, Sending};
use super::frame::{self, Frame, breaks};
use super::headers::LONGEST_BLOCK;
use super::request::RequestBlock;
use crate::message::EchoError;
use crate::wire::shown;

/// What a client says first; our SETTINGS follow.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Settings (RFC 9113, section 6.5.2).
const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;

/// Appends the preface, our settings, and the window of the connection.
pub fn open(receiving: &Receiving, out: &mut Vec<u8>) {
    out.extend_from_slice(PREFACE);
    let longest = u32::try_from(LONGEST_BLOCK).unwrap_or(frame::MOST);
    let settings = [
        (ENABLE_PUSH, 0),
        (INITIAL_WINDOW_SIZE, receiving.stream()),
        (MAX_HEADER_LIST_SIZE, longest),
    ];
    frame::begin(frame::SETTINGS, 0, 0, settings.len() * 6, out);
    for (setting, value) in settings {
        out.extend_from_slice(&u16::to_be_bytes(setting));
        out.extend_from_slice(&u32::to_be_bytes(value));
    }
    receiving.open(out);
}

/// Whether SETTINGS acknowledge ours; else they are the server's own.
pub fn acknowledges(frame: &Frame<'_>) -> Result<bool, EchoError> {
    let (acknowledges, length) = (frame.has(frame::ACK), frame.payload.len());
    if frame.stream != 0 || length % 6 != 0 || (acknowledges && length > 0) {
        let stream = frame.stream;
        return Err(breaks(format_args!("SETTINGS of {length} bytes on the stream {stream}")));
    }
    Ok(acknowledges)
}

/// Does as the server's settings ask.
pub fn apply(
    frame: &Frame<'_>,
    request: &mut RequestBlock,
    sending: &mut Sending,
) -> Result<(), EchoError> {
    let (entries, _) = frame.payload.as_chunks::<6>();
    for [high, low, value @ ..] in entries {
        let (setting, value) = (u16::from_be_bytes([*high, *low]), u32::from_be_bytes(*value));
        match (setting, value) {
            (HEADER_TABLE_SIZE, size) => request.set_table(size),
            (ENABLE_PUSH, 1..) => {
                return Err(breaks(format_args!("SETTINGS_ENABLE_PUSH {value}")));
            }
            (MAX_CONCURRENT_STREAMS, 0) => {
                let what = "the server allows no requests: SETTINGS_MAX_CONCURRENT_STREAMS 0";
                return Err(EchoError::Disconnected(what.to_owned()));
            }
            (INITIAL_WINDOW_SIZE, size) => sending.set_initial(size)?,
            (MAX_FRAME_SIZE, size) => sending.set_longest(size)?,
            // What is not known is to be ignored.
            _ => {}
        }
    }
    Ok(())
}

/// Makes sure that what comes first can be SETTINGS, byte by byte: a peer that speaks another
/// protocol may wait for us.
pub fn check_greeting(input: &[u8]) -> Result<(), EchoError> {
    let fits = |(n, byte): (usize, &u8)| match n {
        0 | 5..=8 => *byte == 0,
        1 => *byte <= 0x40,
        3 => *byte == frame::SETTINGS,
        4 => byte & frame::ACK == 0,
        _ => true,
    };
    if input.iter().take(frame::HEADER).enumerate().all(fits) {
        return Ok(());
    }
    let said = shown(input);
    let hint = match input {
        [0x15 | 0x16, 3, ..] => ", which is TLS",
        _ if input.starts_with(b"HTTP/1") => ", which is HTTP/1",
        _ => "",
    };
    let what = format!("the server does not speak HTTP/2; it said {said}{hint}");
    Err(EchoError::Disconnected(what))
}

//! The start of a connection: the preface and the settings of both sides (RFC 9113, sections 3.4
//! and 6.5).

use super::flow::{ReceiveWindows, SendWindows};
use super::frame::{self, Frame, violation};
use super::headers::MAX_BLOCK;
use super::request::RequestBlock;
use crate::message::EchoError;
use crate::wire::excerpt;

/// The first bytes of a client. Its SETTINGS follow.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Identifiers of settings (RFC 9113, section 6.5.2).
const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;

/// Appends the preface, the client's settings, and the window of the connection.
pub fn open(receiving: &ReceiveWindows, out: &mut Vec<u8>) {
    out.extend_from_slice(PREFACE);
    let max_block = u32::try_from(MAX_BLOCK).unwrap_or(frame::MAX_31_BIT);
    let settings = [
        (ENABLE_PUSH, 0),
        (INITIAL_WINDOW_SIZE, receiving.stream()),
        (MAX_HEADER_LIST_SIZE, max_block),
    ];
    frame::push_header(frame::SETTINGS, 0, 0, settings.len() * 6, out);
    for (setting, value) in settings {
        out.extend_from_slice(&u16::to_be_bytes(setting));
        out.extend_from_slice(&u32::to_be_bytes(value));
    }
    receiving.open(out);
}

/// Returns whether a SETTINGS frame acknowledges the client's settings. Otherwise it contains the
/// server's settings.
pub fn is_acknowledgment(frame: &Frame<'_>) -> Result<bool, EchoError> {
    let (is_acknowledgment, length) = (frame.has(frame::ACK), frame.payload.len());
    if frame.stream != 0 || length % 6 != 0 || (is_acknowledgment && length > 0) {
        let stream = frame.stream;
        return Err(violation(format_args!("SETTINGS of {length} bytes on stream {stream}")));
    }
    Ok(is_acknowledgment)
}

/// Applies the server's settings.
pub fn apply(
    frame: &Frame<'_>,
    request: &mut RequestBlock,
    sending: &mut SendWindows,
) -> Result<(), EchoError> {
    let (entries, _) = frame.payload.as_chunks::<6>();
    for [high, low, value @ ..] in entries {
        let (setting, value) = (u16::from_be_bytes([*high, *low]), u32::from_be_bytes(*value));
        match (setting, value) {
            (HEADER_TABLE_SIZE, size) => request.set_table_size(size),
            (ENABLE_PUSH, 1..) => {
                return Err(violation(format_args!("SETTINGS_ENABLE_PUSH {value}")));
            }
            (MAX_CONCURRENT_STREAMS, 0) => {
                let reason = "the server allows no requests: SETTINGS_MAX_CONCURRENT_STREAMS 0";
                return Err(EchoError::Disconnected(reason.to_owned()));
            }
            (INITIAL_WINDOW_SIZE, size) => sending.set_initial(size)?,
            (MAX_FRAME_SIZE, size) => sending.set_max_payload(size)?,
            // Unknown settings must be ignored.
            _ => {}
        }
    }
    Ok(())
}

/// Checks that the first bytes may be a SETTINGS frame, even if they are incomplete: a peer with
/// another protocol may wait for the client.
pub fn check_first_bytes(input: &[u8]) -> Result<(), EchoError> {
    let is_valid = |(position, byte): (usize, &u8)| match position {
        0 | 5..=8 => *byte == 0,
        1 => *byte <= 0x40,
        3 => *byte == frame::SETTINGS,
        4 => byte & frame::ACK == 0,
        _ => true,
    };
    if input.iter().take(frame::HEADER_LEN).enumerate().all(is_valid) {
        return Ok(());
    }
    let received = excerpt(input);
    let hint = match input {
        [0x15 | 0x16, 3, ..] => ", which is TLS",
        _ if input.starts_with(b"HTTP/1") => ", which is HTTP/1",
        _ => "",
    };
    let reason = format!("the server does not speak HTTP/2; it sent {received}{hint}");
    Err(EchoError::Disconnected(reason))
}

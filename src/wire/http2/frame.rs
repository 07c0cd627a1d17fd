//! HTTP/2 frames (RFC 9113, sections 4.1 and 6).

use std::borrow::Cow;
use std::fmt::Display;

use crate::message::EchoError;

/// Size of a frame header in bytes: 3 for the length of the payload, 1 for the type, 1 for the
/// flags and 4 for the stream.
pub const HEADER_LEN: usize = 9;

/// Initial maximum payload of a frame in both directions. This client never raises its own.
pub const DEFAULT_MAX_PAYLOAD: usize = 16_384;

/// Maximum of windows, window increments and stream identifiers: 31 bits.
pub const MAX_31_BIT: u32 = 0x7fff_ffff;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Flag of SETTINGS and PING.
pub const ACK: u8 = 0x1;
/// Flag of DATA and HEADERS: the sender's last frame of the stream.
pub const END_STREAM: u8 = 0x1;
/// Flag of HEADERS and CONTINUATION.
pub const END_HEADERS: u8 = 0x4;
/// Flag of DATA and HEADERS.
pub const PADDED: u8 = 0x8;
/// Flag of HEADERS.
pub const PRIORITY: u8 = 0x20;

/// The error code with which the client cancels the rest of a request that was answered early.
pub const CANCEL: u32 = 8;

/// A frame at the front of the input.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub kind: u8,
    pub flags: u8,
    /// The stream identifier; 0 is the connection.
    pub stream: u32,
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Returns the payload, or an error if it is not `N` bytes long.
    pub fn fixed_payload<const N: usize>(&self) -> Result<[u8; N], EchoError> {
        self.payload.try_into().map_err(|_| self.length_error())
    }

    /// Returns the payload without padding, and without the priority of HEADERS.
    #[inline]
    pub fn content(&self) -> Result<&'a [u8], EchoError> {
        let mut content = self.payload;
        let mut padding = 0;
        if self.has(PADDED) {
            let (length, rest) = content.split_first().ok_or_else(|| self.length_error())?;
            (padding, content) = (usize::from(*length), rest);
        }
        if self.kind == HEADERS && self.has(PRIORITY) {
            content = content.get(5..).ok_or_else(|| self.length_error())?;
        }
        let end = content.len().checked_sub(padding);
        end.and_then(|end| content.get(..end)).ok_or_else(|| {
            violation(format_args!(
                "a frame of {} bytes with {padding} bytes of padding",
                self.payload.len()
            ))
        })
    }

    fn length_error(&self) -> EchoError {
        violation(format_args!("{} of {} bytes", kind_name(self.kind), self.payload.len()))
    }
}

/// Splits the first frame off `input`. Returns `None` while it is incomplete.
///
/// A complete frame has at most [`HEADER_LEN`] + [`DEFAULT_MAX_PAYLOAD`] bytes.
#[inline]
pub fn parse(input: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>, EchoError> {
    let Some((header, rest)) = input.split_first_chunk::<HEADER_LEN>() else { return Ok(None) };
    let [a, b, c, kind, flags, stream @ ..] = *header;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if length > DEFAULT_MAX_PAYLOAD {
        return Err(violation(format_args!(
            "{} of {length} bytes, over the limit of {DEFAULT_MAX_PAYLOAD}",
            kind_name(kind)
        )));
    }
    // The first bit is reserved and must be ignored.
    let stream = u32::from_be_bytes(stream) & MAX_31_BIT;
    let split = rest.split_at_checked(length);
    Ok(split.map(|(payload, rest)| (Frame { kind, flags, stream, payload }, rest)))
}

/// Appends a frame header. The caller appends the payload.
#[inline]
pub fn push_header(kind: u8, flags: u8, stream: u32, length: usize, out: &mut Vec<u8>) {
    // The length fits into 3 bytes: the peer's limit is below 2^24.
    let [_, length @ ..] = u32::try_from(length).unwrap_or(MAX_31_BIT).to_be_bytes();
    let mut header = [0; HEADER_LEN];
    header[..3].copy_from_slice(&length);
    header[3] = kind;
    header[4] = flags;
    header[5..].copy_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&header);
}

/// Appends a frame with a `u32` as its payload.
pub fn push_u32(kind: u8, stream: u32, value: u32, out: &mut Vec<u8>) {
    push_header(kind, 0, stream, 4, out);
    out.extend_from_slice(&value.to_be_bytes());
}

/// Returns the error for a peer that sent something that RFC 9113 forbids.
pub fn violation(sent: impl Display) -> EchoError {
    EchoError::Disconnected(format!("the server violates HTTP/2: it sent {sent}"))
}

/// Returns the name of a frame type.
pub fn kind_name(kind: u8) -> Cow<'static, str> {
    const NAMES: [&str; 10] = [
        "DATA",
        "HEADERS",
        "PRIORITY",
        "RST_STREAM",
        "SETTINGS",
        "PUSH_PROMISE",
        "PING",
        "GOAWAY",
        "WINDOW_UPDATE",
        "CONTINUATION",
    ];
    let name = NAMES.get(usize::from(kind));
    name.map_or_else(|| format!("a frame of type {kind}").into(), |name| (*name).into())
}

/// Returns the name of an error code (RFC 9113, section 7).
pub fn error_name(code: u32) -> Cow<'static, str> {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let name = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    name.map_or_else(|| format!("error code {code}").into(), |name| (*name).into())
}

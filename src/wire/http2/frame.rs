//! Frames: what HTTP/2 cuts everything into (RFC 9113, sections 4.1 and 6).

use std::borrow::Cow;
use std::fmt::Display;

use crate::message::EchoError;

/// The bytes before a payload: its length in 3, kind, flags, and the stream in 4.
pub const HEADER: usize = 9;

/// The longest payload that either side may send before it is told otherwise; we never tell.
pub const LONGEST: usize = 16_384;

/// The largest window, increment and stream.
pub const MOST: u32 = 0x7fff_ffff;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Of SETTINGS and PING.
pub const ACK: u8 = 0x1;
/// Of DATA and HEADERS: the last of its side of the stream.
pub const END_STREAM: u8 = 0x1;
/// Of HEADERS and CONTINUATION.
pub const END_HEADERS: u8 = 0x4;
/// Of DATA and HEADERS.
pub const PADDED: u8 = 0x8;
/// Of HEADERS.
pub const PRIORITY: u8 = 0x20;

/// The error code with which we drop the rest of a request that was answered before it ended.
pub const CANCEL: u32 = 8;

/// A frame at the front of the input.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub kind: u8,
    pub flags: u8,
    /// 0 is the connection itself.
    pub stream: u32,
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload, which has to be exactly so long.
    pub fn exactly<const N: usize>(&self) -> Result<[u8; N], EchoError> {
        self.payload.try_into().map_err(|_| self.has_length())
    }

    /// The payload without padding and without the priority in front of a header block.
    #[inline]
    pub fn content(&self) -> Result<&'a [u8], EchoError> {
        let mut content = self.payload;
        let mut padding = 0;
        if self.has(PADDED) {
            let (length, rest) = content.split_first().ok_or_else(|| self.has_length())?;
            (padding, content) = (usize::from(*length), rest);
        }
        if self.kind == HEADERS && self.has(PRIORITY) {
            content = content.get(5..).ok_or_else(|| self.has_length())?;
        }
        let end = content.len().checked_sub(padding);
        end.and_then(|end| content.get(..end)).ok_or_else(|| {
            breaks(format_args!("a frame of {} bytes is padded with {padding}", self.payload.len()))
        })
    }

    fn has_length(&self) -> EchoError {
        breaks(format_args!("{} of {} bytes", kind_name(self.kind), self.payload.len()))
    }
}

/// The first frame of `input` and what is behind it; `None` while it is not complete.
///
/// The whole of it has to be there: at most [`HEADER`] and [`LONGEST`] bytes.
#[inline]
pub fn read(input: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>, EchoError> {
    let Some((header, rest)) = input.split_first_chunk::<HEADER>() else { return Ok(None) };
    let [a, b, c, kind, flags, stream @ ..] = *header;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if length > LONGEST {
        return Err(breaks(format_args!(
            "{} of {length} bytes, over the {LONGEST} that we take",
            kind_name(kind)
        )));
    }
    // The first bit is reserved, and to be ignored.
    let stream = u32::from_be_bytes(stream) & MOST;
    let split = rest.split_at_checked(length);
    Ok(split.map(|(payload, rest)| (Frame { kind, flags, stream, payload }, rest)))
}

/// Appends the header of a frame; its payload is to follow.
#[inline]
pub fn begin(kind: u8, flags: u8, stream: u32, length: usize, out: &mut Vec<u8>) {
    // Nothing that we send in one frame reaches 2^24: the peer's limit is below it.
    let [_, length @ ..] = u32::try_from(length).unwrap_or(MOST).to_be_bytes();
    let mut header = [0; HEADER];
    header[..3].copy_from_slice(&length);
    header[3] = kind;
    header[4] = flags;
    header[5..].copy_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&header);
}

/// Appends a frame whose payload is one number.
pub fn number(kind: u8, stream: u32, number: u32, out: &mut Vec<u8>) {
    begin(kind, 0, stream, 4, out);
    out.extend_from_slice(&number.to_be_bytes());
}

/// The error of a peer that does what RFC 9113 forbids.
pub fn breaks(what: impl Display) -> EchoError {
    EchoError::Disconnected(format!("the server breaks HTTP/2: it sent {what}"))
}

/// What a frame is called.
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
    name.map_or_else(|| format!("a frame of the kind {kind}").into(), |name| (*name).into())
}

/// What an error code is called (RFC 9113, section 7).
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
    name.map_or_else(|| format!("the error code {code}").into(), |name| (*name).into())
}

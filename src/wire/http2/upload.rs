//! Sends a request: its header block, then as much of its message as the windows allow.

use super::flow::SendWindows;
use super::frame;
use super::reply::PREFIX_LEN;

/// The message of the current request. Its memory is reused.
#[derive(Debug)]
pub struct Upload {
    /// The flags of the last frame.
    last_flags: u8,
    /// A message that could not be sent at once.
    bytes: Vec<u8>,
    /// Number of bytes already sent of `bytes`.
    sent: usize,
}

impl Upload {
    /// Creates an upload. If `ends_stream` is set, each request ends its stream.
    pub fn new(ends_stream: bool) -> Self {
        let last_flags = if ends_stream { frame::END_STREAM } else { 0 };
        Upload { last_flags, bytes: Vec::new(), sent: 0 }
    }

    /// Appends gRPC's prefix and the message, up to the limit of the windows. Keeps the rest.
    #[inline]
    pub fn start(
        &mut self,
        message: &[u8],
        stream: u32,
        sending: &mut SendWindows,
        out: &mut Vec<u8>,
    ) {
        self.bytes.clear();
        self.sent = 0;
        let mut prefix = [0; PREFIX_LEN];
        // The command line limits messages to less than 4 GiB.
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        prefix[1..].copy_from_slice(&length.to_be_bytes());
        let total = PREFIX_LEN + message.len();
        if total <= sending.allowed() {
            frame::push_header(frame::DATA, self.last_flags, stream, total, out);
            out.extend_from_slice(&prefix);
            out.extend_from_slice(message);
            sending.sent(total);
            return;
        }
        self.bytes.extend_from_slice(&prefix);
        self.bytes.extend_from_slice(message);
        self.resume(stream, sending, out);
    }

    /// Appends as much of the rest as the windows allow.
    pub fn resume(&mut self, stream: u32, sending: &mut SendWindows, out: &mut Vec<u8>) {
        let mut unsent = self.bytes.get(self.sent..).unwrap_or_default();
        while !unsent.is_empty() && sending.allowed() > 0 {
            let (part, rest) = unsent.split_at(unsent.len().min(sending.allowed()));
            let flags = if rest.is_empty() { self.last_flags } else { 0 };
            frame::push_header(frame::DATA, flags, stream, part.len(), out);
            out.extend_from_slice(part);
            sending.sent(part.len());
            unsent = rest;
        }
        self.sent = self.bytes.len() - unsent.len();
    }

    /// Returns whether a part of the message has not been sent.
    #[inline]
    pub fn is_pending(&self) -> bool {
        self.sent < self.bytes.len()
    }

    /// Discards the rest of the message. Returns whether there was any.
    #[inline]
    pub fn discard_rest(&mut self) -> bool {
        let was_pending = self.is_pending();
        self.sent = self.bytes.len();
        was_pending
    }
}

/// Appends a header block, split into frames of at most `max_payload` bytes each.
#[inline]
pub fn send_block(block: &[u8], stream: u32, max_payload: usize, out: &mut Vec<u8>) {
    let (mut part, mut rest) = block.split_at(block.len().min(max_payload));
    let mut kind = frame::HEADERS;
    loop {
        let flags = if rest.is_empty() { frame::END_HEADERS } else { 0 };
        frame::push_header(kind, flags, stream, part.len(), out);
        out.extend_from_slice(part);
        if rest.is_empty() {
            return;
        }
        (part, rest) = rest.split_at(rest.len().min(max_payload));
        kind = frame::CONTINUATION;
    }
}

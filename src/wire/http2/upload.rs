//! A request on its way: its header block, and its message as far as the windows allow.

use super::flow::Sending;
use super::frame;
use super::reply::PREFIX;

/// The message of the request of now. Its memory is used again.
#[derive(Debug)]
pub struct Upload {
    /// The flags of the last frame.
    last: u8,
    /// What could not be sent at once, from `sent` on.
    bytes: Vec<u8>,
    sent: usize,
}

impl Upload {
    /// Of requests with which their stream ends, or does not.
    pub fn new(ends: bool) -> Self {
        let last = if ends { frame::END_STREAM } else { 0 };
        Upload { last, bytes: Vec::new(), sent: 0 }
    }

    /// Appends the message, with gRPC's prefix, as far as it may be sent.
    #[inline]
    pub fn begin(&mut self, message: &[u8], stream: u32, sending: &mut Sending, out: &mut Vec<u8>) {
        self.bytes.clear();
        self.sent = 0;
        let mut prefix = [0; PREFIX];
        // No message reaches 4 GiB: the command line bounds them.
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        prefix[1..].copy_from_slice(&length.to_be_bytes());
        let whole = PREFIX + message.len();
        if whole <= sending.allowed() {
            frame::begin(frame::DATA, self.last, stream, whole, out);
            out.extend_from_slice(&prefix);
            out.extend_from_slice(message);
            sending.sent(whole);
            return;
        }
        self.bytes.extend_from_slice(&prefix);
        self.bytes.extend_from_slice(message);
        self.go_on(stream, sending, out);
    }

    /// Appends what has come to be allowed of the rest.
    pub fn go_on(&mut self, stream: u32, sending: &mut Sending, out: &mut Vec<u8>) {
        let mut unsent = self.bytes.get(self.sent..).unwrap_or_default();
        while !unsent.is_empty() && sending.allowed() > 0 {
            let (part, rest) = unsent.split_at(unsent.len().min(sending.allowed()));
            let flags = if rest.is_empty() { self.last } else { 0 };
            frame::begin(frame::DATA, flags, stream, part.len(), out);
            out.extend_from_slice(part);
            sending.sent(part.len());
            unsent = rest;
        }
        self.sent = self.bytes.len() - unsent.len();
    }

    /// Whether there is anything that was not sent yet.
    #[inline]
    pub fn is_under_way(&self) -> bool {
        self.sent < self.bytes.len()
    }

    /// Drops what was not sent yet; whether there was anything.
    #[inline]
    pub fn forget(&mut self) -> bool {
        let anything = self.is_under_way();
        self.sent = self.bytes.len();
        anything
    }
}

/// Appends a header block, in as many frames as it takes.
#[inline]
pub fn send_block(block: &[u8], stream: u32, longest: usize, out: &mut Vec<u8>) {
    let (mut part, mut rest) = block.split_at(block.len().min(longest));
    let mut kind = frame::HEADERS;
    loop {
        let flags = if rest.is_empty() { frame::END_HEADERS } else { 0 };
        frame::begin(kind, flags, stream, part.len(), out);
        out.extend_from_slice(part);
        if rest.is_empty() {
            return;
        }
        (part, rest) = rest.split_at(rest.len().min(longest));
        kind = frame::CONTINUATION;
    }
}

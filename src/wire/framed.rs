//! The wire protocol of the baseline: each message is preceded by its length in 4 bytes,
//! big-endian.

use super::{Codec, Event, too_long};
use crate::message::EchoError;

/// Size of the length that precedes each message, in bytes.
const HEADER_LEN: usize = 4;

/// A client of length-prefixed messages over TCP.
#[derive(Debug)]
pub struct Framed {
    max_message: usize,
    ready: bool,
}

impl Framed {
    /// Creates a client that accepts replies of up to `max_message` bytes.
    pub fn new(max_message: usize) -> Self {
        Framed { max_message, ready: false }
    }
}

impl Codec for Framed {
    fn open(&mut self, _out: &mut Vec<u8>) {}

    #[inline]
    fn request(&mut self, message: &[u8], out: &mut Vec<u8>) {
        // The command line limits messages to less than 4 GiB.
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(message);
    }

    #[inline]
    fn receive<'a>(
        &'a mut self,
        input: &'a [u8],
        _out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Event<'a>>), EchoError> {
        if !self.ready {
            // The protocol has no handshake.
            self.ready = true;
            return Ok((0, Some(Event::Ready)));
        }
        let Some((header, rest)) = input.split_first_chunk::<HEADER_LEN>() else {
            return Ok((0, None));
        };
        let length = u32::from_be_bytes(*header) as usize;
        if length > self.max_message {
            return Err(too_long(length as u64, self.max_message));
        }
        let reply = rest.get(..length);
        Ok(reply.map_or((0, None), |reply| (HEADER_LEN + length, Some(Event::Reply(reply)))))
    }
}

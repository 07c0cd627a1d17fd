//! ZMTP 3.0 and 3.1 with the NULL mechanism: the client end, a REQ socket.
//!
//! <https://rfc.zeromq.org/spec/23/> and <https://rfc.zeromq.org/spec/37/>. A request or a reply is
//! an empty frame, the delimiter, and one frame with the message.

use super::{Codec, Event, excerpt, too_long};
use crate::message::EchoError;

/// The greeting: signature, version 3.0, mechanism NULL, role client, and 31 bytes of filler.
const GREETING: [u8; 64] = {
    let mut bytes = [0; 64];
    bytes[0] = 0xff;
    bytes[9] = 0x7f;
    bytes[10] = 3;
    bytes[12] = b'N';
    bytes[13] = b'U';
    bytes[14] = b'L';
    bytes[15] = b'L';
    bytes
};

/// Positions of the parts of a greeting.
const SIGNATURE_END: usize = 10;
const VERSION: usize = 10;
const MECHANISM: std::ops::Range<usize> = 12..32;

/// Frame flags.
const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The delimiter: an empty frame that another frame follows.
const DELIMITER: [u8; 2] = [MORE, 0];

/// The READY command, with the socket type and an empty identity.
const READY: &[u8] = b"\x05READY\x0bSocket-Type\0\0\0\x03REQ\x08Identity\0\0\0\0";

/// Maximum length of a received command, such as READY with its properties or PING with its
/// context.
const MAX_COMMAND: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waits for the greeting.
    Greeting,
    /// Waits for READY.
    Handshake,
    /// Waits for the delimiter of a reply.
    Delimiter,
    /// Waits for the message of a reply.
    Body,
}

/// A ZeroMQ REQ client.
#[derive(Debug)]
pub struct Zmtp {
    max_message: usize,
    state: State,
}

/// A frame at the front of the input.
struct Frame<'a> {
    flags: u8,
    body: &'a [u8],
    /// Length of header and body.
    length: usize,
}

impl Zmtp {
    /// Creates a client that accepts replies of up to `max_message` bytes.
    pub fn new(max_message: usize) -> Self {
        Zmtp { max_message, state: State::Greeting }
    }

    fn greeting(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, EchoError> {
        // Checks an incomplete signature too: a peer with another protocol may wait for the client.
        let signature = input.len().min(SIGNATURE_END);
        let is_zmtp = input.first().is_none_or(|first| *first == 0xff)
            && (signature < SIGNATURE_END || input[9] & 1 == 1);
        if !is_zmtp {
            return Err(protocol_error(format!(
                "the server does not speak ZMTP; it sent {}",
                excerpt(input)
            )));
        }
        if let Some(version) = input.get(VERSION).filter(|version| **version < 3) {
            return Err(protocol_error(format!(
                "the server speaks ZMTP {version}, not 3.0 or later"
            )));
        }
        let Some(greeting) = input.get(..GREETING.len()) else { return Ok(0) };
        let mechanism = &greeting[MECHANISM];
        if mechanism[..5] != *b"NULL\0" {
            let mechanism = mechanism.trim_ascii_end();
            let mechanism = excerpt(mechanism.split(|byte| *byte == 0).next().unwrap_or_default());
            return Err(protocol_error(format!(
                "the server requires the mechanism {mechanism}, not NULL"
            )));
        }
        push_command(READY, out);
        self.state = State::Handshake;
        Ok(GREETING.len())
    }

    fn frame<'a>(&self, input: &'a [u8]) -> Result<Option<Frame<'a>>, EchoError> {
        let Some((&flags, rest)) = input.split_first() else { return Ok(None) };
        if flags & !(MORE | LONG | COMMAND) != 0 || flags & (MORE | COMMAND) == MORE | COMMAND {
            return Err(protocol_error(format!("a frame has the invalid flags {flags:#04x}")));
        }
        let (length, header) = if flags & LONG == 0 {
            let Some(&length) = rest.first() else { return Ok(None) };
            (u64::from(length), 2)
        } else {
            let Some(length) = rest.first_chunk::<8>() else { return Ok(None) };
            (u64::from_be_bytes(*length), 9)
        };
        let limit = if flags & COMMAND == 0 { self.max_message } else { MAX_COMMAND };
        let accepted = usize::try_from(length).ok().filter(|length| *length <= limit);
        let Some(accepted) = accepted else { return Err(too_long(length, limit)) };
        let body = input.get(header..header + accepted);
        Ok(body.map(|body| Frame { flags, body, length: header + accepted }))
    }

    /// Handles a command: READY once, then PING at any time. Returns `Some` after READY.
    fn command(&mut self, body: &[u8], out: &mut Vec<u8>) -> Result<Option<()>, EchoError> {
        let split = body.split_first().and_then(|(n, rest)| rest.split_at_checked(usize::from(*n)));
        let Some((name, rest)) = split else {
            return Err(protocol_error(format!("a command has no name: {}", excerpt(body))));
        };
        match (name, self.state) {
            (b"READY", State::Handshake) => {
                check_peer(rest)?;
                self.state = State::Delimiter;
                Ok(Some(()))
            }
            (b"PING", State::Delimiter | State::Body) => {
                // PONG returns the context, which follows the time to live.
                let context = rest.get(2..).unwrap_or_default();
                push_command(&[b"\x04PONG", context].concat(), out);
                Ok(None)
            }
            (b"ERROR", _) => {
                let reason = rest.get(1..).unwrap_or_default();
                Err(protocol_error(format!(
                    "the server refused the connection: {}",
                    excerpt(reason)
                )))
            }
            // Other commands are for other socket types and need no answer.
            (_, State::Delimiter | State::Body) => Ok(None),
            _ => Err(protocol_error(format!("the server sent {} before READY", excerpt(name)))),
        }
    }
}

impl Codec for Zmtp {
    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&GREETING);
    }

    #[inline]
    fn request(&mut self, message: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&DELIMITER);
        push_frame_header(0, message.len(), out);
        out.extend_from_slice(message);
    }

    #[inline]
    fn receive<'a>(
        &'a mut self,
        input: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Event<'a>>), EchoError> {
        if self.state == State::Greeting {
            return Ok((self.greeting(input, out)?, None));
        }
        let Some(Frame { flags, body, length }) = self.frame(input)? else { return Ok((0, None)) };
        if flags & COMMAND != 0 {
            let ready = self.command(body, out)?;
            return Ok((length, ready.map(|()| Event::Ready)));
        }
        match (self.state, flags & MORE, body) {
            (State::Delimiter, MORE, []) => {
                self.state = State::Body;
                Ok((length, None))
            }
            (State::Body, 0, reply) => {
                self.state = State::Delimiter;
                Ok((length, Some(Event::Reply(reply))))
            }
            (State::Body, _, _) => {
                Err(EchoError::Malformed("it has more than one frame".to_owned()))
            }
            (State::Delimiter, _, body) => Err(EchoError::Malformed(format!(
                "it does not begin with an empty frame, but with {}",
                excerpt(body)
            ))),
            (_, _, body) => {
                Err(protocol_error(format!("the server sent {} before READY", excerpt(body))))
            }
        }
    }
}

fn protocol_error(reason: String) -> EchoError {
    EchoError::Disconnected(reason)
}

fn push_frame_header(flags: u8, length: usize, out: &mut Vec<u8>) {
    if let Ok(short) = u8::try_from(length) {
        out.extend_from_slice(&[flags, short]);
    } else {
        out.push(flags | LONG);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

fn push_command(body: &[u8], out: &mut Vec<u8>) {
    push_frame_header(COMMAND, body.len(), out);
    out.extend_from_slice(body);
}

/// Checks that a REQ socket may connect to a peer with these properties.
fn check_peer(mut properties: &[u8]) -> Result<(), EchoError> {
    let truncated = || protocol_error("the server's READY is cut off".to_owned());
    while let Some((&name_length, rest)) = properties.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(name_length)).ok_or_else(truncated)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(truncated)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(truncated)?;
        let is_compatible = [&b"REP"[..], b"ROUTER"].contains(&value);
        if name.eq_ignore_ascii_case(b"Socket-Type") && !is_compatible {
            return Err(protocol_error(format!(
                "the socket type of the server is {}, not REP or ROUTER",
                excerpt(value)
            )));
        }
        properties = rest;
    }
    Ok(())
}

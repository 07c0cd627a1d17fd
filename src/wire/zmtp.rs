//! ZMTP 3.0 and 3.1 with the NULL mechanism, as a REQ socket speaks it.
//!
//! <https://rfc.zeromq.org/spec/23/> and <https://rfc.zeromq.org/spec/37/>. A request is an
//! empty frame, the delimiter, and one frame with the message; so is its reply.

use super::{Codec, Event, shown, too_long};
use crate::message::EchoError;

/// Signature, version 3.0, mechanism NULL, as a client, and 31 bytes of filler.
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

/// Where in a greeting its parts are.
const SIGNATURE_END: usize = 10;
const VERSION: usize = 10;
const MECHANISM: std::ops::Range<usize> = 12..32;

/// Flags of a frame.
const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// The delimiter: an empty frame, with more to come.
const DELIMITER: [u8; 2] = [MORE, 0];

/// READY, with the kind of socket and an identity that is empty.
const READY: &[u8] = b"\x05READY\x0bSocket-Type\0\0\0\x03REQ\x08Identity\0\0\0\0";

/// The longest command that is read: properties of a peer, or the context of a PING.
const LONGEST_COMMAND: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    Handshake,
    /// Before the delimiter of a reply.
    Delimiter,
    /// Before its message.
    Body,
}

/// A client over ZeroMQ's wire.
#[derive(Debug)]
pub struct Zmtp {
    max_message: usize,
    state: State,
}

/// A frame at the front of the input.
struct Frame<'a> {
    flags: u8,
    body: &'a [u8],
    /// With its header.
    length: usize,
}

impl Zmtp {
    /// A client that reads replies of up to `max_message` bytes.
    pub fn new(max_message: usize) -> Self {
        Zmtp { max_message, state: State::Greeting }
    }

    fn greeting(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, EchoError> {
        // As soon as it is no greeting: a peer that speaks another protocol may wait for us.
        let signature = input.len().min(SIGNATURE_END);
        let signed = input.first().is_none_or(|first| *first == 0xff)
            && (signature < SIGNATURE_END || input[9] & 1 == 1);
        if !signed {
            return Err(broken(format!(
                "the server does not speak ZMTP; it said {}",
                shown(input)
            )));
        }
        if let Some(version) = input.get(VERSION).filter(|version| **version < 3) {
            return Err(broken(format!("the server speaks ZMTP {version}, and not 3.0 or later")));
        }
        let Some(greeting) = input.get(..GREETING.len()) else { return Ok(0) };
        let mechanism = &greeting[MECHANISM];
        if mechanism[..5] != *b"NULL\0" {
            let mechanism = mechanism.trim_ascii_end();
            let mechanism = shown(mechanism.split(|byte| *byte == 0).next().unwrap_or_default());
            return Err(broken(format!("the server asks for the mechanism {mechanism}, not NULL")));
        }
        command(READY, out);
        self.state = State::Handshake;
        Ok(GREETING.len())
    }

    fn frame<'a>(&self, input: &'a [u8]) -> Result<Option<Frame<'a>>, EchoError> {
        let Some((&flags, rest)) = input.split_first() else { return Ok(None) };
        if flags & !(MORE | LONG | COMMAND) != 0 || flags & (MORE | COMMAND) == MORE | COMMAND {
            return Err(broken(format!("a frame has the flags {flags:#04x}")));
        }
        let (length, header) = if flags & LONG == 0 {
            let Some(&length) = rest.first() else { return Ok(None) };
            (u64::from(length), 2)
        } else {
            let Some(length) = rest.first_chunk::<8>() else { return Ok(None) };
            (u64::from_be_bytes(*length), 9)
        };
        let limit = if flags & COMMAND == 0 { self.max_message } else { LONGEST_COMMAND };
        let fits = usize::try_from(length).ok().filter(|length| *length <= limit);
        let Some(fits) = fits else { return Err(too_long(length, limit)) };
        let body = input.get(header..header + fits);
        Ok(body.map(|body| Frame { flags, body, length: header + fits }))
    }

    /// A command: READY once, and PING at any time after it.
    fn command(&mut self, body: &[u8], out: &mut Vec<u8>) -> Result<Option<()>, EchoError> {
        let split = body.split_first().and_then(|(n, rest)| rest.split_at_checked(usize::from(*n)));
        let Some((name, rest)) = split else {
            return Err(broken(format!("a command has no name: {}", shown(body))));
        };
        match (name, self.state) {
            (b"READY", State::Handshake) => {
                check_peer(rest)?;
                self.state = State::Delimiter;
                Ok(Some(()))
            }
            (b"PING", State::Delimiter | State::Body) => {
                // Behind the time to live comes what is to be sent back.
                let context = rest.get(2..).unwrap_or_default();
                command(&[b"\x04PONG", context].concat(), out);
                Ok(None)
            }
            (b"ERROR", _) => {
                let reason = rest.get(1..).unwrap_or_default();
                Err(broken(format!("the server refused the connection: {}", shown(reason))))
            }
            // Others are for other sockets; a peer that asks for nothing is not answered.
            (_, State::Delimiter | State::Body) => Ok(None),
            _ => Err(broken(format!("the server said {} before READY", shown(name)))),
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
        frame_header(0, message.len(), out);
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
                shown(body)
            ))),
            (_, _, body) => Err(broken(format!("the server sent {} before READY", shown(body)))),
        }
    }
}

fn broken(what: String) -> EchoError {
    EchoError::Disconnected(what)
}

fn frame_header(flags: u8, length: usize, out: &mut Vec<u8>) {
    if let Ok(short) = u8::try_from(length) {
        out.extend_from_slice(&[flags, short]);
    } else {
        out.push(flags | LONG);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

fn command(body: &[u8], out: &mut Vec<u8>) {
    frame_header(COMMAND, body.len(), out);
    out.extend_from_slice(body);
}

/// Makes sure that a REQ socket may talk to a peer with these properties.
fn check_peer(mut properties: &[u8]) -> Result<(), EchoError> {
    let cut = || broken("the server's READY is cut off".to_owned());
    while let Some((&name_length, rest)) = properties.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(name_length)).ok_or_else(cut)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        let fits = [&b"REP"[..], b"ROUTER"].contains(&value);
        if name.eq_ignore_ascii_case(b"Socket-Type") && !fits {
            return Err(broken(format!(
                "the server is a {} socket, and no REP or ROUTER",
                shown(value)
            )));
        }
        properties = rest;
    }
    Ok(())
}

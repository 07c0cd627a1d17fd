//! The wire message, and the three things that are done with it: a client makes a
//! [`request`], a server thread [`respond`]s, the client [`check`]s the reply.
//!
//! Every system carries the bytes that these functions make, and nothing else: a
//! difference between two systems is therefore never a difference between two handlers.
//!
//! ```
//! use echometer::message::{self, Responder, Sequence};
//! use echometer::spec::ServerSpec;
//!
//! let request = message::request("client-1", "hello".to_owned(), 0);
//! let mut responder = Responder::new(&ServerSpec::named("server"), None, Sequence::Own(0));
//! let mut bytes = Vec::new();
//! message::respond(&mut responder, request.bytes(), &mut bytes)?;
//! let reply = message::check(&request, &bytes)?;
//! assert_eq!((reply.message.as_str(), reply.verified), ("reply msg #1", true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod error;
mod service_time;

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use protobuf::Message;

use self::decode::DecodedMessage;
pub use self::error::EchoError;
use self::service_time::ServiceTime;
use crate::measure::ServerTally;
use crate::spec::ServerSpec;

#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
mod wire {
    include!(concat!(env!("OUT_DIR"), "/wire/mod.rs"));
}
pub use wire::message::BasicMessage;

/// How the reply to a request that cannot be answered begins.
///
/// Such a reply acknowledges nothing, so that without this mark it would read like one
/// from a peer that does not sequence.
pub const MALFORMED: &str = "malformed request";

/// A client's request: one message that is sent again and again, each time with the next
/// sequence. The bytes are encoded before the clock is read, once for all attempts.
#[derive(Debug, Clone)]
pub struct Request {
    message: BasicMessage,
    bytes: Vec<u8>,
    /// Where in the bytes the sequence stands.
    sequence_at: Range<usize>,
}

/// Makes the request of the client `sender`, with the sequence 1.
///
/// `reply_bytes` asks for the reply's message to be padded to that many bytes; 0 does not.
pub fn request(sender: &str, text: String, reply_bytes: u32) -> Request {
    let message = BasicMessage {
        sender: sender.to_owned(),
        message: text,
        sequence: 1,
        reply_bytes,
        ..BasicMessage::default()
    };
    let mut request = Request { message, bytes: Vec::new(), sequence_at: 0..0 };
    request.encode();
    request
}

impl Request {
    /// Moves on to the next sequence, in place where it takes as many bytes.
    #[inline]
    pub fn advance(&mut self) {
        self.message.sequence += 1;
        let place = &mut self.bytes[self.sequence_at.clone()];
        if varint_length(self.message.sequence) == place.len() {
            put_varint(self.message.sequence, place);
        } else {
            self.encode();
        }
    }

    /// The same sequence with another text.
    pub fn set_text(&mut self, text: String) {
        self.message.message = text;
        self.encode();
    }

    /// The client's count of this message, from 1.
    pub fn sequence(&self) -> u64 {
        self.message.sequence
    }

    /// The serialized `BasicMessage`.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn encode(&mut self) {
        // Fields are encoded by their numbers: the sequence is the third.
        let before = BasicMessage {
            sender: self.message.sender.clone(),
            message: self.message.message.clone(),
            ..BasicMessage::default()
        };
        let start = usize::try_from(before.compute_size()).unwrap_or(usize::MAX) + 1;
        self.sequence_at = start..start + varint_length(self.message.sequence);
        encode(&self.message, &mut self.bytes);
    }
}

/// How many bytes a number takes, 7 bits each.
#[inline]
fn varint_length(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// Writes a number into as many bytes as it takes, the lowest 7 bits first.
#[inline]
fn put_varint(mut number: u64, place: &mut [u8]) {
    let Some((last, others)) = place.split_last_mut() else { return };
    for byte in others {
        *byte = (number & 0x7f) as u8 | 0x80;
        number >>= 7;
    }
    *last = (number & 0x7f) as u8;
}

/// Where a server thread takes the sequence of its replies from.
#[derive(Debug, Clone)]
pub enum Sequence {
    /// The thread counts its own replies.
    Own(u64),
    /// The server counts over all of its threads: one atomic addition a message.
    Shared(Arc<AtomicU64>),
}

impl Sequence {
    fn next(&mut self) -> u64 {
        match self {
            Sequence::Own(count) => {
                *count += 1;
                *count
            }
            Sequence::Shared(count) => count.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }
}

/// One answering thread of a server: who it is, what it has counted, and the memory that
/// it uses again for every message.
#[derive(Debug)]
pub struct Responder {
    server: String,
    worker: Option<String>,
    sequence: Sequence,
    /// The longest request, and the longest reply that may be asked for.
    max_message: usize,
    working: Option<ServiceTime>,
    tally: ServerTally,
    reply: BasicMessage,
    padding: String,
}

impl Responder {
    /// A thread of this server. `worker` is its own name, where replies tell it.
    pub fn new(server: &ServerSpec, worker: Option<String>, sequence: Sequence) -> Self {
        Responder {
            server: server.name.clone(),
            worker,
            sequence,
            max_message: server.max_message,
            working: ServiceTime::of(server.work),
            tally: ServerTally::default(),
            reply: BasicMessage { sender: server.name.clone(), ..BasicMessage::default() },
            padding: String::new(),
        }
    }

    /// What the thread has counted; it begins anew.
    pub fn take_tally(&mut self) -> ServerTally {
        std::mem::take(&mut self.tally)
    }

    /// Counts a request that cannot be answered but by saying why.
    pub fn reject(&mut self, why: &str) -> Rejected {
        self.tally.malformed += 1;
        Rejected(format!("{MALFORMED}: {why}"))
    }

    /// Counts a request that is longer than the server takes; `None`: it is not.
    #[inline]
    pub fn reject_if_long(&mut self, length: usize) -> Option<Rejected> {
        let most = self.max_message;
        (length > most)
            .then(|| self.reject(&format!("{length} bytes are over the limit of {most}")))
    }

    /// Puts `rejected` into `reply`, for a system whose only way to say so is a reply.
    pub fn write_error_reply(&self, rejected: Rejected, reply: &mut Vec<u8>) {
        let sender = self.server.clone();
        encode(&BasicMessage { sender, message: rejected.0, ..BasicMessage::default() }, reply);
    }

    fn compose(&mut self, request: &DecodedMessage<'_>) {
        self.reply.sequence = self.sequence.next();
        self.reply.acknowledges = request.sequence;
        let text = &mut self.reply.message;
        text.clear();
        // Writing to a String cannot fail.
        let _ = match &self.worker {
            Some(worker) => write!(text, "reply msg #{} from worker {worker}", self.reply.sequence),
            None => write!(text, "reply msg #{}", self.reply.sequence),
        };
        let missing = (request.reply_bytes as usize).saturating_sub(text.len());
        if missing > self.padding.len() {
            self.padding = ".".repeat(missing);
        }
        text.push_str(&self.padding[..missing]);
    }
}

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Rejected(String);

/// Answers one request: decodes it, does the work that the server is asked to do with each,
/// counts it, and puts the encoded answer into `reply`.
///
/// This is the handler of every system.
///
/// # Errors
///
/// Where the bytes are no `BasicMessage`, or ask for a reply that is too large; `reply`
/// is then as it was. It is counted (see [`Responder::reject`]).
pub fn respond(
    responder: &mut Responder,
    request: &[u8],
    reply: &mut Vec<u8>,
) -> Result<(), Rejected> {
    let request = match DecodedMessage::read(request) {
        Ok(request) => request,
        Err(error) => return Err(responder.reject(&format!("not a BasicMessage ({error})"))),
    };
    let (asked, most) = (request.reply_bytes as usize, responder.max_message);
    if asked > most {
        return Err(
            responder.reject(&format!("a reply of {asked} bytes is over the limit of {most}"))
        );
    }
    if let Some(working) = &mut responder.working {
        working.work();
    }
    responder.compose(&request);
    encode(&responder.reply, reply);
    responder.tally.answered(request.sender, Instant::now());
    Ok(())
}

/// A reply that answers the request it was checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The server's count of this reply, from 1; 0 where the server does not count.
    pub sequence: u64,
    /// Whether the reply named the request that it answers.
    pub verified: bool,
    /// The reply's text.
    pub message: String,
}

/// Reads a reply and makes sure that it answers `request`.
///
/// # Errors
///
/// [`EchoError::Malformed`] for bytes that are no message, [`EchoError::Refused`] for a
/// server that could not answer, [`EchoError::Stray`] for the answer to another request.
pub fn check(request: &Request, reply: &[u8]) -> Result<Reply, EchoError> {
    let (reply, verified) = read_reply(request.sequence(), reply)?;
    Ok(Reply { sequence: reply.sequence, verified, message: reply.message.to_owned() })
}

/// Makes sure that a reply answers the request `sent`, and takes no memory; `true`: it says so
/// itself.
///
/// # Errors
///
/// As [`check`].
#[inline]
pub fn verify(sent: u64, reply: &[u8]) -> Result<bool, EchoError> {
    read_reply(sent, reply).map(|(_, verified)| verified)
}

#[inline]
fn read_reply(sent: u64, reply: &[u8]) -> Result<(DecodedMessage<'_>, bool), EchoError> {
    let reply =
        DecodedMessage::read(reply).map_err(|error| EchoError::Malformed(error.to_string()))?;
    match reply.acknowledges {
        acknowledged if acknowledged == sent => Ok((reply, true)),
        0 if reply.message.starts_with(MALFORMED) => {
            Err(EchoError::Refused(reply.message.to_owned()))
        }
        0 => Ok((reply, false)),
        acknowledged => Err(EchoError::Stray { sent, acknowledged }),
    }
}

fn encode(message: &BasicMessage, into: &mut Vec<u8>) {
    into.clear();
    // Writing to a Vec cannot fail, and proto3 has no field that must be set.
    message.write_to_vec(into).expect("a BasicMessage encodes into memory");
}

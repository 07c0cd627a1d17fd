//! The wire message and its three operations: a client creates a [`request`], a server thread
//! [`respond`]s, and the client [`check`]s the reply.
//!
//! Every system carries the bytes that these functions create, and nothing else. Differences
//! between systems are therefore never differences between handlers.
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

/// Prefix of the message in an error reply.
///
/// An error reply has no `acknowledges` field. Without this prefix, it would look like a reply from
/// a peer that does not use sequences.
pub const MALFORMED: &str = "malformed request";

/// A client's request: one message that is sent repeatedly, each time with the next sequence. It is
/// encoded before the clock is read, once for all attempts.
#[derive(Debug, Clone)]
pub struct Request {
    message: BasicMessage,
    bytes: Vec<u8>,
    /// Position of the sequence in `bytes`.
    sequence_range: Range<usize>,
}

/// Creates the request of the client `sender`, with sequence 1.
///
/// `reply_bytes` is the size to which the reply's message is padded; 0 means no padding.
pub fn request(sender: &str, text: String, reply_bytes: u32) -> Request {
    let message = BasicMessage {
        sender: sender.to_owned(),
        message: text,
        sequence: 1,
        reply_bytes,
        ..BasicMessage::default()
    };
    let mut request = Request { message, bytes: Vec::new(), sequence_range: 0..0 };
    request.encode();
    request
}

impl Request {
    /// Increments the sequence, in place if its encoded length does not change.
    #[inline]
    pub fn advance(&mut self) {
        self.message.sequence += 1;
        let encoded = &mut self.bytes[self.sequence_range.clone()];
        if varint_length(self.message.sequence) == encoded.len() {
            write_varint(self.message.sequence, encoded);
        } else {
            self.encode();
        }
    }

    /// Replaces the text and keeps the sequence.
    pub fn set_text(&mut self, text: String) {
        self.message.message = text;
        self.encode();
    }

    /// Returns the client's number of this message, from 1.
    pub fn sequence(&self) -> u64 {
        self.message.sequence
    }

    /// Returns the serialized `BasicMessage`.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn encode(&mut self) {
        // Fields are encoded in the order of their numbers. The sequence is field 3, and its tag is
        // 1 byte.
        let before = BasicMessage {
            sender: self.message.sender.clone(),
            message: self.message.message.clone(),
            ..BasicMessage::default()
        };
        let start = usize::try_from(before.compute_size()).unwrap_or(usize::MAX) + 1;
        self.sequence_range = start..start + varint_length(self.message.sequence);
        encode(&self.message, &mut self.bytes);
    }
}

/// Returns the length of a number as a varint, which has 7 bits per byte.
#[inline]
fn varint_length(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// Writes a number as a varint, lowest 7 bits first. `out` has exactly its length.
#[inline]
fn write_varint(mut number: u64, out: &mut [u8]) {
    let Some((last, others)) = out.split_last_mut() else { return };
    for byte in others {
        *byte = (number & 0x7f) as u8 | 0x80;
        number >>= 7;
    }
    *last = (number & 0x7f) as u8;
}

/// Source of the reply sequence of a server thread.
#[derive(Debug, Clone)]
pub enum Sequence {
    /// A counter of the thread: the number of replies so far.
    Own(u64),
    /// A counter that all threads of the server share: one atomic addition per message.
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

/// State of one server thread that answers requests: its identity, its tally, and buffers that it
/// reuses for every message.
#[derive(Debug)]
pub struct Responder {
    server: String,
    worker: Option<String>,
    sequence: Sequence,
    /// Maximum size of a request and of a requested reply, in bytes.
    max_message: usize,
    service_time: Option<ServiceTime>,
    tally: ServerTally,
    reply: BasicMessage,
    padding: String,
}

impl Responder {
    /// Creates the responder of one thread. `worker` is the thread's name, if replies include it.
    pub fn new(server: &ServerSpec, worker: Option<String>, sequence: Sequence) -> Self {
        Responder {
            server: server.name.clone(),
            worker,
            sequence,
            max_message: server.max_message,
            service_time: ServiceTime::of(server.work),
            tally: ServerTally::default(),
            reply: BasicMessage { sender: server.name.clone(), ..BasicMessage::default() },
            padding: String::new(),
        }
    }

    /// Returns the thread's tally and resets it.
    pub fn take_tally(&mut self) -> ServerTally {
        std::mem::take(&mut self.tally)
    }

    /// Counts a request that can only be answered with an error.
    pub fn reject(&mut self, reason: &str) -> Rejected {
        self.tally.malformed += 1;
        Rejected(format!("{MALFORMED}: {reason}"))
    }

    /// Rejects a request longer than the server's limit; `None`: it is within the limit.
    #[inline]
    pub fn reject_if_too_long(&mut self, length: usize) -> Option<Rejected> {
        let limit = self.max_message;
        (length > limit)
            .then(|| self.reject(&format!("{length} bytes are over the limit of {limit}")))
    }

    /// Encodes `rejected` as an error reply, for systems without a status code.
    pub fn write_error_reply(&self, rejected: Rejected, reply: &mut Vec<u8>) {
        let sender = self.server.clone();
        encode(&BasicMessage { sender, message: rejected.0, ..BasicMessage::default() }, reply);
    }

    fn build_reply(&mut self, request: &DecodedMessage<'_>) {
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

/// The reason why a request was rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Rejected(String);

/// Answers one request: decodes it, does the configured work, counts it, and encodes the answer
/// into `reply`.
///
/// This is the handler of every system.
///
/// # Errors
///
/// If the bytes are not a `BasicMessage` or request a reply that is too large. `reply` is then
/// unchanged, and the request is counted as malformed (see [`Responder::reject`]).
pub fn respond(
    responder: &mut Responder,
    request: &[u8],
    reply: &mut Vec<u8>,
) -> Result<(), Rejected> {
    let request = match DecodedMessage::read(request) {
        Ok(request) => request,
        Err(error) => return Err(responder.reject(&format!("not a BasicMessage ({error})"))),
    };
    let (requested, limit) = (request.reply_bytes as usize, responder.max_message);
    if requested > limit {
        return Err(
            responder.reject(&format!("a reply of {requested} bytes is over the limit of {limit}"))
        );
    }
    if let Some(service_time) = &mut responder.service_time {
        responder.tally.service_time += service_time.spend();
    }
    responder.build_reply(&request);
    encode(&responder.reply, reply);
    responder.tally.record_answer(request.sender, Instant::now());
    Ok(())
}

/// A reply that answers the request it was checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The server's number of this reply, from 1; 0 if the server does not use sequences.
    pub sequence: u64,
    /// Whether the reply names the request that it answers.
    pub verified: bool,
    /// The reply's text.
    pub message: String,
}

/// Decodes a reply and checks that it answers `request`.
///
/// # Errors
///
/// [`EchoError::Malformed`] if the bytes are not a message, [`EchoError::Refused`] if the server
/// rejected the request, [`EchoError::Stray`] if the reply answers another request.
pub fn check(request: &Request, reply: &[u8]) -> Result<Reply, EchoError> {
    let (reply, verified) = read_reply(request.sequence(), reply)?;
    Ok(Reply { sequence: reply.sequence, verified, message: reply.message.to_owned() })
}

/// Checks that a reply answers the request with the sequence `sent`, without allocating. Returns
/// whether the reply names that request.
///
/// # Errors
///
/// The same as those of [`check`].
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
    // Writing to a Vec cannot fail, and proto3 has no required fields.
    message.write_to_vec(into).expect("encoding a BasicMessage into a Vec cannot fail");
}

//! Runs a codec without I/O: feeds it input in parts and records its events and output.

use echometer::message::EchoError;
use echometer::wire::{Codec, Event};

/// An event of a codec with owned data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedEvent {
    Ready,
    Reply(Vec<u8>),
}

/// A codec with its unconsumed input, its output and its events.
pub struct Harness<C> {
    pub codec: C,
    pub out: Vec<u8>,
    pub events: Vec<OwnedEvent>,
    pending: Vec<u8>,
    requests: Vec<Vec<u8>>,
    idle: usize,
}

impl<C: Codec> Harness<C> {
    /// Opens the codec. It sends each of `requests` as soon as it may.
    pub fn new(mut codec: C, requests: &[&[u8]]) -> Self {
        let mut out = Vec::new();
        codec.open(&mut out);
        let requests = requests.iter().rev().map(|request| request.to_vec()).collect();
        Harness { codec, out, events: Vec::new(), pending: Vec::new(), requests, idle: 0 }
    }

    /// Feeds more bytes to the codec until it needs further input.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), EchoError> {
        self.pending.extend_from_slice(bytes);
        loop {
            let (taken, event) = self.codec.receive(&self.pending, &mut self.out)?;
            let event = event.map(|event| match event {
                Event::Ready => OwnedEvent::Ready,
                Event::Reply(reply) => OwnedEvent::Reply(reply.to_vec()),
            });
            assert!(taken <= self.pending.len(), "the codec consumed more bytes than there are");
            self.pending.drain(..taken);
            let Some(event) = event else {
                if taken == 0 {
                    return Ok(());
                }
                continue;
            };
            self.idle += usize::from(taken == 0);
            assert!(
                self.idle <= 1,
                "only a codec that is ready at once may return an event without consuming bytes"
            );
            self.events.push(event);
            if let Some(request) = self.requests.pop() {
                self.codec.request(&request, &mut self.out);
            }
        }
    }

    /// Number of unconsumed input bytes.
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// The bytes to send since the last call.
    pub fn take_sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The replies.
    pub fn replies(&self) -> Vec<&[u8]> {
        let replies = self.events.iter().filter_map(|event| match event {
            OwnedEvent::Ready => None,
            OwnedEvent::Reply(reply) => Some(reply.as_slice()),
        });
        replies.collect()
    }
}

/// Feeds `parts` and returns the events and the error, if any.
pub fn outcome<C: Codec>(
    codec: C,
    requests: &[&[u8]],
    parts: &[&[u8]],
) -> (Vec<OwnedEvent>, Option<EchoError>) {
    let mut harness = Harness::new(codec, requests);
    let error = parts.iter().find_map(|part| harness.feed(part).err());
    (harness.events, error)
}

/// The error that `bytes` cause.
pub fn error<C: Codec>(codec: C, requests: &[&[u8]], bytes: &[u8]) -> EchoError {
    let (events, error) = outcome(codec, requests, &[bytes]);
    error.unwrap_or_else(|| panic!("no error, but {events:?}"))
}

/// Asserts the same events for `bytes` split at each position and for single bytes.
pub fn assert_split_anywhere<C: Codec>(
    codec: impl Fn() -> C,
    requests: &[&[u8]],
    bytes: &[u8],
    expected: &[OwnedEvent],
) {
    let expected = (expected.to_vec(), None);
    for at in 0..=bytes.len() {
        let (a, b) = bytes.split_at(at);
        assert_eq!(outcome(codec(), requests, &[a, b]), expected, "split at {at}");
    }
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(outcome(codec(), requests, &single), expected, "byte by byte");
}

/// Splits `bytes` into parts of these lengths, used cyclically. The first part is empty.
pub fn split<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut parts = vec![&bytes[..0]];
    for length in lengths.iter().cycle() {
        if bytes.is_empty() || lengths.is_empty() {
            break;
        }
        let (part, rest) = bytes.split_at((*length).clamp(1, bytes.len()));
        parts.push(part);
        bytes = rest;
    }
    parts
}

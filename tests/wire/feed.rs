//! A driver without I/O: gives a codec its input in parts, and keeps what it says.

use echometer::message::EchoError;
use echometer::wire::{Codec, Event};

/// What a codec said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Ready,
    Reply(Vec<u8>),
}

/// A codec with what it was given and has not taken, and what it wants sent.
pub struct Driver<C> {
    pub codec: C,
    pub out: Vec<u8>,
    pub said: Vec<Said>,
    pending: Vec<u8>,
    requests: Vec<Vec<u8>>,
    idle: usize,
}

impl<C: Codec> Driver<C> {
    /// Sends `requests`, each as soon as it may.
    pub fn new(mut codec: C, requests: &[&[u8]]) -> Self {
        let mut out = Vec::new();
        codec.open(&mut out);
        let requests = requests.iter().rev().map(|request| request.to_vec()).collect();
        Driver { codec, out, said: Vec::new(), pending: Vec::new(), requests, idle: 0 }
    }

    /// Gives the codec more bytes, and lets it do what it can with them.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), EchoError> {
        self.pending.extend_from_slice(bytes);
        loop {
            let (taken, event) = self.codec.receive(&self.pending, &mut self.out)?;
            let said = event.map(|event| match event {
                Event::Ready => Said::Ready,
                Event::Reply(reply) => Said::Reply(reply.to_vec()),
            });
            assert!(taken <= self.pending.len(), "it took more than there is");
            self.pending.drain(..taken);
            let Some(said) = said else {
                if taken == 0 {
                    return Ok(());
                }
                continue;
            };
            self.idle += usize::from(taken == 0);
            assert!(self.idle <= 1, "only a connection that is ready at once takes no byte");
            self.said.push(said);
            if let Some(request) = self.requests.pop() {
                self.codec.request(&request, &mut self.out);
            }
        }
    }

    /// How many bytes wait for more.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// What was to be sent since the last time.
    pub fn sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// The replies.
    pub fn replies(&self) -> Vec<&[u8]> {
        let replies = self.said.iter().filter_map(|said| match said {
            Said::Ready => None,
            Said::Reply(reply) => Some(reply.as_slice()),
        });
        replies.collect()
    }
}

/// Feeds `bytes` in parts; what the codec said, and how it ended.
pub fn outcome<C: Codec>(
    codec: C,
    requests: &[&[u8]],
    parts: &[&[u8]],
) -> (Vec<Said>, Option<EchoError>) {
    let mut driver = Driver::new(codec, requests);
    let error = parts.iter().find_map(|part| driver.feed(part).err());
    (driver.said, error)
}

/// The error that `bytes` lead to, in words.
pub fn error<C: Codec>(codec: C, requests: &[&[u8]], bytes: &[u8]) -> EchoError {
    let (said, error) = outcome(codec, requests, &[bytes]);
    error.unwrap_or_else(|| panic!("no error, but {said:?}"))
}

/// Cuts `bytes` at any one place, and everywhere: it says the same each time.
pub fn assert_cut_anywhere<C: Codec>(
    codec: impl Fn() -> C,
    requests: &[&[u8]],
    bytes: &[u8],
    expected: &[Said],
) {
    let expected = (expected.to_vec(), None);
    for cut in 0..=bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert_eq!(outcome(codec(), requests, &[a, b]), expected, "cut at {cut}");
    }
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(outcome(codec(), requests, &single), expected, "byte by byte");
}

/// `bytes` in parts of these lengths, again and again; the first part is empty.
pub fn cut<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
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

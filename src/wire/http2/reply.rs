//! The message of a reply, assembled from DATA frames.

use crate::message::EchoError;
use crate::wire::too_long;

/// Size of the prefix of a gRPC message in bytes: 1 for the compression flag, 4 for the length.
pub const PREFIX_LEN: usize = 5;

/// The received part of the current reply. Its memory is reused.
#[derive(Debug)]
pub struct Reply {
    max_message: usize,
    /// Whether the headers of the response have been received.
    pub has_headers: bool,
    /// The received bytes of prefix and message.
    bytes: Vec<u8>,
    /// Total length of prefix and message; that of the prefix until it has been received.
    length: usize,
}

impl Reply {
    pub fn new(max_message: usize) -> Self {
        Reply { max_message, has_headers: false, bytes: Vec::new(), length: PREFIX_LEN }
    }

    /// Prepares for the next reply on a new stream.
    #[inline]
    pub fn clear(&mut self) {
        self.has_headers = false;
        self.clear_message();
    }

    /// If the message is complete, prepares for the next one on the same stream.
    #[inline]
    pub fn clear_if_complete(&mut self) {
        if self.is_complete() {
            self.clear_message();
        }
    }

    #[inline]
    fn clear_message(&mut self) {
        self.bytes.clear();
        self.length = PREFIX_LEN;
    }

    /// Returns whether the message is complete.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.bytes.len() == self.length
    }

    /// Appends the content of a DATA frame. The buffer grows with the bytes received, not by the
    /// announced length.
    #[inline]
    pub fn add(&mut self, mut data: &[u8]) -> Result<(), EchoError> {
        if self.bytes.len() < PREFIX_LEN {
            let missing = (PREFIX_LEN - self.bytes.len()).min(data.len());
            let (prefix, rest) = data.split_at(missing);
            self.bytes.extend_from_slice(prefix);
            let Some(prefix) = self.bytes.first_chunk::<PREFIX_LEN>() else { return Ok(()) };
            self.length = PREFIX_LEN + message_length(*prefix, self.max_message)?;
            data = rest;
        }
        if self.bytes.len() + data.len() > self.length {
            return Err(EchoError::Malformed("it has more than one message".to_owned()));
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Checks that the message is complete.
    #[inline]
    pub fn check(&self) -> Result<(), EchoError> {
        let (received, length) = (self.bytes.len(), self.length);
        match received {
            0 => Err(EchoError::Malformed("it ends without a message".to_owned())),
            received if received < length => {
                Err(EchoError::Malformed(format!("it ends after {received} bytes of {length}")))
            }
            _ => Ok(()),
        }
    }

    /// Returns the message.
    #[inline]
    pub fn message(&self) -> &[u8] {
        self.bytes.get(PREFIX_LEN..).unwrap_or_default()
    }
}

fn message_length(prefix: [u8; PREFIX_LEN], max: usize) -> Result<usize, EchoError> {
    let [compressed, length @ ..] = prefix;
    if compressed != 0 {
        return Err(EchoError::Malformed(
            "it is compressed, which the client did not request".to_owned(),
        ));
    }
    let length = u32::from_be_bytes(length);
    let accepted = usize::try_from(length).ok().filter(|length| *length <= max);
    accepted.ok_or_else(|| too_long(length.into(), max))
}

//! The message of a reply, put together from DATA.

use crate::message::EchoError;
use crate::wire::too_long;

/// gRPC's prefix: whether the message is compressed, and its length in 4 bytes.
pub const PREFIX: usize = 5;

/// The reply to the request of now, as far as it came. Its memory is used again.
#[derive(Debug)]
pub struct Reply {
    max_message: usize,
    /// The response's headers came.
    pub begun: bool,
    /// Prefix and message, as they came.
    bytes: Vec<u8>,
    /// How long both are, once the prefix is there.
    length: usize,
}

impl Reply {
    pub fn new(max_message: usize) -> Self {
        Reply { max_message, begun: false, bytes: Vec::new(), length: PREFIX }
    }

    /// Gets ready for the next one, on a stream of its own.
    #[inline]
    pub fn clear(&mut self) {
        self.begun = false;
        self.forget();
    }

    /// Gets ready for the next one of the same stream, if this one is complete.
    #[inline]
    pub fn forget_whole(&mut self) {
        if self.is_whole() {
            self.forget();
        }
    }

    #[inline]
    fn forget(&mut self) {
        self.bytes.clear();
        self.length = PREFIX;
    }

    /// Whether all of it came.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.bytes.len() == self.length
    }

    /// Takes in what DATA brought: it grows by what came, and not by what was announced.
    #[inline]
    pub fn add(&mut self, mut data: &[u8]) -> Result<(), EchoError> {
        if self.bytes.len() < PREFIX {
            let missing = (PREFIX - self.bytes.len()).min(data.len());
            let (prefix, rest) = data.split_at(missing);
            self.bytes.extend_from_slice(prefix);
            let Some(prefix) = self.bytes.first_chunk::<PREFIX>() else { return Ok(()) };
            self.length = PREFIX + message_length(*prefix, self.max_message)?;
            data = rest;
        }
        if self.bytes.len() + data.len() > self.length {
            return Err(EchoError::Malformed("it has more than one message".to_owned()));
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Makes sure that the message is there, as a whole.
    #[inline]
    pub fn check(&self) -> Result<(), EchoError> {
        let (came, length) = (self.bytes.len(), self.length);
        match came {
            0 => Err(EchoError::Malformed("it ends without a message".to_owned())),
            came if came < length => {
                Err(EchoError::Malformed(format!("it ends after {came} bytes of {length}")))
            }
            _ => Ok(()),
        }
    }

    /// The message.
    #[inline]
    pub fn message(&self) -> &[u8] {
        self.bytes.get(PREFIX..).unwrap_or_default()
    }
}

fn message_length(prefix: [u8; PREFIX], most: usize) -> Result<usize, EchoError> {
    let [compressed, length @ ..] = prefix;
    if compressed != 0 {
        return Err(EchoError::Malformed("it is compressed, which was not asked for".to_owned()));
    }
    let length = u32::from_be_bytes(length);
    let fits = usize::try_from(length).ok().filter(|length| *length <= most);
    fits.ok_or_else(|| too_long(length.into(), most))
}

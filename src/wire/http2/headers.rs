//! The header blocks of the replies, in HPACK (RFC 7541).

use loona_hpack::Decoder;

use super::frame::{CONTINUATION, END_HEADERS, END_STREAM, Frame, HEADERS, breaks, kind_name};
use super::status::{Fields, Place};
use crate::message::EchoError;

/// The longest header block that is read.
pub const LONGEST_BLOCK: usize = 16 * 1024;

/// The dynamic table that a server may fill: what it is unless we tell otherwise.
const TABLE: usize = 4096;

/// Reads header blocks, and knows again those that it has read.
pub struct Blocks {
    decoder: Decoder<'static>,
    /// The last head and the last trailers that were good and that leave the dynamic table as
    /// it is: the same bytes mean the same as long as nothing changes the table.
    head: Vec<u8>,
    trailers: Vec<u8>,
}

impl Blocks {
    pub fn new() -> Self {
        let mut decoder = Decoder::new();
        // Else the server could make it as large as it wants.
        decoder.set_max_allowed_table_size(TABLE);
        Blocks { decoder, head: Vec::new(), trailers: Vec::new() }
    }

    /// Whether this block is known to be good.
    #[inline]
    pub fn knows(&self, block: &[u8], place: Place) -> bool {
        let known = match place {
            Place::Head => &self.head,
            Place::Trailers => &self.trailers,
            Place::Only => return false,
        };
        !known.is_empty() && known == block
    }

    /// Reads a block. It has to be done with every one that is not known: the dynamic table is
    /// the sum of them all.
    pub fn read(&mut self, block: &[u8]) -> Result<Fields, EchoError> {
        if !leaves_table(block) {
            self.head.clear();
            self.trailers.clear();
        }
        let mut fields = Fields::default();
        let result = self.decoder.decode_with_cb(block, |name, value| fields.add(&name, &value));
        result
            .map_err(|error| breaks(format_args!("a header block that is not HPACK: {error}")))?;
        Ok(fields)
    }

    /// Keeps in mind that this block, as just read, was good.
    pub fn keep(&mut self, block: &[u8], place: Place) {
        let known = match place {
            Place::Head => &mut self.head,
            Place::Trailers => &mut self.trailers,
            Place::Only => return,
        };
        if leaves_table(block) {
            known.clear();
            known.extend_from_slice(block);
        }
    }
}

/// Whether a block leaves the dynamic table as it is (RFC 7541, section 6): it has fields of
/// the tables, and literals that are not to be indexed, and nothing else. C-core ends its
/// trailers with such a literal, an empty grpc-message.
fn leaves_table(mut block: &[u8]) -> bool {
    while let Some(first) = block.first() {
        let rest = match first {
            0x80.. => integer(block, 7).map(|(_, rest)| rest),
            // Literals to be indexed, and a new size of the table.
            0x20..0x80 => None,
            _ => literal(block),
        };
        let Some(rest) = rest else { return false };
        block = rest;
    }
    true
}

/// What is behind a literal that is not to be indexed.
fn literal(block: &[u8]) -> Option<&[u8]> {
    let (name, rest) = integer(block, 4)?;
    string(if name == 0 { string(rest)? } else { rest })
}

/// What is behind a string.
fn string(block: &[u8]) -> Option<&[u8]> {
    let (length, rest) = integer(block, 7)?;
    rest.get(length..)
}

/// An integer in the last `prefix` bits of the first byte and what follows it (RFC 7541,
/// section 5.1), and what is behind it.
fn integer(block: &[u8], prefix: u8) -> Option<(usize, &[u8])> {
    let (first, mut rest) = block.split_first()?;
    let most = (1 << prefix) - 1;
    let mut value = usize::from(*first) & most;
    if value < most {
        return Some((value, rest));
    }
    for shift in [0, 7, 14, 21] {
        let (byte, behind) = rest.split_first()?;
        rest = behind;
        value += usize::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some((value, rest));
        }
    }
    None
}

/// Puts a header block together that comes in more than one frame (RFC 9113, section 6.10).
#[derive(Debug, Default)]
pub struct Parts {
    /// The stream and whether it ends with the block, while more of the block is to come.
    awaiting: Option<(u32, bool)>,
    block: Vec<u8>,
}

impl Parts {
    /// Makes sure that nothing comes between the frames of a block.
    #[inline]
    pub fn check(&self, frame: &Frame<'_>) -> Result<(), EchoError> {
        match self.awaiting {
            Some((stream, _)) if frame.kind != CONTINUATION || frame.stream != stream => {
                let name = kind_name(frame.kind);
                Err(breaks(format_args!("{name} in the middle of a header block")))
            }
            None if frame.kind == CONTINUATION => Err(breaks("CONTINUATION of no header block")),
            _ => Ok(()),
        }
    }

    /// Adds a frame's part, of HEADERS or CONTINUATION. When that was the last, returns the
    /// block and whether the stream ends with it; the block is to be given back.
    pub fn add(
        &mut self,
        frame: &Frame<'_>,
        part: &[u8],
    ) -> Result<Option<(Vec<u8>, bool)>, EchoError> {
        let last = frame.has(END_HEADERS);
        let ends = match self.awaiting {
            Some((_, ends)) => ends,
            None => frame.kind == HEADERS && frame.has(END_STREAM),
        };
        if frame.kind == CONTINUATION && part.is_empty() && !last {
            // They could come without an end, and never be too long.
            return Err(breaks("CONTINUATION of no bytes"));
        }
        if self.block.len() + part.len() > LONGEST_BLOCK {
            return Err(breaks(format_args!("a header block of over {LONGEST_BLOCK} bytes")));
        }
        self.block.extend_from_slice(part);
        self.awaiting = (!last).then_some((frame.stream, ends));
        Ok(last.then(|| (std::mem::take(&mut self.block), ends)))
    }

    /// Takes the block's memory back.
    pub fn give_back(&mut self, mut block: Vec<u8>) {
        block.clear();
        self.block = block;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_change_the_table_are_told_from_those_that_do_not() {
        let leaves: [&[u8]; 6] = [
            b"",
            b"\x88\xc0\xbf",
            b"\xbe\0\x0cgrpc-message\0",
            b"\x08\x03200\x1f\x10\x01a\xff\0",
            b"\x10\x82ab\x81c",
            &[b"\0\x01a\x7f\x01", &[b'x'; 128][..]].concat(),
        ];
        for block in leaves {
            assert!(leaves_table(block), "{block:?}");
        }
        let changes: [&[u8]; 6] = [
            b"\x40\x01a\x01b",
            b"\x88\x5f\x01a",
            b"\x20\x88",
            b"\x3f\xe1\x1f\x88",
            // Cut off: what it is nobody knows.
            b"\0\x01a\x02b",
            b"\xff\xff\xff\xff\xff\0",
        ];
        for block in changes {
            assert!(!leaves_table(block), "{block:?}");
        }
    }
}

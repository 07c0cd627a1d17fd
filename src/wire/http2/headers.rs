//! Header blocks of replies, encoded in HPACK (RFC 7541).

use loona_hpack::Decoder;

use super::frame::{CONTINUATION, END_HEADERS, END_STREAM, Frame, HEADERS, kind_name, violation};
use super::status::{BlockKind, Fields};
use crate::message::EchoError;

/// Maximum length of a received header block in bytes.
pub const MAX_BLOCK: usize = 16 * 1024;

/// Size of the dynamic table that a server may fill: the default of HTTP/2.
const TABLE_SIZE: usize = 4096;

/// Decodes header blocks, with a cache of the last valid ones.
pub struct BlockDecoder {
    decoder: Decoder<'static>,
    /// The last valid headers and trailers that leave the dynamic table unchanged: the same bytes
    /// have the same meaning until a block changes the table.
    headers: Vec<u8>,
    trailers: Vec<u8>,
}

impl BlockDecoder {
    pub fn new() -> Self {
        let mut decoder = Decoder::new();
        // Otherwise the server could choose any size.
        decoder.set_max_allowed_table_size(TABLE_SIZE);
        BlockDecoder { decoder, headers: Vec::new(), trailers: Vec::new() }
    }

    /// Returns whether the block equals the cached one, which is valid.
    #[inline]
    pub fn is_cached(&self, block: &[u8], kind: BlockKind) -> bool {
        let cached = match kind {
            BlockKind::Headers => &self.headers,
            BlockKind::Trailers => &self.trailers,
            BlockKind::TrailersOnly => return false,
        };
        !cached.is_empty() && cached == block
    }

    /// Decodes a block. Every block that is not cached must be decoded: each may change the dynamic
    /// table.
    pub fn decode(&mut self, block: &[u8]) -> Result<Fields, EchoError> {
        if !leaves_table_unchanged(block) {
            self.headers.clear();
            self.trailers.clear();
        }
        let mut fields = Fields::default();
        let result = self.decoder.decode_with_cb(block, |name, value| fields.add(&name, &value));
        result.map_err(|error| {
            violation(format_args!("a header block that is not HPACK: {error}"))
        })?;
        Ok(fields)
    }

    /// Caches a block that was just decoded and is valid.
    pub fn cache(&mut self, block: &[u8], kind: BlockKind) {
        let cached = match kind {
            BlockKind::Headers => &mut self.headers,
            BlockKind::Trailers => &mut self.trailers,
            BlockKind::TrailersOnly => return,
        };
        if leaves_table_unchanged(block) {
            cached.clear();
            cached.extend_from_slice(block);
        }
    }
}

/// Returns whether a block leaves the dynamic table unchanged (RFC 7541, section 6): it consists
/// only of indexed fields and of literals without indexing. C-core ends its trailers with such a
/// literal, an empty grpc-message.
fn leaves_table_unchanged(mut block: &[u8]) -> bool {
    while let Some(first) = block.first() {
        let rest = match first {
            0x80.. => read_integer(block, 7).map(|(_, rest)| rest),
            // Literals with indexing, and table size updates.
            0x20..0x80 => None,
            _ => skip_literal(block),
        };
        let Some(rest) = rest else { return false };
        block = rest;
    }
    true
}

/// Returns the bytes after a literal without indexing.
fn skip_literal(block: &[u8]) -> Option<&[u8]> {
    let (name, rest) = read_integer(block, 4)?;
    skip_string(if name == 0 { skip_string(rest)? } else { rest })
}

/// Returns the bytes after a string.
fn skip_string(block: &[u8]) -> Option<&[u8]> {
    let (length, rest) = read_integer(block, 7)?;
    rest.get(length..)
}

/// Reads an integer from the last `prefix` bits of the first byte and the bytes after it (RFC 7541,
/// section 5.1). Returns it with the remaining bytes.
fn read_integer(block: &[u8], prefix: u8) -> Option<(usize, &[u8])> {
    let (first, mut rest) = block.split_first()?;
    let max = (1 << prefix) - 1;
    let mut value = usize::from(*first) & max;
    if value < max {
        return Some((value, rest));
    }
    for shift in [0, 7, 14, 21] {
        let (byte, tail) = rest.split_first()?;
        rest = tail;
        value += usize::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some((value, rest));
        }
    }
    None
}

/// Assembles header blocks that span several frames (RFC 9113, section 6.10).
#[derive(Debug, Default)]
pub struct BlockAssembler {
    /// While a block is incomplete: its stream, and whether the stream ends with the block.
    incomplete: Option<(u32, bool)>,
    block: Vec<u8>,
}

impl BlockAssembler {
    /// Checks that no other frame arrives between the frames of a block.
    #[inline]
    pub fn check(&self, frame: &Frame<'_>) -> Result<(), EchoError> {
        match self.incomplete {
            Some((stream, _)) if frame.kind != CONTINUATION || frame.stream != stream => {
                let name = kind_name(frame.kind);
                Err(violation(format_args!("{name} in the middle of a header block")))
            }
            None if frame.kind == CONTINUATION => Err(violation("CONTINUATION without HEADERS")),
            _ => Ok(()),
        }
    }

    /// Adds the fragment of a HEADERS or CONTINUATION frame. If the block is then complete, returns
    /// it and whether the stream ends with it. The caller gives the block back to
    /// [`Self::recycle`].
    pub fn add(
        &mut self,
        frame: &Frame<'_>,
        fragment: &[u8],
    ) -> Result<Option<(Vec<u8>, bool)>, EchoError> {
        let last = frame.has(END_HEADERS);
        let ends = match self.incomplete {
            Some((_, ends)) => ends,
            None => frame.kind == HEADERS && frame.has(END_STREAM),
        };
        if frame.kind == CONTINUATION && fragment.is_empty() && !last {
            // Without this check, a server could send empty frames forever without a length error.
            return Err(violation("CONTINUATION of 0 bytes"));
        }
        if self.block.len() + fragment.len() > MAX_BLOCK {
            return Err(violation(format_args!("a header block of more than {MAX_BLOCK} bytes")));
        }
        self.block.extend_from_slice(fragment);
        self.incomplete = (!last).then_some((frame.stream, ends));
        Ok(last.then(|| (std::mem::take(&mut self.block), ends)))
    }

    /// Reuses the memory of a block.
    pub fn recycle(&mut self, mut block: Vec<u8>) {
        block.clear();
        self.block = block;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_table_unchanged_is_false_for_indexing_size_updates_and_invalid_blocks() {
        let unchanged: [&[u8]; 6] = [
            b"",
            b"\x88\xc0\xbf",
            b"\xbe\0\x0cgrpc-message\0",
            b"\x08\x03200\x1f\x10\x01a\xff\0",
            b"\x10\x82ab\x81c",
            &[b"\0\x01a\x7f\x01", &[b'x'; 128][..]].concat(),
        ];
        for block in unchanged {
            assert!(leaves_table_unchanged(block), "{block:?}");
        }
        let changed: [&[u8]; 6] = [
            b"\x40\x01a\x01b",
            b"\x88\x5f\x01a",
            b"\x20\x88",
            b"\x3f\xe1\x1f\x88",
            // Truncated, so the effect on the table is unknown.
            b"\0\x01a\x02b",
            b"\xff\xff\xff\xff\xff\0",
        ];
        for block in changed {
            assert!(!leaves_table_unchanged(block), "{block:?}");
        }
    }
}

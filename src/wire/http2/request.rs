//! The header block of requests, encoded in HPACK (RFC 7541).
//!
//! All requests have the same fields. The first block adds them to the server's dynamic table.
//! Later blocks consist of indices into that table and are prepared once.

use std::time::Duration;

/// Indices of fields and names in the static table (RFC 7541, appendix A).
const METHOD_POST: u8 = 3;
const SCHEME_HTTP: u8 = 6;
const AUTHORITY: u8 = 1;
const PATH: u8 = 4;
const CONTENT_TYPE: u8 = 31;
const USER_AGENT: u8 = 58;

/// Index of the newest entry of the dynamic table: the first index after the static table.
const NEWEST: usize = 62;

/// First bits of the representations (RFC 7541, section 6).
const INDEXED: u8 = 0x80;
const LITERAL_WITH_INDEXING: u8 = 0x40;
const SIZE_UPDATE: u8 = 0x20;
const LITERAL_WITHOUT_INDEXING: u8 = 0;

/// Default size of the dynamic table, and the maximum that this client uses.
const TABLE_SIZE: u32 = 4096;

/// Size of an entry of the dynamic table beyond the bytes of its field (RFC 7541, section 4.1).
const FIELD_OVERHEAD: usize = 32;

/// The name of a field: an index of the static table, or a literal.
enum Name {
    Static(u8),
    Literal(&'static str),
}

impl Name {
    fn length(&self) -> usize {
        match self {
            Name::Static(AUTHORITY) => ":authority".len(),
            Name::Static(PATH) => ":path".len(),
            Name::Static(CONTENT_TYPE) => "content-type".len(),
            Name::Static(_) => "user-agent".len(),
            Name::Literal(name) => name.len(),
        }
    }
}

/// The header block of the next request.
pub struct RequestBlock {
    fields: Vec<(Name, String)>,
    table_size: u32,
    /// Whether the next block is `first`.
    is_first: bool,
    /// The block that adds the fields to the dynamic table.
    first: Vec<u8>,
    /// All later blocks.
    later: Vec<u8>,
}

impl RequestBlock {
    /// Creates the blocks for calls of `path`, with a grpc-timeout if `timeout` is given.
    pub fn new(authority: &str, path: &str, timeout: Option<Duration>) -> Self {
        let mut fields = vec![
            (Name::Static(PATH), path.to_owned()),
            (Name::Static(AUTHORITY), authority.to_owned()),
            (Name::Literal("te"), "trailers".to_owned()),
            (Name::Static(CONTENT_TYPE), "application/grpc".to_owned()),
            (Name::Static(USER_AGENT), concat!("echometer/", env!("CARGO_PKG_VERSION")).to_owned()),
        ];
        if let Some(timeout) = timeout {
            fields.push((Name::Literal("grpc-timeout"), grpc_timeout(timeout)));
        }
        let (first, later) = (Vec::new(), Vec::new());
        let mut block =
            RequestBlock { fields, table_size: TABLE_SIZE, is_first: true, first, later };
        block.encode();
        block
    }

    /// Applies `SETTINGS_HEADER_TABLE_SIZE`.
    pub fn set_table_size(&mut self, size: u32) {
        let size = size.min(TABLE_SIZE);
        if size == self.table_size {
            return;
        }
        self.table_size = size;
        self.is_first = true;
        self.first.clear();
        // Size 0 comes first, which covers a smaller size in between (RFC 7541, section 4.2).
        self.first.push(SIZE_UPDATE);
        if size > 0 {
            push_integer(SIZE_UPDATE, 5, size as usize, &mut self.first);
        }
        self.encode();
    }

    /// Returns the next block to send.
    #[inline]
    pub fn next(&mut self) -> &[u8] {
        if std::mem::take(&mut self.is_first) { &self.first } else { &self.later }
    }

    /// Encodes both blocks. Bytes that are already in `first` stay in front.
    fn encode(&mut self) {
        let size = |(name, value): &(Name, String)| name.length() + value.len() + FIELD_OVERHEAD;
        let fits = self.fields.iter().map(size).sum::<usize>() <= self.table_size as usize;
        self.later.clear();
        for block in [&mut self.first, &mut self.later] {
            block.extend_from_slice(&[INDEXED | METHOD_POST, INDEXED | SCHEME_HTTP]);
        }
        let count = self.fields.len();
        for (n, (name, value)) in self.fields.iter().enumerate() {
            if fits {
                push_literal(LITERAL_WITH_INDEXING, 6, name, value, &mut self.first);
                push_integer(INDEXED, 7, NEWEST + count - 1 - n, &mut self.later);
            } else {
                push_literal(LITERAL_WITHOUT_INDEXING, 4, name, value, &mut self.first);
                push_literal(LITERAL_WITHOUT_INDEXING, 4, name, value, &mut self.later);
            }
        }
    }
}

/// Appends a field with a literal value. Huffman coding is not used: it would save bytes only once.
fn push_literal(first_bits: u8, prefix: u8, name: &Name, value: &str, out: &mut Vec<u8>) {
    match name {
        Name::Static(index) => push_integer(first_bits, prefix, usize::from(*index), out),
        Name::Literal(name) => {
            out.push(first_bits);
            push_string(name, out);
        }
    }
    push_string(value, out);
}

fn push_string(text: &str, out: &mut Vec<u8>) {
    push_integer(0, 7, text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// Appends an integer in the last `prefix` bits of the first byte and as many more bytes as needed
/// (RFC 7541, section 5.1).
fn push_integer(first_bits: u8, prefix: u8, value: usize, out: &mut Vec<u8>) {
    let max = (1_u8 << prefix) - 1;
    if let Some(small) = u8::try_from(value).ok().filter(|value| *value < max) {
        out.push(first_bits | small);
        return;
    }
    out.push(first_bits | max);
    let mut rest = value - usize::from(max);
    loop {
        let [seven, ..] = (rest & 0x7f).to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return out.push(seven);
        }
        out.push(0x80 | seven);
    }
}

/// Encodes a timeout as at most 8 digits and a unit, rounded up.
fn grpc_timeout(timeout: Duration) -> String {
    const MAX: u128 = 99_999_999;
    let nanos = timeout.as_nanos();
    let units = [(1_000, 'u'), (1_000_000, 'm'), (1_000_000_000, 'S')];
    let mut values = units.iter().map(|(length, unit)| (nanos.div_ceil(*length), unit));
    let (count, unit) = values.find(|(count, _)| *count <= MAX).unwrap_or((MAX, &'S'));
    format!("{count}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(decoder: &mut loona_hpack::Decoder, block: &[u8]) -> Vec<(String, String)> {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let fields = decoder.decode(block).unwrap();
        fields.into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn every_block_decodes_to_the_same_fields_for_any_table_size() {
        let mut block = RequestBlock::new("host:1", "/a/b", Some(Duration::from_secs(2)));
        let mut server = loona_hpack::Decoder::new();
        let first = decoded(&mut server, block.next());
        let names: Vec<_> = first.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[..4], [":method", ":scheme", ":path", ":authority"]);
        assert!(first.contains(&("grpc-timeout".to_owned(), "2000000u".to_owned())));
        assert!(first.contains(&("te".to_owned(), "trailers".to_owned())));
        assert_eq!(block.next(), [0x83, 0x86, 0xc3, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe]);
        assert_eq!(decoded(&mut server, block.next()), first);
        // Too small for any field, large enough, the default.
        for size in [0, 31, 1000, TABLE_SIZE] {
            block.set_table_size(size);
            server.set_max_allowed_table_size(size as usize);
            let indexed = size >= 1000;
            for later in [false, true, true] {
                let bytes = block.next().to_vec();
                assert_eq!(bytes.iter().all(|byte| *byte >= INDEXED), later && indexed);
                assert_eq!(decoded(&mut server, &bytes), first, "{size}");
            }
        }
    }

    #[test]
    fn grpc_timeout_has_at_most_eight_digits_and_is_rounded_up() {
        let at = |nanos| grpc_timeout(Duration::from_nanos(nanos));
        assert_eq!((at(1), at(99_999_999_001)), ("1u".to_owned(), "100000m".to_owned()));
        assert_eq!(grpc_timeout(Duration::from_secs(200_000)), "200000S");
        assert_eq!(grpc_timeout(Duration::MAX), "99999999S");
    }

    #[test]
    fn push_integer_encodes_the_examples_of_the_rfc() {
        let encoded = |first_bits, prefix, value| {
            let mut out = Vec::new();
            push_integer(first_bits, prefix, value, &mut out);
            out
        };
        // RFC 7541, appendix C.1.
        assert_eq!(encoded(0, 5, 10), [0b01010]);
        assert_eq!(encoded(0, 5, 1337), [0b11111, 0b1001_1010, 0b1010]);
        assert_eq!(encoded(0, 7, 127), [127, 0]);
    }
}

//! The header block of the requests, in HPACK (RFC 7541).
//!
//! All requests have the same fields. The first one teaches them to the server's dynamic
//! table; from then on a request's block is a few indices into it, prepared once.

use std::time::Duration;

/// The static table's fields and names that are used (RFC 7541, appendix A).
const METHOD_POST: u8 = 3;
const SCHEME_HTTP: u8 = 6;
const AUTHORITY: u8 = 1;
const PATH: u8 = 4;
const CONTENT_TYPE: u8 = 31;
const USER_AGENT: u8 = 58;

/// The first index behind the static table: what was taught last.
const NEWEST: usize = 62;

/// How the representations begin (RFC 7541, section 6).
const INDEXED: u8 = 0x80;
const LITERAL_TO_INDEX: u8 = 0x40;
const SIZE_UPDATE: u8 = 0x20;
const LITERAL: u8 = 0;

/// The size of the dynamic table unless the server says otherwise, and the most that is used.
const TABLE: u32 = 4096;

/// What the dynamic table counts for each field beside its bytes (RFC 7541, section 4.1).
const FIELD_OVERHEAD: usize = 32;

/// A name: in the static table, or spelled.
enum Name {
    Known(u8),
    Spelled(&'static str),
}

impl Name {
    fn length(&self) -> usize {
        match self {
            Name::Known(AUTHORITY) => ":authority".len(),
            Name::Known(PATH) => ":path".len(),
            Name::Known(CONTENT_TYPE) => "content-type".len(),
            Name::Known(_) => "user-agent".len(),
            Name::Spelled(name) => name.len(),
        }
    }
}

/// The header block of the next request.
pub struct RequestBlock {
    fields: Vec<(Name, String)>,
    table: u32,
    /// The server does not know `first` yet.
    fresh: bool,
    first: Vec<u8>,
    later: Vec<u8>,
}

impl RequestBlock {
    /// The fields of a call of `path`; with a `timeout`, the server is told it.
    pub fn new(authority: &str, path: &str, timeout: Option<Duration>) -> Self {
        let mut fields = vec![
            (Name::Known(PATH), path.to_owned()),
            (Name::Known(AUTHORITY), authority.to_owned()),
            (Name::Spelled("te"), "trailers".to_owned()),
            (Name::Known(CONTENT_TYPE), "application/grpc".to_owned()),
            (Name::Known(USER_AGENT), concat!("echometer/", env!("CARGO_PKG_VERSION")).to_owned()),
        ];
        if let Some(timeout) = timeout {
            fields.push((Name::Spelled("grpc-timeout"), grpc_timeout(timeout)));
        }
        let (first, later) = (Vec::new(), Vec::new());
        let mut block = RequestBlock { fields, table: TABLE, fresh: true, first, later };
        block.prepare();
        block
    }

    /// `SETTINGS_HEADER_TABLE_SIZE`.
    pub fn set_table(&mut self, size: u32) {
        let size = size.min(TABLE);
        if size == self.table {
            return;
        }
        self.table = size;
        self.fresh = true;
        self.first.clear();
        // Emptied first: so it is right whatever it was in between (RFC 7541, section 4.2).
        self.first.push(SIZE_UPDATE);
        if size > 0 {
            integer(SIZE_UPDATE, 5, size as usize, &mut self.first);
        }
        self.prepare();
    }

    /// The block to send now.
    #[inline]
    pub fn next(&mut self) -> &[u8] {
        if std::mem::take(&mut self.fresh) { &self.first } else { &self.later }
    }

    /// Writes both blocks; what is in `first` already stays in front.
    fn prepare(&mut self) {
        let size = |(name, value): &(Name, String)| name.length() + value.len() + FIELD_OVERHEAD;
        let fits = self.fields.iter().map(size).sum::<usize>() <= self.table as usize;
        self.later.clear();
        for block in [&mut self.first, &mut self.later] {
            block.extend_from_slice(&[INDEXED | METHOD_POST, INDEXED | SCHEME_HTTP]);
        }
        let count = self.fields.len();
        for (n, (name, value)) in self.fields.iter().enumerate() {
            if fits {
                literal(LITERAL_TO_INDEX, 6, name, value, &mut self.first);
                integer(INDEXED, 7, NEWEST + count - 1 - n, &mut self.later);
            } else {
                literal(LITERAL, 4, name, value, &mut self.first);
                literal(LITERAL, 4, name, value, &mut self.later);
            }
        }
    }
}

/// A field with its value spelled; without Huffman's code, which saves bytes once only.
fn literal(begin: u8, prefix: u8, name: &Name, value: &str, out: &mut Vec<u8>) {
    match name {
        Name::Known(index) => integer(begin, prefix, usize::from(*index), out),
        Name::Spelled(name) => {
            out.push(begin);
            string(name, out);
        }
    }
    string(value, out);
}

fn string(text: &str, out: &mut Vec<u8>) {
    integer(0, 7, text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// An integer in the last `prefix` bits of its first byte, and as many more as it takes (RFC
/// 7541, section 5.1).
fn integer(begin: u8, prefix: u8, value: usize, out: &mut Vec<u8>) {
    let most = (1_u8 << prefix) - 1;
    if let Some(small) = u8::try_from(value).ok().filter(|value| *value < most) {
        out.push(begin | small);
        return;
    }
    out.push(begin | most);
    let mut rest = value - usize::from(most);
    loop {
        let [seven, ..] = (rest & 0x7f).to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return out.push(seven);
        }
        out.push(0x80 | seven);
    }
}

/// At most 8 digits and a unit, and never less than the timeout is.
fn grpc_timeout(timeout: Duration) -> String {
    const MOST: u128 = 99_999_999;
    let nanos = timeout.as_nanos();
    let units = [(1_000, 'u'), (1_000_000, 'm'), (1_000_000_000, 'S')];
    let fitting = units.iter().map(|(length, unit)| (nanos.div_ceil(*length), unit));
    let (count, unit) = fitting.clone().find(|(count, _)| *count <= MOST).unwrap_or((MOST, &'S'));
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
    fn a_server_reads_the_same_fields_from_every_block() {
        let mut block = RequestBlock::new("host:1", "/a/b", Some(Duration::from_secs(2)));
        let mut server = loona_hpack::Decoder::new();
        let first = decoded(&mut server, block.next());
        let names: Vec<_> = first.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[..4], [":method", ":scheme", ":path", ":authority"]);
        assert!(first.contains(&("grpc-timeout".to_owned(), "2000000u".to_owned())));
        assert!(first.contains(&("te".to_owned(), "trailers".to_owned())));
        assert_eq!(block.next(), [0x83, 0x86, 0xc3, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe]);
        assert_eq!(decoded(&mut server, block.next()), first);
        // Too small for anything; large enough again; as it was.
        for size in [0, 31, 1000, TABLE] {
            block.set_table(size);
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
    fn timeouts_have_eight_digits_at_most_and_are_never_shortened() {
        let at = |nanos| grpc_timeout(Duration::from_nanos(nanos));
        assert_eq!((at(1), at(99_999_999_001)), ("1u".to_owned(), "100000m".to_owned()));
        assert_eq!(grpc_timeout(Duration::from_secs(200_000)), "200000S");
        assert_eq!(grpc_timeout(Duration::MAX), "99999999S");
    }

    #[test]
    fn integers_are_those_of_the_rfc() {
        let written = |begin, prefix, value| {
            let mut out = Vec::new();
            integer(begin, prefix, value, &mut out);
            out
        };
        // RFC 7541, appendix C.1.
        assert_eq!(written(0, 5, 10), [0b01010]);
        assert_eq!(written(0, 5, 1337), [0b11111, 0b1001_1010, 0b1010]);
        assert_eq!(written(0, 7, 127), [127, 0]);
    }
}

//! Decodes a message without copying its strings. The code that the protobuf crate generates
//! allocates each string with the length that the message states, before it checks that this many
//! bytes have arrived.

use std::io::{Error, ErrorKind};

use protobuf::rt::WireType::{LengthDelimited, StartGroup, Varint};
use protobuf::rt::{WireType, read_unknown_or_skip_group, skip_field_for_tag};
use protobuf::{CodedInputStream, Result, UnknownFields};

const SENDER: u32 = tag(1, LengthDelimited);
const MESSAGE: u32 = tag(2, LengthDelimited);
const SEQUENCE: u32 = tag(3, Varint);
const ACKNOWLEDGES: u32 = tag(4, Varint);
const REPLY_BYTES: u32 = tag(5, Varint);

/// Returns the tag of a field. Tags of these fields take one byte.
const fn tag(number: u32, kind: WireType) -> u32 {
    number << 3 | kind as u32
}

/// A received `BasicMessage`. Its strings borrow from the received bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct DecodedMessage<'a> {
    pub sender: &'a str,
    pub message: &'a str,
    pub sequence: u64,
    pub acknowledges: u64,
    pub reply_bytes: u32,
}

impl<'a> DecodedMessage<'a> {
    /// Decodes all bytes. Unknown fields are skipped.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut decoded = DecodedMessage::default();
        let mut stream = CodedInputStream::from_bytes(bytes);
        while let Some(tag) = stream.read_raw_tag_or_eof()? {
            match tag {
                SENDER => decoded.sender = read_string(bytes, &mut stream)?,
                MESSAGE => decoded.message = read_string(bytes, &mut stream)?,
                SEQUENCE => decoded.sequence = stream.read_uint64()?,
                ACKNOWLEDGES => decoded.acknowledges = stream.read_uint64()?,
                REPLY_BYTES => decoded.reply_bytes = stream.read_uint32()?,
                // `skip_field_for_tag` accepts a group without an end.
                group if group & 0b111 == StartGroup as u32 => {
                    read_unknown_or_skip_group(group, &mut stream, &mut UnknownFields::new())?;
                }
                unknown => skip_field_for_tag(unknown, &mut stream)?,
            }
        }
        Ok(decoded)
    }
}

/// Reads a string field. `stream` reads from `bytes`, and the field's length comes next.
fn read_string<'a>(bytes: &'a [u8], stream: &mut CodedInputStream<'_>) -> Result<&'a str> {
    let length = stream.read_raw_varint32()?;
    let start = usize::try_from(stream.pos()).unwrap_or(usize::MAX);
    // Fails if fewer bytes are left.
    stream.skip_raw_bytes(length)?;
    let text = &bytes[start..start + length as usize];
    std::str::from_utf8(text).map_err(|error| Error::new(ErrorKind::InvalidData, error).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protobuf::Message as _;

    use super::*;
    use crate::message::BasicMessage;

    fn decode_with_protobuf(bytes: &[u8]) -> Option<BasicMessage> {
        BasicMessage::parse_from_bytes(bytes).ok()
    }

    fn decode_here(bytes: &[u8]) -> Option<BasicMessage> {
        let DecodedMessage { sender, message, sequence, acknowledges, reply_bytes } =
            DecodedMessage::read(bytes).ok()?;
        Some(BasicMessage {
            sender: sender.to_owned(),
            message: message.to_owned(),
            sequence,
            acknowledges,
            reply_bytes,
            // `DecodedMessage` does not keep unknown fields.
            special_fields: decode_with_protobuf(bytes)?.special_fields,
        })
    }

    /// Fields of all wire types, known and unknown, complete and malformed.
    fn fields() -> impl Strategy<Value = Vec<u8>> {
        let field = prop_oneof![
            ("[a-zé]{0,9}", 1_u8..8).prop_map(|(text, number)| {
                [&[number << 3 | 2, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
            }),
            (1_u8..8, 0_u8..128).prop_map(|(number, value)| vec![number << 3, value]),
            (1_u8..8, any::<[u8; 8]>())
                .prop_map(|(number, value)| { [&[number << 3 | 1], value.as_slice()].concat() }),
            (1_u8..8, any::<[u8; 4]>())
                .prop_map(|(number, value)| { [&[number << 3 | 5], value.as_slice()].concat() }),
            // Tags that start and end groups.
            (1_u8..8, 3_u8..5).prop_map(|(number, kind)| vec![number << 3 | kind]),
            prop::collection::vec(any::<u8>(), 1..4),
        ];
        prop::collection::vec(field, 0..8).prop_map(|fields| fields.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn decoding_agrees_with_the_protobuf_crate(bytes in fields()) {
            prop_assert_eq!(decode_here(&bytes), decode_with_protobuf(&bytes));
        }
    }

    #[test]
    fn a_false_string_length_allocates_no_memory() {
        // Strings with a length of 9 MB and two bytes of data: in a known field, in an unknown
        // field and in a group.
        for malformed in [
            &b"\x12\xc0\xa8\xa5\x04ab"[..],
            b"\x32\xc0\xa8\xa5\x04ab",
            b"\x33\x12\xc0\xa8\xa5\x04ab",
        ] {
            let allocated =
                allocation_counter::measure(|| assert!(DecodedMessage::read(malformed).is_err()));
            assert!(allocated.bytes_max < 1024, "{allocated:?}");
        }
    }
}

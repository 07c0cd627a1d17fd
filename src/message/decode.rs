//! A message read where it stands. protobuf's own code takes memory for each text of each message,
//! and as much as the text's length says, before it looks whether so much has come.

use std::io::{Error, ErrorKind};

use protobuf::rt::WireType::{LengthDelimited, StartGroup, Varint};
use protobuf::rt::{WireType, read_unknown_or_skip_group, skip_field_for_tag};
use protobuf::{CodedInputStream, Result, UnknownFields};

const SENDER: u32 = tag(1, LengthDelimited);
const MESSAGE: u32 = tag(2, LengthDelimited);
const SEQUENCE: u32 = tag(3, Varint);
const ACKNOWLEDGES: u32 = tag(4, Varint);
const REPLY_BYTES: u32 = tag(5, Varint);

/// How a field begins, which for these is one byte.
const fn tag(number: u32, kind: WireType) -> u32 {
    number << 3 | kind as u32
}

/// A `BasicMessage` that has come. Its texts are part of the bytes that it came in.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct DecodedMessage<'a> {
    pub sender: &'a str,
    pub message: &'a str,
    pub sequence: u64,
    pub acknowledges: u64,
    pub reply_bytes: u32,
}

impl<'a> DecodedMessage<'a> {
    /// Reads all of the bytes; fields that are not known are passed over.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut incoming = DecodedMessage::default();
        let mut stream = CodedInputStream::from_bytes(bytes);
        while let Some(tag) = stream.read_raw_tag_or_eof()? {
            match tag {
                SENDER => incoming.sender = text(bytes, &mut stream)?,
                MESSAGE => incoming.message = text(bytes, &mut stream)?,
                SEQUENCE => incoming.sequence = stream.read_uint64()?,
                ACKNOWLEDGES => incoming.acknowledges = stream.read_uint64()?,
                REPLY_BYTES => incoming.reply_bytes = stream.read_uint32()?,
                // The other function takes a group that has no end for a whole one.
                group if group & 0b111 == StartGroup as u32 => {
                    read_unknown_or_skip_group(group, &mut stream, &mut UnknownFields::new())?;
                }
                unknown => skip_field_for_tag(unknown, &mut stream)?,
            }
        }
        Ok(incoming)
    }
}

/// A text of `bytes`, of which `stream` has read all before it.
fn text<'a>(bytes: &'a [u8], stream: &mut CodedInputStream<'_>) -> Result<&'a str> {
    let length = stream.read_raw_varint32()?;
    let start = usize::try_from(stream.pos()).unwrap_or(usize::MAX);
    // Fails where there are fewer.
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

    fn as_protobuf_reads(bytes: &[u8]) -> Option<BasicMessage> {
        BasicMessage::parse_from_bytes(bytes).ok()
    }

    fn as_read_here(bytes: &[u8]) -> Option<BasicMessage> {
        let DecodedMessage { sender, message, sequence, acknowledges, reply_bytes } =
            DecodedMessage::read(bytes).ok()?;
        Some(BasicMessage {
            sender: sender.to_owned(),
            message: message.to_owned(),
            sequence,
            acknowledges,
            reply_bytes,
            // They are not kept.
            special_fields: as_protobuf_reads(bytes)?.special_fields,
        })
    }

    /// Fields of all kinds, known and unknown, whole and broken.
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
            // Groups begin and end.
            (1_u8..8, 3_u8..5).prop_map(|(number, kind)| vec![number << 3 | kind]),
            prop::collection::vec(any::<u8>(), 1..4),
        ];
        prop::collection::vec(field, 0..8).prop_map(|fields| fields.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_message_is_read_as_protobuf_reads_it(bytes in fields()) {
            prop_assert_eq!(as_read_here(&bytes), as_protobuf_reads(&bytes));
        }
    }

    #[test]
    fn a_length_that_is_made_up_takes_no_memory() {
        // Texts of 9 MB, of which two bytes are there: one is known, one is not, one in a group.
        for broken in [
            &b"\x12\xc0\xa8\xa5\x04ab"[..],
            b"\x32\xc0\xa8\xa5\x04ab",
            b"\x33\x12\xc0\xa8\xa5\x04ab",
        ] {
            let taken =
                allocation_counter::measure(|| assert!(DecodedMessage::read(broken).is_err()));
            assert!(taken.bytes_max < 1024, "{taken:?}");
        }
    }
}

//! Unary gRPC over HTTP/2: valid input.

use std::time::Duration;

use echometer::wire::Http2;
use proptest::prelude::*;

use crate::h2::*;
use crate::harness::{Harness, OwnedEvent, assert_split_anywhere, outcome, split};

fn with_ready(replies: impl IntoIterator<Item = Vec<u8>>) -> Vec<OwnedEvent> {
    std::iter::once(OwnedEvent::Ready).chain(replies.into_iter().map(OwnedEvent::Reply)).collect()
}

/// A frame with `padding` bytes of padding. HEADERS frames also have a priority.
fn padded(kind: u8, flags: u8, stream: u32, content: &[u8], padding: u8) -> Vec<u8> {
    let priority: &[u8] = if kind == HEADERS { &[0, 0, 0, 0, 16] } else { &[] };
    let flags = flags | PADDED | if kind == HEADERS { PRIORITIZED } else { 0 };
    let payload = [&[padding], priority, content, &vec![0; padding.into()][..]].concat();
    frame(kind, flags, stream, &payload)
}

/// Frames that may arrive at any time and do not affect the reply on the stream `stream`.
fn noise(stream: u32, which: u8) -> Vec<u8> {
    match which % 8 {
        0 => frame(PING, 0, 0, b"12345678"),
        1 => frame(PING, ACK, 0, b"12345678"),
        2 => settings(&[(0xfe03, 1), (6, 9)]),
        3 => frame(SETTINGS, ACK, 0, b""),
        4 => u32_frame(WINDOW_UPDATE, 0, 1),
        5 => u32_frame(WINDOW_UPDATE, stream, 1),
        6 => frame(PRIORITY, 0, 77, b"\0\0\0\0\x10"),
        _ => frame(0xee, 0xff, 99, b"from the future"),
    }
}

#[test]
fn replies_are_the_same_wherever_the_input_is_split() {
    let third = [
        padded(HEADERS, END_HEADERS, 5, INDEXED_HEADERS, 3),
        padded(DATA, 0, 5, b"\0\0", 0),
        frame(DATA, 0, 5, b""),
        padded(DATA, 0, 5, b"\0\0\x05th", 200),
        noise(5, 0),
        frame(DATA, 0, 5, b"ird"),
        frame(HEADERS, END_STREAM, 5, b""),
        frame(CONTINUATION, 0, 5, &literal("a", "b")),
        frame(CONTINUATION, END_HEADERS, 5, INDEXED_TRAILERS),
    ]
    .concat();
    let bytes =
        [settings(&[]), reply(0, b"one"), noise(1, 5), reply(1, b""), noise(1, 2), third].concat();
    let expected = with_ready([b"one".to_vec(), Vec::new(), b"third".to_vec()]);
    assert_split_anywhere(client, &[b"a", b"b", b"c"], &bytes, &expected);
}

#[test]
fn a_connection_begins_with_preface_settings_and_window_update_and_settings_are_acknowledged() {
    let mut harness = Harness::new(client(), &[]);
    let sent = harness.take_sent();
    let sent = parse_frames(sent.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap());
    assert_eq!(sent.iter().map(|frame| frame.kind).collect::<Vec<_>>(), [SETTINGS, WINDOW_UPDATE]);
    let entries: Vec<_> =
        sent[0].payload.chunks(6).map(|entry| (entry[1], entry[2..].to_vec())).collect();
    assert!(entries.contains(&(2, vec![0; 4])), "no push");
    let window = entries.iter().find(|(setting, _)| *setting == 4).unwrap();
    let window = u32::from_be_bytes(window.1[..].try_into().unwrap());
    assert!(window as usize > MAX && sent[1].value() == window - 65_535, "{window}");
    harness.feed(&settings(&[(3, 100)])).unwrap();
    assert_eq!(harness.events, [OwnedEvent::Ready]);
    harness.feed(&frame(PING, 0, 0, b"abcdefgh")).unwrap();
    let answers = [frame(SETTINGS, ACK, 0, b""), frame(PING, ACK, 0, b"abcdefgh")].concat();
    assert_eq!(harness.take_sent(), answers);
}

type Field = (Vec<u8>, Vec<u8>);

/// Encoded and decoded header blocks of four requests to a server with these settings.
fn header_blocks(initial: &[(u16, u32)], later: &[(u16, u32)]) -> Vec<(Vec<u8>, Vec<Field>)> {
    let client = Http2::unary("host:1", "/a/B", Some(Duration::from_millis(1500)), MAX);
    let mut harness = Harness::new(client, &[b"a", b"b", b"c", b"d"]);
    harness.take_sent();
    harness.feed(&settings(initial)).unwrap();
    harness.feed(&reply(0, b"")).unwrap();
    harness.feed(&settings(later)).unwrap();
    harness.feed(&reply(1, b"")).unwrap();
    harness.feed(&reply(2, b"")).unwrap();
    let mut server = loona_hpack::Decoder::new();
    let sent = parse_frames(&harness.take_sent());
    let headers = sent.iter().filter(|frame| frame.kind == HEADERS);
    headers.map(|frame| (frame.payload.clone(), server.decode(&frame.payload).unwrap())).collect()
}

#[test]
fn every_request_has_the_grpc_headers_and_later_ones_are_indexed() {
    let version = concat!("echometer/", env!("CARGO_PKG_VERSION"));
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a/B"),
        (":authority", "host:1"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", version),
        ("grpc-timeout", "1500000u"),
    ];
    let fields = fields.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    let are_indexed =
        |all: &[(Vec<u8>, _)]| all.iter().map(|(block, _)| block.len() == 8).collect::<Vec<_>>();
    // Table sizes: default, larger, too small, and none.
    for (size, indexed) in [(4096, true), (1 << 20, true), (100, false), (0, false)] {
        let all = header_blocks(&[(1, size)], &[]);
        assert!(all.iter().all(|(_, read)| *read == fields), "{all:?}");
        assert_eq!(are_indexed(&all), [false, indexed, indexed, indexed], "{size}");
    }
    // After the server clears its table, the headers must be sent literally again.
    let all = header_blocks(&[], &[(1, 0), (1, 4096)]);
    assert!(all.iter().all(|(_, read)| *read == fields), "{all:?}");
    assert_eq!(are_indexed(&all), [false, true, false, true]);
}

#[test]
fn indices_refer_to_the_current_table() {
    // The same index in the trailers refers to grpc-status 0 first, and to another field after one
    // more entry. Tested alone and with the additional field that C-core sends.
    for rest in [Vec::new(), literal("grpc-message", "")] {
        let known = [INDEXED_TRAILERS, &rest].concat();
        let answer = |stream, header_block: &[u8], message: &[u8]| {
            [headers(stream, header_block), data(stream, message), trailers(stream, &known)]
                .concat()
        };
        let bytes = [
            settings(&[]),
            reply(0, b"a"),
            answer(3, INDEXED_HEADERS, b"b"),
            answer(5, INDEXED_HEADERS, b"c"),
            answer(7, &[INDEXED_HEADERS, b"\x40\x01a\x01b"].concat(), b"d"),
        ]
        .concat();
        let (events, error) = outcome(client(), &[&[][..]; 4], &[&bytes]);
        assert_eq!(events.len(), 4);
        // The index now refers to a: b, so there is no status.
        let error = error.unwrap().to_string();
        assert!(error.contains("without a grpc-status"), "{error}");
    }
}

#[test]
fn interim_responses_are_skipped() {
    let interim = headers(1, &literal(":status", "103"));
    let bytes = [settings(&[]), interim.clone(), interim, reply(0, b"a")].concat();
    assert_eq!(outcome(client(), &[b""], &[&bytes]), (with_ready([b"a".to_vec()]), None));
}

#[test]
fn replies_before_the_last_stream_of_goaway_are_received() {
    let away = |last: u32, code: u32| {
        let payload = [&last.to_be_bytes()[..], &code.to_be_bytes(), b"bye"].concat();
        frame(GOAWAY, 0, 0, &payload)
    };
    for split in [0, 20, 40] {
        // As in a graceful shutdown: first the announcement, then the final GOAWAY.
        let bytes = [settings(&[]), away(0x7fff_ffff, 0), away(1, 0), reply(0, b"a")].concat();
        let (first, rest) = bytes.split_at(split);
        let (events, error) = outcome(client(), &[b"", b""], &[first, rest]);
        assert_eq!(events, with_ready([b"a".to_vec()]));
        assert_eq!(error.unwrap().to_string(), "the server sent GOAWAY: NO_ERROR, 'bye'");
    }
    let bytes = [settings(&[]), reply(0, b"a"), away(1, 11)].concat();
    let (events, error) = outcome(client(), &[b"", b""], &[&bytes]);
    assert_eq!(events, with_ready([b"a".to_vec()]));
    assert_eq!(error.unwrap().to_string(), "the server sent GOAWAY: ENHANCE_YOUR_CALM, 'bye'");
    let (_, error) = outcome(client(), &[], &[&settings(&[]), &away(0, 2)]);
    assert_eq!(error.unwrap().to_string(), "the server sent GOAWAY: INTERNAL_ERROR, 'bye'");
}

/// A reply with these lengths and paddings of its DATA frames, and with noise between them.
fn answer(
    n: u32,
    message: &[u8],
    lengths: &[usize],
    padding: &[Option<u8>],
    between: &[u8],
) -> Vec<u8> {
    let stream = 2 * n + 1;
    let (begin, end) =
        if n == 0 { (RESPONSE_HEADERS, TRAILERS) } else { (INDEXED_HEADERS, INDEXED_TRAILERS) };
    let mut bytes = headers(stream, begin);
    let grpc_message = grpc_message(message);
    let padding = padding.iter().cycle();
    let mut between = between.iter();
    for (part, padding) in split(&grpc_message, lengths).into_iter().zip(padding) {
        bytes.extend(match padding {
            Some(padding) => padded(DATA, 0, stream, part, *padding),
            None => frame(DATA, 0, stream, part),
        });
        bytes.extend(between.next().map(|which| noise(stream, *which)).unwrap_or_default());
    }
    bytes.extend(trailers(stream, end));
    bytes
}

proptest! {
    #[test]
    fn any_replies_with_any_split_and_padding_are_received_unchanged(
        replies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40_000), 1..4),
        parse_frames in prop::collection::vec(1_usize..16_000, 1..5),
        padding in prop::collection::vec(any::<Option<u8>>(), 1..5),
        between in prop::collection::vec(any::<u8>(), 0..5),
        lengths in prop::collection::vec(1_usize..20_000, 1..8),
    ) {
        // One frame per byte would be slow without testing more.
        let parse_frames: Vec<_> = parse_frames.into_iter().map(|length| length + 100).collect();
        let mut bytes = settings(&[]);
        for (n, reply) in (0..).zip(&replies) {
            bytes.extend(answer(n, reply, &parse_frames, &padding, &between));
        }
        let requests = vec![&b"request"[..]; replies.len()];
        let outcome = outcome(client(), &requests, &split(&bytes, &lengths));
        prop_assert_eq!(outcome, (with_ready(replies), None));
    }
}

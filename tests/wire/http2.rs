//! gRPC over HTTP/2: what goes well.

use std::time::Duration;

use echometer::wire::Http2;
use proptest::prelude::*;

use crate::feed::{Driver, Said, assert_cut_anywhere, cut, outcome};
use crate::h2::*;

fn with_ready(replies: impl IntoIterator<Item = Vec<u8>>) -> Vec<Said> {
    std::iter::once(Said::Ready).chain(replies.into_iter().map(Said::Reply)).collect()
}

/// Padded with `padding` bytes; HEADERS with a priority, too.
fn padded(kind: u8, flags: u8, stream: u32, content: &[u8], padding: u8) -> Vec<u8> {
    let priority: &[u8] = if kind == HEADERS { &[0, 0, 0, 0, 16] } else { &[] };
    let flags = flags | PADDED | if kind == HEADERS { PRIORITIZED } else { 0 };
    let payload = [&[padding], priority, content, &vec![0; padding.into()][..]].concat();
    frame(kind, flags, stream, &payload)
}

/// Frames that mean nothing to a client with the stream `stream`, and may come at any time.
fn noise(stream: u32, which: u8) -> Vec<u8> {
    match which % 8 {
        0 => frame(PING, 0, 0, b"12345678"),
        1 => frame(PING, ACK, 0, b"12345678"),
        2 => settings(&[(0xfe03, 1), (6, 9)]),
        3 => frame(SETTINGS, ACK, 0, b""),
        4 => number(WINDOW_UPDATE, 0, 1),
        5 => number(WINDOW_UPDATE, stream, 1),
        6 => frame(PRIORITY, 0, 77, b"\0\0\0\0\x10"),
        _ => frame(0xee, 0xff, 99, b"from the future"),
    }
}

#[test]
fn replies_are_the_same_wherever_they_are_cut() {
    let third = [
        padded(HEADERS, END_HEADERS, 5, KNOWN_HEAD, 3),
        padded(DATA, 0, 5, b"\0\0", 0),
        frame(DATA, 0, 5, b""),
        padded(DATA, 0, 5, b"\0\0\x05th", 200),
        noise(5, 0),
        frame(DATA, 0, 5, b"ird"),
        frame(HEADERS, END_STREAM, 5, b""),
        frame(CONTINUATION, 0, 5, &literal("a", "b")),
        frame(CONTINUATION, END_HEADERS, 5, KNOWN_TRAILERS),
    ]
    .concat();
    let bytes =
        [settings(&[]), reply(0, b"one"), noise(1, 5), reply(1, b""), noise(1, 2), third].concat();
    let expected = with_ready([b"one".to_vec(), Vec::new(), b"third".to_vec()]);
    assert_cut_anywhere(client, &[b"a", b"b", b"c"], &bytes, &expected);
}

#[test]
fn the_connection_begins_with_preface_settings_and_a_window_and_settings_are_acknowledged() {
    let mut driver = Driver::new(client(), &[]);
    let sent = driver.sent();
    let sent = frames(sent.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap());
    assert_eq!(sent.iter().map(|frame| frame.kind).collect::<Vec<_>>(), [SETTINGS, WINDOW_UPDATE]);
    let entries: Vec<_> =
        sent[0].payload.chunks(6).map(|entry| (entry[1], entry[2..].to_vec())).collect();
    assert!(entries.contains(&(2, vec![0; 4])), "no push");
    let window = entries.iter().find(|(setting, _)| *setting == 4).unwrap();
    let window = u32::from_be_bytes(window.1[..].try_into().unwrap());
    assert!(window as usize > MAX && sent[1].number() == window - 65_535, "{window}");
    driver.feed(&settings(&[(3, 100)])).unwrap();
    assert_eq!(driver.said, [Said::Ready]);
    driver.feed(&frame(PING, 0, 0, b"abcdefgh")).unwrap();
    let answers = [frame(SETTINGS, ACK, 0, b""), frame(PING, ACK, 0, b"abcdefgh")].concat();
    assert_eq!(driver.sent(), answers);
}

type Field = (Vec<u8>, Vec<u8>);

/// The header blocks of four requests to a server with these settings, as it reads them.
fn blocks(settings_: &[(u16, u32)], later: &[(u16, u32)]) -> Vec<(Vec<u8>, Vec<Field>)> {
    let client = Http2::new("host:1", "/a/B", Some(Duration::from_millis(1500)), MAX);
    let mut driver = Driver::new(client, &[b"a", b"b", b"c", b"d"]);
    driver.sent();
    driver.feed(&settings(settings_)).unwrap();
    driver.feed(&reply(0, b"")).unwrap();
    driver.feed(&settings(later)).unwrap();
    driver.feed(&reply(1, b"")).unwrap();
    driver.feed(&reply(2, b"")).unwrap();
    let mut server = loona_hpack::Decoder::new();
    let sent = frames(&driver.sent());
    let headers = sent.iter().filter(|frame| frame.kind == HEADERS);
    headers.map(|frame| (frame.payload.clone(), server.decode(&frame.payload).unwrap())).collect()
}

#[test]
fn every_request_has_the_fields_of_grpc_and_only_the_first_spells_them() {
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
    let short =
        |all: &[(Vec<u8>, _)]| all.iter().map(|(block, _)| block.len() == 8).collect::<Vec<_>>();
    // The table as it is, larger, too small, and none.
    for (size, learns) in [(4096, true), (1 << 20, true), (100, false), (0, false)] {
        let all = blocks(&[(1, size)], &[]);
        assert!(all.iter().all(|(_, read)| *read == fields), "{all:?}");
        assert_eq!(short(&all), [false, learns, learns, learns], "{size}");
    }
    // A server that changes its mind has to be told all again.
    let all = blocks(&[], &[(1, 0), (1, 4096)]);
    assert!(all.iter().all(|(_, read)| *read == fields), "{all:?}");
    assert_eq!(short(&all), [false, true, false, true]);
}

#[test]
fn indices_mean_what_the_table_says_now() {
    // The same bytes in the trailers: first grpc-status 0, and after one more entry something
    // else, so that what was good is no more; alone, and as C-core has it.
    for rest in [Vec::new(), literal("grpc-message", "")] {
        let known = [KNOWN_TRAILERS, &rest].concat();
        let answer = |stream, head_: &[u8], message: &[u8]| {
            [head(stream, head_), data(stream, message), trailers(stream, &known)].concat()
        };
        let bytes = [
            settings(&[]),
            reply(0, b"a"),
            answer(3, KNOWN_HEAD, b"b"),
            answer(5, KNOWN_HEAD, b"c"),
            answer(7, &[KNOWN_HEAD, b"\x40\x01a\x01b"].concat(), b"d"),
        ]
        .concat();
        let (said, error) = outcome(client(), &[&[][..]; 4], &[&bytes]);
        assert_eq!(said.len(), 4);
        // It is now a: b, and says nothing of the status.
        let error = error.unwrap().to_string();
        assert!(error.contains("without a grpc-status"), "{error}");
    }
}

#[test]
fn interim_answers_are_passed_over() {
    let interim = head(1, &literal(":status", "103"));
    let bytes = [settings(&[]), interim.clone(), interim, reply(0, b"a")].concat();
    assert_eq!(outcome(client(), &[b""], &[&bytes]), (with_ready([b"a".to_vec()]), None));
}

#[test]
fn a_server_that_goes_away_answers_what_it_has_first() {
    let away = |last: u32, code: u32| {
        let payload = [&last.to_be_bytes()[..], &code.to_be_bytes(), b"bye"].concat();
        frame(GOAWAY, 0, 0, &payload)
    };
    for cut in [0, 20, 40] {
        // Announced first, as servers do that stop in good order; then for good.
        let bytes = [settings(&[]), away(0x7fff_ffff, 0), away(1, 0), reply(0, b"a")].concat();
        let (first, rest) = bytes.split_at(cut);
        let (said, error) = outcome(client(), &[b"", b""], &[first, rest]);
        assert_eq!(said, with_ready([b"a".to_vec()]));
        assert_eq!(error.unwrap().to_string(), "the server goes away: NO_ERROR, 'bye'");
    }
    let bytes = [settings(&[]), reply(0, b"a"), away(1, 11)].concat();
    let (said, error) = outcome(client(), &[b"", b""], &[&bytes]);
    assert_eq!(said, with_ready([b"a".to_vec()]));
    assert_eq!(error.unwrap().to_string(), "the server goes away: ENHANCE_YOUR_CALM, 'bye'");
    let (_, error) = outcome(client(), &[], &[&settings(&[]), &away(0, 2)]);
    assert_eq!(error.unwrap().to_string(), "the server goes away: INTERNAL_ERROR, 'bye'");
}

/// How a server answers one request: the message, how long its DATA are, how they are padded,
/// and what comes in between.
fn answer(
    n: u32,
    message: &[u8],
    lengths: &[usize],
    padding: &[Option<u8>],
    between: &[u8],
) -> Vec<u8> {
    let stream = 2 * n + 1;
    let (begin, end) = if n == 0 { (HEAD, TRAILERS) } else { (KNOWN_HEAD, KNOWN_TRAILERS) };
    let mut bytes = head(stream, begin);
    let prefixed = prefixed(message);
    let padding = padding.iter().cycle();
    let mut between = between.iter();
    for (part, padding) in cut(&prefixed, lengths).into_iter().zip(padding) {
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
    fn any_replies_cut_and_padded_in_any_way_come_as_they_were_sent(
        replies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40_000), 1..4),
        frames in prop::collection::vec(1_usize..16_000, 1..5),
        padding in prop::collection::vec(any::<Option<u8>>(), 1..5),
        between in prop::collection::vec(any::<u8>(), 0..5),
        lengths in prop::collection::vec(1_usize..20_000, 1..8),
    ) {
        // A frame for each byte would be slow, and say nothing new.
        let frames: Vec<_> = frames.into_iter().map(|length| length + 100).collect();
        let mut bytes = settings(&[]);
        for (n, reply) in (0..).zip(&replies) {
            bytes.extend(answer(n, reply, &frames, &padding, &between));
        }
        let requests = vec![&b"request"[..]; replies.len()];
        let said = outcome(client(), &requests, &cut(&bytes, &lengths));
        prop_assert_eq!(said, (with_ready(replies), None));
    }
}

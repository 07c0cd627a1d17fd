//! gRPC over HTTP/2: all requests on one stream.

use echometer::message::EchoError;
use echometer::wire::Http2;
use proptest::prelude::*;

use crate::feed::{Driver, Said, assert_cut_anywhere, cut, error, outcome};
use crate::h2::*;

/// What a server says before its first message.
fn begun() -> Vec<u8> {
    [settings(&[]), head(1, HEAD)].concat()
}

fn with_ready(replies: &[&[u8]]) -> Vec<Said> {
    let replies = replies.iter().map(|reply| Said::Reply(reply.to_vec()));
    std::iter::once(Said::Ready).chain(replies).collect()
}

#[test]
fn replies_are_the_same_wherever_they_are_cut() {
    let padding = [&[3][..], &prefixed(b"third"), &[0; 3]].concat();
    let bytes = [
        begun(),
        data(1, b"one"),
        number(WINDOW_UPDATE, 1, 1),
        data(1, b""),
        frame(DATA, 0, 1, b""),
        frame(PING, 0, 0, b"12345678"),
        frame(DATA, PADDED, 1, &padding),
        frame(DATA, 0, 1, b"\0\0"),
        frame(DATA, 0, 1, b"\0\0\x06fo"),
        frame(DATA, 0, 1, b""),
        settings(&[(4, 70_000)]),
        frame(DATA, 0, 1, b"urth"),
        frame(DATA, 0, 1, b""),
    ]
    .concat();
    // The fourth is not complete: it says so, and says no more than has come.
    let expected = with_ready(&[b"one", b"", b"third", b"fourth"]);
    assert_cut_anywhere(conversation, &[&b"a"[..]; 5], &bytes, &expected);
}

#[test]
fn requests_are_messages_of_one_stream_that_stays_open() {
    let mut driver = Driver::new(conversation(), &[b"one", b"two", b"three"]);
    driver.sent();
    driver.feed(&begun()).unwrap();
    driver.feed(&data(1, b"a")).unwrap();
    driver.feed(&data(1, b"b")).unwrap();
    let sent = frames(&driver.sent());
    let sent: Vec<_> = sent.iter().filter(|sent| sent.kind != SETTINGS).collect();
    assert!(sent.iter().all(|sent| sent.stream == 1), "{sent:?}");
    let kinds: Vec<_> = sent.iter().map(|sent| (sent.kind, sent.flags)).collect();
    assert_eq!(kinds, [(HEADERS, END_HEADERS), (DATA, 0), (DATA, 0), (DATA, 0)]);
    for (sent, request) in sent[1..].iter().zip([&b"one"[..], b"two", b"three"]) {
        assert_eq!(sent.payload, prefixed(request));
    }
}

#[test]
fn both_windows_are_opened_again_now_and_then_and_always_in_time() {
    const MOST: usize = 1000;
    const REPLIES: u32 = 20_000;
    let requests = vec![&b"x"[..]; REPLIES as usize + 1];
    let mut driver = Driver::new(Http2::conversation("a", "/b", MOST), &requests);
    let opening = frames(&driver.sent()[24..]);
    let window = i64::from(65_535 + opening[1].number());
    let mut windows = [window, window];
    let mut updates = 0;
    let widened = [0, 1].map(|stream| number(WINDOW_UPDATE, stream, 1 << 20)).concat();
    driver.feed(&[begun(), widened].concat()).unwrap();
    driver.sent();
    for _ in 0..REPLIES {
        driver.feed(&data(1, &[1; MOST])).unwrap();
        windows = windows.map(|window| window - i64::try_from(MOST + 5).unwrap());
        assert!(windows.iter().all(|window| *window > 0), "the server had to stop: {windows:?}");
        for update in frames(&driver.sent()).iter().filter(|frame| frame.kind == WINDOW_UPDATE) {
            windows[update.stream as usize] += i64::from(update.number());
            updates += 1;
        }
        assert!(windows.iter().all(|now| *now <= window), "{windows:?}");
    }
    assert!((10..REPLIES / 10).contains(&updates), "{updates}");
}

/// Of the DATA that was sent, how many bytes.
fn data_sent(driver: &mut Driver<Http2>) -> usize {
    let sent = frames(&driver.sent());
    let data = sent.iter().filter(|sent| sent.kind == DATA);
    data.map(|sent| sent.payload.len()).sum()
}

#[test]
fn no_more_is_sent_than_the_windows_allow_over_all_messages() {
    let long = vec![7; 60_000];
    let mut driver = Driver::new(conversation(), &[&long, &long]);
    driver.sent();
    driver.feed(&begun()).unwrap();
    assert_eq!(data_sent(&mut driver), 60_005);
    driver.feed(&data(1, b"a")).unwrap();
    // What the first message left of 65,535 bytes.
    assert_eq!(data_sent(&mut driver), 5_530);
    driver.feed(&number(WINDOW_UPDATE, 1, 1000)).unwrap();
    assert_eq!(data_sent(&mut driver), 0);
    driver.feed(&number(WINDOW_UPDATE, 0, 1 << 20)).unwrap();
    assert_eq!(data_sent(&mut driver), 1000);
    driver.feed(&number(WINDOW_UPDATE, 1, 1 << 20)).unwrap();
    assert_eq!(data_sent(&mut driver), 60_005 - 6_530);
    driver.feed(&data(1, b"b")).unwrap();
    assert_eq!(driver.replies(), [b"a", b"b"]);
}

#[test]
fn a_server_that_goes_away_goes_on_with_the_stream_that_it_has() {
    let away = |last: u32| frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat());
    let bytes = [begun(), data(1, b"a"), away(1), data(1, b"b"), data(1, b"c")].concat();
    let expected = with_ready(&[b"a", b"b", b"c"]);
    assert_eq!(outcome(conversation(), &[&b"x"[..]; 4], &[&bytes]), (expected, None));
    let said = error(conversation(), &[b"x"], &[begun(), away(0)].concat());
    assert!(matches!(said, EchoError::Disconnected(_)), "{said}");
}

#[test]
fn streams_that_end_and_messages_that_are_none_are_named() {
    let status = |code| [literal("grpc-status", code), literal("grpc-message", "why")].concat();
    let answered = [begun(), data(1, b"a")].concat();
    for (before, bytes, kind, telling) in [
        (begun(), trailers(1, TRAILERS), "closed", "the server ended the stream"),
        (answered.clone(), trailers(1, TRAILERS), "closed", "the server ended the stream"),
        (begun(), trailers(1, &status("14")), "closed", "UNAVAILABLE: why"),
        (begun(), trailers(1, &status("1")), "closed", "CANCELLED: why"),
        (answered.clone(), trailers(1, &status("8")), "refused", "RESOURCE_EXHAUSTED: why"),
        (
            settings(&[]),
            trailers(1, &[HEAD, &status("12")].concat()),
            "refused",
            "UNIMPLEMENTED: why",
        ),
        (answered.clone(), number(RST_STREAM, 1, 8), "closed", "reset the request: CANCEL"),
        (begun(), frame(DATA, END_STREAM, 1, &prefixed(b"a")), "malformed", "grpc-status"),
        (
            begun(),
            frame(DATA, 0, 1, &prefixed(b"a").repeat(2)),
            "malformed",
            "more than one message",
        ),
        (begun(), frame(DATA, 0, 1, b"\x01\0\0\0\0"), "malformed", "compressed"),
        (settings(&[]), data(1, b"a"), "closed", "DATA before the response's HEADERS"),
        (answered, head(1, KNOWN_HEAD), "closed", "trailers that do not end the stream"),
    ] {
        let error = error(conversation(), &[&b"request"[..]; 2], &[before, bytes].concat());
        let said = error.to_string();
        assert!(said.contains(telling), "'{telling}' is not in: {said}");
        let is = match error {
            EchoError::Disconnected(_) => "closed",
            EchoError::Refused(_) => "refused",
            EchoError::Malformed(_) => "malformed",
            other => panic!("{other}"),
        };
        assert_eq!(is, kind, "{said}");
    }
}

#[test]
fn a_reply_to_half_a_request_is_none() {
    let long = vec![7; 70_000];
    let said = error(conversation(), &[&long], &[begun(), data(1, b"early")].concat());
    assert!(matches!(said, EchoError::Malformed(_)), "{said}");
    assert!(said.to_string().contains("before all of the request had gone"), "{said}");
}

proptest! {
    #[test]
    fn any_messages_come_in_any_frames_and_any_parts(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..20),
        chunks in prop::collection::vec(1_usize..40, 1..6),
        lengths in prop::collection::vec(1_usize..60, 1..6),
    ) {
        let mut bytes = begun();
        for message in &messages {
            // A frame has no more than one message.
            let message = prefixed(message);
            let parts = cut(&message, &chunks);
            bytes.extend(parts.iter().flat_map(|part| frame(DATA, 0, 1, part)));
        }
        let requests = vec![&b"x"[..]; messages.len()];
        let messages: Vec<_> = messages.iter().map(Vec::as_slice).collect();
        let expected = (with_ready(&messages), None);
        prop_assert_eq!(outcome(conversation(), &requests, &cut(&bytes, &lengths)), expected);
    }
}

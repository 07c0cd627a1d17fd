//! Streaming gRPC over HTTP/2: all requests on one stream.

use echometer::message::EchoError;
use echometer::wire::Http2;
use proptest::prelude::*;

use crate::h2::*;
use crate::harness::{Harness, OwnedEvent, assert_split_anywhere, error, outcome, split};

/// The frames of a server before its first message.
fn response_start() -> Vec<u8> {
    [settings(&[]), headers(1, RESPONSE_HEADERS)].concat()
}

fn with_ready(replies: &[&[u8]]) -> Vec<OwnedEvent> {
    let replies = replies.iter().map(|reply| OwnedEvent::Reply(reply.to_vec()));
    std::iter::once(OwnedEvent::Ready).chain(replies).collect()
}

#[test]
fn replies_are_the_same_wherever_the_input_is_split() {
    let padding = [&[3][..], &grpc_message(b"third"), &[0; 3]].concat();
    let bytes = [
        response_start(),
        data(1, b"one"),
        u32_frame(WINDOW_UPDATE, 1, 1),
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
    // The length of the fourth message arrives in parts, and then the message itself.
    let expected = with_ready(&[b"one", b"", b"third", b"fourth"]);
    assert_split_anywhere(streaming_client, &[&b"a"[..]; 5], &bytes, &expected);
}

#[test]
fn requests_are_messages_of_one_stream_that_stays_open() {
    let mut harness = Harness::new(streaming_client(), &[b"one", b"two", b"three"]);
    harness.take_sent();
    harness.feed(&response_start()).unwrap();
    harness.feed(&data(1, b"a")).unwrap();
    harness.feed(&data(1, b"b")).unwrap();
    let sent = parse_frames(&harness.take_sent());
    let sent: Vec<_> = sent.iter().filter(|sent| sent.kind != SETTINGS).collect();
    assert!(sent.iter().all(|sent| sent.stream == 1), "{sent:?}");
    let kinds: Vec<_> = sent.iter().map(|sent| (sent.kind, sent.flags)).collect();
    assert_eq!(kinds, [(HEADERS, END_HEADERS), (DATA, 0), (DATA, 0), (DATA, 0)]);
    for (sent, request) in sent[1..].iter().zip([&b"one"[..], b"two", b"three"]) {
        assert_eq!(sent.payload, grpc_message(request));
    }
}

#[test]
fn both_flow_control_windows_are_reopened_rarely_but_in_time() {
    const MAX_MESSAGE: usize = 1000;
    const REPLIES: u32 = 20_000;
    let requests = vec![&b"x"[..]; REPLIES as usize + 1];
    let mut harness = Harness::new(Http2::streaming("a", "/b", MAX_MESSAGE), &requests);
    let opening = parse_frames(&harness.take_sent()[24..]);
    let window = i64::from(65_535 + opening[1].value());
    let mut windows = [window, window];
    let mut updates = 0;
    let widened = [0, 1].map(|stream| u32_frame(WINDOW_UPDATE, stream, 1 << 20)).concat();
    harness.feed(&[response_start(), widened].concat()).unwrap();
    harness.take_sent();
    for _ in 0..REPLIES {
        harness.feed(&data(1, &[1; MAX_MESSAGE])).unwrap();
        windows = windows.map(|window| window - i64::try_from(MAX_MESSAGE + 5).unwrap());
        assert!(windows.iter().all(|window| *window > 0), "the server is blocked: {windows:?}");
        for update in
            parse_frames(&harness.take_sent()).iter().filter(|frame| frame.kind == WINDOW_UPDATE)
        {
            windows[update.stream as usize] += i64::from(update.value());
            updates += 1;
        }
        assert!(windows.iter().all(|now| *now <= window), "{windows:?}");
    }
    assert!((10..REPLIES / 10).contains(&updates), "{updates}");
}

/// Number of DATA bytes that were sent.
fn data_sent(harness: &mut Harness<Http2>) -> usize {
    let sent = parse_frames(&harness.take_sent());
    let data = sent.iter().filter(|sent| sent.kind == DATA);
    data.map(|sent| sent.payload.len()).sum()
}

#[test]
fn no_more_is_sent_than_the_windows_allow_over_all_messages() {
    let long = vec![7; 60_000];
    let mut harness = Harness::new(streaming_client(), &[&long, &long]);
    harness.take_sent();
    harness.feed(&response_start()).unwrap();
    assert_eq!(data_sent(&mut harness), 60_005);
    harness.feed(&data(1, b"a")).unwrap();
    // The rest of the 65,535 bytes after the first message.
    assert_eq!(data_sent(&mut harness), 5_530);
    harness.feed(&u32_frame(WINDOW_UPDATE, 1, 1000)).unwrap();
    assert_eq!(data_sent(&mut harness), 0);
    harness.feed(&u32_frame(WINDOW_UPDATE, 0, 1 << 20)).unwrap();
    assert_eq!(data_sent(&mut harness), 1000);
    harness.feed(&u32_frame(WINDOW_UPDATE, 1, 1 << 20)).unwrap();
    assert_eq!(data_sent(&mut harness), 60_005 - 6_530);
    harness.feed(&data(1, b"b")).unwrap();
    assert_eq!(harness.replies(), [b"a", b"b"]);
}

#[test]
fn a_server_may_complete_its_stream_after_goaway() {
    let away = |last: u32| frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat());
    let bytes = [response_start(), data(1, b"a"), away(1), data(1, b"b"), data(1, b"c")].concat();
    let expected = with_ready(&[b"a", b"b", b"c"]);
    assert_eq!(outcome(streaming_client(), &[&b"x"[..]; 4], &[&bytes]), (expected, None));
    let error = error(streaming_client(), &[b"x"], &[response_start(), away(0)].concat());
    assert!(matches!(error, EchoError::Disconnected(_)), "{error}");
}

#[test]
fn ended_streams_and_invalid_messages_are_named_in_the_error() {
    let status = |code| [literal("grpc-status", code), literal("grpc-message", "why")].concat();
    let answered = [response_start(), data(1, b"a")].concat();
    for (before, bytes, kind, fragment) in [
        (response_start(), trailers(1, TRAILERS), "closed", "the server ended the stream"),
        (answered.clone(), trailers(1, TRAILERS), "closed", "the server ended the stream"),
        (response_start(), trailers(1, &status("14")), "closed", "UNAVAILABLE: why"),
        (response_start(), trailers(1, &status("1")), "closed", "CANCELLED: why"),
        (answered.clone(), trailers(1, &status("8")), "refused", "RESOURCE_EXHAUSTED: why"),
        (
            settings(&[]),
            trailers(1, &[RESPONSE_HEADERS, &status("12")].concat()),
            "refused",
            "UNIMPLEMENTED: why",
        ),
        (answered.clone(), u32_frame(RST_STREAM, 1, 8), "closed", "reset the request: CANCEL"),
        (
            response_start(),
            frame(DATA, END_STREAM, 1, &grpc_message(b"a")),
            "malformed",
            "grpc-status",
        ),
        (
            response_start(),
            frame(DATA, 0, 1, &grpc_message(b"a").repeat(2)),
            "malformed",
            "more than one message",
        ),
        (response_start(), frame(DATA, 0, 1, b"\x01\0\0\0\0"), "malformed", "compressed"),
        (settings(&[]), data(1, b"a"), "closed", "DATA before the response's HEADERS"),
        (answered, headers(1, INDEXED_HEADERS), "closed", "trailers that do not end the stream"),
    ] {
        let error = error(streaming_client(), &[&b"request"[..]; 2], &[before, bytes].concat());
        let text = error.to_string();
        assert!(text.contains(fragment), "'{fragment}' is not in: {text}");
        let actual = match error {
            EchoError::Disconnected(_) => "closed",
            EchoError::Refused(_) => "refused",
            EchoError::Malformed(_) => "malformed",
            other => panic!("{other}"),
        };
        assert_eq!(actual, kind, "{text}");
    }
}

#[test]
fn a_reply_before_the_end_of_the_request_is_malformed() {
    let long = vec![7; 70_000];
    let error =
        error(streaming_client(), &[&long], &[response_start(), data(1, b"early")].concat());
    assert!(matches!(error, EchoError::Malformed(_)), "{error}");
    assert!(error.to_string().contains("before the request was completely sent"), "{error}");
}

proptest! {
    #[test]
    fn any_messages_in_any_frames_and_parts_are_received_unchanged(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..20),
        chunks in prop::collection::vec(1_usize..40, 1..6),
        lengths in prop::collection::vec(1_usize..60, 1..6),
    ) {
        let mut bytes = response_start();
        for message in &messages {
            // Each DATA frame contains at most one message.
            let message = grpc_message(message);
            let parts = split(&message, &chunks);
            bytes.extend(parts.iter().flat_map(|part| frame(DATA, 0, 1, part)));
        }
        let requests = vec![&b"x"[..]; messages.len()];
        let messages: Vec<_> = messages.iter().map(Vec::as_slice).collect();
        let expected = (with_ready(&messages), None);
        prop_assert_eq!(outcome(streaming_client(), &requests, &split(&bytes, &lengths)), expected);
    }
}

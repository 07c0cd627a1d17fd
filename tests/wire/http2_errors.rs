//! Unary gRPC over HTTP/2: protocol violations and error replies, and their error messages.

use std::time::Duration;

use echometer::message::EchoError;
use echometer::wire::Http2;

use crate::h2::*;
use crate::harness::{error, outcome};

/// Kind of an [`EchoError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Closed,
    Refused,
    Malformed,
}

fn kind(error: &EchoError) -> Kind {
    match error {
        EchoError::Disconnected(_) => Closed,
        EchoError::Refused(_) => Refused,
        EchoError::Malformed(_) => Malformed,
        other => panic!("{other}"),
    }
}

/// Asserts kind and message of the error that each of `bad` causes after `before`.
fn assert_errors(before: &[u8], bad: &[(&[u8], Kind, &str)]) {
    for (bytes, expected, fragment) in bad {
        let error = error(client(), &[b"request"], &[before, bytes].concat());
        let text = error.to_string();
        assert!(text.contains(fragment), "'{fragment}' is not in: {text}");
        assert_eq!(kind(&error), *expected, "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}

use Kind::{Closed, Malformed, Refused};

#[test]
fn servers_of_other_protocols_are_quoted_in_the_error() {
    let before: &[(&[u8], Kind, &str)] = &[
        (
            b"HTTP/1.1 400 Bad Request\r\n",
            Closed,
            "speak HTTP/2; it sent 'HTTP/1.1 400 Bad Request', which is HTTP/1",
        ),
        (b"H", Closed, "does not speak HTTP/2; it sent 'H'"),
        (b"\x15\x03\x01\0\x02\x02\x28", Closed, "which is TLS"),
        (b"\x16\x03\x03\0\x40", Closed, "which is TLS"),
        (b"\xff\0\0\0\0\0\0\0\x01\x7f", Closed, "does not speak HTTP/2; it sent '\\xff"),
        (b"\0\0\0\x2c\x0a", Closed, "does not speak HTTP/2"),
        (&frame(PING, 0, 0, b"12345678"), Closed, "does not speak HTTP/2"),
        (&frame(SETTINGS, ACK, 0, b""), Closed, "does not speak HTTP/2"),
        (
            &settings(&vec![(9, 9); 2731]),
            Closed,
            "SETTINGS of 16386 bytes, over the limit of 16384",
        ),
    ];
    assert_errors(b"", before);
}

#[test]
fn invalid_frames_are_named_in_the_error() {
    let long = frame(DATA, 0, 1, &vec![0; 16_385]);
    let after_settings: &[(&[u8], Kind, &str)] = &[
        (&long[..9], Closed, "DATA of 16385 bytes, over the limit of 16384"),
        (&frame(SETTINGS, 0, 0, b"12345"), Closed, "SETTINGS of 5 bytes"),
        (&frame(SETTINGS, 0, 1, b""), Closed, "SETTINGS of 0 bytes on stream 1"),
        (&frame(SETTINGS, ACK, 0, &[0; 6]), Closed, "SETTINGS of 6 bytes"),
        (&settings(&[(2, 1)]), Closed, "SETTINGS_ENABLE_PUSH 1"),
        (&settings(&[(3, 0)]), Closed, "SETTINGS_MAX_CONCURRENT_STREAMS 0"),
        (&settings(&[(4, 1 << 31)]), Closed, "SETTINGS_INITIAL_WINDOW_SIZE 2147483648"),
        (&settings(&[(5, 16_383)]), Closed, "SETTINGS_MAX_FRAME_SIZE 16383"),
        (&settings(&[(5, 1 << 24)]), Closed, "SETTINGS_MAX_FRAME_SIZE 16777216"),
        (&frame(PING, 0, 0, b"1234567"), Closed, "PING of 7 bytes"),
        (&frame(PING, 0, 1, b"12345678"), Closed, "PING on stream 1"),
        (&frame(GOAWAY, 0, 0, b"1234567"), Closed, "GOAWAY of 7 bytes"),
        (&frame(GOAWAY, 0, 1, b"12345678"), Closed, "on stream 1"),
        (
            &frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\x01\n\xff"),
            Closed,
            "GOAWAY: PROTOCOL_ERROR, '\\n\\xff'",
        ),
        (&frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\x01\x01"), Closed, "GOAWAY: error code 257"),
        (&frame(WINDOW_UPDATE, 0, 0, b"123"), Closed, "WINDOW_UPDATE of 3 bytes"),
        (&u32_frame(WINDOW_UPDATE, 0, 0), Closed, "WINDOW_UPDATE of the connection by 0"),
        (&u32_frame(WINDOW_UPDATE, 1, 1 << 31), Closed, "WINDOW_UPDATE of a stream by 0"),
        (
            &u32_frame(WINDOW_UPDATE, 0, 0x7fff_ffff),
            Closed,
            "a window of the connection that overflows",
        ),
        (&u32_frame(WINDOW_UPDATE, 1, 0x7fff_ffff), Closed, "a window of a stream that overflows"),
        (
            &u32_frame(WINDOW_UPDATE, 3, 1),
            Closed,
            "WINDOW_UPDATE on stream 3, which the client has not opened",
        ),
        (&u32_frame(RST_STREAM, 1, 7), Closed, "reset the request: REFUSED_STREAM"),
        (&u32_frame(RST_STREAM, 1, 99), Closed, "reset the request: error code 99"),
        (&u32_frame(RST_STREAM, 0, 8), Closed, "RST_STREAM on stream 0"),
        (&frame(RST_STREAM, 0, 1, b""), Closed, "RST_STREAM of 0 bytes"),
        (&frame(PUSH_PROMISE, 0, 1, b"\0\0\0\x02"), Closed, "PUSH_PROMISE"),
        (&frame(DATA, 0, 1, b"x"), Closed, "DATA before the response's HEADERS"),
        (&frame(DATA, 0, 0, b"x"), Closed, "DATA on stream 0, which the client has not opened"),
        (
            &headers(2, RESPONSE_HEADERS),
            Closed,
            "HEADERS on stream 2, which the client has not opened",
        ),
        (&frame(CONTINUATION, 0, 1, b"x"), Closed, "CONTINUATION without HEADERS"),
    ];
    assert_errors(&settings(&[]), after_settings);
    let widened = [settings(&[]), u32_frame(WINDOW_UPDATE, 1, 0x7fff_0000)].concat();
    assert_errors(&widened, &[(&settings(&[(4, 70_000)]), Closed, "of a stream that overflows")]);
    let ended = [settings(&[]), reply(0, b"a")].concat();
    assert_errors(
        &ended,
        &[
            (&frame(DATA, 0, 1, b"x"), Closed, "DATA on stream 1, which has ended"),
            (&trailers(1, TRAILERS), Closed, "HEADERS on stream 1, which has ended"),
        ],
    );
}

#[test]
fn invalid_header_blocks_are_named_in_the_error() {
    let start = frame(HEADERS, 0, 1, &[0x88]);
    let more = frame(CONTINUATION, 0, 1, &[0x88; 16_000]);
    let bad: &[(&[u8], Kind, &str)] = &[
        (&headers(1, &[0xff, 0xff]), Closed, "a header block that is not HPACK: "),
        (&headers(1, &[0xbe]), Closed, "not HPACK: Header index out of bounds"),
        (&headers(1, &[0x3f, 0xff, 0xff, 0x03, 0x88]), Closed, "not HPACK: Dynamic table size"),
        (&headers(1, b"\x40\x82\xff\xff\x01a"), Closed, "not HPACK: "),
        (
            &[start.clone(), more.clone(), more].concat(),
            Closed,
            "a header block of more than 16384 bytes",
        ),
        (
            &[start.clone(), frame(CONTINUATION, 0, 1, b"")].concat(),
            Closed,
            "CONTINUATION of 0 bytes",
        ),
        (&[start.clone(), frame(PING, 0, 0, b"12345678")].concat(), Closed, "PING in the middle"),
        (
            &[start, frame(CONTINUATION, 0, 3, b"x")].concat(),
            Closed,
            "in the middle of a header block",
        ),
        (&frame(HEADERS, END_HEADERS | PADDED, 1, b""), Closed, "HEADERS of 0 bytes"),
        (&frame(HEADERS, END_HEADERS | PRIORITIZED, 1, b"1234"), Closed, "HEADERS of 4 bytes"),
        (
            &frame(HEADERS, END_HEADERS | PADDED, 1, b"\x02\x88"),
            Closed,
            "of 2 bytes with 2 bytes of padding",
        ),
    ];
    assert_errors(&settings(&[]), bad);
}

#[test]
fn invalid_replies_are_named_in_the_error() {
    let start = [settings(&[]), headers(1, RESPONSE_HEADERS)].concat();
    let message = data(1, b"abc");
    let bad: &[(&[u8], Kind, &str)] = &[
        (&frame(DATA, PADDED, 1, b"\x01"), Closed, "a frame of 1 bytes with 1 bytes of padding"),
        (&frame(DATA, 0, 1, b"\x01\0\0\0\x01a"), Malformed, "it is compressed"),
        (
            &frame(DATA, 0, 1, b"\0\0\x01\x86\xa1"),
            Malformed,
            "100001 bytes are over the limit of 100000",
        ),
        (
            &frame(DATA, 0, 1, b"\0\xff\xff\xff\xff"),
            Malformed,
            "4294967295 bytes are over the limit",
        ),
        (&frame(DATA, 0, 1, b"\0\0\0\0\x01ab"), Malformed, "more than one message"),
        (&[message.clone(), message.clone()].concat(), Malformed, "more than one message"),
        (&frame(DATA, END_STREAM, 1, b"\0\0\0\0\0"), Malformed, "without a grpc-status"),
        (&trailers(1, TRAILERS), Malformed, "without a message"),
        (
            &[frame(DATA, 0, 1, b"\0\0\0\0\x02a"), trailers(1, TRAILERS)].concat(),
            Malformed,
            "after 6 bytes of 7",
        ),
        (
            &[frame(DATA, 0, 1, b"\0\0"), trailers(1, TRAILERS)].concat(),
            Malformed,
            "after 2 bytes of 5",
        ),
        (&trailers(1, b"\x88"), Malformed, "without a grpc-status"),
        (&headers(1, TRAILERS), Closed, "trailers that do not end the stream"),
    ];
    assert_errors(&start, bad);
}

fn status(code: &str, message: &str) -> Vec<u8> {
    [literal("grpc-status", code), literal("grpc-message", message)].concat()
}

#[test]
fn error_replies_are_quoted_in_the_error() {
    let only = |block: &[u8]| trailers(1, &[RESPONSE_HEADERS, block].concat());
    let refused: &[(&[u8], Kind, &str)] = &[
        (&only(&status("3", "50%25 %e2%82%ac%0a")), Refused, "refused: INVALID_ARGUMENT: 50% €\\n"),
        (&only(&status("12", "no")), Refused, "UNIMPLEMENTED: no"),
        (&only(&status("8", "%")), Refused, "RESOURCE_EXHAUSTED: %"),
        (&only(&status("4", "late")), Refused, "DEADLINE_EXCEEDED: late"),
        (&only(&status("99", "?")), Refused, "grpc-status 99: ?"),
        (&only(&status("14", "away")), Closed, "UNAVAILABLE: away"),
        (&only(&status("1", "gone")), Closed, "CANCELLED: gone"),
        (&only(&status("x", "")), Malformed, "grpc-status is 'x'"),
        (&only(&status("0", "")), Malformed, "without a message"),
        (&only(b""), Malformed, "without a grpc-status"),
        (&headers(1, &literal(":status", "404")), Refused, "HTTP status '404'"),
        (&trailers(1, &literal(":status", "503")), Refused, "HTTP status '503'"),
        (&headers(1, &literal("content-type", "application/grpc")), Malformed, "no HTTP status"),
        (&headers(1, b"\x88"), Refused, "without a content-type"),
        (&headers(1, b"\x88\x0f\x10\x09text/html"), Refused, "content-type 'text/html'"),
        (
            &[headers(1, RESPONSE_HEADERS), trailers(1, &status("13", "late"))].concat(),
            Refused,
            "INTERNAL: late",
        ),
        (
            &[headers(1, RESPONSE_HEADERS), data(1, b"a"), trailers(1, &status("2", "x"))].concat(),
            Refused,
            "UNKNOWN: x",
        ),
    ];
    assert_errors(&settings(&[]), refused);
    // With a timeout that the client sent to the server.
    let client = Http2::unary("a", "/b", Some(Duration::from_secs(1)), MAX);
    let bytes = [settings(&[]), only(&status("4", "late"))].concat();
    assert_eq!(error(client, &[b""], &bytes), EchoError::Timeout(Duration::from_secs(1)));
}

#[test]
fn an_incomplete_reply_is_not_an_error() {
    let start = frame(HEADERS, 0, 1, &[0x88]);
    for bytes in [vec![], settings(&[])[..8].to_vec(), [settings(&[]), start].concat()] {
        assert_eq!(outcome(client(), &[b""], &[&bytes]).1, None);
    }
    // Late frames of an ended stream may cross the next request.
    let crossing = [u32_frame(WINDOW_UPDATE, 1, 5), u32_frame(RST_STREAM, 1, 0)].concat();
    let bytes = [settings(&[]), reply(0, b"a"), crossing, reply(1, b"b")].concat();
    let (events, error) = outcome(client(), &[b"", b""], &[&bytes]);
    assert_eq!((events.len(), error), (3, None));
}

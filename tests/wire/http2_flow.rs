//! Unary gRPC over HTTP/2: flow control.

use echometer::wire::Http2;
use proptest::prelude::*;

use crate::h2::*;
use crate::harness::Harness;

/// The server's view of its flow-control windows, and the request that it has received.
struct Windows {
    connection: i64,
    stream: i64,
    longest: usize,
    message: Vec<u8>,
    ended: bool,
}

impl Windows {
    /// Receives what the client sent and asserts that it respects the windows.
    fn receive(&mut self, sent: &[u8], stream: u32) {
        for frame in parse_frames(sent).into_iter().filter(|frame| frame.kind == DATA) {
            let length = i64::try_from(frame.payload.len()).unwrap();
            self.connection -= length;
            self.stream -= length;
            assert!(self.connection >= 0 && self.stream >= 0, "sent beyond the window");
            assert!(frame.payload.len() <= self.longest && frame.stream == stream && !self.ended);
            self.ended = frame.flags & END_STREAM != 0;
            self.message.extend(frame.payload);
        }
    }

    fn is_exhausted(&self) -> bool {
        self.connection == 0 || self.stream <= 0
    }
}

proptest! {
    #[test]
    fn requests_arrive_completely_and_never_exceed_the_windows(
        lengths in prop::collection::vec(0_usize..150_000, 1..3),
        initial in prop_oneof![Just(0), 0_u32..100_000],
        longest in 16_384_u32..40_000,
        steps in prop::collection::vec((any::<bool>(), 1_u32..60_000), 1..10),
        changes in prop::collection::vec(0_u32..100_000, 0..4),
    ) {
        let messages: Vec<_> = lengths.iter().map(|length| vec![7; *length]).collect();
        let requests: Vec<_> = messages.iter().map(Vec::as_slice).collect();
        let mut harness = Harness::new(client(), &requests);
        harness.take_sent();
        harness.feed(&settings(&[(4, initial), (5, longest)])).unwrap();
        let mut windows = Windows {
            connection: 65_535,
            stream: 0,
            longest: longest as usize,
            message: Vec::new(),
            ended: false,
        };
        let (mut initial, mut changes) = (initial, changes.into_iter());
        for (n, message) in (0..).zip(&messages) {
            windows.stream = initial.into();
            (windows.message, windows.ended) = (Vec::new(), false);
            windows.receive(&harness.take_sent(), 2 * n + 1);
            let mut steps = steps.iter().cycle();
            while !windows.ended {
                prop_assert!(windows.is_exhausted(), "the client could have sent more");
                if let Some(next) = changes.next() {
                    windows.stream += i64::from(next) - i64::from(initial);
                    initial = next;
                    harness.feed(&settings(&[(4, next)])).unwrap();
                } else {
                    let (_, increment) = *steps.next().unwrap();
                    for (id, window) in [(0, &mut windows.connection), (2 * n + 1, &mut windows.stream)] {
                        *window += i64::from(increment);
                        harness.feed(&u32_frame(WINDOW_UPDATE, id, increment)).unwrap();
                    }
                }
                windows.receive(&harness.take_sent(), 2 * n + 1);
            }
            prop_assert!(windows.message == grpc_message(message));
            harness.feed(&reply(n, b"ok")).unwrap();
        }
        prop_assert_eq!(harness.replies().len(), messages.len());
    }
}

#[test]
fn the_rest_of_a_request_with_an_early_reply_is_dropped() {
    let mut harness = Harness::new(client(), &[&vec![1; 70_000], b"next"]);
    harness.feed(&settings(&[])).unwrap();
    harness.take_sent();
    harness.feed(&reply(0, b"enough")).unwrap();
    let sent = parse_frames(&harness.take_sent());
    assert_eq!((sent[0].kind, sent[0].stream, sent[0].value()), (RST_STREAM, 1, 8));
    // The window of the connection is still exhausted.
    assert_eq!(sent.iter().map(|frame| frame.kind).collect::<Vec<_>>(), [RST_STREAM, HEADERS]);
    harness.feed(&u32_frame(WINDOW_UPDATE, 1, 100_000)).unwrap();
    assert_eq!(harness.take_sent(), b"");
    harness.feed(&u32_frame(WINDOW_UPDATE, 0, 100_000)).unwrap();
    let expected = frame(DATA, END_STREAM, 3, &grpc_message(b"next"));
    assert_eq!(harness.take_sent(), expected);
}

#[test]
fn the_wide_window_of_an_ended_stream_causes_no_overflow() {
    let mut harness = Harness::new(client(), &[b"a", b"b"]);
    let widened = u32_frame(WINDOW_UPDATE, 1, 1 << 30);
    harness.feed(&[settings(&[]), widened, reply(0, b"a")].concat()).unwrap();
    harness.feed(&[settings(&[(4, 0x7fff_ffff)]), reply(1, b"b")].concat()).unwrap();
    assert_eq!(harness.replies(), [b"a", b"b"]);
}

#[test]
fn the_window_is_reopened_rarely_but_in_time() {
    const MAX_MESSAGE: usize = 1000;
    const REPLIES: u32 = 20_000;
    let requests = vec![&b"x"[..]; REPLIES as usize + 1];
    let mut harness = Harness::new(Http2::unary("a", "/b", None, MAX_MESSAGE), &requests);
    let opening = parse_frames(&harness.take_sent()[24..]);
    let mut window = i64::from(65_535 + opening[1].value());
    let mut updates = 0;
    harness.feed(&settings(&[])).unwrap();
    harness.take_sent();
    for n in 0..REPLIES {
        harness.feed(&reply(n, &[1; MAX_MESSAGE])).unwrap();
        window -= i64::try_from(MAX_MESSAGE + 5).unwrap();
        assert!(window > 0, "the server is blocked");
        for update in
            parse_frames(&harness.take_sent()).iter().filter(|frame| frame.kind == WINDOW_UPDATE)
        {
            assert_eq!(update.stream, 0);
            window += i64::from(update.value());
            updates += 1;
        }
    }
    assert!((10..REPLIES / 20).contains(&updates), "{updates}");
}

#[test]
fn padding_uses_the_window_and_is_returned() {
    let mut harness = Harness::new(client(), &[b"x"]);
    let window = 65_535 + parse_frames(&harness.take_sent()[24..])[1].value();
    harness.feed(&[settings(&[]), headers(1, RESPONSE_HEADERS)].concat()).unwrap();
    // Padding alone uses the window, and the client returns all of it.
    let padding = [&[255], &[0; 255][..]].concat();
    let frame_count = window / 256 * 3;
    for _ in 0..frame_count {
        harness.feed(&frame(DATA, PADDED, 1, &padding)).unwrap();
    }
    let returned: u32 = parse_frames(&harness.take_sent())
        .iter()
        .filter(|f| f.kind == WINDOW_UPDATE)
        .map(Frame::value)
        .sum();
    assert!(returned > window && returned <= frame_count * 256);
}

//! gRPC over HTTP/2: who may send how much.

use echometer::wire::Http2;
use proptest::prelude::*;

use crate::feed::Driver;
use crate::h2::*;

/// A server's view of what it allows.
struct Windows {
    connection: i64,
    stream: i64,
    longest: usize,
    message: Vec<u8>,
    ended: bool,
}

impl Windows {
    /// Takes in what the client sent, and makes sure that it was allowed to.
    fn take(&mut self, sent: &[u8], stream: u32) {
        for frame in frames(sent).into_iter().filter(|frame| frame.kind == DATA) {
            let length = i64::try_from(frame.payload.len()).unwrap();
            self.connection -= length;
            self.stream -= length;
            assert!(self.connection >= 0 && self.stream >= 0, "beyond the window");
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
    fn requests_come_whole_and_never_beyond_what_the_server_allows(
        lengths in prop::collection::vec(0_usize..150_000, 1..3),
        initial in prop_oneof![Just(0), 0_u32..100_000],
        longest in 16_384_u32..40_000,
        steps in prop::collection::vec((any::<bool>(), 1_u32..60_000), 1..10),
        changes in prop::collection::vec(0_u32..100_000, 0..4),
    ) {
        let messages: Vec<_> = lengths.iter().map(|length| vec![7; *length]).collect();
        let requests: Vec<_> = messages.iter().map(Vec::as_slice).collect();
        let mut driver = Driver::new(client(), &requests);
        driver.sent();
        driver.feed(&settings(&[(4, initial), (5, longest)])).unwrap();
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
            windows.take(&driver.sent(), 2 * n + 1);
            let mut steps = steps.iter().cycle();
            while !windows.ended {
                prop_assert!(windows.is_exhausted(), "it could have sent more");
                if let Some(next) = changes.next() {
                    windows.stream += i64::from(next) - i64::from(initial);
                    initial = next;
                    driver.feed(&settings(&[(4, next)])).unwrap();
                } else {
                    let (_, increment) = *steps.next().unwrap();
                    for (id, window) in [(0, &mut windows.connection), (2 * n + 1, &mut windows.stream)] {
                        *window += i64::from(increment);
                        driver.feed(&number(WINDOW_UPDATE, id, increment)).unwrap();
                    }
                }
                windows.take(&driver.sent(), 2 * n + 1);
            }
            prop_assert!(windows.message == prefixed(message));
            driver.feed(&reply(n, b"ok")).unwrap();
        }
        prop_assert_eq!(driver.replies().len(), messages.len());
    }
}

#[test]
fn the_rest_of_a_request_that_was_answered_early_is_dropped() {
    let mut driver = Driver::new(client(), &[&vec![1; 70_000], b"next"]);
    driver.feed(&settings(&[])).unwrap();
    driver.sent();
    driver.feed(&reply(0, b"enough")).unwrap();
    let sent = frames(&driver.sent());
    assert_eq!((sent[0].kind, sent[0].stream, sent[0].number()), (RST_STREAM, 1, 8));
    // The connection's window is still used up.
    assert_eq!(sent.iter().map(|frame| frame.kind).collect::<Vec<_>>(), [RST_STREAM, HEADERS]);
    driver.feed(&number(WINDOW_UPDATE, 1, 100_000)).unwrap();
    assert_eq!(driver.sent(), b"");
    driver.feed(&number(WINDOW_UPDATE, 0, 100_000)).unwrap();
    let expected = frame(DATA, END_STREAM, 3, &prefixed(b"next"));
    assert_eq!(driver.sent(), expected);
}

#[test]
fn a_stream_that_ended_with_a_wide_window_is_no_overflow() {
    let mut driver = Driver::new(client(), &[b"a", b"b"]);
    let widened = number(WINDOW_UPDATE, 1, 1 << 30);
    driver.feed(&[settings(&[]), widened, reply(0, b"a")].concat()).unwrap();
    driver.feed(&[settings(&[(4, 0x7fff_ffff)]), reply(1, b"b")].concat()).unwrap();
    assert_eq!(driver.replies(), [b"a", b"b"]);
}

#[test]
fn the_window_is_opened_again_now_and_then_and_always_in_time() {
    const MOST: usize = 1000;
    const REPLIES: u32 = 20_000;
    let requests = vec![&b"x"[..]; REPLIES as usize + 1];
    let mut driver = Driver::new(Http2::new("a", "/b", None, MOST), &requests);
    let opening = frames(&driver.sent()[24..]);
    let mut window = i64::from(65_535 + opening[1].number());
    let mut updates = 0;
    driver.feed(&settings(&[])).unwrap();
    driver.sent();
    for n in 0..REPLIES {
        driver.feed(&reply(n, &[1; MOST])).unwrap();
        window -= i64::try_from(MOST + 5).unwrap();
        assert!(window > 0, "the server had to stop");
        for update in frames(&driver.sent()).iter().filter(|frame| frame.kind == WINDOW_UPDATE) {
            assert_eq!(update.stream, 0);
            window += i64::from(update.number());
            updates += 1;
        }
    }
    assert!((10..REPLIES / 20).contains(&updates), "{updates}");
}

#[test]
fn data_beyond_the_window_are_refused() {
    let mut driver = Driver::new(client(), &[b"x"]);
    let window = 65_535 + frames(&driver.sent()[24..])[1].number();
    driver.feed(&[settings(&[]), head(1, HEAD)].concat()).unwrap();
    // Padding alone uses the window, and all of it is given back.
    let padding = [&[255], &[0; 255][..]].concat();
    let frames_ = window / 256 * 3;
    for _ in 0..frames_ {
        driver.feed(&frame(DATA, PADDED, 1, &padding)).unwrap();
    }
    let given: u32 =
        frames(&driver.sent()).iter().filter(|f| f.kind == WINDOW_UPDATE).map(Sent::number).sum();
    assert!(given > window && given <= frames_ * 256);
}

//! Whatever a peer sends, it is an error in words, or something to wait for; and no more is
//! kept than came.

use echometer::wire::{Codec, Framed, Http2, Zmtp};
use proptest::prelude::*;

use crate::feed::{Driver, cut, outcome};
use crate::{h2, zmtp};

const MAX: usize = 3000;

const REQUESTS: [&[u8]; 5] = [b"request"; 5];

/// Feeds it, and makes sure that it waits for nothing that is longer than a frame may be, and
/// that it says the same as if all had come at once.
fn survives<C: Codec>(codec: impl Fn() -> C, bytes: &[u8], lengths: &[usize], longest: usize) {
    let mut driver = Driver::new(codec(), &REQUESTS);
    driver.out.clear();
    let mut failed = false;
    for part in cut(bytes, lengths) {
        if let Err(error) = driver.feed(part) {
            let said = error.to_string();
            assert!(!said.is_empty() && said.len() < 40_000 && !said.contains('\n'), "{said}");
            failed = true;
            break;
        }
        assert!(driver.waiting() < longest, "{} bytes wait", driver.waiting());
    }
    // An answer at most for each frame that came, beside the requests.
    assert!(driver.out.len() < 5000 + 3 * bytes.len(), "{} bytes to send", driver.out.len());
    let (said, error) = outcome(codec(), &REQUESTS, &[bytes]);
    assert_eq!((driver.said, failed), (said, error.is_some()));
}

fn all_survive(bytes: &[u8], lengths: &[usize]) {
    survives(|| Framed::new(MAX), bytes, lengths, 4 + MAX);
    survives(|| Zmtp::new(MAX), bytes, lengths, 9 + 4096);
    survives(|| Http2::new("a", "/b", None, MAX), bytes, lengths, 9 + 16_384);
    survives(|| Http2::conversation("a", "/b", MAX), bytes, lengths, 9 + 16_384);
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![Just(1), 1_usize..2000], 1..6)
}

/// A frame of HTTP/2 that may be right: mostly of the stream that is open.
fn h2_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(h2::HEAD.to_vec()),
        Just(h2::TRAILERS.to_vec()),
        Just(h2::KNOWN_HEAD.to_vec()),
        Just(h2::KNOWN_TRAILERS.to_vec()),
        Just(h2::prefixed(b"message")),
        any::<u32>().prop_map(|number| number.to_be_bytes().to_vec()),
    ];
    let stream = prop_oneof![8 => Just(1), 3 => Just(3), 3 => Just(0), 1 => any::<u32>()];
    let flags = prop_oneof![4 => Just(4), 3 => Just(5), 3 => Just(0), 2 => any::<u8>()];
    let kind = prop_oneof![3 => Just(0), 4 => Just(1), 2 => Just(9), 4 => 0_u8..12];
    let frame = (kind, flags, stream, payload);
    frame.prop_map(|(kind, flags, stream, payload)| h2::frame(kind, flags, stream, &payload))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..3000), lengths in lengths()) {
        all_survive(&bytes, &lengths);
        for opening in [zmtp::handshake(), h2::settings(&[])] {
            all_survive(&[opening, bytes.clone()].concat(), &lengths);
        }
    }

    #[test]
    fn any_frames_of_http2(frames in prop::collection::vec(h2_frame(), 0..20), lengths in lengths()) {
        all_survive(&[h2::settings(&[]), frames.concat()].concat(), &lengths);
    }

    #[test]
    fn any_header_blocks(
        blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6),
        lengths in lengths(),
    ) {
        let frames = blocks.iter().map(|block| h2::head(1, block)).collect::<Vec<_>>().concat();
        all_survive(&[h2::settings(&[]), frames].concat(), &lengths);
        let parts = blocks.iter().map(|part| h2::frame(h2::CONTINUATION, 0, 1, part));
        let parts = parts.collect::<Vec<_>>().concat();
        let begin = h2::frame(h2::HEADERS, 0, 1, h2::HEAD);
        let end = h2::frame(h2::CONTINUATION, h2::END_HEADERS, 1, b"");
        all_survive(&[h2::settings(&[]), begin, parts, end].concat(), &lengths);
    }

    #[test]
    fn replies_with_a_few_bytes_changed(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        lengths in lengths(),
    ) {
        let replies = (0..4).map(|n| h2::reply(n, &[1; 200])).collect::<Vec<_>>().concat();
        for opening in [[h2::settings(&[(4, 9)]), replies].concat(), zmtp::handshake()] {
            let mut bytes = opening;
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            all_survive(&bytes, &lengths);
        }
    }
}

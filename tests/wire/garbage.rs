//! Any input from a peer is either an error or an incomplete frame, and the codecs buffer no more
//! than one frame.

use echometer::wire::{Codec, Framed, Http2, Zmtp};
use proptest::prelude::*;

use crate::harness::{Harness, outcome, split};
use crate::{h2, zmtp};

const MAX: usize = 3000;

const REQUESTS: [&[u8]; 5] = [b"request"; 5];

/// Asserts that the codec buffers less than `longest` bytes, and that its events are the same as
/// for the whole input at once.
fn assert_survives<C: Codec>(
    codec: impl Fn() -> C,
    bytes: &[u8],
    lengths: &[usize],
    longest: usize,
) {
    let mut harness = Harness::new(codec(), &REQUESTS);
    harness.out.clear();
    let mut failed = false;
    for part in split(bytes, lengths) {
        if let Err(error) = harness.feed(part) {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 40_000 && !text.contains('\n'), "{text}");
            failed = true;
            break;
        }
        assert!(
            harness.pending_bytes() < longest,
            "{} bytes are buffered",
            harness.pending_bytes()
        );
    }
    // At most one answer per received frame, in addition to the requests.
    assert!(harness.out.len() < 5000 + 3 * bytes.len(), "{} bytes to send", harness.out.len());
    let (events, error) = outcome(codec(), &REQUESTS, &[bytes]);
    assert_eq!((harness.events, failed), (events, error.is_some()));
}

fn assert_all_survive(bytes: &[u8], lengths: &[usize]) {
    assert_survives(|| Framed::new(MAX), bytes, lengths, 4 + MAX);
    assert_survives(|| Zmtp::new(MAX), bytes, lengths, 9 + 4096);
    assert_survives(|| Http2::unary("a", "/b", None, MAX), bytes, lengths, 9 + 16_384);
    assert_survives(|| Http2::streaming("a", "/b", MAX), bytes, lengths, 9 + 16_384);
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![Just(1), 1_usize..2000], 1..6)
}

/// An HTTP/2 frame that may be valid, mostly on the open stream.
fn h2_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(h2::RESPONSE_HEADERS.to_vec()),
        Just(h2::TRAILERS.to_vec()),
        Just(h2::INDEXED_HEADERS.to_vec()),
        Just(h2::INDEXED_TRAILERS.to_vec()),
        Just(h2::grpc_message(b"message")),
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
    fn any_bytes_are_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        lengths in lengths(),
    ) {
        assert_all_survive(&bytes, &lengths);
        for opening in [zmtp::handshake(), h2::settings(&[])] {
            assert_all_survive(&[opening, bytes.clone()].concat(), &lengths);
        }
    }

    #[test]
    fn any_http2_frames_are_survived(
        frames in prop::collection::vec(h2_frame(), 0..20),
        lengths in lengths(),
    ) {
        assert_all_survive(&[h2::settings(&[]), frames.concat()].concat(), &lengths);
    }

    #[test]
    fn any_header_blocks_are_survived(
        blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6),
        lengths in lengths(),
    ) {
        let frames = blocks.iter().map(|block| h2::headers(1, block)).collect::<Vec<_>>().concat();
        assert_all_survive(&[h2::settings(&[]), frames].concat(), &lengths);
        let parts = blocks.iter().map(|part| h2::frame(h2::CONTINUATION, 0, 1, part));
        let parts = parts.collect::<Vec<_>>().concat();
        let begin = h2::frame(h2::HEADERS, 0, 1, h2::RESPONSE_HEADERS);
        let end = h2::frame(h2::CONTINUATION, h2::END_HEADERS, 1, b"");
        assert_all_survive(&[h2::settings(&[]), begin, parts, end].concat(), &lengths);
    }

    #[test]
    fn replies_with_a_few_changed_bytes_are_survived(
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
            assert_all_survive(&bytes, &lengths);
        }
    }
}

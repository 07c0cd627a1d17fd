//! The length-prefixed wire of the `tcp` baseline.

use echometer::wire::Framed;
use proptest::prelude::*;

use crate::harness::{Harness, OwnedEvent, assert_split_anywhere, error, outcome, split};

pub fn framed(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

#[test]
fn replies_are_the_same_wherever_the_input_is_split() {
    let bytes = [framed(b"one"), framed(b""), framed(&[3; 300])].concat();
    let replies = [b"one".to_vec(), Vec::new(), vec![3; 300]].map(OwnedEvent::Reply);
    let expected = [&[OwnedEvent::Ready][..], &replies].concat();
    assert_split_anywhere(|| Framed::new(300), &[b"a", b"b", b"c"], &bytes, &expected);
}

#[test]
fn requests_have_a_length_prefix() {
    let mut harness = Harness::new(Framed::new(9), &[b"hello"]);
    harness.feed(b"").unwrap();
    assert_eq!(harness.take_sent(), b"\0\0\0\x05hello");
}

#[test]
fn a_reply_over_the_limit_is_rejected_by_its_length() {
    let length = error(Framed::new(299), &[], &framed(&[0; 300])[..4]).to_string();
    assert!(length.contains("300 bytes are over the limit of 299"), "{length}");
    let http = error(Framed::new(299), &[], b"HTTP/1.1 400 Bad Request").to_string();
    assert!(http.contains("over the limit of 299"), "{http}");
}

proptest! {
    #[test]
    fn any_replies_in_any_parts_are_received_unchanged(
        replies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..500), 0..8),
        lengths in prop::collection::vec(1_usize..700, 1..8),
    ) {
        let bytes = replies.iter().flat_map(|reply| framed(reply)).collect::<Vec<_>>();
        let outcome = outcome(Framed::new(500), &[], &split(&bytes, &lengths));
        let replies = replies.into_iter().map(OwnedEvent::Reply);
        let expected = std::iter::once(OwnedEvent::Ready).chain(replies).collect::<Vec<_>>();
        prop_assert_eq!(outcome, (expected, None));
    }
}

//! The baseline's wire.

use echometer::wire::Framed;
use proptest::prelude::*;

use crate::feed::{Driver, Said, assert_cut_anywhere, cut, error, outcome};

pub fn framed(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

#[test]
fn replies_are_the_same_wherever_they_are_cut() {
    let bytes = [framed(b"one"), framed(b""), framed(&[3; 300])].concat();
    let replies = [b"one".to_vec(), Vec::new(), vec![3; 300]].map(Said::Reply);
    let expected = [&[Said::Ready][..], &replies].concat();
    assert_cut_anywhere(|| Framed::new(300), &[b"a", b"b", b"c"], &bytes, &expected);
}

#[test]
fn requests_have_their_length_in_front() {
    let mut driver = Driver::new(Framed::new(9), &[b"hello"]);
    driver.feed(b"").unwrap();
    assert_eq!(driver.sent(), b"\0\0\0\x05hello");
}

#[test]
fn a_reply_over_the_limit_is_refused_by_its_length() {
    let said = error(Framed::new(299), &[], &framed(&[0; 300])[..4]).to_string();
    assert!(said.contains("300 bytes are over the limit of 299"), "{said}");
    let said = error(Framed::new(299), &[], b"HTTP/1.1 400 Bad Request").to_string();
    assert!(said.contains("over the limit of 299"), "{said}");
}

proptest! {
    #[test]
    fn any_replies_cut_in_any_way_come_as_they_were_sent(
        replies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..500), 0..8),
        lengths in prop::collection::vec(1_usize..700, 1..8),
    ) {
        let bytes = replies.iter().flat_map(|reply| framed(reply)).collect::<Vec<_>>();
        let said = outcome(Framed::new(500), &[], &cut(&bytes, &lengths));
        let replies = replies.into_iter().map(Said::Reply);
        let expected = std::iter::once(Said::Ready).chain(replies).collect::<Vec<_>>();
        prop_assert_eq!(said, (expected, None));
    }
}

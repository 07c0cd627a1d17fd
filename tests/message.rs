//! Properties of requests and replies that clients and servers rely on.

mod common;

use common::raw::unsequenced_message;
use common::server_spec;
use echometer::message::{
    BasicMessage, EchoError, Reply, Request, Responder, Sequence, check, request, respond,
};
use echometer::spec::ServerSpec;
use proptest::prelude::*;
use protobuf::Message;

const MAX_REPLY: u32 = 4096;

fn responder() -> Responder {
    let server = ServerSpec { max_message: MAX_REPLY as usize, ..server_spec() };
    Responder::new(&server, None, Sequence::Own(0))
}

/// A request that was advanced `steps` times.
fn request_at(sender: &str, text: String, reply_bytes: u32, steps: usize) -> Request {
    let mut request = request(sender, text, reply_bytes);
    (0..steps).for_each(|_| request.advance());
    request
}

fn encoded(message: &BasicMessage) -> Vec<u8> {
    message.write_to_bytes().unwrap()
}

proptest! {
    #[test]
    fn a_request_that_is_answered_is_acknowledged(
        sender in any::<String>(),
        text in any::<String>(),
        steps in 0_usize..40,
        reply_bytes in 0..=MAX_REPLY,
    ) {
        let request = request_at(&sender, text, reply_bytes, steps);
        prop_assert_eq!(request.sequence(), steps as u64 + 1);
        let (mut responder, mut bytes) = (responder(), b"previous content".to_vec());
        respond(&mut responder, request.bytes(), &mut bytes).unwrap();
        let reply = check(&request, &bytes).unwrap();
        prop_assert!(reply.verified);
        prop_assert_eq!(reply.sequence, 1);
        prop_assert_eq!(reply.message.len(), (reply_bytes as usize).max("reply msg #1".len()));
        let tally = responder.take_tally();
        prop_assert_eq!((tally.accesses, tally.clients(), tally.malformed), (1, 1, 0));
    }

    #[test]
    fn any_bytes_are_answered_or_counted_as_malformed(
        all in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..20),
    ) {
        let mut responder = responder();
        let (mut answered, mut rejected) = (0, 0);
        for bytes in &all {
            let mut reply = Vec::new();
            match respond(&mut responder, bytes, &mut reply) {
                Ok(()) => answered += 1,
                Err(why) => {
                    rejected += 1;
                    prop_assert!(reply.is_empty() && why.to_string().starts_with("malformed"));
                }
            }
        }
        let tally = responder.take_tally();
        prop_assert_eq!((tally.accesses, tally.malformed), (answered, rejected));
    }

    #[test]
    fn a_truncated_request_does_not_affect_the_next_one(cut in 0_usize..60) {
        let request = request("client", "x".repeat(50), 0);
        let (mut responder, mut reply) = (responder(), Vec::new());
        let _ = respond(&mut responder, &request.bytes()[..cut], &mut reply);
        respond(&mut responder, request.bytes(), &mut reply).unwrap();
        prop_assert!(check(&request, &reply).unwrap().verified);
    }

    #[test]
    fn a_reply_that_acknowledges_another_request_is_never_accepted(
        steps in 0_usize..20,
        acknowledges in 1..=u64::MAX,
        sequence in any::<u64>(),
        message in any::<String>(),
    ) {
        let request = request_at("client", String::new(), 0, steps);
        let sent = request.sequence();
        prop_assume!(acknowledges != sent);
        let reply = BasicMessage { message, sequence, acknowledges, ..Default::default() };
        let stray = Err(EchoError::Stray { sent, acknowledged: acknowledges });
        prop_assert_eq!(check(&request, &encoded(&reply)), stray);
    }

    #[test]
    fn any_bytes_are_a_verified_reply_only_if_they_acknowledge_the_request(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let request = request("client", String::new(), 0);
        if let Ok(Reply { verified: true, .. }) = check(&request, &bytes) {
            let reply = BasicMessage::parse_from_bytes(&bytes).unwrap();
            prop_assert_eq!(reply.acknowledges, request.sequence());
        }
    }

    #[test]
    fn a_request_without_a_sequence_is_answered(text in any::<String>()) {
        let (mut responder, mut bytes) = (responder(), Vec::new());
        respond(&mut responder, &unsequenced_message(&text), &mut bytes).unwrap();
        let reply = BasicMessage::parse_from_bytes(&bytes).unwrap();
        prop_assert_eq!((reply.acknowledges, reply.sequence), (0, 1));
        prop_assert_eq!(reply.message, "reply msg #1");
    }

    #[test]
    fn a_reply_without_a_sequence_is_unverified(
        text in "[a-z #0-9]{0,40}",
        steps in 0_usize..20,
    ) {
        prop_assume!(!text.starts_with("malformed"));
        let request = request_at("client", String::new(), 0, steps);
        let reply = check(&request, &unsequenced_message(&text)).unwrap();
        prop_assert_eq!(reply, Reply { sequence: 0, verified: false, message: text });
    }
}

#[test]
fn only_the_first_reply_allocates_memory() {
    let (mut responder, mut reply) = (responder(), Vec::new());
    let request = request("client", "x".repeat(64), 200);
    let mut answer = || respond(&mut responder, request.bytes(), &mut reply).unwrap();
    answer();
    let allocations = allocation_counter::measure(|| (0..50).for_each(|_| answer()));
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn the_field_numbers_on_the_wire_are_fixed() {
    let mut request = request("ab", "c".to_owned(), 300);
    request.advance();
    // sender = 1, message = 2, sequence = 3, reply_bytes = 5.
    assert_eq!(request.bytes(), b"\x0a\x02ab\x12\x01c\x18\x02\x28\xac\x02");
    let reply = BasicMessage { acknowledges: 7, ..BasicMessage::default() };
    assert_eq!(encoded(&reply), b"\x20\x07");
}

#[test]
fn the_error_reply_to_a_malformed_request_is_an_error_and_not_an_unverified_echo() {
    let (mut responder, mut reply) = (responder(), Vec::new());
    let request = request("client", String::new(), MAX_REPLY + 1);
    let rejected = respond(&mut responder, request.bytes(), &mut reply).unwrap_err();
    responder.write_error_reply(rejected, &mut reply);
    let Err(EchoError::Refused(why)) = check(&request, &reply) else { panic!("{reply:?}") };
    assert!(why.contains("4097 bytes") && why.contains("4096"), "{why}");
    let tally = responder.take_tally();
    assert_eq!((tally.accesses, tally.malformed), (0, 1));
}

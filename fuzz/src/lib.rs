//! Fuzzing of the codecs with arbitrary bytes, split at arbitrary positions.
//!
//! Run `cargo +nightly fuzz run http2` (or `framed`, `zmtp`) with cargo-fuzz. Without a nightly
//! toolchain, run `RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none http2 -- -max_total_time=60`.
//! This uses no sanitizer, which code without `unsafe` does not need.
//!
//! The codecs are compiled from the sources of echometer together with the one type that they use,
//! so that the C-core is not built.

#[path = "../../src/message/error.rs"]
mod error;

/// The part of `echometer::message` that the codecs use.
pub mod message {
    pub use crate::error::EchoError;
}

#[path = "../../src/wire/mod.rs"]
pub mod wire;

use message::EchoError;
use wire::{Codec, Event};

/// Number of input bytes that determine where the others are split.
const SPLIT_BYTES: usize = 4;

/// Maximum length of a reply in bytes.
pub const MAX_MESSAGE: usize = 1000;

/// An owned [`Event`] of a codec.
#[derive(Debug, PartialEq, Eq)]
enum OwnedEvent {
    Ready,
    Reply(Vec<u8>),
}

/// Feeds `data` to a codec in parts and as a whole. Asserts that the events are the same, that the
/// codec always makes progress, that it never consumes more than the input, and that it never
/// buffers `limit` bytes or more.
pub fn check<C: Codec>(codec: impl Fn() -> C, data: &[u8], limit: usize) {
    let Some((splits, bytes)) = data.split_at_checked(SPLIT_BYTES) else { return };
    let mut parts = Vec::new();
    let mut rest = bytes;
    for split in splits.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (part, remaining) = rest.split_at((usize::from(*split) + 1).min(rest.len()));
        parts.push(part);
        rest = remaining;
    }
    let split = feed(codec(), &parts, limit);
    let whole = feed(codec(), &[bytes], limit);
    assert_eq!((split.0, split.1.is_some()), (whole.0, whole.1.is_some()));
}

/// Returns the events of the codec and its error, if any.
fn feed<C: Codec>(
    mut codec: C,
    parts: &[&[u8]],
    limit: usize,
) -> (Vec<OwnedEvent>, Option<EchoError>) {
    let (mut input, mut out, mut events) = (Vec::new(), Vec::new(), Vec::new());
    codec.open(&mut out);
    // The framed codec is ready before it receives any bytes.
    for part in [&[][..]].iter().chain(parts) {
        input.extend_from_slice(part);
        let mut stalls = 0;
        loop {
            let (taken, event) = match codec.receive(&input, &mut out) {
                Ok(received) => received,
                Err(error) => {
                    assert!(!error.to_string().contains('\n'));
                    return (events, Some(error));
                }
            };
            assert!(taken <= input.len());
            let event = event.map(|event| match event {
                Event::Ready => OwnedEvent::Ready,
                Event::Reply(reply) => OwnedEvent::Reply(reply.to_vec()),
            });
            input.drain(..taken);
            stalls += usize::from(taken == 0);
            assert!(stalls <= 2, "the codec makes no progress");
            match event {
                Some(event) => {
                    events.push(event);
                    codec.request(&[7; 100], &mut out);
                }
                None if taken == 0 => break,
                None => {}
            }
        }
        assert!(input.len() < limit, "the codec left {} bytes", input.len());
    }
    (events, None)
}

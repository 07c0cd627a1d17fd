//! Fuzzing of the codecs: any bytes, cut anywhere.
//!
//! `cargo +nightly fuzz run http2` (or `framed`, `zmtp`), with cargo-fuzz; without a nightly
//! toolchain, and so without a sanitizer, which code without `unsafe` does not need:
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none http2 -- -max_total_time=60`.
//!
//! The codecs are compiled from the sources of echometer, with the one type that they use: the
//! C-core is not built.

#[path = "../../src/message/error.rs"]
mod error;

/// What the codecs use of `echometer::message`.
pub mod message {
    pub use crate::error::EchoError;
}

#[path = "../../src/wire/mod.rs"]
pub mod wire;

use message::EchoError;
use wire::{Codec, Event};

/// How many bytes of the input say where the others are cut.
const CUTS: usize = 4;

/// The longest reply that is read.
pub const MAX_MESSAGE: usize = 1000;

/// What a codec said.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Ready,
    Reply(Vec<u8>),
}

/// Feeds `codec` in parts and as a whole: it never takes more than there is, always gets on,
/// never waits for `longest` bytes or more, and says the same both times.
pub fn check<C: Codec>(codec: impl Fn() -> C, data: &[u8], longest: usize) {
    let Some((cuts, bytes)) = data.split_at_checked(CUTS) else { return };
    let mut parts = Vec::new();
    let mut rest = bytes;
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (part, behind) = rest.split_at((usize::from(*cut) + 1).min(rest.len()));
        parts.push(part);
        rest = behind;
    }
    let cut = feed(codec(), &parts, longest);
    let whole = feed(codec(), &[bytes], longest);
    assert_eq!((cut.0, cut.1.is_some()), (whole.0, whole.1.is_some()));
}

fn feed<C: Codec>(mut codec: C, parts: &[&[u8]], longest: usize) -> (Vec<Said>, Option<EchoError>) {
    let (mut input, mut out, mut said) = (Vec::new(), Vec::new(), Vec::new());
    codec.open(&mut out);
    // Framed is ready before anything came.
    for part in [&[][..]].iter().chain(parts) {
        input.extend_from_slice(part);
        let mut idle = 0;
        loop {
            let (taken, event) = match codec.receive(&input, &mut out) {
                Ok(what) => what,
                Err(error) => {
                    assert!(!error.to_string().contains('\n'));
                    return (said, Some(error));
                }
            };
            assert!(taken <= input.len());
            let said_now = event.map(|event| match event {
                Event::Ready => Said::Ready,
                Event::Reply(reply) => Said::Reply(reply.to_vec()),
            });
            input.drain(..taken);
            idle += usize::from(taken == 0);
            assert!(idle <= 2, "it does not get on");
            match said_now {
                Some(event) => {
                    said.push(event);
                    codec.request(&[7; 100], &mut out);
                }
                None if taken == 0 => break,
                None => {}
            }
        }
        assert!(input.len() < longest, "{} bytes wait", input.len());
    }
    (said, None)
}

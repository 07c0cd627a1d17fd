#![no_main]

use echometer_fuzz::wire::Http2;
use echometer_fuzz::{MAX_MESSAGE, check};
use libfuzzer_sys::fuzz_target;

/// The header of a frame, and the longest payload.
const LONGEST: usize = 9 + 16_384;

fn both(data: &[u8]) {
    check(|| Http2::new("host:1", "/a/b", None, MAX_MESSAGE), data, LONGEST);
    check(|| Http2::conversation("host:1", "/a/b", MAX_MESSAGE), data, LONGEST);
}

fuzz_target!(|data: &[u8]| {
    both(data);
    // Behind the server's SETTINGS, so that not every input has to find them first.
    if let Some((cuts, bytes)) = data.split_at_checked(4) {
        let settled = [cuts, b"\0\0\0\x04\0\0\0\0\0", bytes].concat();
        both(&settled);
    }
});

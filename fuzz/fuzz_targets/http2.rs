#![no_main]

use echometer_fuzz::wire::Http2;
use echometer_fuzz::{MAX_MESSAGE, check};
use libfuzzer_sys::fuzz_target;

/// The header of a frame, and the longest payload.
const LONGEST: usize = 9 + 16_384;

fuzz_target!(|data: &[u8]| {
    check(|| Http2::new("host:1", "/a/b", None, MAX_MESSAGE), data, LONGEST);
    // Behind the server's SETTINGS, so that not every input has to find them first.
    if let Some((cuts, bytes)) = data.split_at_checked(4) {
        let settled = [cuts, b"\0\0\0\x04\0\0\0\0\0", bytes].concat();
        check(|| Http2::new("host:1", "/a/b", None, MAX_MESSAGE), &settled, LONGEST);
    }
});

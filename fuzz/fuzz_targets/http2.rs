#![no_main]

use echometer_fuzz::wire::Http2;
use echometer_fuzz::{MAX_MESSAGE, check};
use libfuzzer_sys::fuzz_target;

/// Length of a frame header and the longest payload in bytes.
const MAX_FRAME: usize = 9 + 16_384;

fn check_both(data: &[u8]) {
    check(|| Http2::unary("host:1", "/a/b", None, MAX_MESSAGE), data, MAX_FRAME);
    check(|| Http2::streaming("host:1", "/a/b", MAX_MESSAGE), data, MAX_FRAME);
}

fuzz_target!(|data: &[u8]| {
    check_both(data);
    // Also tests the input after the server's SETTINGS, so that the fuzzer need not generate them.
    if let Some((splits, bytes)) = data.split_at_checked(4) {
        let with_settings = [splits, b"\0\0\0\x04\0\0\0\0\0", bytes].concat();
        check_both(&with_settings);
    }
});

#![no_main]

use echometer_fuzz::wire::Zmtp;
use echometer_fuzz::{MAX_MESSAGE, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check(|| Zmtp::new(MAX_MESSAGE), data, 9 + 4096));

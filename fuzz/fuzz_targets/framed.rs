#![no_main]

use echometer_fuzz::wire::Framed;
use echometer_fuzz::{MAX_MESSAGE, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check(|| Framed::new(MAX_MESSAGE), data, 4 + MAX_MESSAGE));

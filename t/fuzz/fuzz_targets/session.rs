//! cargo-fuzz's entry to `fuzz::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::session(input));

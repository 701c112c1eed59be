//! cargo-fuzz's entry to `fuzz::data`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::data(input));

//! cargo-fuzz's entry to `fuzz::framing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::framing(input));

//! api
#![forbid(unsafe_code)]

fn main() {}

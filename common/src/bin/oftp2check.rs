//! Operators' decoder of OFTP2 traces.
fn main() {}

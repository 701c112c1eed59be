//! An OFTP2 partner or station on the command line.
fn main() {}

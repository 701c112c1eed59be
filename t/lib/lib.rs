//! Partner, station, daemons and test CA for the black-box tests; also what the binary `oftp2peer` is made of.
//! Reading order: `transport`, `oftp`, `peer` (Partner, Station), `wire` (scripted peer), `ca`, `cli`.
#![forbid(unsafe_code)]

pub mod ca;
pub mod cli;
pub mod loglines;
pub mod oftp;
pub mod peer;
pub mod transport;
pub mod wire;

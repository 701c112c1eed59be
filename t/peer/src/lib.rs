//! A partner and a station that speak OFTP2, for trials and tests: the code of the program `oftp2peer`, which the tests
//! of
//! `t` use on both sides of the proxy. [`Partner`] opens sessions, [`Station`] serves them on threads; both have the
//! same functions, and either can be on either side. Reading order: `transport`, `oftp`, `partner`, `station`; `ca` (a
//! test CA); `cli` (the command line).
#![forbid(unsafe_code)]

pub mod ca;
pub mod cli;
pub mod oftp;
mod partner;
mod station;
#[cfg(test)]
mod tests;
pub mod transport;

pub use partner::Partner;
pub use station::{Event, Running, Station, StationError};

//! Partner (opens sessions) and Station (serves them on threads): what the tests and the command line use.
//! Both are OFTP2 systems of equal rights; either may stand on either side of the proxy.

mod partner;
mod station;

pub use partner::Partner;
pub use station::{Event, Running, Station, StationError};

#[cfg(test)]
mod tests;

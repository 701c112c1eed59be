//! The tools of the black-box tests: daemons, sites, and peers that misbehave. The OFTP2 partner and station, and the
//! test CA, are in the package `oftp2peer`.
//! Reading order: `wire` (scripted peer); `binaries`, `installation`, `licence`, `wait` for single daemons, `site` for
//! all of them, `ends` for traces through a site, `link` for a client or server that misbehaves, `tamper` for such a
//! backend, `s_client` for TLS without OFTP2.
#![forbid(unsafe_code)]

pub mod binaries;
pub mod ends;
pub mod hostile;
pub mod installation;
pub mod licence;
pub mod link;
pub mod loglines;
pub mod s_client;
pub mod site;
pub mod tamper;
pub mod wait;
pub mod wire;

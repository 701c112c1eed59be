//! Partner, station, daemons and test CA for the black-box tests; also what the binary `oftp2peer` is made of.
//! Reading order: `transport`, `oftp`, `peer` (Partner, Station), `wire` (scripted peer), `ca`, `cli`; then `binaries`,
//! `installation`, `licence`, `wait` for single daemons, `site` for all of them,
//! `stage` for traces through a site, `link` for a client or server that misbehaves, `tamper` for such a backend,
//! `s_client` for TLS without OFTP2.
#![forbid(unsafe_code)]

pub mod binaries;
pub mod ca;
pub mod cli;
pub mod hostile;
pub mod installation;
pub mod licence;
pub mod link;
pub mod loglines;
pub mod oftp;
pub mod peer;
pub mod s_client;
pub mod site;
pub mod stage;
pub mod tamper;
pub mod transport;
pub mod wait;
pub mod wire;

//! What both SmartProxy daemons share.
//!
//! Reading order: `sys` (the only unsafe code), `site`, `signals`, `startup`, `file`, `pidfile`, `children`, `exit`, `log`,
//! `net`, `link`, `oftp`, `relay`, `inspector`, `verdict`, `config`, `rpc`. `sys` and `oftp` import none of their siblings.

pub mod config;
pub mod exit;
pub mod file;
pub mod greeting;
pub mod identity;
pub mod inspector;
pub mod link;
pub mod log;
pub mod net;
pub mod oftp;
pub mod options;
pub mod pidfile;
pub mod relay;
pub mod rpc;
pub mod secret;
pub mod signals;
pub mod site;
pub mod startup;
pub mod sys;
pub mod verdict;

/// This host's name, for the backend's system log.
pub fn host_name() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Seconds since 1970-01-01 UTC.
pub fn unix_time() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

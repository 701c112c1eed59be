//! The code that both SmartProxy daemons share.
//!
//! Reading order: `sys` (the only unsafe code), `text`, `x509`, `quota`, `check_interval`, `process`, `file`, `log`,
//! `net`, `ipc`, `link`, `oftp`, `session`, `identity`, `secret`, `config`, `state`, `report_interval`,
//! `partner_test`, `rpc`, `trust`. `sys` imports no sibling, `text` only `sys`, `oftp` only `text`.

#![warn(clippy::missing_errors_doc)]

pub mod check_interval;
pub mod config;
pub mod file;
pub mod identity;
pub mod ipc;
pub mod link;
pub mod log;
pub mod net;
pub mod oftp;
pub mod partner_test;
pub mod process;
pub mod quota;
pub mod report_interval;
pub mod rpc;
pub mod sandbox;
pub mod secret;
pub mod session;
pub mod state;
pub mod sys;
pub mod text;
pub mod trust;
pub mod x509;

use text::host::is_host_name;

/// This host's name, for the backend's system log; `unknown` if the host has none.
pub fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| is_host_name(name)).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::host_name;
    use crate::text::host::is_host_name;

    #[test]
    fn this_host_has_a_name() {
        assert!(is_host_name(&host_name()));
    }
}

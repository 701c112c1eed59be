//! What both SmartProxy daemons share.
//!
//! Reading order: `sys` (the only unsafe code), `process`, `file`, `log`, `net`, `ipc`, `link`, `oftp`, `session`, `config`,
//! `rpc`. `sys` and `oftp` import none of their siblings.

pub mod config;
pub mod file;
pub mod identity;
pub mod ipc;
pub mod link;
pub mod log;
pub mod net;
pub mod oftp;
pub mod process;
pub mod rpc;
pub mod secret;
pub mod session;
pub mod sys;

/// This host's name, for the backend's system log; `unknown` where the name is none.
pub fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| is_host_name(name)).unwrap_or_else(|| "unknown".to_owned())
}

/// Whether `text` can be the name of a host: 1 to 255 letters, digits, `.`, `_` or `-`, the first one no `-`.
pub fn is_host_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Seconds since 1970-01-01 UTC.
pub fn unix_time() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::{host_name, is_host_name};

    #[test]
    fn a_host_name_is_a_word_and_no_option() {
        assert!(is_host_name(&host_name()));
        for good in ["dmz", "DMZ-1.example.org", "7", "a_b", &"x".repeat(255)] {
            assert!(is_host_name(good), "{good}");
        }
        for bad in ["", "-dmz", "--config=/x", "a b", "a;b", "a\n", "m\u{fc}nchen", &"x".repeat(256)] {
            assert!(!is_host_name(bad), "{bad}");
        }
    }
}

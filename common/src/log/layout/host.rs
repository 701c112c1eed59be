//! The name of this host, for the layouts that go to other hosts. It is read once, at the start: a session child cannot
//! ask for it in its sandbox.

use std::sync::OnceLock;

static NAME: OnceLock<String> = OnceLock::new();

/// The name of this host; `-` if it has none that a log line can hold (RFC 5424 section 6.2.4).
pub(in crate::log) fn host_name() -> &'static str {
    NAME.get_or_init(|| {
        let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        name.filter(|name| is_printable(name)).unwrap_or_else(|| "-".to_owned())
    })
}

fn is_printable(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|octet| octet.is_ascii_graphic())
}

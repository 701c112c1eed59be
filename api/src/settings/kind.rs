//! The kinds of values that settings have: what each takes, its one spelling, and the words for it. Touches no table
//! and no database.

use crate::http::Target;
use crate::http::proxy::{FORM, Proxy};
use common::net::Network;
use common::text::host::is_host;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The allowed values of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole number; least, most.
    Number(u32, u32),
    /// `yes` or `no`.
    YesNo,
    /// An IP address of one host, or empty.
    Address,
    /// A host name or an IP address.
    Host,
    /// Addresses and networks, separated by commas, or empty.
    Networks,
    /// Paths in a URL, separated by commas, at least one; each begins with `/`.
    UrlPaths,
    /// An absolute path of a file, or empty.
    File,
    /// An HTTP proxy, or empty.
    Proxy,
    /// Hosts, addresses and networks, separated by commas, or empty.
    Hosts,
    /// `https://HOST:PORT`, without a path.
    HttpsUrl,
    /// A program or a URL that gets events, or empty.
    Event,
    /// A log level.
    Level,
    /// A secret that has a command of its own; the command.
    Secret(&'static str),
}

impl Kind {
    /// `text` in its one spelling, if this kind takes it.
    pub(super) fn canonical(self, text: &str) -> Option<String> {
        match self {
            Self::Number(least, most) => {
                let number: u32 = text.parse().ok()?;
                (least..=most).contains(&number).then(|| number.to_string())
            }
            Self::YesNo => yes_no(text).map(|yes| if yes { "yes" } else { "no" }.to_owned()),
            Self::Address if text.is_empty() => Some(String::new()),
            Self::Address => text.parse::<IpAddr>().ok().map(|address| address.to_canonical().to_string()),
            Self::Host => is_host(text).then(|| text.to_owned()),
            Self::Networks => {
                networks(text).map(|list| list.iter().map(Network::to_string).collect::<Vec<_>>().join(","))
            }
            Self::UrlPaths => {
                let mut paths: Vec<&str> = Vec::new();
                for path in text.split([',', ' ']).filter(|path| !path.is_empty()) {
                    if !is_url_path(path) {
                        return None;
                    }
                    // The same one twice would be no route.
                    if !paths.contains(&path) {
                        paths.push(path);
                    }
                }
                (!paths.is_empty()).then(|| paths.join(","))
            }
            Self::File => (text.is_empty() || text.starts_with('/')).then(|| text.to_owned()),
            Self::Proxy => (text.is_empty() || Proxy::parse(text).is_some()).then(|| text.to_owned()),
            Self::Hosts => {
                let is_one =
                    |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_*:/[]".contains(&b));
                let parts: Vec<&str> = text.split([',', ' ']).filter(|part| !part.is_empty()).collect();
                parts.iter().all(|part| is_one(part)).then(|| parts.join(","))
            }
            Self::HttpsUrl => {
                is_https_url(text.trim_end_matches('/')).then(|| text.trim_end_matches('/').to_owned())
            }
            Self::Event => (text.is_empty() || text.starts_with('/') || Target::parse(text).is_ok())
                .then(|| text.to_owned()),
            Self::Level => text.parse::<log::Level>().ok().map(|level| level.to_string()),
            Self::Secret(_) => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Self::YesNo => f.write_str("yes or no"),
            Self::Address => f.write_str("an IPv4 or IPv6 address, or nothing ('')"),
            Self::Host => f.write_str("a host name or an IP address"),
            Self::Networks => {
                f.write_str("addresses or networks (10.0.0.0/8), separated by commas, or nothing ('')")
            }
            Self::UrlPaths => f.write_str(
                "paths, separated by commas; each begins with '/' and has only letters, digits and . _ - /",
            ),
            Self::File => f.write_str("an absolute path, or nothing ('')"),
            Self::Proxy => write!(f, "{FORM}, or nothing ('')"),
            Self::Hosts => f.write_str(
                "names (with all below them), addresses or networks (10.0.0.0/8), separated by commas, '*' for all, or \
                 nothing ('')",
            ),
            Self::HttpsUrl => f.write_str("an https URL without a path, as https://panel.example:8444"),
            Self::Event => {
                f.write_str("an absolute path, an http or https URL without a user, or nothing ('')")
            }
            Self::Level => f.write_str("ERROR, WARN, INFO, DEBUG or TRACE"),
            Self::Secret(command) => write!(f, "what '{command}' makes"),
        }
    }
}

/// `yes` or `no` in the spellings that people use.
pub(crate) fn yes_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" | "on" | "1" => Some(true),
        "no" | "n" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// A list of networks; commas or spaces between.
pub(super) fn networks(text: &str) -> Option<Vec<Network>> {
    text.split([',', ' ']).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

fn is_https_url(text: &str) -> bool {
    let Some(place) = text.strip_prefix("https://") else { return false };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_named =
        bare.map_or_else(|| is_host(host) && !host.contains(':'), |bare| bare.parse::<Ipv6Addr>().is_ok());
    is_named && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_url_path(text: &str) -> bool {
    text.starts_with('/')
        && text.len() <= 200
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::{Kind, is_host, is_https_url};

    #[test]
    fn hosts_are_names_or_addresses() {
        for good in ["localhost", "a.b-c.example", "192.0.2.1", "::1", "station_1", "host."] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", ".", "a..b", "a b", "host:22", "192.0.2.256", "[::1]"] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn an_https_url_has_a_host_and_perhaps_a_port() {
        for good in ["https://h", "https://h.example:8444", "https://[::1]:1", "https://[2001:db8::1]"] {
            assert!(is_https_url(good), "{good}");
        }
        for bad in [
            "",
            "http://h",
            "https://",
            "https://h/p",
            "https://h:0",
            "https://u@h",
            "https://::1",
            "https://[h]",
        ] {
            assert!(!is_https_url(bad), "{bad}");
        }
    }

    #[test]
    fn kinds_say_what_they_take() {
        assert_eq!(Kind::Number(1, 5).to_string(), "a number from 1 to 5");
    }
}

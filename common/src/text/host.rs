//! Names of hosts and of clients, and the short names of partners, which a station may use in place of a host. Options,
//! settings, requests of stations and reports all use these rules. Never resolves a name.

use std::fmt;
use std::net::IpAddr;

/// Longest host name without its final dot, octets (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;
/// Longest part of a host name, octets (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;
/// Longest short name of a partner, octets.
const MAX_SHORT_NAME: usize = 32;
/// Longest name of a client, octets.
const MAX_CLIENT_NAME: usize = 64;

/// Whether `text` is an IPv4 or IPv6 address (without brackets) or can be a host name.
pub fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_host_name(text)
}

/// Whether `text` can be a host name (RFC 1123 section 2.1): labels of letters, digits, `-` and `_` with dots between
/// them, no `-` at the start or end of a label, an optional final dot. The RFC has no `_`, but it is used in practice.
pub fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    // Only digits and dots: a mistyped address.
    name.len() <= MAX_NAME
        && name.split('.').all(is_label)
        && !name.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.')
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether `text` can be the name of a client (`OS4X_CLIENT_NAME`): 1 to 64 letters, digits, `.`, `_` or `-`.
pub fn is_client_name(text: &str) -> bool {
    (1..=MAX_CLIENT_NAME).contains(&text.len()) && text.bytes().all(is_of_name)
}

fn is_of_name(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"._-".contains(&octet)
}

/// Whether `text` can be the short name of a partner: 1 to 32 letters, digits, `.`, `_` or `-`. The first character is
/// no `-`, so that no program mistakes it for an option.
pub fn is_short_name(text: &str) -> bool {
    (1..=MAX_SHORT_NAME).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(is_of_name)
}

/// Host and port as one word: `dmz:2878`, an IPv6 address in brackets.
pub fn with_port(host: &str, port: u16) -> impl fmt::Display {
    let bracketed = host.contains(':');
    fmt::from_fn(move |f| if bracketed { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") })
}

#[cfg(test)]
mod tests {
    use super::{is_host, is_host_name, is_short_name, with_port};

    #[test]
    fn a_port_is_told_from_an_address() {
        assert_eq!(with_port("dmz", 2878).to_string(), "dmz:2878");
        assert_eq!(with_port("192.0.2.1", 2878).to_string(), "192.0.2.1:2878");
        assert_eq!(with_port("::1", 2878).to_string(), "[::1]:2878");
    }

    #[test]
    fn a_host_is_an_address_or_a_name() {
        let longest =
            [&"a".repeat(63), ".", &"b".repeat(63), ".", &"c".repeat(63), ".", &"d".repeat(61)].concat();
        for name in ["dmz", "DMZ-1.example.org", "proxy.example.com.", "a_b.example", "7up", "1.de", &longest]
        {
            assert!(is_host(name) && is_host_name(name), "{name}");
        }
        for address in ["192.0.2.1", "::1", "2001:db8::7"] {
            assert!(is_host(address) && !is_host_name(address), "{address}");
        }
        let (long_name, long_label) = (format!("{longest}x"), "a".repeat(64));
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "-a",
            "a-",
            "a-.b",
            "--config=/x",
            "a b",
            "a/b",
            "a;b",
            "a\n",
            "user@host",
            "host:22",
            "[::1]",
            "192.0.2.256",
            "7",
            "1.2",
            "m\u{fc}nchen",
            &long_name,
            &long_label,
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn a_short_name_is_a_word_and_no_option() {
        for good in ["ACME", "acme-2", "4711", "a.b", "_", &"x".repeat(32)] {
            assert!(is_short_name(good), "{good}");
        }
        for bad in ["", "-acme", "a b", "a/b", "a:b", "\u{e4}", &"x".repeat(33)] {
            assert!(!is_short_name(bad), "{bad}");
        }
    }
}

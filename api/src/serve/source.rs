//! The address of a caller: the TCP peer or, behind a web server that the settings trust, the address in its
//! X-Forwarded-For. The header of an untrusted caller is ignored. Pure: headers and settings in, address out.

use axum::http::HeaderMap;
use common::net::{Network, normal};
use std::net::{IpAddr, SocketAddr};

const FORWARDED: &str = "x-forwarded-for";

/// The address of the caller, in its normal spelling. Each trusted server has appended the address that it saw, so the
/// list is read from its end, as far as it is trusted. An address that cannot be parsed ends the reading.
pub(crate) fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut source = normal(peer);
    let named: Vec<&str> = headers
        .get_all(FORWARDED)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(str::trim)
        .collect();
    for text in named.into_iter().rev() {
        if !is_trusted(source) {
            break;
        }
        let Some(address) = parse(text) else { break };
        source = normal(address);
    }
    source
}

/// An address; some servers add a port or brackets.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::address;
    use axum::http::HeaderMap;

    fn source(peer: &str, forwarded: &[&'static str], trusted: &str) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<_> = trusted.split_terminator(',').map(|text| text.parse().unwrap()).collect();
        address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_server_is_believed() {
        assert_eq!(source("192.0.2.1", &["198.51.100.7"], ""), "192.0.2.1");
        assert_eq!(source("::1", &["198.51.100.7"], "127.0.0.1"), "198.51.100.7");
        assert_eq!(source("::ffff:10.0.0.2", &["2001:db8::7"], "10.0.0.0/8"), "2001:db8::7");
    }

    #[test]
    fn the_list_is_read_from_its_end_as_far_as_it_is_trusted() {
        // The first value is the caller's own claim.
        assert_eq!(source("10.0.0.1", &["127.0.0.1, 203.0.113.5, 10.0.0.2"], "10.0.0.0/8"), "203.0.113.5");
        assert_eq!(source("10.0.0.1", &["127.0.0.1", "203.0.113.5"], "10.0.0.0/8"), "203.0.113.5");
        assert_eq!(source("10.0.0.1", &["203.0.113.5, nonsense"], "10.0.0.0/8"), "10.0.0.1");
    }

    #[test]
    fn ports_and_brackets_are_met_in_the_field() {
        assert_eq!(source("127.0.0.1", &["203.0.113.5:4711"], "127.0.0.1"), "203.0.113.5");
        assert_eq!(source("127.0.0.1", &["[2001:db8::1]:4711"], "127.0.0.1"), "2001:db8::1");
        assert_eq!(source("127.0.0.1", &["[::1]"], "127.0.0.1"), "127.0.0.1");
    }
}

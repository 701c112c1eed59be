//! The hosts that the panel accepts in a request: the host of `panel_url`, the names and addresses in its certificate
//! and in that of the API, and the address on which the connection arrived. Requests for other hosts are refused:
//! otherwise another site could let its own name resolve to our address (DNS rebinding), and its pages could read ours.

use crate::pki::ca::{hosts_of, is_name_of};
use crate::serve::tls::Side;
use std::net::IpAddr;
use tokio::sync::watch;

/// The host of an authority, without the port and without the brackets of an IPv6 address.
pub(super) fn of_authority(authority: &str) -> &str {
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let host = if port.bytes().all(|octet| octet.is_ascii_digit()) { host } else { authority };
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether the panel accepts requests for `host`; `sides` have the certificates.
pub(super) fn is_ours(host: &str, called: IpAddr, panel_url: &str, sides: &[watch::Receiver<Side>]) -> bool {
    let names = sides.iter().flat_map(|side| {
        let side = side.borrow();
        side.acceptor.context().certificate().map(|found| hosts_of(&found.to_owned())).unwrap_or_default()
    });
    is_among(host, called, panel_url, &names.collect::<Vec<_>>())
}

fn is_among(host: &str, called: IpAddr, panel_url: &str, of_certificate: &[String]) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        // DNS rebinding needs a name: no site can make an address lead to another host. The address must be the one on
        // which the connection arrived, or be in the certificate or in `panel_url`.
        return address.to_canonical() == called.to_canonical()
            || of_certificate.iter().any(|name| name.parse() == Ok(address))
            || of_authority(authority_of(panel_url)).parse() == Ok(address);
    }
    is_name_of(of_authority(authority_of(panel_url)), host)
        || of_certificate.iter().any(|name| is_name_of(name, host))
}

/// The part of an origin after its scheme: the host and the port.
pub(super) fn authority_of(origin: &str) -> &str {
    origin.split_once("://").map_or("", |(_, authority)| authority)
}

#[cfg(test)]
mod tests {
    use super::{is_among, of_authority};

    #[test]
    fn a_host_stands_before_its_port() {
        for (authority, host) in [
            ("h:8444", "h"),
            ("h", "h"),
            ("[::1]:8444", "::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("192.0.2.1:1", "192.0.2.1"),
        ] {
            assert_eq!(of_authority(authority), host);
        }
    }

    #[test]
    fn only_names_of_ours_and_the_address_that_was_called_are_ours() {
        let names = ["localhost".to_owned(), "192.0.2.7".to_owned(), "*.inside.example".to_owned()];
        let is_ours = |host: &str| is_among(host, [10, 0, 0, 1].into(), "https://panel.example:8444", &names);
        for host in ["LOCALHOST", "192.0.2.7", "10.0.0.1", "panel.example", "a.inside.example"] {
            assert!(is_ours(host), "{host}");
        }
        for host in ["", "evil.example", "10.0.0.2", "inside.example", "a.b.inside.example", "localhost.evil"]
        {
            assert!(!is_ours(host), "{host}");
        }
    }
}

//! Networks as an operator types them, and why one cannot be used: the reason, and the correct text. Pure.

use common::net::{Network, NetworkError};
use std::fmt;
use std::net::IpAddr;

/// Why a text is not a network that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetworkFault {
    /// The prefix is too short for the address.
    HostBits {
        /// The address.
        host: IpAddr,
        /// The network of this prefix that contains it.
        network: Network,
    },
    /// It contains every address, so it would restrict nothing.
    Everything,
    /// It is no network at all.
    Syntax(NetworkError),
}

impl fmt::Display for NetworkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostBits { host, network } => {
                write!(f, "it has host bits; {network} is the network, and {host} only this host")
            }
            Self::Everything => f.write_str("it is every address"),
            Self::Syntax(why) => why.fmt(f),
        }
    }
}

/// The network in `text`. One that contains every address is refused.
pub(crate) fn parse(text: &str) -> Result<Network, NetworkFault> {
    let network: Network =
        text.parse().map_err(|why| with_host_bits(text).unwrap_or(NetworkFault::Syntax(why)))?;
    if network.bits().0 == 0 { Err(NetworkFault::Everything) } else { Ok(network) }
}

/// The fault of an address with a prefix that is too short for it.
fn with_host_bits(text: &str) -> Option<NetworkFault> {
    let (address, prefix) = text.split_once('/')?;
    let (host, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
    // A mapped address is an IPv4 one, whose prefix is shorter by those bits.
    let (host, prefix) = match host.to_canonical() {
        mapped @ IpAddr::V4(_) if host.is_ipv6() => (mapped, prefix.checked_sub(96)?),
        other => (other, prefix),
    };
    Some(NetworkFault::HostBits { host, network: Network::around(host, prefix)? })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_is_refused_says_what_to_type_instead() {
        for (text, said) in [
            ("203.0.113.9/24", "203.0.113.0/24 is the network, and 203.0.113.9 only this host"),
            ("2001:db8::9/32", "2001:db8::/32 is the network"),
            ("::ffff:203.0.113.9/120", "203.0.113.0/24 is the network, and 203.0.113.9 only this host"),
            ("203.0.113.0/33", "a network is an address"),
            ("acme.example", "a network is an address"),
            ("", "a network is an address"),
            ("0.0.0.0/0", "it is every address"),
            ("::/0", "it is every address"),
            ("::ffff:0:0/96", "it is every address"),
        ] {
            let fault = parse(text).unwrap_err().to_string();
            assert!(fault.contains(said), "{text}: {fault}");
        }
    }

    #[test]
    fn a_network_has_one_spelling() {
        for (text, network) in [
            ("203.0.113.9", "203.0.113.9/32"),
            ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
            ("2001:DB8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), network);
        }
    }
}

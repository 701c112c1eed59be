//! Addresses as the backend and the daemons compare them: one spelling for each host, and networks in CIDR notation.
//! Used for the rows of clients, for the networks that may use their listeners, and for trusted web servers. Opens no
//! socket, resolves no name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// One spelling for each host: `::ffff:a.b.c.d` is `a.b.c.d`, and `::1` counts as `127.0.0.1`.
pub fn normal(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if v6.is_loopback() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        other => other,
    }
}

/// Non-public networks: this host, private networks, and addresses that no host may have (IANA's special-purpose
/// registries).
const NOT_PUBLIC: [&str; 20] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "::/3",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "4000::/2",
    "8000::/1",
];

/// Loopback (`::1` counts as 127.0.0.1) and private networks (RFC 1918, RFC 4193).
const PRIVATE: [&str; 5] = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// Loopback and private networks: they may use a client's listener if the backend's entry lists no others.
pub fn private_networks() -> Vec<Network> {
    PRIVATE.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Whether `address` belongs to the public Internet.
pub fn is_public(address: IpAddr) -> bool {
    let address = match normal(address) {
        // NAT64 (RFC 6052): the last four octets are the IPv4 address of the host.
        IpAddr::V6(v6) if v6.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::from([a, b, c, d])
        }
        other => other,
    };
    !NOT_PUBLIC.iter().any(|text| text.parse().is_ok_and(|network: Network| network.contains(address)))
}

/// The bits before the IPv4 address in `::ffff:a.b.c.d`.
const MAPPED: u8 = 96;

/// A network in CIDR notation; a bare address is a network of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkError;

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a network is an address, or an address/prefix without host bits, as 192.168.10.0/24 or fd00::/8",
        )
    }
}

impl std::error::Error for NetworkError {}

impl Network {
    /// The network of `host`, in any spelling, that has `prefix` bits; none if an address has fewer.
    pub fn around(host: IpAddr, prefix: u8) -> Option<Self> {
        let address = match normal(host) {
            IpAddr::V4(v4) => {
                let cut = 32_u32.checked_sub(prefix.into())?;
                let bits = u32::from(v4).checked_shr(cut).unwrap_or_default();
                IpAddr::V4(Ipv4Addr::from(bits.checked_shl(cut).unwrap_or_default()))
            }
            IpAddr::V6(v6) => {
                let cut = 128_u32.checked_sub(prefix.into())?;
                let bits = u128::from(v6).checked_shr(cut).unwrap_or_default();
                IpAddr::V6(Ipv6Addr::from(bits.checked_shl(cut).unwrap_or_default()))
            }
        };
        Some(Self { address, prefix })
    }

    /// The number of bits of the prefix, and of an address.
    pub fn bits(&self) -> (u8, u8) {
        (self.prefix, bits(self.address))
    }

    /// Whether the two networks have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// Whether `host`, in any spelling, is in this network.
    pub fn contains(&self, host: IpAddr) -> bool {
        Self::around(host, self.prefix).as_ref() == Some(self)
    }
}

impl From<IpAddr> for Network {
    /// The network with only this host.
    fn from(host: IpAddr) -> Self {
        let address = normal(host);
        Self { address, prefix: bits(address) }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let prefix = match prefix {
            None => bits(address),
            Some(prefix) => prefix.parse().map_err(|_| NetworkError)?,
        };
        // Hosts are compared in their normal spelling, so the network must use the same one.
        let (address, prefix) = match address {
            _ if prefix == bits(address) => (normal(address), bits(normal(address))),
            IpAddr::V6(v6) if prefix >= MAPPED => match v6.to_ipv4_mapped() {
                Some(v4) => (IpAddr::V4(v4), prefix - MAPPED),
                None => (address, prefix),
            },
            _ => (address, prefix),
        };
        let network = Self { address, prefix };
        // False if it has host bits, or a prefix longer than an address.
        if network.contains(address) { Ok(network) } else { Err(NetworkError) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::{NOT_PUBLIC, Network, PRIVATE, is_public, normal, private_networks};
    use std::net::IpAddr;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_spelling_of_a_host_is_one() {
        for (given, expected) in [
            ("::1", "127.0.0.1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("127.0.0.2", "127.0.0.2"),
        ] {
            assert_eq!(normal(ip(given)), ip(expected));
        }
    }

    #[test]
    fn networks_contain_their_hosts_only() {
        for (network, inside, outside) in [
            ("192.168.10.0/23", "192.168.11.255", "192.168.12.0"),
            ("10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2"),
            ("0.0.0.0/0", "255.255.255.255", "2001:db8::1"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::1", "127.0.0.1", "127.0.0.2"),
            ("::1/128", "::1", "::2"),
            ("::ffff:10.1.0.0/112", "10.1.2.3", "10.2.0.1"),
            ("::ffff:10.1.0.5/128", "10.1.0.5", "10.1.0.6"),
            ("::ffff:0:0/96", "192.0.2.1", "2001:db8::1"),
            ("127.0.0.0/8", "::1", "128.0.0.0"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.contains(ip(inside)), "{network} {inside}");
            assert!(!parsed.contains(ip(outside)), "{network} {outside}");
        }
    }

    #[test]
    fn a_network_around_a_host_has_no_host_bits() {
        for (host, prefix, network) in [
            ("203.0.113.77", 24, "203.0.113.0/24"),
            ("203.0.113.77", 32, "203.0.113.77"),
            ("203.0.113.77", 0, "0.0.0.0/0"),
            ("::ffff:203.0.113.77", 25, "203.0.113.0/25"),
            ("2001:db8:7fff::1", 33, "2001:db8::/33"),
            ("2001:db8::1", 128, "2001:db8::1"),
            ("2001:db8::1", 0, "::/0"),
        ] {
            assert_eq!(Network::around(ip(host), prefix), network.parse().ok(), "{host}");
        }
        assert_eq!(Network::around(ip("192.0.2.1"), 33), None);
        assert_eq!(Network::around(ip("2001:db8::1"), 129), None);
    }

    #[test]
    fn networks_overlap_if_one_is_in_the_other() {
        let overlap = |a: &str, b: &str| a.parse::<Network>().unwrap().overlaps(&b.parse().unwrap());
        assert!(overlap("10.0.0.0/8", "10.1.0.0/16") && overlap("10.1.0.0/16", "10.0.0.0/8"));
        assert!(!overlap("10.0.0.0/16", "10.1.0.0/16") && !overlap("0.0.0.0/0", "::/0"));
    }

    #[test]
    fn private_networks_are_those_of_a_site() {
        let all = private_networks();
        assert_eq!(all.len(), PRIVATE.len());
        let private = |text: &str| all.iter().any(|network| network.contains(ip(text)));
        for inside in
            ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.0.9", "::ffff:10.0.0.1", "fd12::1"]
        {
            assert!(private(inside), "{inside}");
        }
        for outside in ["172.32.0.1", "192.0.2.1", "2001:db8::1", "169.254.1.1", "fe80::1"] {
            assert!(!private(outside), "{outside}");
        }
    }

    #[test]
    fn addresses_outside_the_public_internet_are_recognised() {
        for text in NOT_PUBLIC {
            assert!(text.parse::<Network>().is_ok(), "{text}");
        }
        for public in
            ["9.255.255.255", "100.128.0.1", "172.32.0.1", "223.255.255.255", "2a00::1", "64:ff9b::808:808"]
        {
            assert!(is_public(ip(public)), "{public}");
        }
        for other in [
            "0.0.0.0",
            "127.0.0.1",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
        ] {
            assert!(!is_public(ip(other)), "{other}");
        }
    }

    #[test]
    fn a_text_that_is_no_network_is_refused() {
        for text in [
            "",
            "localhost",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "::ffff:10.0.0.1/104",
            "::ffff:10.0.0.1/129",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}

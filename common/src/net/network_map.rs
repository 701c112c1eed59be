//! Finds the networks that contain an address. The cost of a lookup depends on how many prefix lengths there are, not
//! on the number of networks, because strangers may cause many lookups. Opens no socket, resolves no name.

use super::network::Network;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Networks, each with a value.
#[derive(Debug, Clone)]
pub struct NetworkMap<V> {
    values: HashMap<Network, V>,
    /// The prefix lengths in use: bits of the prefix, and of an address.
    lengths: BTreeSet<(u8, u8)>,
}

impl<V> Default for NetworkMap<V> {
    fn default() -> Self {
        Self { values: HashMap::new(), lengths: BTreeSet::new() }
    }
}

impl<V> NetworkMap<V> {
    /// The values of the networks that contain `address`, the largest network first.
    pub fn holding(&self, address: IpAddr) -> impl Iterator<Item = &V> {
        self.lengths.iter().filter_map(move |(prefix, bits)| {
            let network = Network::around(address, *prefix)?;
            self.values.get(&network).filter(|_| network.bits().1 == *bits)
        })
    }

    /// Whether one of the networks contains `address`.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.holding(address).next().is_some()
    }
}

impl<V> FromIterator<(Network, V)> for NetworkMap<V> {
    fn from_iter<I: IntoIterator<Item = (Network, V)>>(networks: I) -> Self {
        let values: HashMap<Network, V> = networks.into_iter().collect();
        let lengths = values.keys().map(Network::bits).collect();
        Self { values, lengths }
    }
}

#[cfg(test)]
mod tests {
    use super::NetworkMap;
    use std::net::IpAddr;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_found_in_every_network_that_holds_it() {
        let texts = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "::/0"];
        let map: NetworkMap<&str> = texts.iter().map(|text| (text.parse().unwrap(), *text)).collect();
        for (address, networks) in [
            ("10.1.2.3", &["10.0.0.0/8", "10.1.0.0/16"][..]),
            ("::ffff:10.2.0.1", &["10.0.0.0/8"]),
            ("192.0.2.7", &["192.0.2.7"]),
            ("192.0.2.8", &[]),
            ("2001:db8:1::1", &["::/0", "2001:db8::/32"]),
            ("2a00::1", &["::/0"]),
            ("0.0.0.0", &[]),
        ] {
            let found: Vec<&str> = map.holding(ip(address)).copied().collect();
            assert_eq!(found, networks, "{address}");
            assert_eq!(map.holds(ip(address)), !networks.is_empty());
        }
        assert!(!NetworkMap::<()>::default().holds(ip("10.1.2.3")));
    }
}

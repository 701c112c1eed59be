//! What the configuration says about an address: it is banned, it belongs to a partner, or it is exempt from penalties.
//! Pure: addresses and times in, an answer out.

use common::config::{Partner, ProxyConfig};
use common::net::{Network, NetworkMap};
use std::collections::HashSet;
use std::net::IpAddr;

/// The lists of a checked configuration.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// Each ban has its last second, if it has an end.
    bans: NetworkMap<Option<i64>>,
    partners: NetworkMap<()>,
    /// Host names of partners for outgoing sessions.
    names: Vec<String>,
    /// The addresses of these names.
    resolved: HashSet<IpAddr>,
    exempt: Vec<Network>,
    balancers: Vec<Network>,
}

impl Addresses {
    pub(crate) fn of(config: &ProxyConfig) -> Self {
        let bans = config.bans.iter().filter_map(|ban| Some((ban.network.parse().ok()?, ban.until)));
        let partners = || config.partners.iter().filter(|partner| partner.enabled);
        let networks = |texts: &[String]| texts.iter().filter_map(|text| text.parse().ok()).collect();
        Self {
            bans: bans.collect(),
            partners: partners().flat_map(Partner::places).map(|network| (network, ())).collect(),
            names: partners().filter_map(Partner::name_to_call).map(str::to_owned).collect(),
            resolved: HashSet::new(),
            exempt: networks(&config.penalty_exempt),
            balancers: networks(&config.proxy_protocol_from),
        }
    }

    /// Bans with their ends, networks of partners, and exempt ones.
    #[cfg(test)]
    pub(crate) fn for_tests(bans: &[(&str, Option<i64>)], partners: &[&str], exempt: &[&str]) -> Self {
        Self {
            bans: bans.iter().map(|(text, until)| (text.parse().unwrap(), *until)).collect(),
            partners: partners.iter().map(|text| (text.parse().unwrap(), ())).collect(),
            exempt: exempt.iter().map(|text| text.parse().unwrap()).collect(),
            ..Self::default()
        }
    }

    /// Host names of partners for outgoing sessions.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Sets the current addresses of the names.
    pub(crate) fn set_resolved(&mut self, addresses: impl Iterator<Item = IpAddr>) {
        self.resolved = addresses.map(|address| address.to_canonical()).collect();
    }

    /// Whether `address` is refused at `time`, seconds since 1970-01-01 UTC.
    pub(crate) fn is_banned(&self, address: IpAddr, time: i64) -> bool {
        self.bans.holding(address).any(|until| until.is_none_or(|until| time <= until))
    }

    /// Whether a partner is listed with it: by a network, or by its host.
    pub(crate) fn is_listed(&self, address: IpAddr) -> bool {
        self.partners.holds(address) || self.resolved.contains(&address.to_canonical())
    }

    /// The same with a network of balancers.
    #[cfg(test)]
    pub(crate) fn with_balancers(self, network: &str) -> Self {
        Self { balancers: vec![network.parse().unwrap()], ..self }
    }

    /// Whether `address` is a balancer's (`tcp_proxy_protocol_from`): its connections begin with a PROXY header.
    pub(crate) fn is_balancer(&self, address: IpAddr) -> bool {
        self.balancers.iter().any(|network| network.contains(address))
    }

    /// Whether `address` gets no penalties (`proxy_penalty_exempt`).
    pub(crate) fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::Addresses;
    use common::config::Partner;
    use std::net::IpAddr;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn partner(host: Option<&str>, networks: &[&str]) -> Partner {
        Partner {
            host: host.map(str::to_owned),
            networks: networks.iter().map(|&text| text.to_owned()).collect(),
            ..Partner::new("acme", "O0013ACME")
        }
    }

    #[test]
    fn a_ban_holds_until_its_last_second_and_the_longest_one_counts() {
        let bans = [("203.0.113.0/24", Some(100)), ("203.0.113.7", Some(200)), ("2001:db8::/32", None)];
        let addresses = Addresses::for_tests(&bans, &[], &[]);
        for (address, time, banned) in [
            ("203.0.113.9", 100, true),
            ("203.0.113.9", 101, false),
            ("::ffff:203.0.113.7", 200, true),
            ("203.0.113.7", 201, false),
            ("203.0.114.7", 0, false),
            ("2001:db8:9::1", i64::MAX, true),
        ] {
            assert_eq!(addresses.is_banned(ip(address), time), banned, "{address} {time}");
        }
    }

    #[test]
    fn a_partner_is_listed_by_its_networks_and_by_an_address_to_call() {
        let listed = |host, networks: &[&str]| {
            let partner = partner(host, networks);
            partner.places().map(|network| network.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(listed(Some("acme.example"), &["203.0.113.0/24"]), ["203.0.113.0/24"]);
        assert_eq!(listed(Some("192.0.2.7"), &[]), ["192.0.2.7/32"]);
        assert_eq!(listed(Some("::ffff:192.0.2.7"), &[]), ["192.0.2.7/32"]);
        assert_eq!(listed(None, &[]), Vec::<String>::new());
    }

    #[test]
    fn a_partner_is_listed_at_the_addresses_of_its_name_once_they_are_known() {
        let mut addresses = Addresses::for_tests(&[], &["192.0.2.7"], &[]);
        assert!(!addresses.is_listed(ip("192.0.2.8")));
        addresses.set_resolved([ip("192.0.2.8"), ip("2001:db8::8")].into_iter());
        let listed = ["::ffff:192.0.2.8", "192.0.2.7", "2001:db8::8"];
        assert!(listed.iter().all(|text| addresses.is_listed(ip(text))));
        assert!(!addresses.is_listed(ip("2001:db8::9")));
        let name = |host| partner(host, &[]).name_to_call().map(str::to_owned);
        assert_eq!(
            [name(Some("acme.example")).as_deref(), name(Some("::1")).as_deref()],
            [Some("acme.example"), None]
        );
    }

    #[test]
    fn a_partner_without_networks_may_come_from_anywhere() {
        assert!(partner(None, &[]).may_come_from(ip("192.0.2.1")));
        let two = partner(None, &["203.0.113.0/24", "2001:db8::/32"]);
        assert!(two.may_come_from(ip("203.0.113.9")) && two.may_come_from(ip("2001:db8::9")));
        assert!(!two.may_come_from(ip("203.0.114.9")));
        assert!(!partner(None, &["garbage"]).may_come_from(ip("192.0.2.1")));
    }
}

//! Source addresses of outgoing sessions: they must be addresses of this host. If the global one is missing, the server
//! stops, as documented, as soon as this is noticed. If a partner's own address is missing, only that partner is
//! affected.

use crate::active_config::ActiveConfig;
use common::net;
use common::rpc::MAX_ADDRESSES;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use std::net::IpAddr;

/// The addresses of this host, for the backend, which warns of an outgoing address that no server has. Empty if the
/// system does not give them.
pub(super) fn of_this_host() -> Vec<IpAddr> {
    let all = getifaddrs().into_iter().flatten();
    let mut addresses: Vec<IpAddr> = all.filter_map(|interface| address(&interface)).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    addresses
}

fn address(interface: &InterfaceAddress) -> Option<IpAddr> {
    let address = interface.address.as_ref()?;
    let four = address.as_sockaddr_in().map(|four| four.ip().into());
    four.or_else(|| address.as_sockaddr_in6().map(|six| six.ip().into()))
}

/// Why the global address cannot be used, if it is configured and is not an address of this host.
pub(super) fn fault(wanted: Option<IpAddr>) -> Option<String> {
    let ip = wanted.filter(|ip| is_missing(*ip))?;
    Some(format!("the outgoing IP address {ip} is not an address of this host"))
}

/// The same for each partner that has its own address.
pub(super) fn partner_faults(config: &ActiveConfig) -> Vec<String> {
    let missing = config.outgoing_ips().filter(|(_, ip)| is_missing(*ip));
    let fault = |(partner, ip)| {
        format!(
            "the outgoing IP address {ip} of partner {} is not an address of this host: calls to it fail",
            common::log::escape(partner)
        )
    };
    missing.map(fault).collect()
}

/// An address that cannot be checked, for want of a descriptor for example, does not count as missing.
fn is_missing(ip: IpAddr) -> bool {
    net::is_own(ip).is_ok_and(|own| !own)
}

#[cfg(test)]
mod tests {
    use super::of_this_host;
    use std::net::Ipv4Addr;

    #[test]
    fn every_host_has_its_loopback_address() {
        assert!(of_this_host().contains(&Ipv4Addr::LOCALHOST.into()));
    }
}

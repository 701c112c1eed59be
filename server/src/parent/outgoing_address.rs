//! Where outgoing sessions come from: the configured addresses must be this host's. Without the global one the server
//! stops, as documented, whenever that is noticed; a partner's own concerns that partner alone.

use crate::active_config::ActiveConfig;
use common::net;
use std::net::IpAddr;

/// Why the global address cannot be used, if it is configured and is not an address of this host.
pub(super) fn fault(wanted: Option<IpAddr>) -> Option<String> {
    let ip = wanted.filter(|ip| is_missing(*ip))?;
    Some(format!("the outgoing IP address {ip} is not an address of this host"))
}

/// The same of each partner with an address of its own.
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

/// An address that could not be looked at, for want of a descriptor for example, does not count as missing.
fn is_missing(ip: IpAddr) -> bool {
    net::is_own(ip).is_ok_and(|own| !own)
}

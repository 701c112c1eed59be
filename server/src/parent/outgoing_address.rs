//! Where outgoing sessions come from: the configured addresses must be this host's. Without the global one the server
//! stops, as documented, whenever that is noticed; a partner's own concerns that partner alone.

use super::Parent;
use crate::active_config::ActiveConfig;
use common::net;
use common::process::startup::Finish;
use common::rpc::Level;
use std::net::IpAddr;

impl Parent {
    /// Whether the address in force is still here; without it this server stops.
    pub(super) fn check_source(&mut self) {
        let wanted = self.active.as_ref().and_then(|active| active.outgoing_ip);
        self.has_outgoing_ip(wanted);
    }

    /// Whether the global address is here, or none is wanted. If not, this server stops.
    pub(super) fn has_outgoing_ip(&mut self, wanted: Option<IpAddr>) -> bool {
        let Some(ip) = wanted.filter(|ip| is_missing(*ip)) else { return true };
        let reason = format!("the outgoing IP address {ip} is not an address of this host");
        self.report(Level::Error, "the outgoing IP address is not available on this host", &reason);
        self.stop = Some(Finish::Failed(reason));
        false
    }

    /// Tells of partners whose own address is not here; once for a generation.
    pub(super) fn tell_missing_sources(&mut self, active: &ActiveConfig) {
        if self.active.as_ref().is_some_and(|before| before.generation == active.generation) {
            return;
        }
        for (partner, ip) in active.outgoing_ips().filter(|(_, ip)| is_missing(*ip)) {
            let detail = format!(
                "the outgoing IP address {ip} of partner {} is not an address of this host: calls to it fail",
                common::log::escape(partner)
            );
            common::error!("{detail}");
            self.report(
                Level::Error,
                "a partner's outgoing IP address is not available on this host",
                &detail,
            );
        }
    }
}

/// An address that could not be looked at, for want of a descriptor for example, does not count as missing.
fn is_missing(ip: IpAddr) -> bool {
    net::is_own(ip).is_ok_and(|own| !own)
}

//! The destination of an outgoing session: only a partner of the table at its listed host and port, and no address on
//! this host or in its local network. The address that is checked is the one that is connected.

use super::requested::Requested;
use crate::messages::ToParent;
use crate::session::context::{Admission, SessionContext};
use crate::session::refusal::PendingRefusal;
use crate::session::refusal::Refusal;
use crate::session::stop::Stop;
use common::link::join::{self, Reached};
use common::net::{self, Conn, LookupError};
use common::partner_test::{TestRecord, TestStep};
use common::process::end_reasons::Status;
use common::sys;
use common::trust::partner_row::PartnerRow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

/// A partner that may be called, and the joined data connection.
pub(in crate::session) struct Chosen {
    pub(in crate::session) data: Conn,
    pub(in crate::session) partner: PartnerRow,
    /// Its host.
    pub(in crate::session) host: String,
}

impl Requested {
    /// Looks up the destination, and asks the parent whether there may be one more session.
    pub(in crate::session) fn choose(mut self, context: &mut SessionContext) -> Result<Chosen, Stop> {
        match self.look_up(context) {
            Ok((partner, host)) => Ok(Chosen { data: self.data, partner, host }),
            Err(refusal) => Err(refuse_station(context, self.data, refusal.into())),
        }
    }

    fn look_up(&mut self, context: &mut SessionContext) -> Result<(PartnerRow, String), Refusal> {
        let partner = context
            .active
            .destination(&self.target)
            .map_err(|why| {
                Refusal::new(Status::Destination, format!("{}: {why}", self.target)).notify_operator()
            })?
            .clone();
        context.facts.partner.clone_from(&partner.short_name);
        context.facts.ssid.clone_from(&partner.ssid);
        sys::set_title(&format!("outgoing {} {}", self.target, partner.ssid));
        partner.check_enabled()?;
        let Some(host) = partner.host.clone() else {
            let detail = format!("the partner {} has no host to connect to", partner.short_name);
            return Err(Refusal::new(Status::Destination, detail).notify_operator());
        };
        admission(context, &partner)?;
        Ok((partner, host))
    }
}

/// Asks the parent whether there may be one more outgoing session.
fn admission(context: &mut SessionContext, partner: &PartnerRow) -> Result<(), Refusal> {
    context.send_to_parent(&ToParent::Partner { name: partner.short_name.clone() });
    let deadline = Some(Instant::now() + join::TIME_LIMIT);
    loop {
        context.read_parent()?;
        match context.admission {
            Admission::Admitted => return Ok(()),
            Admission::Full(limit) => {
                return Err(Refusal::new(Status::Capacity, limit.detail()).notify_operator());
            }
            Admission::Unlicensed => {
                return Err(
                    Refusal::new(Status::Licence, "the server's licence has expired").notify_operator()
                );
            }
            Admission::Draining(cause) => {
                let detail = format!("the server takes no new sessions: {cause}");
                return Err(Refusal::new(Status::Draining, detail));
            }
            Admission::Open if context.parent_gone => {
                // The parent has retired this pair at the moment when it was needed, or is gone.
                return Err(Refusal::new(Status::Retired, "the pair was retired before its station came"));
            }
            Admission::Open => context.wait(deadline).map_err(Refusal::interrupted)?,
        }
    }
}

/// The addresses of the partner's host that may be called, looked up once.
pub(in crate::session) fn addresses(
    context: &mut SessionContext,
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, Refusal> {
    let found = net::resolve(&mut context.waiter, host, port, deadline).map_err(|e| unreached(host, e))?;
    let (good, bad): (Vec<SocketAddr>, Vec<SocketAddr>) =
        found.into_iter().partition(|address| context.active.allow_local || is_outside(address.ip()));
    match bad.first() {
        Some(address) if good.is_empty() => {
            let detail = format!(
                "{host} is {}, a local address: partners may only have one if proxy_outgoing_allow_local is set",
                address.ip()
            );
            Err(Refusal::new(Status::Destination, detail).notify_operator())
        }
        _ => Ok(good),
    }
}

/// Why the host could not be reached.
pub(in crate::session) fn unreached(host: &str, e: LookupError) -> Refusal {
    match e {
        LookupError::Interrupted(net::Interrupted::Late) => {
            Refusal::new(Status::Timeout, format!("{host} was not found in time")).notify_operator()
        }
        LookupError::Interrupted(e) => Refusal::interrupted(e),
        LookupError::Unreachable(_, ref cause) if cause.kind() == std::io::ErrorKind::TimedOut => {
            Refusal::new(Status::Timeout, e.to_string()).notify_operator()
        }
        // The fault is on our side, not on the partner's.
        e @ LookupError::Source(..) => Refusal::new(Status::OutgoingIp, e.to_string()).notify_operator(),
        e => Refusal::new(Status::PartnerDown, e.to_string()).notify_operator(),
    }
}

/// Tells the client's child, and through it the station, the reason. Then closes the partner's connection, which may
/// take some seconds.
pub(in crate::session) fn refuse_station(
    context: &mut SessionContext,
    mut data: Conn,
    pending: PendingRefusal,
) -> Stop {
    let Refusal { status, ref detail, .. } = pending.refusal;
    let steps = failed_step(context, status, detail);
    let answer = Reached::Failed { word: status.word().to_owned(), reason: detail.clone(), steps };
    if join::send(&mut data, &answer).is_ok() {
        context.close(data);
    }
    let refusal = pending.part(context);
    // Another pair serves the station: this one has nothing to report.
    if refusal.status == Status::Retired { Stop::Unused(Status::Retired) } else { refusal.into() }
}

/// The steps of a test, the failed one last; none if this is no test.
fn failed_step(context: &mut SessionContext, status: Status, detail: &str) -> Vec<TestStep> {
    if context.record.as_ref().is_some_and(TestRecord::is_before_certificate)
        && context.active.seen.facts().fault.is_some()
    {
        // The handshake had reached the check of the partner's certificate.
        context.pass_step(|context| context.facts.tls.clone());
    }
    let record = context.record.take();
    record.map(|mut record| record.fail(status, detail.to_owned(), Instant::now())).unwrap_or_default()
}

/// Whether this address is outside of this host and its link, and no multicast group.
fn is_outside(address: IpAddr) -> bool {
    let local = match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4 == Ipv4Addr::BROADCAST
                || v4.octets().first() == Some(&0)
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local() || v6.is_multicast()
        }
    };
    // If this cannot be checked, the address counts as one of this host.
    !local && net::is_own(address).is_ok_and(|own| !own)
}

#[cfg(test)]
mod tests {
    use super::is_outside;

    #[test]
    fn local_addresses_are_no_partners() {
        for local in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_outside(local.parse().unwrap()), "{local}");
        }
        for outside in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"] {
            assert!(is_outside(outside.parse().unwrap()), "{outside}");
        }
    }
}

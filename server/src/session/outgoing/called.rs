//! The call to a partner: from the right source address, under TLS unless the table says plain, its certificate
//! checked, its first message read. Only then is the station told that it is connected.

use super::chosen::{Chosen, addresses, refuse_station, unreached};
use crate::session::context::SessionContext;
use crate::session::handshake;
use crate::session::refusal::PendingRefusal;
use crate::session::refusal::Refusal;
use crate::session::refusal::Stop;
use crate::session::relay::{Attached, First};
use crate::session::tls_refusal;
use common::config::CertificateRule;
use common::link::join::{self, Open, Reached};
use common::net::{self, Conn, Interrupted, Read, Wire};
use common::oftp::{self, EsidReason};
use common::process::status::Status;
use common::session::greeting::{Greeting, Progress};
use common::session::inspector::Inspector;
use common::session::relay;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslRef};
use std::net::IpAddr;
use std::time::{Duration, Instant};

impl Chosen {
    /// Connects and verifies; ready to relay once the partner has sent its first message.
    pub(in crate::session) fn call(mut self, context: &mut SessionContext) -> Result<Attached, Stop> {
        let profile = self.partner.profile.but_for(self.partner.allow);
        let mut inspector = Inspector::new(profile, context.active.limits.idle_commands, relay::Side::Inner);
        inspector.restrict(&self.partner.files);
        if self.partner.check_ssid {
            inspector.expect(&self.partner.ssid);
        }
        let (conn, first) = match self.reach(context, &mut inspector) {
            Ok(reached) => reached,
            Err(pending) => return Err(refuse_station(context, self.data, pending)),
        };
        let answer = Reached::Ready(Open {
            address: context.facts.address(),
            partner: self.partner.short_name.clone(),
            ssid: self.partner.ssid.clone(),
            profile: self.partner.profile,
            allow: self.partner.allow,
        });
        if let Err(e) = join::send(&mut self.data, &answer) {
            let refusal = Refusal::new(Status::LinkBroke, e.to_string());
            return Err(take_leave(conn, &inspector, refusal).part(context).into());
        }
        Ok(Attached { conn, data: self.data, inspector, first: First::Waiting(first) })
    }

    /// The partner, verified, and its first message.
    fn reach(
        &mut self,
        context: &mut SessionContext,
        inspector: &mut Inspector,
    ) -> Result<(Conn, Vec<u8>), PendingRefusal> {
        let mut conn = self.connect(context)?;
        match self.greeting(context, &mut conn, inspector) {
            Ok(first) => Ok((conn, first)),
            Err(refusal) => Err(take_leave(conn, inspector, refusal)),
        }
    }

    /// TCP, then TLS if the partner has it.
    fn connect(&mut self, context: &mut SessionContext) -> Result<Conn, PendingRefusal> {
        let limit = Duration::from_secs(u64::from(context.active.limits.handshake_seconds));
        let deadline = Instant::now() + limit;
        let addresses = addresses(context, &self.host, self.partner.port, deadline)?;
        let source = self.partner.outgoing_ip.or(context.active.outgoing_ip);
        let mut wire = net::connect(&mut context.waiter, &addresses, source, deadline)
            .map_err(|e| unreached(&self.host, e))?;
        net::keepalive(wire.socket()).map_err(|e| Refusal::internal(&e))?;
        context.facts.peer = wire.socket().peer_addr().ok();
        if !self.partner.tls {
            let mut conn = Conn::Plain(wire);
            handshake::forget_key(&mut conn, context);
            return Ok(conn);
        }
        self.encrypt(context, wire)
    }

    fn encrypt(&self, context: &mut SessionContext, wire: Wire) -> Result<Conn, PendingRefusal> {
        let pinned = self.partner.certificate == CertificateRule::Pinned;
        let ssl = self.connect_state(context, !pinned).map_err(|e| Refusal::internal(&e))?;
        // The operator is notified: the partner table says that this partner can be verified.
        let conn = handshake::run(context, ssl, wire)
            .map_err(|pending| PendingRefusal { refusal: pending.refusal.notify_operator(), ..pending })?;
        let certificate = conn.ssl().and_then(SslRef::peer_certificate);
        if pinned && !certificate.is_some_and(|shown| context.active.is_pinned(&self.partner, &shown)) {
            let detail = "its certificate is none of the partner's pinned ones";
            let refusal = Refusal::new(Status::NotThisPartner, detail).notify_operator();
            return Err(PendingRefusal { refusal, conn: Some(Box::new(conn)) });
        }
        match tls_refusal::check_partner(context, &conn, &self.partner) {
            Ok(()) => Ok(conn),
            Err(refusal) => Err(PendingRefusal { refusal, conn: Some(Box::new(conn)) }),
        }
    }

    /// TLS as the side that connects; `named`: the certificate must be for the partner's host.
    fn connect_state(&self, context: &SessionContext, named: bool) -> Result<Ssl, ErrorStack> {
        let active = &context.active;
        let mut ssl = Ssl::new(active.tls_towards(&self.partner))?;
        if let Some(credentials) = &active.credentials {
            credentials.show_on(&mut ssl)?;
        }
        ssl.set_connect_state();
        // The dot at the end of a name is DNS's alone (RFC 6066 §3, RFC 6125 §6.2).
        let host = self.host.trim_end_matches('.');
        let address = host.parse::<IpAddr>();
        if address.is_err() {
            ssl.set_hostname(host)?;
        }
        match address {
            _ if !named => {}
            Ok(address) => ssl.param_mut().set_ip(address)?,
            Err(_) => ssl.param_mut().set_host(host)?,
        }
        Ok(ssl)
    }

    /// The partner's first message: SSRM, or an ESID that says why not. It goes to the station first.
    fn greeting(
        &mut self,
        context: &mut SessionContext,
        conn: &mut Conn,
        inspector: &mut Inspector,
    ) -> Result<Vec<u8>, Refusal> {
        let limit = context.active.limits.ssid_seconds;
        let deadline = Some(Instant::now() + Duration::from_secs(u64::from(limit)));
        let mut greeting = Greeting::default();
        loop {
            match greeting.step(conn, inspector, oftp::Side::Responder).map_err(|v| Refusal::violation(&v))? {
                Progress::Message(first) => return Ok(first),
                Progress::Ended { how, tls } => {
                    let detail = format!("the partner {how} before its SSRM");
                    // In TLS 1.3 a partner that refuses our certificate says so after the handshake.
                    let status = if tls { Status::Tls } else { Status::PartnerBroke };
                    return Err(Refusal::new(status, detail).notify_operator());
                }
                Progress::TooMuch => {
                    let detail = "the partner sent more before it had an SSID (RFC 5024 §9.3)";
                    let refusal = Refusal::new(Status::PartnerViolation, detail).notify_operator();
                    return Err(Refusal { esid: Some(EsidReason::ProtocolViolation), ..refusal });
                }
                Progress::Nothing => {}
            }
            self.station_waits()?;
            match context.wait(deadline) {
                Ok(()) => {}
                Err(Interrupted::Late) => {
                    let detail = format!("the partner sent no SSRM within {limit} s");
                    let refusal = Refusal::new(Status::Timeout, detail).notify_operator();
                    return Err(Refusal { esid: Some(EsidReason::TimeOut), ..refusal });
                }
                Err(e) => return Err(Refusal::interrupted(e)),
            }
        }
    }

    /// The client's child has to wait; if it ends, the station is gone.
    fn station_waits(&mut self) -> Result<(), Refusal> {
        match self.data.read(&mut [0]) {
            Read::Blocked => Ok(()),
            Read::Octets(_) => {
                Err(Refusal::new(Status::LinkBroke, "the client's session process sent before its time"))
            }
            Read::Clean | Read::Broken(_) => {
                Err(Refusal::new(Status::StationBroke, "the station is gone before the partner answered"))
            }
        }
    }
}

/// Sends the partner the refusal's ESID, if it has one.
fn take_leave(mut conn: Conn, inspector: &Inspector, refusal: Refusal) -> PendingRefusal {
    if let Some(reason) = refusal.esid {
        // If this fails the partner is gone, and the log line has the reason.
        let _ = conn.write(&inspector.esid(reason)).and_then(|_| conn.drain());
    }
    PendingRefusal { refusal, conn: Some(Box::new(conn)) }
}

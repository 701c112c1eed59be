//! The connection to a partner: from the right source address, with TLS unless the table says plain, the certificate
//! checked, the first message read. Only then the station is told that it is connected.

use super::chosen::{Chosen, addresses, refuse_station, unreached};
use crate::session::context::SessionContext;
use crate::session::handshake;
use crate::session::refusal::PendingRefusal;
use crate::session::refusal::Refusal;
use crate::session::relay::{Attached, First};
use crate::session::stop::Stop;
use crate::session::tls_refusal;
use common::link::join::{self, Answered, Open, Reached};
use common::net::{self, Conn, Interrupted, Read, Wire};
use common::oftp::{self, EsidReason};
use common::partner_test::{TestRecord, TestStep};
use common::process::end_reasons::Status;
use common::session::greeting::{Greeting, Progress};
use common::session::inspector::Inspector;
use common::session::relay;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslRef};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

impl Chosen {
    /// Connects and verifies; ready to relay once the partner has sent its first message.
    pub(in crate::session) fn call(mut self, context: &mut SessionContext) -> Result<Attached, Stop> {
        let profile = self.partner.profile.allowing(self.partner.allow);
        let mut inspector = Inspector::new(profile, context.active.limits.idle_commands, relay::Side::Inner);
        inspector.restrict(&self.partner.files);
        if self.partner.check_ssid {
            inspector.expect(&self.partner.ssid);
        }
        let (conn, first) = match self.reach(context, &mut inspector) {
            Ok(reached) => reached,
            Err(pending) => return Err(refuse_station(context, self.data, pending)),
        };
        let steps = last_step(context, &inspector);
        let open = Open {
            address: context.facts.address(),
            partner: self.partner.short_name.clone(),
            ssid: self.partner.ssid.clone(),
            profile: self.partner.profile,
            allow: self.partner.allow,
            ..Open::default()
        };
        let answer = Reached::Ready(Answered { open, steps });
        if let Err(e) = join::send(&mut self.data, &answer) {
            let refusal = Refusal::new(Status::LinkBroke, e.to_string());
            return Err(send_esid(conn, &inspector, refusal).part(context).into());
        }
        Ok(Attached { conn, data: self.data, inspector, first: First::Waiting(first) })
    }

    /// Connects to the partner, verifies it, and reads its first message.
    fn reach(
        &mut self,
        context: &mut SessionContext,
        inspector: &mut Inspector,
    ) -> Result<(Conn, Vec<u8>), PendingRefusal> {
        let mut conn = self.connect(context)?;
        match self.greeting(context, &mut conn, inspector) {
            Ok(first) => Ok((conn, first)),
            Err(refusal) => Err(send_esid(conn, inspector, refusal)),
        }
    }

    /// TCP, then TLS unless the partner has none.
    fn connect(&mut self, context: &mut SessionContext) -> Result<Conn, PendingRefusal> {
        context.record = context.facts.is_test.then(|| TestRecord::begin(Instant::now()));
        let limit = Duration::from_secs(u64::from(context.active.limits.handshake_seconds));
        let deadline = Instant::now() + limit;
        let addresses = addresses(context, &self.host, self.partner.port, deadline)?;
        context.pass_step(|_| found(&self.host, &addresses));
        let source = self.partner.outgoing_ip.or(context.active.outgoing_ip);
        let mut wire = net::connect(&mut context.waiter, &addresses, source, deadline)
            .map_err(|e| unreached(&self.host, e))?;
        net::keepalive(wire.socket())
            .and_then(|()| context.close_sandbox())
            .map_err(|e| Refusal::internal(&e))?;
        context.facts.peer = wire.socket().peer_addr().ok();
        let own = wire.socket().local_addr().map(|own| format!(", from {}", own.ip())).unwrap_or_default();
        context.pass_step(|context| format!("connected to {}{own}", context.facts.address()));
        if !self.partner.tls {
            context.pass_step(|_| "it is called without TLS (--tls no)".to_owned());
            context.pass_step(|_| "without TLS it shows none".to_owned());
            let mut conn = Conn::Plain(wire);
            handshake::forget_key(&mut conn, context);
            return Ok(conn);
        }
        self.encrypt(context, wire)
    }

    fn encrypt(&self, context: &mut SessionContext, wire: Wire) -> Result<Conn, PendingRefusal> {
        let ssl =
            self.connect_state(context, !self.partner.is_pinned()).map_err(|e| Refusal::internal(&e))?;
        // The operator is notified, because the partner table says that this partner can be verified.
        let conn = handshake::run(context, ssl, wire)
            .map_err(|pending| PendingRefusal { refusal: pending.refusal.notify_operator(), ..pending })?;
        let certificate = conn.ssl().and_then(SslRef::peer_certificate);
        let suite = tls_refusal::check_suite(&conn, &self.partner);
        if suite.is_ok() {
            context.pass_step(|context| context.facts.tls.clone());
        }
        let admitted = self.partner.admit_called(certificate.as_deref(), &context.active.seen);
        match admitted.map_err(Refusal::from).and(suite) {
            Ok(()) => {
                context.pass_step(|context| described(context, &conn));
                Ok(conn)
            }
            Err(refusal) => Err(PendingRefusal { refusal, conn: Some(Box::new(conn)) }),
        }
    }

    /// TLS for the connecting side; `named`: the certificate must be valid for the partner's host.
    fn connect_state(&self, context: &SessionContext, named: bool) -> Result<Ssl, ErrorStack> {
        let active = &context.active;
        let mut ssl = Ssl::new(active.tls_towards(&self.partner))?;
        if let Some(credentials) = &active.credentials {
            credentials.show_on(&mut ssl)?;
        }
        ssl.set_connect_state();
        // A final dot of a name is only for DNS (RFC 6066 §3, RFC 6125 §6.2).
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

    /// The partner's first message: SSRM, or an ESID with the reason. It is the first message for the station.
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
                    let detail = "the partner sent more data before it had an SSID (RFC 5024 §9.3)";
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

    /// The client's child must wait; if it ends, the station is gone.
    fn station_waits(&mut self) -> Result<(), Refusal> {
        match self.data.read(&mut [0]) {
            Read::Blocked => Ok(()),
            Read::Octets(_) => {
                Err(Refusal::new(Status::LinkBroke, "the client's session process sent data too early"))
            }
            Read::Clean | Read::Broken(_) => {
                Err(Refusal::new(Status::StationBroke, "the station is gone before the partner answered"))
            }
        }
    }
}

/// The addresses of a name, as text.
fn found(host: &str, addresses: &[SocketAddr]) -> String {
    if host.parse::<IpAddr>().is_ok() {
        return format!("{host} is an address");
    }
    let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    format!("{host} is {}", addresses.join(", "))
}

/// A description of the certificates that the partner has shown.
fn described(context: &SessionContext, conn: &Conn) -> String {
    let chain = conn.ssl().and_then(SslRef::verified_chain);
    chain.map(|chain| context.active.describe(chain)).unwrap_or_default()
}

/// The steps of a test whose partner has answered, by its SSRM or by an ESID with the reason.
fn last_step(context: &mut SessionContext, inspector: &Inspector) -> Vec<TestStep> {
    let refused = inspector.ended().map(|(_, reason)| {
        format!("it answers with ESID {} in place of its SSRM: {}", reason.code(), reason.name())
    });
    match (refused, context.record.take()) {
        (_, None) => Vec::new(),
        (Some(detail), Some(mut record)) => record.fail(Status::ErrorEsid, detail, Instant::now()),
        (None, Some(mut record)) => {
            record.pass("it has sent its SSRM".to_owned(), Instant::now());
            record.take()
        }
    }
}

/// Sends the partner the refusal's ESID, if it has one.
fn send_esid(mut conn: Conn, inspector: &Inspector, refusal: Refusal) -> PendingRefusal {
    if let Some(reason) = refusal.esid {
        // If this fails the partner is gone, and the log line has the reason.
        let _ = conn.write(&inspector.esid(reason)).and_then(|_| conn.drain());
    }
    PendingRefusal { refusal, conn: Some(Box::new(conn)) }
}

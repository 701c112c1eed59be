//! The child acts for the station: it sends SSRM, reads the partner's SSID, and checks whether the certificate may be
//! used for that SSIDCODE. Meanwhile the pair joins, so the join takes no extra time.

use super::greeted::Greeted;
use crate::messages::ToParent;
use crate::session::context::{Admission, Data, SessionContext};
use crate::session::refusal::Refusal;
use crate::session::stop::Stop;
use crate::session::tls_refusal;
use common::link::join;
use common::link::session_id::SessionId;
use common::net::{Conn, Interrupted};
use common::oftp::{self, EsidReason, Profile, Side};
use common::process::end_reasons::Status;
use common::session::greeting::{Greeting, Progress};
use common::session::inspector::Inspector;
use common::session::relay;
use openssl::x509::X509;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A partner with TLS; its certificate is verified if one is required.
pub(in crate::session) struct Encrypted {
    pub(in crate::session) conn: Conn,
    pub(in crate::session) certificate: Option<X509>,
    /// Whether some partner may have this certificate.
    pub(in crate::session) candidate: bool,
}

impl Encrypted {
    /// Sends SSRM, reads the SSID, and identifies the partner.
    pub(in crate::session) fn greet(mut self, context: &mut SessionContext) -> Result<Greeted, Stop> {
        let mut inspector =
            Inspector::new(Profile::TOLERANT, context.active.limits.idle_commands, relay::Side::Outer);
        let mut join = Join::new();
        let ssid = match self.exchange(context, &mut inspector, &mut join) {
            Ok(ssid) => ssid,
            Err(refusal) => return Err(self.refuse(context, &inspector, refusal).into()),
        };
        if let Err(refusal) = self.identify(context, &mut inspector, &ssid) {
            return Err(self.refuse(context, &inspector, refusal).into());
        }
        match finish_join(context, join) {
            Ok(data) => Ok(Greeted { conn: self.conn, data, inspector, ssid }),
            Err(refusal) => Err(self.refuse(context, &inspector, refusal).into()),
        }
    }

    /// Sends SSRM; returns the octets of the SSID, checked.
    fn exchange(
        &mut self,
        context: &mut SessionContext,
        inspector: &mut Inspector,
        join: &mut Join,
    ) -> Result<Vec<u8>, Refusal> {
        let limit = context.active.limits.ssid_seconds;
        let deadline = Instant::now() + Duration::from_secs(u64::from(limit));
        inspector.pass(Side::Responder, &oftp::SSRM).map_err(|v| Refusal::internal(&v))?;
        self.conn.write(&oftp::SSRM).map_err(|e| Refusal::internal(&e))?;
        let mut greeting = Greeting::default();
        loop {
            context.read_parent()?;
            self.conn.drain().map_err(|e| gone(&e))?;
            match greeting
                .step(&mut self.conn, inspector, Side::Initiator)
                .map_err(|v| Refusal::violation(&v))?
            {
                Progress::Message(_) if inspector.ended().is_some() => {
                    return Err(Refusal::new(Status::ErrorEsid, "the partner sent ESID instead of SSID"));
                }
                Progress::Message(ssid) => return Ok(ssid),
                // Half duplex: the Initiator may send nothing until it has our SSID.
                Progress::TooMuch => return Err(eager()),
                Progress::Ended { how, .. } => {
                    return Err(Refusal::new(Status::NoSsid, format!("the partner {how} before its SSID")));
                }
                Progress::Nothing => {}
            }
            join.advance(context, self.candidate && self.certificate.is_some())?;
            match context.wait(Some(deadline)) {
                Ok(()) => {}
                Err(Interrupted::Late) => {
                    let refusal = Refusal::new(Status::Timeout, format!("no SSID within {limit} s"));
                    return Err(Refusal { esid: Some(EsidReason::TimeOut), ..refusal });
                }
                Err(e) => return Err(Refusal::closing_down(e)),
            }
        }
    }

    /// Looks up the SSIDCODE in the partner table and checks the certificate by the partner's `CertificateRule`.
    fn identify(
        &mut self,
        context: &mut SessionContext,
        inspector: &mut Inspector,
        ssid: &[u8],
    ) -> Result<(), Refusal> {
        let code = inspector.ssid_code(Side::Initiator).unwrap_or_default();
        context.facts.ssid.clone_from(&code);
        let Some(partner) = context.active.partner(&code).cloned() else {
            let refusal = Refusal::new(Status::UnknownPartner, "this SSIDCODE is not in the partner table");
            return Err(Refusal { esid: Some(EsidReason::UserCodeNotKnown), ..refusal.notify_operator() });
        };
        context.facts.partner.clone_from(&partner.short_name);
        inspector.restrict(&partner.files);
        let address = context.facts.peer.map(|peer| peer.ip());
        let (required, seen) = (context.active.client_certificate, &context.active.seen);
        let admitted = partner.admit(self.certificate.as_deref(), required, address, seen);
        let checked = admitted.map_err(Refusal::from);
        if let Err(refusal) = checked.and_then(|()| tls_refusal::check_suite(&self.conn, &partner)) {
            let esid = match refusal.status {
                Status::Disabled => EsidReason::UnspecifiedAbort,
                _ => EsidReason::UserCodeNotKnown,
            };
            return Err(Refusal { esid: Some(esid), ..refusal });
        }
        let profile = partner.profile.allowing(partner.allow);
        inspector.set_profile(profile, ssid).map_err(|v| Refusal::violation(&v))?;
        common::sys::set_title(&format!(
            "incoming {} {code}",
            context.facts.peer.map(|peer| peer.ip().to_string()).unwrap_or_default()
        ));
        if self.certificate.is_none() {
            context.send_to_parent(&ToParent::Verified);
        }
        context.send_to_parent(&ToParent::Partner { name: partner.short_name.clone() });
        Ok(())
    }

    /// Sends the partner an ESID in the layout of its level, and closes once it is sent.
    fn refuse(mut self, context: &mut SessionContext, inspector: &Inspector, refusal: Refusal) -> Refusal {
        if let Some(reason) = refusal.esid {
            // If this fails the partner is gone, and the log line has the reason.
            let _ = self.conn.write(&inspector.esid(reason));
        }
        context.close(self.conn);
        refusal
    }
}

/// Joins the pair, and asks the parent whether this partner may have one more session.
fn finish_join(context: &mut SessionContext, mut join: Join) -> Result<Conn, Refusal> {
    // Enough time for a second attempt.
    let deadline = Instant::now() + 2 * join::TIME_LIMIT;
    loop {
        context.read_parent()?;
        join.advance(context, true)?;
        match context.admission {
            Admission::Full(limit) => {
                let refusal = Refusal::new(Status::Capacity, limit.detail());
                return Err(Refusal { esid: Some(EsidReason::ResourcesNotAvailable), ..refusal });
            }
            Admission::Unlicensed => return Err(Refusal::new(Status::Licence, "the licence has expired")),
            Admission::Admitted if matches!(join.stage, Stage::Done(_)) => {}
            _ if context.parent_gone => return Err(no_client("the server has ended")),
            _ => {
                match context.wait(Some(deadline)) {
                    Ok(()) => {}
                    Err(Interrupted::Late) => return Err(no_client("no data connection in time")),
                    Err(e) => return Err(Refusal::closing_down(e)),
                }
                continue;
            }
        }
        if let Stage::Done(conn) = join.stage {
            return Ok(*conn);
        }
    }
}

/// The progress of the join.
struct Join {
    stage: Stage,
    /// The first data connection could not be used; there is one more attempt.
    tried: bool,
}

enum Stage {
    /// Not begun: there is no data connection yet, or the partner is not verified.
    Waiting,
    /// TLS with the ticket.
    Handshake(SessionId, Box<Conn>),
    /// Both children are joined.
    Done(Box<Conn>),
}

impl Join {
    fn new() -> Self {
        Self { stage: Stage::Waiting, tried: false }
    }

    /// One step, if the partner is trusted already.
    fn advance(&mut self, context: &mut SessionContext, trusted: bool) -> Result<(), Refusal> {
        if let (Stage::Waiting, true) = (&self.stage, trusted) {
            if let Some(Data { pair, conn }) = context.data.take() {
                self.stage = Stage::Handshake(pair, Box::new(conn));
            } else if let Some(reason) = context.no_pair.take() {
                self.again(context, &reason)?;
            }
        }
        let Stage::Handshake(pair, conn) = &mut self.stage else { return Ok(()) };
        match conn.handshake() {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) => {
                context.facts.pair = Some(*pair);
                context.send_to_parent(&ToParent::Joined);
                if let Stage::Handshake(_, conn) = std::mem::replace(&mut self.stage, Stage::Waiting) {
                    self.stage = Stage::Done(conn);
                }
            }
            Err(e) => {
                self.stage = Stage::Waiting;
                self.again(context, &format!("the join failed: {e}"))?;
            }
        }
        Ok(())
    }

    /// A parked connection may have broken unnoticed: asks for another pair, once.
    fn again(&mut self, context: &SessionContext, reason: &str) -> Result<(), Refusal> {
        if self.tried {
            return Err(no_client(reason));
        }
        self.tried = true;
        common::debug!("the pair cannot be used, another one is requested: {}", common::log::escape(reason));
        context.send_to_parent(&ToParent::NeedPair);
        Ok(())
    }
}

fn no_client(detail: &str) -> Refusal {
    let refusal = Refusal::new(Status::ClientDown, detail).notify_operator();
    Refusal { esid: Some(EsidReason::ResourcesNotAvailable), ..refusal }
}

fn eager() -> Refusal {
    let refusal = Refusal::new(
        Status::PartnerViolation,
        "the partner sent more data before it had our SSID (RFC 5024 §9.3)",
    );
    Refusal { esid: Some(EsidReason::ProtocolViolation), ..refusal.notify_operator() }
}

fn gone(e: &std::io::Error) -> Refusal {
    Refusal::new(Status::NoSsid, format!("the partner broke off before its SSID: {e}"))
}

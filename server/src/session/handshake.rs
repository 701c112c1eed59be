//! TLS with a partner, whichever side opened the connection: one deadline, one reason word for each fault, and no
//! private key in this process afterwards.

use crate::messages::ToParent;
use crate::session::context::SessionContext;
use crate::session::refusal::{PendingRefusal, Refusal};
use crate::tls;
use crate::trust::{self, Fault};
use common::config::{Partner, UsageRule};
use common::link::session_id::Direction;
use common::net::{Conn, Interrupted, TlsFailure, Wire};
use common::process::status::Status;
use common::rpc::CrlUrl;
use common::sys;
use openssl::ssl::{Ssl, SslRef};
use std::task::Poll;
use std::time::{Duration, Instant};

/// First octet of a Stream Transmission Header, version 1 (RFC 5024 §8.2).
const OFTP: u8 = 0x10;

/// The handshake, the partner's certificate included; `ssl` has its role set.
pub(super) fn run(context: &mut SessionContext, ssl: Ssl, wire: Wire) -> Result<Conn, PendingRefusal> {
    let limit = context.active.limits.handshake_seconds;
    let deadline = Instant::now() + Duration::from_secs(u64::from(limit));
    let mut conn = Conn::tls(ssl, wire).map_err(|e| Refusal::internal(&e))?;
    loop {
        context.read_parent()?;
        match conn.handshake() {
            Ok(Poll::Ready(())) => break,
            Ok(Poll::Pending) => {}
            Err(failure) => {
                report_urls(context);
                let first = conn.wire().first_octet();
                let refusal = refused(context, &failure, first, conn.ssl());
                return Err(PendingRefusal { refusal, conn: Some(Box::new(conn)) });
            }
        }
        match context.wait(Some(deadline)) {
            Ok(()) => {}
            Err(Interrupted::Late) => {
                let hint = hint(conn.wire().first_octet());
                let detail = format!("no complete TLS handshake within {limit} s{hint}");
                return Err(Refusal::new(Status::Timeout, detail).into());
            }
            Err(Interrupted::Ended(_)) => {
                return Err(Refusal::new(Status::Terminated, "told to end during the TLS handshake").into());
            }
            Err(Interrupted::Failed(e)) => return Err(Refusal::internal(&e).into()),
        }
    }
    forget_key(&mut conn, context);
    take_facts(context, &conn);
    report_urls(context);
    Ok(conn)
}

/// No process that reads a partner's octets keeps our private key.
pub(super) fn forget_key(conn: &mut Conn, context: &mut SessionContext) {
    if let Conn::Tls(stream) = conn {
        sys::ssl_forget_certificate(stream);
    }
    context.active.credentials = None;
}

fn take_facts(context: &mut SessionContext, conn: &Conn) {
    let seen = context.active.seen.facts();
    context.facts.subject = seen.subject;
    context.facts.serial = seen.serial;
    if let Some(ssl) = conn.ssl() {
        let cipher = ssl.current_cipher().map_or("?", |cipher| cipher.name());
        context.facts.tls = format!("{} {cipher}", ssl.version_str());
    }
}

/// URLs of CRLs that the backend does not know yet, and who issues the lists there, as far as the backend does not know
/// them; also when the missing CRL is why the partner is refused.
fn report_urls(context: &SessionContext) {
    let active = &context.active;
    for found in active.seen.facts().crl_urls {
        let is_known = found.issuer_print().is_none_or(|print| active.crl_issuers.contains(&print));
        let issuers = if is_known { Vec::new() } else { found.issuers_pem() };
        if !issuers.is_empty() || !active.crl_urls.contains(&found.url) {
            context.send_to_parent(&ToParent::CrlUrl(CrlUrl { url: found.url, issuers }));
        }
    }
}

/// What a partner seems to speak instead of TLS, and what to do about it; empty where there is nothing to add.
fn hint(first: Option<u8>) -> &'static str {
    match first {
        None => "; it sent nothing: a partner that waits for SSRM is set up for OFTP without TLS",
        Some(OFTP) => "; it speaks OFTP without TLS: its connection to this port has to be set up for TLS",
        Some(b'A'..=b'Z') => "; it speaks HTTP or another protocol of text: this port is for OFTP2 over TLS",
        Some(_) => "",
    }
}

/// How a partner with old TLS is let in.
const ALLOW_LEGACY: &str = "'os4xapi partner set NAME --legacy-suites yes' allows ECDHE with CBC and SHA-2";

/// What to do about a partner that offers these suites alone.
fn old_tls(offered: &[String]) -> &'static str {
    if offered.iter().any(|suite| tls::is_legacy(suite)) {
        ALLOW_LEGACY
    } else {
        "the partner has to allow ECDHE with AES-GCM, which all TLS 1.2 of the last ten years has"
    }
}

/// Whether the partner, now that it is known, may have the suite and the certificate that it came with.
pub(super) fn check_partner(context: &SessionContext, conn: &Conn, partner: &Partner) -> Result<(), Refusal> {
    if let (Some(what), UsageRule::Client) = (context.active.seen.facts().wrong_usage, partner.usage_rule()) {
        let name = &partner.short_name;
        let detail = format!("{what}; 'os4xapi partner set {name} --usage any' allows it");
        return Err(Refusal::new(Status::WrongUsage, detail).notify_operator());
    }
    let suite = conn.ssl().and_then(SslRef::current_cipher).map_or("", |cipher| cipher.name());
    if tls::is_legacy(suite) && partner.legacy_suites != Some(true) {
        let detail = format!("it has the old suite {suite} only; {ALLOW_LEGACY}");
        return Err(Refusal::new(Status::Protocol, detail).notify_operator());
    }
    Ok(())
}

/// `first`: the partner's first octet.
fn refused(
    context: &mut SessionContext,
    failure: &TlsFailure,
    first: Option<u8>,
    ssl: Option<&SslRef>,
) -> Refusal {
    let seen = context.active.seen.facts();
    context.facts.subject = seen.subject;
    context.facts.serial = seen.serial;
    let status = match &seen.fault {
        Some(fault) => trust::fault_status(fault.code),
        None if failure.broke_off() && first.is_none() && context.facts.direction == Direction::Incoming => {
            Status::Probe
        }
        None if failure.no_certificate() => Status::NoCertificate,
        None if failure.wrong_protocol() || failure.no_secure_renegotiation() => Status::Protocol,
        // A partner that we call is no scanner.
        None if failure.broke_off() && context.facts.direction == Direction::Outgoing => Status::PartnerBroke,
        None => Status::Tls,
    };
    match seen.fault {
        Some(Fault { code, subject, remedy }) => {
            let text = sys::verify_result(code).error_string();
            let detail = format!("{} ({text}): certificate of {subject}; {remedy}", failure.reason);
            Refusal::new(status, detail).notify_operator()
        }
        None if failure.no_shared_suite() => {
            let offered = ssl.map(|ssl| tls::suite_names(ssl, &seen.offered)).unwrap_or_default();
            let detail = format!("{failure}; it offers {}; {}", offered.join(", "), old_tls(&offered));
            Refusal::new(status, detail).notify_operator()
        }
        None if failure.no_secure_renegotiation() => {
            let detail = format!("{failure}: its TLS lacks RFC 5746; {ALLOW_LEGACY}");
            Refusal::new(status, detail).notify_operator()
        }
        None if failure.refused_by_peer() => {
            Refusal::new(status, format!("{failure}; it may know old suites only: {ALLOW_LEGACY}"))
        }
        None if status == Status::Protocol => Refusal::new(status, format!("{failure}{}", hint(first))),
        None => Refusal::new(status, failure.to_string()),
    }
}

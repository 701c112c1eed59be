//! TLS with a partner, whichever side opened the connection: one deadline, one reason word for each fault, and no
//! private key in this process afterwards.

use crate::messages::ToParent;
use crate::session::context::SessionContext;
use crate::session::refusal::{PendingRefusal, Refusal};
use crate::trust;
use common::link::session_id::Direction;
use common::net::{Conn, Interrupted, TlsFailure, Wire};
use common::process::status::Status;
use common::sys;
use openssl::ssl::Ssl;
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
                let refusal = refused(context, &failure, conn.wire().first_octet());
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

/// URLs of CRLs that the backend does not know yet; also when the missing CRL is why the partner is refused.
fn report_urls(context: &SessionContext) {
    for url in context.active.seen.facts().crl_urls {
        if !context.active.crl_urls.contains(&url) {
            context.send_to_parent(&ToParent::CrlUrl(url));
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

/// `first`: the partner's first octet.
fn refused(context: &mut SessionContext, failure: &TlsFailure, first: Option<u8>) -> Refusal {
    let seen = context.active.seen.facts();
    context.facts.subject = seen.subject;
    context.facts.serial = seen.serial;
    let status = match &seen.fault {
        Some((code, _)) => Status::from_word(trust::fault_word(*code)).unwrap_or(Status::BadCertificate),
        None if failure.broke_off() && first.is_none() && context.facts.direction == Direction::Incoming => {
            Status::Probe
        }
        None if failure.no_certificate() => Status::NoCertificate,
        None if failure.wrong_protocol() => Status::Protocol,
        // A partner that we call is no scanner.
        None if failure.broke_off() && context.facts.direction == Direction::Outgoing => Status::PartnerBroke,
        None => Status::Tls,
    };
    match seen.fault {
        Some((_, subject)) => {
            Refusal::new(status, format!("{failure}: certificate of {subject}")).notify_operator()
        }
        None if status == Status::Protocol => Refusal::new(status, format!("{failure}{}", hint(first))),
        None => Refusal::new(status, failure.to_string()),
    }
}

//! Why TLS with a partner does not come about, in a word, a reason and a remedy: handshakes that fail, and what some
//! partners may and this one, once it is known, may not.

use crate::session::context::SessionContext;
use crate::session::refusal::Refusal;
use crate::tls;
use crate::trust::{self, Fault};
use common::config::{Partner, UsageRule};
use common::link::session_id::Direction;
use common::net::{Conn, TlsFailure};
use common::process::status::Status;
use common::sys;
use openssl::ssl::SslRef;

/// First octet of a Stream Transmission Header, version 1 (RFC 5024 §8.2).
const OFTP: u8 = 0x10;

/// How a partner with old TLS is let in.
const ALLOW_LEGACY: &str = "'os4xapi partner set NAME --legacy-suites yes' allows ECDHE with CBC and SHA-2";

/// Why the handshake failed, and what to do about it.
pub(super) fn of(context: &SessionContext, failure: &TlsFailure, conn: &mut Conn) -> Refusal {
    let seen = context.active.seen.facts();
    let first = conn.wire().first_octet();
    let is_outgoing = context.facts.direction == Direction::Outgoing;
    let status = match &seen.fault {
        Some(fault) => trust::fault_status(fault.code),
        None if failure.broke_off() && first.is_none() && !is_outgoing => Status::Probe,
        None if failure.no_certificate() => Status::NoCertificate,
        None if failure.wrong_protocol() || failure.no_secure_renegotiation() => Status::Protocol,
        // A partner that we call is no scanner.
        None if failure.broke_off() && is_outgoing => Status::PartnerBroke,
        None => Status::Tls,
    };
    match seen.fault {
        Some(Fault { code, subject, remedy }) => {
            let text = sys::verify_result(code).error_string();
            let detail = format!("{} ({text}): certificate of {subject}; {remedy}", failure.reason);
            Refusal::new(status, detail).notify_operator()
        }
        None if failure.no_shared_suite() => {
            let offered = conn.ssl().map(|ssl| tls::suite_names(ssl, &seen.offered)).unwrap_or_default();
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

/// What a partner seems to speak instead of TLS, and what to do about it; empty where there is nothing to add.
pub(super) fn hint(first: Option<u8>) -> &'static str {
    match first {
        None => "; it sent nothing: a partner that waits for SSRM is set up for OFTP without TLS",
        Some(OFTP) => "; it speaks OFTP without TLS: its connection to this port has to be set up for TLS",
        Some(b'A'..=b'Z') => "; it speaks HTTP or another protocol of text: this port is for OFTP2 over TLS",
        Some(_) => "",
    }
}

/// What to do about a partner that offers these suites alone.
fn old_tls(offered: &[String]) -> &'static str {
    if offered.iter().any(|suite| tls::is_legacy(suite)) {
        ALLOW_LEGACY
    } else {
        "the partner has to allow ECDHE with AES-GCM, which all TLS 1.2 of the last ten years has"
    }
}

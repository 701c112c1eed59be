//! Why TLS with a partner failed: a word, a reason and a remedy. Also for properties of TLS that are allowed for some
//! partners but not for this one.

use crate::session::context::SessionContext;
use crate::session::refusal::Refusal;
use crate::tls;
use common::config::Partner;
use common::link::session_id::Direction;
use common::net::{Conn, TlsFailure};
use common::process::end_reasons::Status;
use common::sys;
use common::trust::{self, Fault};
use openssl::ssl::SslRef;

/// First octet of a Stream Transmission Header, version 1 (RFC 5024 §8.2).
const OFTP: u8 = 0x10;

/// The remedy for a partner with old TLS.
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
        // A partner that we call is no port scanner.
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
            Refusal::new(status, format!("{failure}; it may only have old suites: {ALLOW_LEGACY}"))
        }
        None if status == Status::Protocol => Refusal::new(status, format!("{failure}{}", hint(first))),
        None => Refusal::new(status, failure.to_string()),
    }
}

/// Whether the partner, once it is known, may use the cipher suite of its connection.
pub(super) fn check_suite(conn: &Conn, partner: &Partner) -> Result<(), Refusal> {
    let suite = conn.ssl().and_then(SslRef::current_cipher).map_or("", |cipher| cipher.name());
    if tls::is_legacy(suite) && partner.legacy_suites != Some(true) {
        let detail = format!("it only has the old suite {suite}; {ALLOW_LEGACY}");
        return Err(Refusal::new(Status::Protocol, detail).notify_operator());
    }
    Ok(())
}

/// What a partner seems to speak instead of TLS, and what to do about it; empty if there is nothing to say.
pub(super) fn hint(first: Option<u8>) -> &'static str {
    match first {
        None => "; it sent nothing: a partner that waits for SSRM is set up for OFTP without TLS",
        Some(OFTP) => "; it speaks OFTP without TLS: its connection to this port has to be set up for TLS",
        Some(b'P' | b'\r') => {
            "; it may be a balancer with a PROXY header (only those of tcp_proxy_protocol_from may send one), or HTTP"
        }
        Some(b'A'..=b'Z') => "; it speaks HTTP or another protocol of text: this port is for OFTP2 over TLS",
        Some(_) => "",
    }
}

/// What to do about a partner that only offers these suites.
fn old_tls(offered: &[String]) -> &'static str {
    if offered.iter().any(|suite| tls::is_legacy(suite)) {
        ALLOW_LEGACY
    } else {
        "the partner has to allow ECDHE with AES-GCM, which all TLS 1.2 of the last ten years has"
    }
}

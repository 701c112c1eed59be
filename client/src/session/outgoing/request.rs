//! The request of a station before OFTP2 begins: the partner that it wants to reach. Its first octet shows the
//! protocol; on a tied listener nothing is read.

use super::request_reader::{RequestError, RequestReader};
use super::{http_connect as connect, socks5 as socks};
use crate::session::context::SessionContext;
use common::link::join::Target;
use common::net::Conn;
use common::process::end_reasons::Status;
use std::time::Instant;

/// First octet of a SOCKS5 greeting.
const SOCKS5: u8 = 5;

/// How the station gets its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyProtocol {
    /// It uses no proxy protocol: it sees the partner, or a break.
    Silent,
    /// RFC 9110 §9.3.6
    Connect,
    /// RFC 1928
    Socks,
}

impl ProxyProtocol {
    /// The answer that the partner is connected.
    pub(super) fn ready(self) -> &'static [u8] {
        match self {
            Self::Silent => &[],
            Self::Connect => connect::READY,
            Self::Socks => &socks::READY,
        }
    }

    /// The answer that it is not; empty: the break is the answer.
    pub(super) fn refusal(self, status: Status, detail: &str) -> Vec<u8> {
        let (http, socks5) = codes(status);
        match self {
            Self::Silent => Vec::new(),
            Self::Connect => connect::answer(http, status, detail),
            Self::Socks => socks::reply(socks5).to_vec(),
        }
    }
}

/// The reason of a failure as status code (RFC 9110 §15) and as reply code (RFC 1928 §6).
fn codes(status: Status) -> (u16, u8) {
    match status {
        Status::Destination | Status::Disabled => (403, socks::NOT_ALLOWED),
        Status::PartnerDown => (502, socks::HOST_UNREACHABLE),
        Status::BadRequest => (502, socks::FAILURE),
        Status::Timeout => (504, socks::EXPIRED),
        // A fault on this side.
        Status::Capacity
        | Status::Licence
        | Status::Draining
        | Status::OutgoingIp
        | Status::LinkBroke
        | Status::Retired
        | Status::Terminated
        | Status::Internal => (503, socks::FAILURE),
        // A fault of the partner.
        _ => (502, socks::REFUSED),
    }
}

/// Reads the request. The protocol is also returned if there is no target.
pub(super) fn read(
    context: &mut SessionContext,
    conn: &mut Conn,
    tied: Option<String>,
    deadline: Instant,
) -> (ProxyProtocol, Result<Target, RequestError>) {
    if let Some(partner) = tied {
        return (ProxyProtocol::Silent, Ok(Target::Partner(partner)));
    }
    let mut reader = RequestReader::new(context, conn, deadline);
    match reader.octet() {
        Ok(SOCKS5) => (ProxyProtocol::Socks, socks::read(&mut reader)),
        Ok(first) if first.is_ascii_uppercase() => {
            (ProxyProtocol::Connect, connect::read(&mut reader, first))
        }
        Ok(first) => {
            let detail =
                format!("the station speaks neither CONNECT nor SOCKS5: its first octet is 0x{first:02x}");
            (ProxyProtocol::Silent, Err(RequestError::new(detail, Vec::new())))
        }
        Err(error) => (ProxyProtocol::Silent, Err(error)),
    }
}

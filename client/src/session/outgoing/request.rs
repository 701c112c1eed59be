//! What a station says before OFTP2 begins: whom it wants to reach. Its first octet tells in which protocol; on a tied
//! listener nothing is read. Not an octet more is read than belongs to the request.

use super::{http_connect as connect, socks5 as socks};
use crate::session::context::SessionContext;
use common::link::join::Target;
use common::net::{Conn, Interrupted, Read};
use common::process::status::Status;
use std::time::Instant;

/// First octet of a SOCKS5 greeting.
const SOCKS5: u8 = 5;

/// How the station is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyProtocol {
    /// It knows no proxies: it sees the partner, or a break.
    Silent,
    /// RFC 9110 §9.3.6
    Connect,
    /// RFC 1928
    Socks,
}

impl ProxyProtocol {
    /// What says that the station is through.
    pub(super) fn ready(self) -> &'static [u8] {
        match self {
            Self::Silent => &[],
            Self::Connect => connect::READY,
            Self::Socks => &socks::READY,
        }
    }

    /// What says that it is not; nothing: the break says it.
    pub(super) fn refusal(self, status: Status, detail: &str) -> Vec<u8> {
        let (http, socks5) = codes(status);
        match self {
            Self::Silent => Vec::new(),
            Self::Connect => connect::answer(http, status, detail),
            Self::Socks => socks::reply(socks5).to_vec(),
        }
    }
}

/// A session that did not come about, as status code (RFC 9110 §15) and as reply code (RFC 1928 §6).
fn codes(status: Status) -> (u16, u8) {
    match status {
        Status::Destination | Status::Disabled => (403, socks::NOT_ALLOWED),
        Status::PartnerDown => (502, socks::HOST_UNREACHABLE),
        Status::BadRequest => (502, socks::FAILURE),
        Status::Timeout => (504, socks::EXPIRED),
        // Ours.
        Status::Capacity
        | Status::Licence
        | Status::OutgoingIp
        | Status::LinkBroke
        | Status::Retired
        | Status::Terminated
        | Status::Internal => (503, socks::FAILURE),
        // The partner's.
        _ => (502, socks::REFUSED),
    }
}

/// Why there is no target.
#[derive(Debug)]
pub(super) struct RequestError {
    pub(super) status: Status,
    /// A finished sentence.
    pub(super) detail: String,
    /// What the station is told.
    pub(super) answer: Vec<u8>,
}

impl RequestError {
    pub(super) fn new(detail: impl Into<String>, answer: Vec<u8>) -> Self {
        Self { status: Status::BadRequest, detail: detail.into(), answer }
    }
}

/// Reads the request. The protocol is given back also if there is no target.
pub(super) fn read(
    context: &mut SessionContext,
    conn: &mut Conn,
    tied: Option<String>,
    deadline: Instant,
) -> (ProxyProtocol, Result<Target, RequestError>) {
    if let Some(partner) = tied {
        return (ProxyProtocol::Silent, Ok(Target::Partner(partner)));
    }
    let mut reader = RequestReader { context, conn, deadline };
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

/// A station that is listened to.
pub(super) struct RequestReader<'a> {
    context: &'a mut SessionContext,
    conn: &'a mut Conn,
    deadline: Instant,
}

impl RequestReader<'_> {
    /// The next octet.
    pub(super) fn octet(&mut self) -> Result<u8, RequestError> {
        let mut octet = [0];
        self.fill(&mut octet)?;
        Ok(octet[0])
    }

    /// So many octets.
    pub(super) fn octets(&mut self, count: u8) -> Result<Vec<u8>, RequestError> {
        let mut octets = vec![0; usize::from(count)];
        self.fill(&mut octets)?;
        Ok(octets)
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), RequestError> {
        let mut filled = 0;
        while filled < into.len() {
            match self.conn.read(into.get_mut(filled..).unwrap_or_default()) {
                Read::Octets(n) => filled += n,
                Read::Blocked => self.wait()?,
                Read::Clean | Read::Broken(_) => {
                    let detail = "the station went before it had said where to".to_owned();
                    return Err(RequestError { status: Status::StationBroke, detail, answer: Vec::new() });
                }
            }
        }
        Ok(())
    }

    /// Says something in between.
    pub(super) fn say(&mut self, octets: &[u8]) -> Result<(), RequestError> {
        let sent = self.conn.write(octets).and_then(|_| self.conn.drain());
        sent.map(drop).map_err(|e| RequestError {
            status: Status::StationBroke,
            detail: format!("the station went before it had said where to: {e}"),
            answer: Vec::new(),
        })
    }

    fn wait(&mut self) -> Result<(), RequestError> {
        self.context.waiter.wait(Some(self.deadline)).map_err(|e| {
            let (status, detail) = match e {
                Interrupted::Late => (Status::Timeout, "the station did not say in time where to".to_owned()),
                Interrupted::Ended(_) => {
                    (Status::Terminated, "the session process was told to end".to_owned())
                }
                Interrupted::Failed(e) => (Status::Internal, e.to_string()),
            };
            RequestError { status, detail, answer: Vec::new() }
        })
    }
}

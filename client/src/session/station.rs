//! The station: where the client's configuration says, never where a message says. Connected under one deadline, its
//! SSRM read, judged and kept back: the partner has had one from the DMZ.

use super::{Desk, inspector};
use common::exit::Status;
use common::inspector::Inspector;
use common::link::join::Open;
use common::net::{self, Conn, Interrupted, Read};
use common::oftp;
use common::sys;
use std::time::{Duration, Instant};

/// Nothing longer is legal before the second SSID (oftp2 sheet, section 11).
const GREETING_ROOM: usize = 1010;

/// Why there is no station.
pub(super) struct Failure {
    pub(super) status: Status,
    pub(super) detail: String,
}

/// A station that has sent its SSRM.
pub(super) fn connect(desk: &mut Desk, open: &Open) -> Result<(Conn, Inspector), Failure> {
    sys::set_title(&format!("incoming {} {}", open.address, open.ssid));
    let limit = desk.config.limits.station_seconds;
    let deadline = Instant::now() + Duration::from_secs(u64::from(limit));
    let (host, port) = (desk.config.station_host.clone(), desk.config.station_port);
    let reached = net::resolve(&mut desk.waiter, &host, port, deadline)
        .and_then(|addresses| net::connect(&mut desk.waiter, &addresses, None, deadline));
    let mut conn = match reached {
        Ok(wire) => Conn::Plain(wire),
        Err(e) => return Err(down(format!("the station {host}:{port} was not reached: {e}"))),
    };
    let wrong = |violation: oftp::Violation| Failure {
        status: Status::StationViolation,
        detail: format!("the station {host}:{port} sent no SSRM: {violation}"),
    };
    let mut inspector = inspector(open, &desk.config);
    let mut buffer = [0; GREETING_ROOM];
    let mut filled = 0;
    loop {
        let ended = loop {
            match conn.read(buffer.get_mut(filled..).unwrap_or_default()) {
                Read::Octets(n) => filled += n,
                Read::Blocked => break None,
                Read::Clean => break Some("closed the connection".to_owned()),
                Read::Broken(e) => break Some(e.to_string()),
            }
            if filled == buffer.len() {
                break None;
            }
        };
        let read = buffer.get(..filled).unwrap_or_default();
        if let Some(length) = inspector.whole(oftp::Side::Responder, read).map_err(wrong)? {
            let unit = read.get(..length).unwrap_or_default();
            inspector.pass(oftp::Side::Responder, unit).map_err(wrong)?;
            if let Some((_, reason)) = inspector.ended() {
                let code = reason.code();
                let name = reason.name();
                return Err(down(format!(
                    "the station {host}:{port} sent ESID {code} instead of SSRM: {name}"
                )));
            }
            if length < filled {
                return Err(down(format!(
                    "the station {host}:{port} sent more before it had an SSID (RFC 5024 §9.3)"
                )));
            }
            return Ok((conn, inspector));
        }
        if let Some(how) = ended {
            return Err(down(format!("the station {host}:{port} broke off before its SSRM: {how}")));
        }
        match desk.waiter.wait(Some(deadline)) {
            Ok(()) => {}
            Err(Interrupted::Late) => {
                return Err(down(format!("the station {host}:{port} sent no SSRM in {limit} s")));
            }
            Err(e) => return Err(Failure { status: Status::Terminated, detail: e.to_string() }),
        }
    }
}

fn down(detail: String) -> Failure {
    Failure { status: Status::StationDown, detail }
}

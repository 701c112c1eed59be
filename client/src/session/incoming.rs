//! The station: where the client's configuration says, never where a message says. Connected under one deadline, its
//! SSRM read, judged and kept back: the partner has had one from the DMZ.

use super::{SessionContext, inspector};
use common::config::ClientConfig;
use common::link::join::Open;
use common::net::{self, Conn, Interrupted};
use common::oftp::{self, EsidReason};
use common::process::status::Status;
use common::session::greeting::{Greeting, Progress};
use common::session::inspector::Inspector;
use common::sys;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Why there is no station.
pub(super) struct Failure {
    pub(super) status: Status,
    pub(super) detail: String,
    /// A station that is told why, and is yet to be closed.
    pub(super) told: Option<Box<Conn>>,
}

/// Where the station is, for the session list.
pub(super) fn address(config: &ClientConfig) -> String {
    let ClientConfig { station_host: host, station_port: port, .. } = config;
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A station that has sent its SSRM.
pub(super) fn connect(context: &mut SessionContext, open: &Open) -> Result<(Conn, Inspector), Failure> {
    let address =
        open.address.parse::<SocketAddr>().map_or_else(|_| open.address.clone(), |at| at.ip().to_string());
    sys::set_title(&format!("incoming {address} {}", open.ssid));
    let limit = context.config.limits.station_seconds;
    let deadline = Instant::now() + Duration::from_secs(u64::from(limit));
    let (host, port) = (context.config.station_host.clone(), context.config.station_port);
    let reached = net::resolve(&mut context.waiter, &host, port, deadline)
        .and_then(|addresses| net::connect(&mut context.waiter, &addresses, None, deadline));
    let mut conn = match reached {
        Ok(wire) => Conn::Plain(wire),
        Err(e) => return Err(down(format!("the station {host}:{port} was not reached: {e}"))),
    };
    let mut inspector = inspector(open, &context.config);
    match greeting(context, &mut conn, &mut inspector, deadline) {
        Ok(()) => Ok((conn, inspector)),
        Err(GreetingError::Gone(what)) => Err(down(format!("the station {host}:{port} {what}"))),
        Err(GreetingError::Wrong(reason, what)) => {
            // If it cannot be taken the station is gone, and the log line says what matters.
            let _ = conn.write(&inspector.esid(reason));
            let detail = format!("the station {host}:{port} {what}");
            Err(Failure { status: Status::StationViolation, detail, told: Some(Box::new(conn)) })
        }
        Err(GreetingError::Told(detail)) => Err(Failure { status: Status::Terminated, detail, told: None }),
    }
}

/// Why a connected station has not greeted.
enum GreetingError {
    /// It is not there, or does not want to.
    Gone(String),
    /// It said something else, which is answered with an ESID.
    Wrong(EsidReason, String),
    /// We are to end.
    Told(String),
}

/// Reads the station's SSRM, and nothing else.
fn greeting(
    context: &mut SessionContext,
    conn: &mut Conn,
    inspector: &mut Inspector,
    deadline: Instant,
) -> Result<(), GreetingError> {
    let wrong = |v: oftp::Violation| GreetingError::Wrong(v.reason(), format!("sent no SSRM: {v}"));
    let mut greeting = Greeting::default();
    loop {
        match greeting.step(conn, inspector, oftp::Side::Responder).map_err(wrong)? {
            Progress::Message(_) => {
                let Some((_, reason)) = inspector.ended() else { return Ok(()) };
                let (code, name) = (reason.code(), reason.name());
                return Err(GreetingError::Gone(format!("sent ESID {code} instead of SSRM: {name}")));
            }
            Progress::TooMuch => {
                let what = "sent more before it had an SSID (RFC 5024 §9.3)";
                return Err(GreetingError::Wrong(EsidReason::ProtocolViolation, what.to_owned()));
            }
            Progress::Ended { how, .. } => return Err(GreetingError::Gone(format!("{how} before its SSRM"))),
            Progress::Nothing => {}
        }
        match context.waiter.wait(Some(deadline)) {
            Ok(()) => {}
            Err(Interrupted::Late) => {
                let limit = context.config.limits.station_seconds;
                return Err(GreetingError::Gone(format!("sent no SSRM in {limit} s")));
            }
            Err(e) => return Err(GreetingError::Told(e.to_string())),
        }
    }
}

fn down(detail: String) -> Failure {
    Failure { status: Status::StationDown, detail, told: None }
}

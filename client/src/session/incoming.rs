//! An incoming session: the server's child asks for the station. Its address comes from the client's configuration,
//! never from a message. The station is connected with one deadline. Its SSRM is read, judged and not passed on,
//! because the partner got one from the DMZ.

use super::context::SessionContext;
use super::data_connection::dial_and_join;
use super::relay::Attached;
use super::stop::Stop;
use common::config::ClientConfig;
use common::link::join::{self, Open, Opened, Opening};
use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::log::{Priority, catalogue};
use common::net::{self, Conn, Interrupted, LookupError, proxy_header};
use common::oftp::{self, EsidReason};
use common::process::end_reasons::Status;
use common::session::greeting::{Greeting, Progress};
use common::session::inspector::Inspector;
use common::session::relay::Side;
use common::sys;
use common::text::host::with_port;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Serves one half of a pair until a session with a partner has ended; returns the exit status.
pub(super) fn serve(context: &mut SessionContext, pair: SessionId, ticket: &Ticket) -> Result<Status, Stop> {
    context.pair = Some(pair);
    let mut data = dial_and_join(context, pair, ticket)?;
    let open = read_open(context, &mut data)?;
    match connect(context, &open) {
        Ok((station, inspector)) => {
            let mut attached = Attached { data, station, inspector, open };
            match join::send(&mut attached.data, &Opened::Ready) {
                Ok(()) => Ok(attached.relay(context)),
                Err(e) => Ok(attached.give_up(context, &e)),
            }
        }
        Err(failure) => Ok(failure.report(context, data, &open)),
    }
}

/// Reads the first frame of the session. The partner has the server's time limit for its SSID.
fn read_open(context: &mut SessionContext, data: &mut Conn) -> Result<Open, Stop> {
    let limits = &context.config.limits;
    let limit = u64::from(limits.ssid_seconds) + u64::from(limits.handshake_seconds);
    let deadline = Some(Instant::now() + Duration::from_secs(limit));
    let mut opening = Opening::default();
    let open = loop {
        match opening.receive::<Open>(data) {
            Ok(Poll::Ready(open)) => break open,
            Ok(Poll::Pending) => context.waiter.wait(deadline)?,
            // The partner was refused in the DMZ: it sent no SSID, or not its own.
            Err(e) => {
                common::debug!("a pair ends without a session: {e}");
                return Err(Stop::Unused(Status::Retired));
            }
        }
    };
    let station = address(&context.config);
    context.session_joined(&open.partner, station);
    Ok(open)
}

/// Why there is no station.
struct Failure {
    status: Status,
    detail: String,
    /// A station that has got an ESID, and must still be closed.
    station: Option<Box<Conn>>,
}

impl Failure {
    fn new(status: Status, detail: String) -> Self {
        Self { status, detail, station: None }
    }

    /// Reports to the server's child, to the operator and to the log why there is no station.
    fn report(self, context: &mut SessionContext, mut data: Conn, open: &Open) -> Status {
        let event = context
            .event(&catalogue::SESSION_REFUSED, open)
            .field("reason", self.status.word())
            .field("detail", &self.detail);
        let text = "the station did not take an incoming session";
        context.send_system_log(open, Priority::Error, self.status, text, &event);
        context.log_end(event.at(Priority::Error));
        let answer = Opened::Failed { reason: self.detail };
        if join::send(&mut data, &answer).is_ok() {
            net::goodbye(&mut context.waiter, data);
        }
        if let Some(station) = self.station {
            net::goodbye(&mut context.waiter, *station);
        }
        self.status
    }
}

/// The address of the station, for the session list.
fn address(config: &ClientConfig) -> String {
    with_port(&config.station_host, config.station_port).to_string()
}

/// Connects to the station and reads its SSRM.
fn connect(context: &mut SessionContext, open: &Open) -> Result<(Conn, Inspector), Failure> {
    let address =
        open.address.parse::<SocketAddr>().map_or_else(|_| open.address.clone(), |at| at.ip().to_string());
    sys::set_title(&format!("incoming {address} {}", open.ssid));
    let limit = context.config.limits.station_seconds;
    let deadline = Instant::now() + Duration::from_secs(u64::from(limit));
    let (host, port) = (context.config.station_host.clone(), context.config.station_port);
    let station = with_port(&host, port);
    let reached = net::resolve(&mut context.waiter, &host, port, deadline)
        .and_then(|addresses| net::connect(&mut context.waiter, &addresses, None, deadline));
    let mut conn = match reached {
        Ok(wire) => Conn::Plain(wire),
        Err(LookupError::Interrupted(e @ Interrupted::Ended(_))) => {
            return Err(Failure::new(Status::Terminated, e.to_string()));
        }
        Err(e) => return Err(down(format!("the station {station} was not reached: {e}"))),
    };
    context.close_sandbox().map_err(|e| Failure::new(Status::Internal, e.to_string()))?;
    if context.config.station_proxy_protocol {
        let header = proxy_header::version_2(open.address.parse().ok(), open.reached.parse().ok());
        conn.write(&header).map_err(|e| down(format!("the station {station} took no PROXY header: {e}")))?;
    }
    // The partner has opened the session.
    let mut inspector =
        Inspector::new(open.profile.allowing(open.allow), context.config.limits.idle_commands, Side::Outer);
    match greeting(context, &mut conn, &mut inspector, deadline) {
        Ok(()) => Ok((conn, inspector)),
        Err(GreetingError::Gone(what)) => Err(down(format!("the station {station} {what}"))),
        Err(GreetingError::Wrong(reason, what)) => {
            // If the ESID cannot be sent, the station is gone; the log line has the important part.
            let _ = conn.write(&inspector.esid(reason));
            let detail = format!("the station {station} {what}");
            Err(Failure { status: Status::StationViolation, detail, station: Some(Box::new(conn)) })
        }
        Err(GreetingError::Ended(detail)) => Err(Failure::new(Status::Terminated, detail)),
    }
}

/// Why a connected station has sent no SSRM.
enum GreetingError {
    /// It is gone, or refuses.
    Gone(String),
    /// It sent something else, which is answered with an ESID.
    Wrong(EsidReason, String),
    /// A signal ends this process.
    Ended(String),
}

/// Reads the station's SSRM, and nothing more.
fn greeting(
    context: &mut SessionContext,
    conn: &mut Conn,
    inspector: &mut Inspector,
    deadline: Instant,
) -> Result<(), GreetingError> {
    let wrong = |v: oftp::Violation| GreetingError::Wrong(v.reason(), format!("sent no SSRM: {v}"));
    let mut greeting = Greeting::default();
    loop {
        // A PROXY header may wait to be sent.
        conn.drain().map_err(|e| GreetingError::Gone(format!("broke off before its SSRM: {e}")))?;
        match greeting.step(conn, inspector, oftp::Side::Responder).map_err(wrong)? {
            Progress::Message(_) => {
                let Some((_, reason)) = inspector.ended() else { return Ok(()) };
                let (code, name) = (reason.code(), reason.name());
                return Err(GreetingError::Gone(format!("sent ESID {code} instead of SSRM: {name}")));
            }
            Progress::TooMuch => {
                let what = "sent more data before it had an SSID (RFC 5024 §9.3)";
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
            Err(e) => return Err(GreetingError::Ended(e.to_string())),
        }
    }
}

fn down(detail: String) -> Failure {
    Failure::new(Status::StationDown, detail)
}

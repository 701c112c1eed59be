//! An outgoing session: a station that has come by a local listener, its request, the join with the server's child,
//! and the answer once the partner was called, or why it was not. The DMZ decides where the name leads.

mod http_connect;
mod request;
mod socks5;

use crate::messages::ToParent;
use crate::session::context::SessionContext;
use crate::session::dial::{Redial, dial, present, unused};
use crate::session::relay::Attached;
use crate::session::{Station, Stop};
use common::link::join::{self, Dial, Open, Opening, Reached, Target};
use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::log::events;
use common::net::{self, Conn, Interrupted, Wire};
use common::process::status::Status;
use common::session::inspector::Inspector;
use common::session::relay::Side;
use common::sys;
use request::{ProxyProtocol, RequestError};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

/// What the server's child may need beyond its own limits to call a partner.
const MARGIN: Duration = Duration::from_secs(10);

/// Pairs that are asked for for one station: a change of the configuration retires all that nobody has joined yet.
const PAIRS: u32 = 3;

/// A data connection that was dialled and is not joined yet.
pub(super) struct Parked {
    wire: Wire,
    pair: SessionId,
    ticket: Ticket,
}

/// Why a session did not come about.
struct Failure {
    status: Status,
    detail: String,
    /// The server's child knows of it, and has told the operator.
    told: bool,
}

impl Failure {
    fn ours(status: Status, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), told: false }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Unused(_) => Self::ours(Status::Terminated, "the session process was told to end"),
            Stop::Failed(status, detail) => Self::ours(status, detail),
        }
    }
}

impl From<Interrupted> for Failure {
    fn from(e: Interrupted) -> Self {
        match e {
            Interrupted::Late => Self::ours(Status::LinkBroke, "the server did not answer in time"),
            Interrupted::Ended(_) => Self::ours(Status::Terminated, "the session process was told to end"),
            Interrupted::Failed(e) => Self::ours(Status::Internal, e.to_string()),
        }
    }
}

/// Dials in for its pair and waits for a station.
pub(super) fn park(context: &mut SessionContext, pair: SessionId, ticket: Ticket) -> Result<Status, Stop> {
    let mut redial = Redial::default();
    loop {
        let mut wire = match dial(context, pair) {
            Ok(wire) => wire,
            // A station is here already; another pair is to be had for it.
            Err(_) if context.station.is_some() => break,
            Err(stop) => return Err(stop),
        };
        if present(&mut wire, pair) && wait_for_station(context, &mut wire)? {
            return Ok(match context.station.take() {
                Some(station) => serve(context, station, Some(Parked { wire, pair, ticket })),
                None => Status::Retired,
            });
        }
        redial.pause(context, pair)?;
    }
    context.send_to_parent(&ToParent::WantPair);
    Ok(match context.station.take() {
        Some(station) => serve(context, station, None),
        None => Status::Retired,
    })
}

/// True when a station has come, false when the data connection has ended: the server was too busy to take it.
fn wait_for_station(context: &mut SessionContext, wire: &mut Wire) -> Result<bool, Stop> {
    loop {
        if context.released() && context.station.is_none() {
            return Err(Stop::Unused(Status::Retired));
        }
        if context.station.is_some() {
            return Ok(true);
        }
        match wire.socket().peek(&mut [0]) {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Ok(0) => return Ok(false),
            // The server does not know this pair any more.
            Ok(_) | Err(_) => return Err(Stop::Unused(Status::Retired)),
        }
        context.waiter.wait(None).map_err(unused)?;
    }
}

/// The whole of a session; gives the exit status.
pub(super) fn serve(context: &mut SessionContext, station: Station, parked: Option<Parked>) -> Status {
    sys::set_title(&format!("outgoing, station {}", station.peer));
    let Station { mut socket, peer, tied } = station;
    let ready = socket
        .set_nodelay(true)
        .and_then(|()| net::keepalive(&socket))
        .and_then(|()| context.waiter.watch(&mut socket));
    if let Err(e) = ready {
        return refuse(context, peer, None, &Failure::ours(Status::Internal, e.to_string()));
    }
    let mut conn = Conn::Plain(Wire::new(socket));
    let deadline = Instant::now() + Duration::from_secs(u64::from(context.config.limits.station_seconds));
    let (protocol, target) = request::read(context, &mut conn, tied, deadline);
    let target = match target {
        Ok(target) => target,
        Err(RequestError { status, detail, answer }) => {
            answer_and_close(context, conn, &answer);
            return refuse(context, peer, None, &Failure::ours(status, detail));
        }
    };
    sys::set_title(&format!("outgoing {target}"));
    match reach(context, &mut conn, &target, parked) {
        Ok((data, open)) => attach(context, (conn, peer), data, open, protocol, &target),
        Err(failure) => {
            answer_and_close(context, conn, &protocol.refusal(failure.status, &failure.detail));
            refuse(context, peer, Some(&target), &failure)
        }
    }
}

/// The station is through: from here on it speaks OFTP2.
fn attach(
    context: &mut SessionContext,
    (mut station, peer): (Conn, SocketAddr),
    data: Conn,
    open: Open,
    protocol: ProxyProtocol,
    target: &Target,
) -> Status {
    if let Err(e) = station.write(protocol.ready()).and_then(|_| station.drain()) {
        data.reset();
        let detail = format!("the station broke off before its answer: {e}");
        return refuse(context, peer, Some(target), &Failure::ours(Status::StationBroke, detail));
    }
    sys::set_title(&format!("outgoing {target} {}", open.ssid));
    let inspector = Inspector::new(open.profile, context.config.limits.idle_commands, Side::Inner);
    Attached { data, station, inspector, open }.relay(context)
}

/// Joins with a server's child and has it call the target. A parked pair may be retired while the station comes: then
/// there is one more.
fn reach(
    context: &mut SessionContext,
    station: &mut Conn,
    target: &Target,
    parked: Option<Parked>,
) -> Result<(Conn, Open), Failure> {
    match call(context, station, target, parked) {
        Err(Failure { status: Status::Retired, .. }) => {
            context.send_to_parent(&ToParent::WantPair);
            call(context, station, target, None)
        }
        other => other,
    }
}

fn call(
    context: &mut SessionContext,
    station: &mut Conn,
    target: &Target,
    parked: Option<Parked>,
) -> Result<(Conn, Open), Failure> {
    let mut data = join_any(context, parked)?;
    let lost = |e: join::OpeningError| Failure::ours(Status::LinkBroke, e.to_string());
    join::send(&mut data, &Dial { target: target.clone() }).map_err(lost)?;
    let limits = &context.config.limits;
    let seconds = 2 * u64::from(limits.handshake_seconds) + u64::from(limits.ssid_seconds);
    let deadline = Some(Instant::now() + Duration::from_secs(seconds) + MARGIN);
    let mut opening = Opening::default();
    loop {
        match opening.receive::<Reached>(&mut data).map_err(lost)? {
            Poll::Ready(Reached::Ready(open)) => {
                let station = station.peer_addr().map(|address| address.to_string()).unwrap_or_default();
                context.send_to_parent(&ToParent::Joined { partner: open.partner.clone(), station });
                return Ok((data, open));
            }
            Poll::Ready(Reached::Failed { word, reason }) => {
                let status = Status::from_word(&word).unwrap_or(Status::PartnerDown);
                return Err(Failure { status, detail: reason, told: true });
            }
            Poll::Pending => {}
        }
        if has_gone(station) {
            return Err(Failure::ours(Status::StationBroke, "the station went before the partner answered"));
        }
        context.waiter.wait(deadline)?;
    }
}

/// Ended or broke off. It has nothing to say before the partner's SSRM; what it says all the same is judged later.
fn has_gone(station: &mut Conn) -> bool {
    match station.wire().socket().peek(&mut [0]) {
        Ok(octets) => octets == 0,
        Err(e) => !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}

/// Joins the parked pair; was that of no use, or is there none, one that is asked for.
fn join_any(context: &mut SessionContext, parked: Option<Parked>) -> Result<Conn, Failure> {
    let useless = |context: &mut SessionContext, detail: &str| {
        common::debug!("another pair is asked for: {}", common::log::escape(detail));
        context.send_to_parent(&ToParent::WantPair);
    };
    if let Some(parked) = parked {
        match join_pair(context, parked)? {
            Joined::Yes(conn) => return Ok(conn),
            Joined::CutOff(detail) | Joined::No(detail) => useless(context, &detail),
        }
    }
    let deadline = Instant::now() + join::TIME_LIMIT;
    let mut left = PAIRS;
    loop {
        left -= 1;
        match join_given(context, deadline)? {
            Joined::Yes(conn) => return Ok(conn),
            Joined::CutOff(detail) | Joined::No(detail) if left > 0 => useless(context, &detail),
            Joined::CutOff(detail) | Joined::No(detail) => {
                return Err(Failure::ours(Status::LinkBroke, detail));
            }
        }
    }
}

/// Waits for the pair that was asked for, dials in for it and joins it.
fn join_given(context: &mut SessionContext, deadline: Instant) -> Result<Joined, Failure> {
    let (pair, ticket) = loop {
        if context.released() {
            return Err(Failure::ours(Status::LinkBroke, "the client is ending"));
        }
        if let Some(reason) = context.no_pair.take() {
            return Err(Failure::ours(Status::Capacity, reason));
        }
        if let Some(given) = context.given.take() {
            break given;
        }
        context.waiter.wait(Some(deadline))?;
    };
    let mut redial = Redial::default();
    loop {
        let mut wire = match dial(context, pair) {
            Err(Stop::Unused(_)) if context.is_retired(pair) => {
                return Ok(Joined::No(format!("the server has given pair {pair} up")));
            }
            other => other?,
        };
        if present(&mut wire, pair) {
            match join_pair(context, Parked { wire, pair, ticket: ticket.clone() })? {
                // The server was too busy to take the connection.
                Joined::CutOff(_) if Instant::now() < deadline => {}
                outcome => return Ok(outcome),
            }
        }
        redial.pause(context, pair)?;
    }
}

/// What became of a join.
enum Joined {
    Yes(Conn),
    /// The data connection ended within it.
    CutOff(String),
    /// The other end does not hold the ticket, or takes its time.
    No(String),
}

/// TLS with the ticket; this side begins.
fn join_pair(context: &mut SessionContext, parked: Parked) -> Result<Joined, Failure> {
    let Parked { wire, pair, ticket } = parked;
    context.pair = Some(pair);
    let internal = |e: openssl::error::ErrorStack| Failure::ours(Status::Internal, e.to_string());
    let deadline = Some(Instant::now() + join::TIME_LIMIT);
    let ssl = join::initiate(pair, &ticket).map_err(internal)?;
    let mut conn = Conn::tls(ssl, wire).map_err(internal)?;
    loop {
        match conn.handshake() {
            Ok(Poll::Ready(())) => return Ok(Joined::Yes(conn)),
            Ok(Poll::Pending) => {}
            Err(e) => {
                let detail = format!("the join of pair {pair} failed: {e}");
                return Ok(if e.broke_off() { Joined::CutOff(detail) } else { Joined::No(detail) });
            }
        }
        match context.waiter.wait(deadline) {
            Ok(()) => {}
            Err(Interrupted::Late) => {
                return Ok(Joined::No(format!("the join of pair {pair} took too long")));
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Tells the station why not, in its protocol; it is a break where there is nothing to say.
fn answer_and_close(context: &mut SessionContext, mut conn: Conn, answer: &[u8]) {
    if answer.is_empty() {
        conn.reset();
    } else if conn.write(answer).is_ok() {
        net::goodbye(&mut context.waiter, conn);
    }
}

/// The one line of a session that did not come about: who wanted to go where, if it said so.
fn refuse(
    context: &mut SessionContext,
    station: SocketAddr,
    target: Option<&Target>,
    failure: &Failure,
) -> Status {
    let address = target.map_or_else(|| station.to_string(), Target::to_string);
    let event = context
        .event(&events::SESSION_REFUSED, &Open { address, ..Open::default() })
        .field_display("station", station)
        .field("reason", failure.status.word())
        .field("detail", &failure.detail);
    let grave = matches!(failure.status, Status::LinkBroke | Status::Capacity | Status::Internal);
    if grave && !failure.told {
        let text = format!("outgoing session refused: {}", failure.status.word());
        context.send_system_log(&Open::default(), &text, event.text().to_owned());
    }
    event.log();
    context.send_to_parent(&ToParent::EndLogged);
    failure.status
}

//! An outgoing session: a station that has come by a local listener, its request, the join with the server's child,
//! and the answer once the partner was called, or why it was not. The DMZ decides where the name leads.

mod http_connect;
mod request;
mod socks5;

use crate::messages::ToParent;
use crate::session::context::Desk;
use crate::session::dial::{Redial, dial, present, unused};
use crate::session::relay::Attached;
use crate::session::{Station, Stop};
use common::link::join::{self, Dial, Open, Opening, Reached, Target};
use common::link::session_id::{PairId, Ticket};
use common::log::events;
use common::net::{self, Conn, Interrupted, Wire};
use common::process::status::Status;
use common::session::inspector::Inspector;
use common::session::relay::Side;
use common::sys;
use request::{Manner, Unheard};
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
    pair: PairId,
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
            Interrupted::Ended => Self::ours(Status::Terminated, "the session process was told to end"),
            Interrupted::Failed(e) => Self::ours(Status::Internal, e.to_string()),
        }
    }
}

/// Dials in for its pair and waits for a station.
pub(super) fn park(desk: &mut Desk, pair: PairId, ticket: Ticket) -> Result<Status, Stop> {
    let mut redial = Redial::default();
    loop {
        let mut wire = match dial(desk, pair) {
            Ok(wire) => wire,
            // A station is here already; another pair is to be had for it.
            Err(_) if desk.station.is_some() => break,
            Err(stop) => return Err(stop),
        };
        if present(&mut wire, pair) && wait_for_station(desk, &mut wire)? {
            return Ok(match desk.station.take() {
                Some(station) => serve(desk, station, Some(Parked { wire, pair, ticket })),
                None => Status::Retired,
            });
        }
        redial.pause(desk, pair)?;
    }
    desk.tell(&ToParent::WantPair);
    Ok(match desk.station.take() {
        Some(station) => serve(desk, station, None),
        None => Status::Retired,
    })
}

/// True when a station has come, false when the data connection has ended: the server was too busy to take it.
fn wait_for_station(desk: &mut Desk, wire: &mut Wire) -> Result<bool, Stop> {
    loop {
        if desk.released() && desk.station.is_none() {
            return Err(Stop::Unused(Status::Retired));
        }
        if desk.station.is_some() {
            return Ok(true);
        }
        match wire.socket().peek(&mut [0]) {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Ok(0) => return Ok(false),
            // The server does not know this pair any more.
            Ok(_) | Err(_) => return Err(Stop::Unused(Status::Retired)),
        }
        desk.waiter.wait(None).map_err(unused)?;
    }
}

/// The whole of a session; gives the exit status.
pub(super) fn serve(desk: &mut Desk, station: Station, parked: Option<Parked>) -> Status {
    sys::set_title(&format!("outgoing, station {}", station.peer));
    let Station { mut socket, peer, tied } = station;
    let ready = socket
        .set_nodelay(true)
        .and_then(|()| net::keepalive(&socket))
        .and_then(|()| desk.waiter.watch(&mut socket));
    if let Err(e) = ready {
        return refuse(desk, peer, None, &Failure::ours(Status::Internal, e.to_string()));
    }
    let mut conn = Conn::Plain(Wire::new(socket));
    let deadline = Instant::now() + Duration::from_secs(u64::from(desk.config.limits.station_seconds));
    let (manner, target) = request::read(desk, &mut conn, tied, deadline);
    let target = match target {
        Ok(target) => target,
        Err(Unheard { status, detail, answer }) => {
            answer_and_close(desk, conn, &answer);
            return refuse(desk, peer, None, &Failure::ours(status, detail));
        }
    };
    sys::set_title(&format!("outgoing {target}"));
    match reach(desk, &mut conn, &target, parked) {
        Ok((data, open)) => attach(desk, (conn, peer), data, open, manner, &target),
        Err(failure) => {
            answer_and_close(desk, conn, &manner.refusal(failure.status, &failure.detail));
            refuse(desk, peer, Some(&target), &failure)
        }
    }
}

/// The station is through: from here on it speaks OFTP2.
fn attach(
    desk: &mut Desk,
    (mut station, peer): (Conn, SocketAddr),
    data: Conn,
    open: Open,
    manner: Manner,
    target: &Target,
) -> Status {
    if let Err(e) = station.write(manner.ready()).and_then(|_| station.drain()) {
        data.reset();
        let detail = format!("the station broke off before its answer: {e}");
        return refuse(desk, peer, Some(target), &Failure::ours(Status::StationBroke, detail));
    }
    sys::set_title(&format!("outgoing {target} {}", open.ssid));
    let inspector = Inspector::new(open.profile, desk.config.limits.idle_commands, Side::Inner);
    Attached { data, station, inspector, open }.relay(desk)
}

/// Joins with a server's child and has it call the target. A parked pair may be retired while the station comes: then
/// there is one more.
fn reach(
    desk: &mut Desk,
    station: &mut Conn,
    target: &Target,
    parked: Option<Parked>,
) -> Result<(Conn, Open), Failure> {
    match call(desk, station, target, parked) {
        Err(Failure { status: Status::Retired, .. }) => {
            desk.tell(&ToParent::WantPair);
            call(desk, station, target, None)
        }
        other => other,
    }
}

fn call(
    desk: &mut Desk,
    station: &mut Conn,
    target: &Target,
    parked: Option<Parked>,
) -> Result<(Conn, Open), Failure> {
    let mut data = join_any(desk, parked)?;
    let lost = |e: join::OpeningError| Failure::ours(Status::LinkBroke, e.to_string());
    join::send(&mut data, &Dial { target: target.clone() }).map_err(lost)?;
    let limits = &desk.config.limits;
    let seconds = 2 * u64::from(limits.handshake_seconds) + u64::from(limits.ssid_seconds);
    let deadline = Some(Instant::now() + Duration::from_secs(seconds) + MARGIN);
    let mut opening = Opening::default();
    loop {
        match opening.receive::<Reached>(&mut data).map_err(lost)? {
            Poll::Ready(Reached::Ready(open)) => {
                let station = station.peer_addr().map(|address| address.to_string()).unwrap_or_default();
                desk.tell(&ToParent::Joined { partner: open.partner.clone(), station });
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
        desk.waiter.wait(deadline)?;
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
fn join_any(desk: &mut Desk, parked: Option<Parked>) -> Result<Conn, Failure> {
    let useless = |desk: &mut Desk, detail: &str| {
        common::debug!("another pair is asked for: {}", common::log::escape(detail));
        desk.tell(&ToParent::WantPair);
    };
    if let Some(parked) = parked {
        match join_pair(desk, parked)? {
            Joined::Yes(conn) => return Ok(conn),
            Joined::CutOff(detail) | Joined::No(detail) => useless(desk, &detail),
        }
    }
    let deadline = Instant::now() + join::TIME_LIMIT;
    let mut left = PAIRS;
    loop {
        left -= 1;
        match join_given(desk, deadline)? {
            Joined::Yes(conn) => return Ok(conn),
            Joined::CutOff(detail) | Joined::No(detail) if left > 0 => useless(desk, &detail),
            Joined::CutOff(detail) | Joined::No(detail) => {
                return Err(Failure::ours(Status::LinkBroke, detail));
            }
        }
    }
}

/// Waits for the pair that was asked for, dials in for it and joins it.
fn join_given(desk: &mut Desk, deadline: Instant) -> Result<Joined, Failure> {
    let (pair, ticket) = loop {
        if desk.released() {
            return Err(Failure::ours(Status::LinkBroke, "the client is ending"));
        }
        if let Some(reason) = desk.no_pair.take() {
            return Err(Failure::ours(Status::Capacity, reason));
        }
        if let Some(given) = desk.given.take() {
            break given;
        }
        desk.waiter.wait(Some(deadline))?;
    };
    let mut redial = Redial::default();
    loop {
        let mut wire = match dial(desk, pair) {
            Err(Stop::Unused(_)) if desk.is_retired(pair) => {
                return Ok(Joined::No(format!("the server has given pair {pair} up")));
            }
            other => other?,
        };
        if present(&mut wire, pair) {
            match join_pair(desk, Parked { wire, pair, ticket: ticket.clone() })? {
                // The server was too busy to take the connection.
                Joined::CutOff(_) if Instant::now() < deadline => {}
                outcome => return Ok(outcome),
            }
        }
        redial.pause(desk, pair)?;
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
fn join_pair(desk: &mut Desk, parked: Parked) -> Result<Joined, Failure> {
    let Parked { wire, pair, ticket } = parked;
    desk.pair = Some(pair);
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
        match desk.waiter.wait(deadline) {
            Ok(()) => {}
            Err(Interrupted::Late) => {
                return Ok(Joined::No(format!("the join of pair {pair} took too long")));
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Tells the station why not, in its protocol; it is a break where there is nothing to say.
fn answer_and_close(desk: &mut Desk, mut conn: Conn, answer: &[u8]) {
    if answer.is_empty() {
        conn.reset();
    } else if conn.write(answer).is_ok() {
        net::goodbye(&mut desk.waiter, conn);
    }
}

/// The one line of a session that did not come about: who wanted to go where, if it said so.
fn refuse(desk: &mut Desk, station: SocketAddr, target: Option<&Target>, failure: &Failure) -> Status {
    let address = target.map_or_else(|| station.to_string(), Target::to_string);
    let event = desk
        .event(events::SESSION_REFUSED, &Open { address, ..Open::default() })
        .field_display("station", station)
        .field("reason", failure.status.word())
        .field("detail", &failure.detail);
    let grave = matches!(failure.status, Status::LinkBroke | Status::Capacity | Status::Internal);
    if grave && !failure.told {
        let text = format!("outgoing session refused: {}", failure.status.word());
        desk.tell_operator(&Open::default(), &text, event.text().to_owned());
    }
    event.warn();
    desk.tell(&ToParent::EndLogged);
    failure.status
}

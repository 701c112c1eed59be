//! An outgoing session: a station has connected to a local listener and names its target; the pair is joined, and the
//! server's child calls the partner. The station is answered once the partner is connected, or with the reason of a
//! failure. The server decides which partner the name means.
//!
//! * `request` with `request_reader`, `http_connect`, `socks5`: the station's request before OFTP2
//! * `pair`: the pair, and its join; `call`: the call of the partner
//! * `failure`: why a session failed before it began
//! * `partner_test`: the same without a station, for an administrator who wants to know whether the partner answers

mod call;
mod failure;
mod http_connect;
mod pair;
mod partner_test;
mod request;
mod request_reader;
mod socks5;

pub(super) use partner_test::serve_test;

use crate::messages::ToParent;
use crate::session::child_init::Station;
use crate::session::context::SessionContext;
use crate::session::data_connection::{Redial, dial, send_preamble};
use crate::session::relay::Attached;
use crate::session::stop::Stop;
use common::link::join::{Open, Target};
use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::log::catalogue;
use common::net::{self, Conn, Wire};
use common::process::end_reasons::Status;
use common::session::inspector::Inspector;
use common::session::relay::Side;
use common::sys;
use failure::Failure;
use pair::Parked;
use request::ProxyProtocol;
use request_reader::RequestError;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Connects for its pair and waits for a station.
pub(super) fn park(context: &mut SessionContext, pair: SessionId, ticket: Ticket) -> Result<Status, Stop> {
    let mut redial = Redial::default();
    loop {
        let mut wire = match dial(context, pair) {
            Ok(wire) => wire,
            // A station is here already: this child requests another pair.
            Err(_) if context.station.is_some() => break,
            Err(stop) => return Err(stop),
        };
        if send_preamble(&mut wire, pair) && wait_for_station(context, &mut wire)? {
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

/// True when a station has come; false when the data connection has ended because the server was too busy to accept it.
fn wait_for_station(context: &mut SessionContext, wire: &mut Wire) -> Result<bool, Stop> {
    loop {
        context.read_parent();
        if context.station.is_some() {
            return Ok(true);
        }
        if context.parent_gone() {
            return Err(Stop::Unused(Status::Retired));
        }
        match wire.socket().peek(&mut [0]) {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Ok(0) => return Ok(false),
            // The server does not know this pair any more.
            Ok(_) | Err(_) => return Err(Stop::Unused(Status::Retired)),
        }
        context.waiter.wait(None).map_err(Stop::while_parked)?;
    }
}

/// Serves a station without a parked pair; returns the exit status.
pub(super) fn serve_unpaired(context: &mut SessionContext, station: Station) -> Status {
    serve(context, station, None)
}

/// Serves a whole session; returns the exit status.
fn serve(context: &mut SessionContext, station: Station, parked: Option<Parked>) -> Status {
    sys::set_title(&format!("outgoing, station {}", station.peer));
    let Station { mut socket, peer, tied } = station;
    let ready = net::keepalive(&socket).and_then(|()| context.waiter.watch(&mut socket));
    if let Err(e) = ready {
        return refuse(context, peer, None, &Failure::new(Status::Internal, e.to_string()));
    }
    let mut conn = Conn::Plain(Wire::new(socket));
    let deadline = Instant::now() + Duration::from_secs(u64::from(context.config.limits.station_seconds));
    let (protocol, target) = request::read(context, &mut conn, tied, deadline);
    let target = match target {
        Ok(target) => target,
        Err(RequestError { status, detail, answer }) => {
            answer_and_close(context, conn, &answer);
            return refuse(context, peer, None, &Failure::new(status, detail));
        }
    };
    sys::set_title(&format!("outgoing {target}"));
    match call::reach(context, Some(&mut conn), &target, parked) {
        Ok((data, answered)) => attach(context, (conn, peer), data, answered.open, protocol, &target),
        Err(failure) => {
            answer_and_close(context, conn, &protocol.refusal(failure.status, &failure.detail));
            refuse(context, peer, Some(&target), &failure)
        }
    }
}

/// The station gets its answer; from now on it speaks OFTP2.
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
        return refuse(context, peer, Some(target), &Failure::new(Status::StationBroke, detail));
    }
    sys::set_title(&format!("outgoing {target} {}", open.ssid));
    let inspector =
        Inspector::new(open.profile.allowing(open.allow), context.config.limits.idle_commands, Side::Inner);
    Attached { data, station, inspector, open }.relay(context)
}

/// Sends the station the refusal in its protocol; a protocol without refusals has its connection broken.
fn answer_and_close(context: &mut SessionContext, mut conn: Conn, answer: &[u8]) {
    if answer.is_empty() {
        conn.reset();
    } else if conn.write(answer).is_ok() {
        net::goodbye(&mut context.waiter, conn);
    }
}

/// Writes the line of a session that failed before it began: the station, and its target if it named one.
fn refuse(
    context: &mut SessionContext,
    station: SocketAddr,
    target: Option<&Target>,
    failure: &Failure,
) -> Status {
    let address = target.map_or_else(|| station.to_string(), Target::to_string);
    let event = context
        .event(&catalogue::SESSION_REFUSED, &Open { address, ..Open::default() })
        .field_display("station", station)
        .field("reason", failure.status.word())
        .field("detail", &failure.detail);
    let concerns_operator = matches!(failure.status, Status::LinkBroke | Status::Capacity | Status::Internal);
    if concerns_operator && !failure.is_reported {
        let text = format!("outgoing session refused: {}", failure.status.word());
        context.send_system_log(&Open::default(), event.level(), failure.status, &text, &event);
    }
    context.log_end(event);
    failure.status
}

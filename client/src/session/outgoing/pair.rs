//! The pair of an outgoing session, parked or requested, until its join.

use super::failure::Failure;
use crate::messages::ToParent;
use crate::session::context::SessionContext;
use crate::session::data_connection::{Redial, dial, send_preamble};
use crate::session::stop::Stop;
use common::link;
use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::net::{Conn, Interrupted, Wire};
use common::process::end_reasons::Status;
use std::task::Poll;
use std::time::Instant;

/// Pairs that are requested for one station at most: a change of the configuration retires all pairs that are not
/// joined.
const PAIRS: u32 = 3;

/// A data connection that is connected but not joined yet.
pub(super) struct Parked {
    pub(super) wire: Wire,
    pub(super) pair: SessionId,
    pub(super) ticket: Ticket,
}

/// Joins the parked pair. If that fails, or if there is none, requests one.
pub(super) fn join(context: &mut SessionContext, parked: Option<Parked>) -> Result<Conn, Failure> {
    let useless = |context: &mut SessionContext, detail: &str| {
        common::debug!("another pair is requested: {}", common::log::escape(detail));
        context.send_to_parent(&ToParent::WantPair);
    };
    if let Some(parked) = parked {
        match join_pair(context, parked)? {
            Outcome::Joined(conn) => return Ok(conn),
            Outcome::CutOff(detail) | Outcome::Refused(detail) => useless(context, &detail),
        }
    }
    let deadline = Instant::now() + link::join::TIME_LIMIT;
    let mut left = PAIRS;
    loop {
        left -= 1;
        match join_granted(context, deadline)? {
            Outcome::Joined(conn) => return Ok(conn),
            Outcome::CutOff(detail) | Outcome::Refused(detail) if left > 0 => useless(context, &detail),
            Outcome::CutOff(detail) | Outcome::Refused(detail) => {
                return Err(Failure::new(Status::LinkBroke, detail));
            }
        }
    }
}

/// Waits for the requested pair, connects for it and joins it.
fn join_granted(context: &mut SessionContext, deadline: Instant) -> Result<Outcome, Failure> {
    let (pair, ticket) = loop {
        context.read_parent();
        if context.parent_gone() {
            return Err(Failure::new(Status::LinkBroke, "the client is ending"));
        }
        if let Some(reason) = context.no_pair.take() {
            return Err(Failure::new(Status::Capacity, reason));
        }
        if let Some(granted) = context.granted.take() {
            break granted;
        }
        context.waiter.wait(Some(deadline))?;
    };
    let mut redial = Redial::default();
    loop {
        let mut wire = match dial(context, pair) {
            Err(Stop::Unused(_)) if context.is_retired(pair) => {
                return Ok(Outcome::Refused(format!("the server has given pair {pair} up")));
            }
            other => other?,
        };
        if send_preamble(&mut wire, pair) {
            match join_pair(context, Parked { wire, pair, ticket: ticket.clone() })? {
                // The server was too busy to accept the connection.
                Outcome::CutOff(_) if Instant::now() < deadline => {}
                outcome => return Ok(outcome),
            }
        }
        redial.pause(context, pair)?;
    }
}

/// Result of a join.
enum Outcome {
    Joined(Conn),
    /// The data connection has ended during the join.
    CutOff(String),
    /// The other end does not have the ticket, or is too slow.
    Refused(String),
}

/// TLS with the ticket; this side begins.
fn join_pair(context: &mut SessionContext, parked: Parked) -> Result<Outcome, Failure> {
    let Parked { wire, pair, ticket } = parked;
    context.pair = Some(pair);
    let internal = |e: openssl::error::ErrorStack| Failure::new(Status::Internal, e.to_string());
    let deadline = Some(Instant::now() + link::join::TIME_LIMIT);
    let ssl = link::join::initiate(pair, &ticket).map_err(internal)?;
    let mut conn = Conn::tls(ssl, wire).map_err(internal)?;
    loop {
        match conn.handshake() {
            Ok(Poll::Ready(())) => return Ok(Outcome::Joined(conn)),
            Ok(Poll::Pending) => {}
            Err(e) => {
                let detail = format!("the join of pair {pair} failed: {e}");
                return Ok(if e.broke_off() { Outcome::CutOff(detail) } else { Outcome::Refused(detail) });
            }
        }
        match context.waiter.wait(deadline) {
            Ok(()) => {}
            Err(Interrupted::Late) => {
                return Ok(Outcome::Refused(format!("the join of pair {pair} took too long")));
            }
            Err(e) => return Err(e.into()),
        }
    }
}

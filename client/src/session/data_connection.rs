//! The data connection to the server: connect, send the preamble, then stay parked until the server's child begins the
//! join. If that child served a stranger, it ends without a join, and this child connects again for the same pair.

use super::context::SessionContext;
use super::stop::Stop;
use common::link::join;
use common::link::session_id::{SessionId, UNKNOWN_PAIR};
use common::link::ticket::Ticket;
use common::log::{Event, catalogue};
use common::net::{self, Conn, Interrupted, LookupError, Wire};
use common::process::end_reasons::Status;
use common::sys;
use mio::net::TcpStream;
use std::io::{ErrorKind, Write};
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long the server may take to open its port.
const DIAL: Duration = Duration::from_secs(8);
/// First pause between two attempts; doubled up to `MAX_PAUSE`.
const PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_millis(500);
/// A data connection that ends within this time was not parked at all.
const QUICK: Duration = Duration::from_secs(1);

/// Connects until the pair is joined, or is not needed any more. Returns a data connection on which both children have
/// proved that they have the ticket.
pub(super) fn dial_and_join(
    context: &mut SessionContext,
    pair: SessionId,
    ticket: &Ticket,
) -> Result<Conn, Stop> {
    let mut redial = Redial::default();
    loop {
        let wire = dial(context, pair)?;
        // Made in advance, while nobody waits for it.
        let ssl = join::accept(pair, ticket).map_err(|e| Stop::internal(&e))?;
        let mut conn = Conn::tls(ssl, wire).map_err(|e| Stop::internal(&e))?;
        if send_preamble(conn.wire(), pair) && park(context, conn.wire().socket())? {
            return join_pair(context, pair, conn);
        }
        // A stranger was served; the pair can still be used.
        redial.pause(context, pair)?;
    }
}

/// The pause before the next connection for the same pair: a server that accepts no connection must not be called
/// without a pause.
pub(super) struct Redial {
    pause: Duration,
    since: Instant,
}

impl Default for Redial {
    fn default() -> Self {
        Self { pause: PAUSE, since: Instant::now() }
    }
}

impl Redial {
    /// The connection has ended: waits for the pause.
    pub(super) fn pause(&mut self, context: &mut SessionContext, pair: SessionId) -> Result<(), Stop> {
        common::debug!("pair {pair} dials in again");
        self.pause = if self.since.elapsed() > QUICK { PAUSE } else { (self.pause * 2).min(MAX_PAUSE) };
        wait_a_moment(context, self.pause)?;
        self.since = Instant::now();
        Ok(())
    }
}

/// Sends the preamble, which names the pair; false if the connection is gone already.
pub(super) fn send_preamble(wire: &mut Wire, pair: SessionId) -> bool {
    let preamble = pair.preamble();
    matches!(wire.socket().write(&preamble), Ok(n) if n == preamble.len())
}

/// Connects to the server, with further attempts while it does not listen yet.
pub(super) fn dial(context: &mut SessionContext, pair: SessionId) -> Result<Wire, Stop> {
    let give_up = Instant::now() + DIAL;
    let mut pause = PAUSE;
    loop {
        context.read_parent();
        if context.parent_gone() || context.is_retired(pair) {
            return Err(Stop::Unused(Status::Retired));
        }
        match net::connect(&mut context.waiter, context.server.as_slice(), context.source, give_up) {
            Ok(mut wire) => {
                net::keepalive(wire.socket()).map_err(|e| Stop::internal(&e))?;
                return Ok(wire);
            }
            // The server's parent does not listen yet.
            Err(LookupError::Unreachable(_, e))
                if e.kind() == ErrorKind::ConnectionRefused && Instant::now() < give_up =>
            {
                wait_a_moment(context, pause)?;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            Err(LookupError::Interrupted(e)) => return Err(Stop::while_parked(e)),
            Err(e) => return Err(Stop::Failed(Status::LinkBroke, e.to_string())),
        }
    }
}

fn wait_a_moment(context: &mut SessionContext, time: Duration) -> Result<(), Stop> {
    match context.waiter.wait(Some(Instant::now() + time)) {
        Ok(()) | Err(Interrupted::Late) => Ok(()),
        Err(e) => Err(Stop::while_parked(e)),
    }
}

/// Waits while parked: true when the server's child begins the join, false when it has ended without one.
fn park(context: &mut SessionContext, socket: &mut TcpStream) -> Result<bool, Stop> {
    loop {
        context.read_parent();
        if context.parent_gone() {
            return Err(Stop::Unused(Status::Retired));
        }
        let mut first = [0];
        match socket.peek(&mut first) {
            Ok(0) => return Ok(false),
            Ok(_) if first == [UNKNOWN_PAIR] => return Err(Stop::Unused(Status::Retired)),
            Ok(_) => return Ok(true),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(e) => {
                return Err(Stop::Failed(Status::LinkBroke, format!("the data connection failed: {e}")));
            }
        }
        context.waiter.wait(None).map_err(Stop::while_parked)?;
    }
}

fn join_pair(context: &mut SessionContext, pair: SessionId, mut conn: Conn) -> Result<Conn, Stop> {
    sys::set_title("joining");
    let deadline = Instant::now() + join::TIME_LIMIT;
    loop {
        match conn.handshake() {
            Ok(Poll::Ready(())) => return Ok(conn),
            Ok(Poll::Pending) => context.waiter.wait(Some(deadline))?,
            // The partner was refused meanwhile: the server's child logs that.
            Err(e) if e.broke_off() => {
                common::debug!("pair {pair} ends within its join: {e}");
                return Err(Stop::Unused(Status::Retired));
            }
            Err(e) => {
                let reason = format!("the join of pair {pair} failed: {e}");
                Event::new(&catalogue::PAIR_REFUSED)
                    .field("address", context.server.map(|server| server.to_string()).unwrap_or_default())
                    .field("reason", &reason)
                    .log();
                return Err(Stop::Failed(Status::LinkBroke, reason));
            }
        }
    }
}

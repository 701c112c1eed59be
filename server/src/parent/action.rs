//! What the state machines of the parent want done, and the processes that they want forked. `S` is a socket; tests
//! have something simpler in its place.

use crate::messages::ToChild;
use common::link::control::ToClient;
use common::link::session_id::{Direction, SessionId};
use common::log::Remains;
use common::process::status::Status;
use common::rpc::{CrlUrl, SessionEvent, SystemLog};
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::time::Instant;

/// Why a session child is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fork<S> {
    /// To wait in the pool.
    Spare,
    /// To take over a pair whose first child met a partner that was not verified.
    Replacement(SessionId),
    /// For a partner, because no child was parked.
    Partner {
        socket: S,
        peer: SocketAddr,
        /// A refusal may have a line in the log.
        has_line: bool,
        /// It waits since then.
        since: Instant,
    },
    /// The client wants one for its station.
    Outgoing,
}

impl<S> Fork<S> {
    /// Of the session that the child will serve.
    pub(super) fn direction(&self) -> Direction {
        if matches!(self, Self::Outgoing) { Direction::Outgoing } else { Direction::Incoming }
    }
}

/// What is to be done, in the order in which it was asked for.
#[derive(Debug)]
pub(super) enum Action<S> {
    /// A message to the client.
    SendToClient(ToClient),
    /// A message to a child, with a socket or without. A failure is reported back.
    SendToChild(Pid, ToChild, Option<S>),
    /// Close the channel of a child that serves nobody: the child ends with it.
    CloseChannel(Pid),
    /// Turn this partner away; its socket is closed.
    RefusePartner(SocketAddr, Status, &'static str),
    /// A data connection of a pair that was given up: its client's child is not to dial again.
    DeclineDial(S),
    /// The same of a pair that nobody knows: worth a line in the log.
    RefuseDial(S),
    /// A CRL distribution URL that a child has found.
    ReportCrlUrl(CrlUrl),
    /// For the session list of the backend, from this child.
    ReportSession(Pid, Direction, Box<SessionEvent>),
    /// A session process has written its end line, or leaves it here.
    NoteEnd(Option<SessionId>, Remains),
    /// For the system log of the backend.
    ReportSystemLog(Box<SystemLog>),
    /// A session process ended without an end line of its own.
    LogCrash(Crash),
}

/// A session process that could not write its end line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crash {
    pub(super) pid: Pid,
    pub(super) direction: Direction,
    pub(super) session: Option<SessionId>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) partner: Option<String>,
    /// The session stands in the backend's list.
    pub(super) listed: bool,
    /// How it ended, as `common::process::status` words it.
    pub(super) ended: String,
}

//! The steps that the parent's state machines ask for, and the processes that they need. `S` is a socket; tests use
//! something simpler.

use crate::messages::{Peer, ToChild};
use common::link::control::ToClient;
use common::link::session_id::{Direction, SessionId};
use common::log::Unwritten;
use common::process::end_reasons::Status;
use common::rpc::{CrlUrl, SessionEvent, SystemLog};
use common::state::Refused;
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::time::Instant;

/// The purpose of a new session child.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fork<S> {
    /// It waits in the pool.
    Spare,
    /// It takes over a pair whose first child had a partner that was not verified.
    Replacement(SessionId),
    /// It serves a partner that came while no child was parked.
    Partner {
        socket: S,
        peer: Peer,
        /// Since when the partner has been waiting.
        since: Instant,
    },
    /// It serves a station of the client.
    Outgoing,
}

impl<S> Fork<S> {
    /// The direction of its session.
    pub(super) fn direction(&self) -> Direction {
        if matches!(self, Self::Outgoing) { Direction::Outgoing } else { Direction::Incoming }
    }
}

/// A step that the parent does; the steps are done in the order in which they were requested.
#[derive(Debug)]
pub(super) enum Action<S> {
    /// Send a message to the client.
    SendToClient(ToClient),
    /// Send a message to a child, with or without a socket. The parent reports a failure.
    SendToChild(Pid, ToChild, Option<S>),
    /// Close the channel of a child that serves no session: the child then ends.
    CloseChannel(Pid),
    /// Refuse this partner and close its socket.
    RefusePartner(SocketAddr, Status, &'static str),
    /// Count this refusal for the backend.
    CountRefusal(Box<Refused>),
    /// Close a data connection of a pair that was given up, so that the client's child does not connect again.
    DeclineDial(S),
    /// The same for an unknown pair, with a log line.
    RefuseDial(S),
    /// Report a CRL distribution URL that a child has found.
    ReportCrlUrl(CrlUrl),
    /// Report this event of a child's session for the session list of the backend.
    ReportSession(Pid, Direction, Box<SessionEvent>),
    /// A session process has written its end line, or has passed it to this parent.
    NoteEnd(Option<SessionId>, Unwritten),
    /// Report an entry for the system log of the backend.
    ReportSystemLog(Box<SystemLog>),
    /// Log that a session process ended without an end line.
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
    /// Whether the backend's session list has the session.
    pub(super) listed: bool,
    /// How it ended, in the words of `common::process::end_reasons`.
    pub(super) ended: String,
}

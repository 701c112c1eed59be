//! The steps that the parent's machines ask for: they push them here, and the parent executes them. Plain values.

use super::backend_call::BackendCall;
use crate::backend::Task;
use crate::messages::ToChild;
use crate::session::Station;
use common::link::control::ToServer;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::log::Remains;
use common::process::status::Status;
use nix::unistd::Pid;
use std::collections::VecDeque;

/// A process that is wanted.
pub(super) enum Fork {
    /// The API worker.
    Worker,
    /// A session child.
    Session(Work),
}

/// The purpose of a child.
pub(super) enum Work {
    /// One half of this pair, until a partner comes.
    Partner(SessionId, Ticket),
    /// One half of this pair, until a station comes.
    Parked(SessionId, Ticket),
    /// This station. Its pair is still to be asked for.
    Station(Station),
}

impl Work {
    /// Which way the session goes.
    pub(super) fn direction(&self) -> Direction {
        match self {
            Self::Partner(..) => Direction::Incoming,
            Self::Parked(..) | Self::Station(_) => Direction::Outgoing,
        }
    }
}

/// A step that a machine cannot do itself.
pub(super) enum Action {
    /// Sends a message to the server.
    SendToServer(ToServer),
    /// The same; messages of the other kind may overtake it.
    SendBulkToServer(ToServer),
    /// Sends a task to the API worker, behind all questions if it is a report.
    SendToWorker { task: Task, is_report: bool },
    /// Sends a message to a child.
    SendToChild(Pid, ToChild),
    /// Hands a station over to a parked child.
    SendStation(Pid, Station),
    /// Closes the channel of a child: one that is parked ends.
    CloseChannel(Pid),
    /// A station has connected; whether its address may use the listener.
    AdmitStation { station: Station, is_allowed: bool },
    /// Breaks the connection of a station off, and logs why.
    RefuseStation { station: Station, status: Status, reason: String },
    /// A child has a station and no pair for it.
    RequestPair(Pid),
    /// There is no session process for this pair: logs why, and says so to the server.
    FailPair(SessionId, String),
    /// The session process of this pair is gone: the same, and whoever has its data connection is left alone.
    LosePair(SessionId, String),
    /// A session has begun: so that its end is told in any case.
    NoteBegun { pid: Pid, session: SessionId, direction: Direction, partner: String },
    /// A session process has written its end line, or leaves it here.
    NoteEnd(Option<SessionId>, Remains),
    /// Reports to the backend.
    Report(BackendCall),
    /// The certificate was not renewed.
    RenewalFailed,
    /// This parent cannot go on; a sentence says why.
    Fail(String),
}

/// Everything that is to be done, in its order. Forks are apart: the loop does them between two steps, since the child
/// drops all that the parent owns.
#[derive(Default)]
pub(super) struct Actions {
    queue: VecDeque<Action>,
    forks: VecDeque<Fork>,
}

impl Actions {
    pub(super) fn push(&mut self, action: Action) {
        self.queue.push_back(action);
    }

    pub(super) fn pop(&mut self) -> Option<Action> {
        self.queue.pop_front()
    }

    pub(super) fn push_fork(&mut self, fork: Fork) {
        self.forks.push_back(fork);
    }

    pub(super) fn pop_fork(&mut self) -> Option<Fork> {
        self.forks.pop_front()
    }

    /// Session children that are wanted for a station that is here.
    pub(super) fn station_forks(&self) -> usize {
        self.count_forks(|work| matches!(work, Work::Station(_)))
    }

    /// Session children that are wanted for a pair that is to be parked.
    pub(super) fn pair_forks(&self, direction: Direction) -> usize {
        self.count_forks(|work| match work {
            Work::Partner(..) => direction == Direction::Incoming,
            Work::Parked(..) => direction == Direction::Outgoing,
            Work::Station(_) => false,
        })
    }

    fn count_forks(&self, is_it: impl Fn(&Work) -> bool) -> usize {
        self.forks.iter().filter(|fork| matches!(fork, Fork::Session(work) if is_it(work))).count()
    }
}

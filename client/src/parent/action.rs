//! The steps that the parent's state machines ask for: they push them here, and the parent does them. Plain values.

use super::backend_call::BackendCall;
use super::place::Place;
use crate::backend::Task;
use crate::messages::{Test, ToChild};
use crate::session::Station;
use common::link::control::ToServer;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::log::Unwritten;
use common::process::end_reasons::Status;
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// A process that is needed.
pub(super) enum Fork {
    /// The API worker.
    Worker,
    /// The API watcher; the parent has this generation.
    Watcher(u64),
    /// A session child.
    Session(Work),
}

/// A pair of a server.
pub(super) struct Pair {
    /// The server.
    pub(super) place: Place,
    /// Its address, to which the child connects.
    pub(super) server: SocketAddr,
    pub(super) id: SessionId,
    pub(super) ticket: Ticket,
}

/// The work of a child.
pub(super) enum Work {
    /// It is one half of this pair until a partner comes.
    Partner(Pair),
    /// It is one half of this pair until a station comes.
    Parked(Pair),
    /// It serves this station. Its pair has not been requested yet.
    Station(Station),
    /// It tests a partner, without a station.
    Test(Test),
}

impl Work {
    /// The direction of its session.
    pub(super) fn direction(&self) -> Direction {
        match self {
            Self::Partner(..) => Direction::Incoming,
            Self::Parked(..) | Self::Station(_) | Self::Test(_) => Direction::Outgoing,
        }
    }
}

/// A step that a machine cannot do itself.
pub(super) enum Action {
    /// Sends a message to this server.
    SendToServer(Place, ToServer),
    /// The same; other messages may be sent before it.
    SendBulkToServer(Place, ToServer),
    /// Sends a task to the API worker.
    SendToWorker(Task),
    /// Sends a message to a child.
    SendToChild(Pid, ToChild),
    /// Passes a station to a parked child.
    SendStation(Pid, Station),
    /// Closes the channel of a child: a parked one ends.
    CloseChannel(Pid),
    /// A station has connected; `is_allowed`: whether its address may use the listener.
    AdmitStation { station: Station, is_allowed: bool },
    /// Breaks the connection of a station, and logs why.
    RefuseStation { station: Station, status: Status, reason: String },
    /// A child has a station but no pair.
    RequestPair(Pid),
    /// The same, but the server of its last pair gives none.
    RequestOtherPair(Pid, Option<Place>),
    /// There is no session process for this pair: logs why, and tells its server.
    FailPair(Place, SessionId, String),
    /// The session process of this pair has ended: the same, but the server's child with its data connection is not
    /// affected.
    FailRetiredPair(Place, SessionId, String),
    /// The addresses of the server of this name were not found.
    LookUpFailed { host: String, port: u16, reason: String },
    /// A session has begun; noted so that its end is logged in any case.
    NoteBegun { pid: Pid, session: SessionId, direction: Direction, partner: String },
    /// A session process has written its end line, or has passed it to this parent.
    NoteEnd(Option<SessionId>, Unwritten),
    /// Reports to the backend.
    Report(BackendCall),
    /// The certificate could not be renewed.
    RenewalFailed,
    /// This parent cannot go on; a sentence says why.
    Fail(String),
}

/// All pending steps, in their order. Forks are separate: the loop does them between two steps, because the child drops
/// everything that the parent owns.
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

    /// Number of requested session children for a station or for a test.
    pub(super) fn station_forks(&self) -> usize {
        self.count_forks(|work| matches!(work, Work::Station(_) | Work::Test(_)))
    }

    /// Number of requested session children for a pair of an incoming session.
    pub(super) fn partner_forks(&self) -> usize {
        self.count_forks(|work| matches!(work, Work::Partner(_)))
    }

    /// Number of requested session children for a pair of this server that will wait for a station.
    pub(super) fn parked_forks(&self, place: Place) -> usize {
        self.count_forks(|work| matches!(work, Work::Parked(pair) if pair.place == place))
    }

    fn count_forks(&self, is_it: impl Fn(&Work) -> bool) -> usize {
        self.forks.iter().filter(|fork| matches!(fork, Fork::Session(work) if is_it(work))).count()
    }
}

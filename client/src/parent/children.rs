//! The table of the client's session processes: what each has reported, and what is to be done when it ends. A child
//! logs its own end line; of one that could not, the parent must. Pure: the channels are the parent's.

use super::action::{Action, Actions, Work};
use super::backend_call::BackendCall;
use crate::messages::{ToChild, ToParent};
use common::link::control::ToServer;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::rpc::SessionEvent;
use nix::unistd::Pid;
use std::collections::{HashMap, VecDeque};

/// Sessions that are over and whose station is remembered: reports come a second or so late.
const MOST_LEFT: usize = 1000;

/// One session process.
struct Child {
    direction: Direction,
    pair: Option<SessionId>,
    /// It has a station (outgoing).
    has_station: bool,
    /// Its channel is closed: a parked one ends.
    is_retired: bool,
    partner: Option<String>,
    /// The station's address, for the session list.
    address: String,
    end_logged: bool,
}

impl Child {
    fn is_parked(&self) -> bool {
        self.partner.is_none() && !self.has_station
    }

    /// Parked, and not retired.
    fn is_idle(&self) -> bool {
        self.is_parked() && !self.is_retired
    }
}

/// A child that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// It was parked for a station and ended by itself: its pair was of no use.
    pub(super) was_idle: bool,
    /// Its pair, if that has not become a session and the server wants it still.
    pub(super) unjoined: Option<SessionId>,
    /// It has not logged the end of its session.
    pub(super) crash: Option<Crash>,
}

/// A session without an end line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crash {
    pub(super) direction: Direction,
    pub(super) pair: Option<SessionId>,
    pub(super) partner: Option<String>,
}

#[derive(Default)]
pub(super) struct Children {
    table: HashMap<Pid, Child>,
    /// Stations of sessions that are over and may not be in the session list yet.
    left: VecDeque<(SessionId, String)>,
}

impl Children {
    /// A child was forked for this work.
    pub(super) fn register(&mut self, pid: Pid, work: &Work) {
        let direction = work.direction();
        let (pair, has_station) = match work {
            Work::Partner(pair, _) | Work::Parked(pair, _) => (Some(*pair), false),
            Work::Station(_) => (None, true),
        };
        let (partner, address) = (None, String::new());
        let child =
            Child { direction, pair, has_station, is_retired: false, partner, address, end_logged: false };
        self.table.insert(pid, child);
    }

    /// Processes for incoming sessions, parked ones included.
    pub(super) fn incoming(&self) -> usize {
        self.table.values().filter(|child| child.direction == Direction::Incoming).count()
    }

    /// Those that wait for a station.
    pub(super) fn idle_outgoing(&self) -> usize {
        self.table.values().filter(|child| child.direction == Direction::Outgoing && child.is_idle()).count()
    }

    /// Stations that are served.
    pub(super) fn stations(&self) -> usize {
        self.table.values().filter(|child| child.has_station).count()
    }

    /// A parked child for a station; it counts as serving one from now on.
    pub(super) fn assign_station(&mut self) -> Option<Pid> {
        let mut outgoing = self.table.iter_mut().filter(|(_, child)| child.direction == Direction::Outgoing);
        let (pid, child) = outgoing.find(|(_, child)| child.is_idle())?;
        child.has_station = true;
        Some(*pid)
    }

    /// The pair that a child has asked for has come.
    pub(super) fn assign_pair(&mut self, pid: Pid, pair: SessionId, ticket: Ticket, actions: &mut Actions) {
        if let Some(child) = self.table.get_mut(&pid) {
            child.pair = Some(pair);
        }
        actions.push(Action::SendToChild(pid, ToChild::Pair { pair, ticket }));
    }

    /// A child has sent a message.
    pub(super) fn on_message(&mut self, pid: Pid, message: ToParent, actions: &mut Actions) {
        let Some(child) = self.table.get_mut(&pid) else { return };
        match message {
            ToParent::Joined { partner, station } => {
                if let Some(session) = child.pair {
                    let (direction, partner) = (child.direction, partner.clone());
                    actions.push(Action::NoteBegun { pid, session, direction, partner });
                }
                child.partner = Some(partner);
                child.address = station;
            }
            ToParent::EndLogged(remains) => {
                child.end_logged = true;
                actions.push(Action::NoteEnd(child.pair, remains));
            }
            ToParent::Failed { reason } => {
                if let Some(pair) = child.pair {
                    actions.push(Action::FailPair(pair, reason));
                }
            }
            ToParent::WantPair => actions.push(Action::RequestPair(pid)),
            ToParent::SystemLog(entry) => actions.push(Action::Report(BackendCall::SystemLog(entry))),
        }
    }

    /// A message could not be sent: the child is gone. A pair in it is nobody's.
    pub(super) fn send_failed(&mut self, pid: Pid, message: &ToChild, actions: &mut Actions) {
        if let ToChild::Pair { pair, .. } = message {
            if let Some(child) = self.table.get_mut(&pid) {
                child.pair = None;
            }
            actions.push(Action::FailPair(*pair, "the station is gone".to_owned()));
        }
    }

    /// The server does not want this pair any more: a parked child ends with its channel, one that has a station may
    /// still be on its way to the join.
    pub(super) fn retire(&mut self, pair: SessionId, actions: &mut Actions) {
        let Some((pid, child)) = self.table.iter_mut().find(|(_, child)| child.pair == Some(pair)) else {
            return;
        };
        if child.is_parked() {
            child.is_retired = true;
            actions.push(Action::CloseChannel(*pid));
        } else if child.has_station {
            actions.push(Action::SendToChild(*pid, ToChild::Retired { pair }));
        }
    }

    /// Ends all parked children, because of `why`. The server is told, since those that have not dialled never will;
    /// it asks for new pairs.
    pub(super) fn retire_idle_children(&mut self, why: &str, actions: &mut Actions) {
        for (pid, child) in self.table.iter_mut().filter(|(_, child)| child.is_idle()) {
            child.is_retired = true;
            actions.push(Action::CloseChannel(*pid));
            if let Some(pair) = child.pair {
                let reason = why.to_owned();
                actions.push(Action::SendToServer(ToServer::PairFailed { pair, reason, retired: true }));
            }
        }
    }

    /// A child has ended, and its last messages are read; none if it is not in the table.
    pub(super) fn reap(&mut self, pid: Pid) -> Option<Ended> {
        let child = self.table.remove(&pid)?;
        self.remember_station(&child);
        let was_idle = child.direction == Direction::Outgoing && child.is_idle();
        let has_crashed = !child.is_parked() && !child.end_logged;
        let unjoined = child.pair.filter(|_| child.partner.is_none() && !child.is_retired);
        let Child { direction, pair, partner, .. } = child;
        Some(Ended { was_idle, unjoined, crash: has_crashed.then_some(Crash { direction, pair, partner }) })
    }

    /// Adds the stations to the server's reports: the DMZ does not know them.
    pub(super) fn name_stations(&mut self, events: &mut [SessionEvent]) {
        for event in events {
            if let SessionEvent::Begin(begin) = event {
                let session = SessionId::try_from(begin.session.clone());
                begin.station = session.map_or_else(|_| String::new(), |session| self.station_of(session));
            }
        }
    }

    fn station_of(&mut self, session: SessionId) -> String {
        if let Some(child) = self.table.values().find(|child| child.pair == Some(session)) {
            return child.address.clone();
        }
        let at = self.left.iter().position(|(pair, _)| *pair == session);
        at.and_then(|at| self.left.remove(at)).map(|(_, station)| station).unwrap_or_default()
    }

    fn remember_station(&mut self, child: &Child) {
        if let Some(pair) = child.pair.filter(|_| child.partner.is_some()) {
            if self.left.len() == MOST_LEFT {
                self.left.pop_front();
            }
            self.left.push_back((pair, child.address.clone()));
        }
    }
}

#[cfg(test)]
mod tests;

//! The table of the client's session processes: the state of each, and what to do when it ends. A child logs its own
//! end line; if it could not, the parent does. Pure: the channels belong to the parent.

use super::action::{Action, Actions, Pair, Work};
use super::backend_call::BackendCall;
use super::place::Place;
use crate::messages::{ToChild, ToParent};
use common::link::control::ToServer;
use common::link::session_id::{Direction, SessionId};
use common::rpc::SessionEvent;
use nix::unistd::Pid;
use std::collections::{HashMap, VecDeque};

/// Most stations of ended sessions that are remembered, because the server's reports come about a second later.
const MOST_LEFT: usize = 1000;

/// One session process.
struct Child {
    direction: Direction,
    pair: Option<(Place, SessionId)>,
    /// Whether it has a station, or tests a partner instead (outgoing).
    has_station: bool,
    /// Whether its channel is closed: a parked child then ends.
    is_retired: bool,
    /// The act with an open outcome, if it tests a partner.
    test: Option<u64>,
    partner: Option<String>,
    /// The station's address, for the session list.
    address: String,
    end_logged: bool,
}

impl Child {
    fn session(&self) -> Option<SessionId> {
        self.pair.map(|(_, session)| session)
    }

    fn place(&self) -> Option<Place> {
        self.pair.map(|(place, _)| place)
    }

    fn is_parked(&self) -> bool {
        self.partner.is_none() && !self.has_station
    }

    /// Whether it is parked for a station, and not retired.
    fn waits_for_station(&self) -> bool {
        self.direction == Direction::Outgoing && self.is_idle()
    }

    /// Whether it is parked and not retired.
    fn is_idle(&self) -> bool {
        self.is_parked() && !self.is_retired
    }
}

/// A child that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// It was parked for a station with a pair of this server, and ended by itself: the pair could not be used.
    pub(super) idle_at: Option<Place>,
    /// Its pair, if that was not joined and the server has not retired it.
    pub(super) unjoined: Option<(Place, SessionId)>,
    /// Set if it has not logged the end of its session.
    pub(super) crash: Option<Crash>,
    /// The act with an open outcome.
    pub(super) test: Option<u64>,
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
    /// Stations of ended sessions that may not be in the session list yet.
    left: VecDeque<(SessionId, String)>,
}

impl Children {
    /// A child was forked for this work.
    pub(super) fn register(&mut self, pid: Pid, work: &Work) {
        let direction = work.direction();
        let (pair, has_station) = match work {
            Work::Partner(pair) | Work::Parked(pair) => (Some((pair.place, pair.id)), false),
            Work::Station(_) | Work::Test(_) => (None, true),
        };
        let test = if let Work::Test(test) = work { Some(test.number) } else { None };
        let (partner, address) = (None, String::new());
        let child = Child {
            direction,
            pair,
            has_station,
            is_retired: false,
            test,
            partner,
            address,
            end_logged: false,
        };
        self.table.insert(pid, child);
    }

    /// Number of processes for incoming sessions, including parked ones.
    pub(super) fn incoming(&self) -> usize {
        self.table.values().filter(|child| child.direction == Direction::Incoming).count()
    }

    /// Number of running sessions in this direction.
    pub(super) fn running(&self, direction: Direction) -> usize {
        let is_it = |child: &&Child| child.direction == direction && child.partner.is_some();
        self.table.values().filter(is_it).count()
    }

    /// Number of children that wait for a session in this direction.
    pub(super) fn idle(&self, direction: Direction) -> usize {
        self.table.values().filter(|child| child.direction == direction && child.is_idle()).count()
    }

    /// Number of children that wait for a station, with a pair of this server.
    pub(super) fn idle_at(&self, place: Place) -> usize {
        let is_one = |child: &&Child| child.waits_for_station() && child.place() == Some(place);
        self.table.values().filter(is_one).count()
    }

    /// Number of stations that are served through this server.
    pub(super) fn stations_at(&self, place: Place) -> usize {
        self.table.values().filter(|child| child.has_station && child.place() == Some(place)).count()
    }

    /// The server that has this session, if a child of this client serves it.
    pub(super) fn place_of(&self, session: &str) -> Option<Place> {
        let is_it = |child: &&Child| child.session().is_some_and(|own| own.to_string() == session);
        self.table.values().find(is_it)?.place()
    }

    /// Number of children that serve somebody.
    pub(super) fn count_busy(&self) -> usize {
        self.table.values().filter(|child| !child.is_parked()).count()
    }

    /// Number of children for incoming sessions to which the server may still give one.
    pub(super) fn count_given(&self) -> usize {
        let may_get = |child: &Child| child.direction == Direction::Incoming && child.is_idle();
        self.table.values().filter(|child| may_get(child)).count()
    }

    /// The children that serve this partner.
    pub(super) fn of_partner(&self, partner: &str) -> Vec<Pid> {
        let is_one = |child: &Child| child.partner.as_deref() == Some(partner);
        self.table.iter().filter(|(_, child)| is_one(child)).map(|(pid, _)| *pid).collect()
    }

    /// Number of stations that are served.
    pub(super) fn stations(&self) -> usize {
        self.table.values().filter(|child| child.has_station).count()
    }

    /// A child that is parked at this server, for a station; from now on it counts as serving one.
    pub(super) fn assign_station(&mut self, place: Place) -> Option<Pid> {
        let is_one = |child: &Child| child.waits_for_station() && child.place() == Some(place);
        let (pid, child) = self.table.iter_mut().find(|(_, child)| is_one(child))?;
        child.has_station = true;
        Some(*pid)
    }

    /// Gives a child the pair that it has asked for.
    pub(super) fn assign_pair(&mut self, pid: Pid, pair: Pair, actions: &mut Actions) {
        let Pair { place, server, id, ticket } = pair;
        let Some(child) = self.table.get_mut(&pid) else {
            return actions.push(Action::FailPair(place, id, "the station is gone".to_owned()));
        };
        child.pair = Some((place, id));
        actions.push(Action::SendToChild(pid, ToChild::Pair { pair: id, ticket, server }));
    }

    /// A child has sent a message.
    pub(super) fn on_message(&mut self, pid: Pid, message: ToParent, actions: &mut Actions) {
        let Some(child) = self.table.get_mut(&pid) else { return };
        match message {
            ToParent::Joined { partner, station } => {
                if let Some(session) = child.session() {
                    let (direction, partner) = (child.direction, partner.clone());
                    actions.push(Action::NoteBegun { pid, session, direction, partner });
                }
                child.partner = Some(partner);
                child.address = station;
            }
            ToParent::EndLogged(remains) => {
                child.end_logged = true;
                actions.push(Action::NoteEnd(child.session(), remains));
            }
            ToParent::Failed { reason } => {
                if let Some((place, pair)) = child.pair {
                    actions.push(Action::FailPair(place, pair, reason));
                }
            }
            ToParent::Tested(outcome) => {
                if child.test.take().is_some_and(|number| number == outcome.number) {
                    actions.push(Action::Report(BackendCall::ActDone(outcome)));
                }
            }
            ToParent::WantPair => actions.push(Action::RequestPair(pid)),
            ToParent::WantOther => actions.push(Action::RequestOtherPair(pid, child.place())),
            ToParent::SystemLog(entry) => actions.push(Action::Report(BackendCall::SystemLog(entry))),
        }
    }

    /// A message could not be sent, because the child has ended. A pair in the message has no child now.
    pub(super) fn send_failed(&mut self, pid: Pid, message: &ToChild, actions: &mut Actions) {
        if let ToChild::Pair { .. } = message
            && let Some((place, pair)) = self.table.get_mut(&pid).and_then(|child| child.pair.take())
        {
            actions.push(Action::FailPair(place, pair, "the station is gone".to_owned()));
        }
    }

    /// An administrator ends this session through the server's child: tells our child who it was.
    pub(super) fn end_by(&self, session: &str, administrator: &str, actions: &mut Actions) {
        let is_it = |child: &Child| child.session().is_some_and(|own| own.to_string() == session);
        if let Some((pid, _)) = self.table.iter().find(|(_, child)| is_it(child) && !child.is_parked()) {
            let administrator = administrator.to_owned();
            actions.push(Action::SendToChild(*pid, ToChild::EndedBy { administrator }));
        }
    }

    /// The server at this place does not need this pair any more. A parked child ends when its channel is closed; one
    /// with a station may still be joining.
    pub(super) fn retire(&mut self, place: Place, pair: SessionId, actions: &mut Actions) {
        let is_it = |child: &Child| child.pair == Some((place, pair));
        let Some((pid, child)) = self.table.iter_mut().find(|(_, child)| is_it(child)) else { return };
        if child.is_parked() {
            child.is_retired = true;
            actions.push(Action::CloseChannel(*pid));
        } else if child.has_station {
            actions.push(Action::SendToChild(*pid, ToChild::Retired { pair }));
        }
    }

    /// The server at this place is gone, and the connections of parked children with it.
    pub(super) fn drop_parked(&mut self, place: Place, actions: &mut Actions) {
        let is_one = |child: &Child| child.is_idle() && child.place() == Some(place);
        for (pid, child) in self.table.iter_mut().filter(|(_, child)| is_one(child)) {
            child.is_retired = true;
            actions.push(Action::CloseChannel(*pid));
        }
    }

    /// Ends all parked children, because of `why`. Their servers are told, because children that have not connected
    /// never will; they ask for new pairs.
    pub(super) fn retire_idle_children(&mut self, why: &str, actions: &mut Actions) {
        self.retire_many(usize::MAX, Child::is_idle, why, actions);
    }

    /// Ends this many of the children that wait for a station with a pair of this server, because there are too many.
    pub(super) fn retire_surplus(&mut self, place: Place, count: usize, actions: &mut Actions) {
        let waits = |child: &Child| child.waits_for_station() && child.place() == Some(place);
        self.retire_many(count, waits, "there are more of them than are needed", actions);
    }

    fn retire_many(
        &mut self,
        count: usize,
        is_one: impl Fn(&Child) -> bool,
        why: &str,
        actions: &mut Actions,
    ) {
        for (pid, child) in self.table.iter_mut().filter(|(_, child)| is_one(child)).take(count) {
            child.is_retired = true;
            actions.push(Action::CloseChannel(*pid));
            if let Some((place, pair)) = child.pair {
                let reason = why.to_owned();
                let failed = ToServer::PairFailed { pair, reason, retired: true };
                actions.push(Action::SendToServer(place, failed));
            }
        }
    }

    /// A child has ended, and its last messages were read; none if it is not in the table.
    pub(super) fn reap(&mut self, pid: Pid) -> Option<Ended> {
        let child = self.table.remove(&pid)?;
        self.remember_station(&child);
        let idle_at = child.place().filter(|_| child.waits_for_station());
        let has_crashed = !child.is_parked() && !child.end_logged;
        let unjoined = child.pair.filter(|_| child.partner.is_none() && !child.is_retired);
        let pair = child.session();
        let Child { direction, partner, test, .. } = child;
        let crash = has_crashed.then_some(Crash { direction, pair, partner });
        Some(Ended { idle_at, unjoined, crash, test })
    }

    /// Adds the stations to the server's reports, because the DMZ does not know them.
    pub(super) fn name_stations(&mut self, events: &mut [SessionEvent]) {
        for event in events {
            if let SessionEvent::Begin(begin) = event {
                let session = SessionId::try_from(begin.session.clone());
                begin.station = session.map_or_else(|_| String::new(), |session| self.station_of(session));
            }
        }
    }

    fn station_of(&mut self, session: SessionId) -> String {
        if let Some(child) = self.table.values().find(|child| child.session() == Some(session)) {
            return child.address.clone();
        }
        let at = self.left.iter().position(|(pair, _)| *pair == session);
        at.and_then(|at| self.left.remove(at)).map(|(_, station)| station).unwrap_or_default()
    }

    fn remember_station(&mut self, child: &Child) {
        if let Some(pair) = child.session().filter(|_| child.partner.is_some()) {
            if self.left.len() == MOST_LEFT {
                self.left.pop_front();
            }
            self.left.push_back((pair, child.address.clone()));
        }
    }
}

#[cfg(test)]
mod tests;

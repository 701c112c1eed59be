//! The client's session processes: what each reports, and its burial. A child writes its own end line; where it could
//! not, the line is written here.

use super::backend::BackendCall;
use super::{CHILDREN, Parent};
use crate::messages::{ToChild, ToParent};
use crate::session::{Station, Work};
use common::ipc::channel::{Channel, ChannelError, Received};
use common::link::session_id::{Direction, SessionId, Ticket};
use common::log::{Event, events};
use common::rpc::SessionEvent;
use common::sys;
use mio::{Interest, Token};
use nix::unistd::Pid;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// Sessions that are over and whose station is remembered: reports come a second or so late.
const MOST_LEFT: usize = 1000;

/// One session process.
pub(super) struct Child {
    pid: Pid,
    channel: Option<Channel>,
    direction: Direction,
    pair: Option<SessionId>,
    /// It has a station (outgoing).
    station: bool,
    partner: Option<String>,
    /// The station's address, for the session list.
    address: String,
    end_logged: bool,
}

impl Child {
    pub(super) fn new(pid: Pid, channel: Channel, work: &Work) -> Self {
        let (direction, pair, station) = match work {
            Work::Partner(pair, _) => (Direction::Incoming, Some(*pair), false),
            Work::Parked(pair, _) => (Direction::Outgoing, Some(*pair), false),
            Work::Station(_) => (Direction::Outgoing, None, true),
        };
        Self {
            pid,
            channel: Some(channel),
            direction,
            pair,
            station,
            partner: None,
            address: String::new(),
            end_logged: false,
        }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    fn is_parked(&self) -> bool {
        self.partner.is_none() && !self.station
    }
}

#[derive(Default)]
pub(super) struct Children {
    table: HashMap<Pid, Child>,
    /// Stations of sessions that are over and may not be in the session list yet.
    left: VecDeque<(SessionId, String)>,
}

impl Children {
    /// Processes for incoming sessions, parked ones too.
    pub(super) fn incoming(&self) -> usize {
        self.table.values().filter(|child| child.direction == Direction::Incoming).count()
    }

    /// Parked ones that were not let go yet.
    pub(super) fn parked(&self, direction: Direction) -> usize {
        let that_way = self.table.values().filter(|child| child.direction == direction);
        that_way.filter(|child| child.is_parked() && child.channel.is_some()).count()
    }

    /// Stations that are served.
    pub(super) fn stations(&self) -> usize {
        self.table.values().filter(|child| child.station).count()
    }

    /// A parked child for a station.
    pub(super) fn take_parked(&mut self) -> Option<Pid> {
        let parked = |child: &&mut Child| {
            child.direction == Direction::Outgoing && child.is_parked() && child.channel.is_some()
        };
        let child = self.table.values_mut().find(parked)?;
        child.station = true;
        Some(child.pid)
    }

    /// Hands a station to a child; false if the child is gone.
    pub(super) fn hand_over(&mut self, pid: Pid, station: &Station) -> bool {
        let Some(channel) = self.table.get(&pid).and_then(|child| child.channel.as_ref()) else {
            return false;
        };
        let message = ToChild::Station { peer: station.peer, tied: station.tied.clone() };
        channel.hand_over(&message, Some(&station.socket)).is_ok()
    }

    /// Sends; false if the child is gone.
    pub(super) fn send(&mut self, pid: Pid, message: &ToChild) -> bool {
        let channel = self.table.get(&pid).and_then(|child| child.channel.as_ref());
        channel.is_some_and(|channel| channel.send(message).is_ok())
    }

    /// The pair that a child has asked for; false if the child is gone.
    pub(super) fn give_pair(&mut self, pid: Pid, pair: SessionId, ticket: Ticket) -> bool {
        if let Some(child) = self.table.get_mut(&pid) {
            child.pair = Some(pair);
        }
        self.send(pid, &ToChild::Pair { pair, ticket })
    }

    /// The station of a session; the DMZ does not know it.
    fn station_of(&mut self, session: SessionId) -> String {
        if let Some(child) = self.table.values().find(|child| child.pair == Some(session)) {
            return child.address.clone();
        }
        let at = self.left.iter().position(|(pair, _)| *pair == session);
        at.and_then(|at| self.left.remove(at)).map(|(_, station)| station).unwrap_or_default()
    }

    fn keep_station(&mut self, child: &Child) {
        if let Some(pair) = child.pair.filter(|_| child.partner.is_some()) {
            if self.left.len() == MOST_LEFT {
                self.left.pop_front();
            }
            self.left.push_back((pair, child.address.clone()));
        }
    }

    /// The server does not want this pair any more: a parked child ends with its channel, one that has a station may
    /// still be on its way to the join.
    pub(super) fn retire(&mut self, pair: SessionId) {
        let Some(child) = self.table.values_mut().find(|child| child.pair == Some(pair)) else { return };
        if child.is_parked() {
            child.channel = None;
        } else if child.station
            && let Some(channel) = &child.channel
        {
            // A child that is gone needs no pair.
            let _ = channel.send(&ToChild::Retired { pair });
        }
    }

    /// Lets all parked children go; the server sees their data connections end and asks for new pairs.
    pub(super) fn release_parked(&mut self) {
        for child in self.table.values_mut().filter(|child| child.is_parked()) {
            child.channel = None;
        }
    }
}

impl Parent {
    /// Adds to the server's reports what the inside alone knows.
    pub(super) fn name_stations(&mut self, events: &mut [SessionEvent]) {
        for event in events {
            if let SessionEvent::Begin(begin) = event {
                let session = SessionId::try_from(begin.session.clone());
                begin.station = session.map_or_else(|_| String::new(), |pair| self.children.station_of(pair));
            }
        }
    }

    pub(super) fn adopt(&mut self, mut child: Child) {
        let token = usize::try_from(child.pid.as_raw()).map_or(CHILDREN, |pid| CHILDREN + pid);
        if let Some(channel) = &mut child.channel
            && let Err(e) = self.poller.registry().register(channel, Token(token), Interest::READABLE)
        {
            common::error!("session process {} cannot be watched: {e}", child.pid);
            child.channel = None;
        }
        self.children.table.insert(child.pid, child);
    }

    /// Takes in what a child has sent.
    pub(super) fn hear_child(&mut self, pid: usize) {
        let Some(pid) = i32::try_from(pid).ok().map(Pid::from_raw) else { return };
        loop {
            let Some(child) = self.children.table.get_mut(&pid) else { return };
            let Some(channel) = &child.channel else { return };
            match channel.receive::<ToParent>() {
                Ok(Received::Message(ToParent::Joined { partner, station }, _)) => {
                    child.partner = Some(partner);
                    child.address = station;
                }
                Ok(Received::Message(ToParent::EndLogged, _)) => child.end_logged = true,
                Ok(Received::Message(ToParent::Failed { reason }, _)) => {
                    if let Some(pair) = child.pair {
                        self.pair_failed(pair, &reason);
                    }
                }
                Ok(Received::Message(ToParent::WantPair, _)) => self.want_pair_for(pid),
                Ok(Received::Message(ToParent::SystemLog(entry), _)) => {
                    self.ask(BackendCall::SystemLog(entry));
                }
                Ok(Received::Blocked | Received::Gone) => return,
                // What follows may still be of use: its end line, above all.
                Err(ChannelError::Message(e)) => {
                    common::error!("session process {pid} sent no message of ours: {e}");
                }
                Err(e) => {
                    common::error!("session process {pid}: {e}");
                    return;
                }
            }
        }
    }

    /// Children have ended: read their last reports, write the line that one could not write.
    pub(super) fn bury(&mut self) {
        for (pid, status) in sys::reap() {
            if self.backend.as_ref().is_some_and(|backend| backend.pid() == pid) {
                self.hear_backend();
                continue;
            }
            self.hear_child(usize::try_from(pid.as_raw()).unwrap_or_default());
            let Some(mut child) = self.children.table.remove(&pid) else { continue };
            self.children.keep_station(&child);
            if let Some(channel) = &mut child.channel {
                let _ = self.poller.registry().deregister(channel);
            }
            if child.direction == Direction::Outgoing && child.is_parked() && child.channel.is_some() {
                // It ended by itself: the pair was of no use.
                self.pool.pause.failed(Instant::now());
            }
            if !child.is_parked() && !child.end_logged {
                Event::new(events::SESSION_CRASHED)
                    .field("direction", child.direction.word())
                    .field("session", child.pair.map(|pair| pair.to_string()).unwrap_or_default())
                    .field("partner", child.partner.as_deref().unwrap_or_default())
                    .field_num("pid", pid.as_raw())
                    .field("reason", common::process::status::word_of(status))
                    .error();
            }
        }
    }
}

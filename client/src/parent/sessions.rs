//! All sessions of this client: its configuration with the limits, the session processes, and the pairs. Decides which
//! process serves which station, through which server, and how many processes there are. Pure.

use super::action::{Action, Actions, Fork, Pair, Work};
use super::acts;
use super::admission::{self, EntryRefusal, PairAdmission};
use super::children::{Children, Ended};
use super::place::Place;
use super::pool::Pool;
use crate::messages::{ToChild, ToParent};
use crate::session::Station;
use common::config::{ClientConfig, Limits};
use common::link::demand::Demand;
use common::link::session_id::Direction;
use common::log::{Event, catalogue};
use common::process::end_reasons::Status;
use common::session::debugged_partners::DebuggedPartners;
use common::state::{DaemonState, Use};
use nix::unistd::Pid;
use std::time::Instant;

/// Why there is no session while no server is joined.
const NO_SERVER: &str = "this client is joined to no server";

pub(super) struct Sessions {
    config: Option<ClientConfig>,
    pub(super) children: Children,
    /// A pool for each server of `-S`.
    pools: Vec<Pool>,
    /// The stations of the last seconds.
    demand: Demand,
    pub(super) debugged: DebuggedPartners,
    pairs: PairAdmission,
}

impl Sessions {
    /// No sessions, for a client of so many servers.
    pub(super) fn new(servers: usize) -> Self {
        Self {
            config: None,
            children: Children::default(),
            pools: Place::all(servers).map(Pool::new).collect(),
            demand: Demand::default(),
            debugged: DebuggedPartners::default(),
            pairs: PairAdmission::default(),
        }
    }

    fn pool(&mut self, place: Place) -> Option<&mut Pool> {
        self.pools.get_mut(place.0)
    }

    /// This server is joined.
    pub(super) fn join(&mut self, place: Place) {
        if let Some(pool) = self.pool(place) {
            pool.join();
        }
    }

    /// This server is gone. Its sessions go on; children that wait for its answer ask another server.
    pub(super) fn leave(&mut self, place: Place, actions: &mut Actions) {
        let waiting = self.pool(place).map(Pool::leave).unwrap_or_default();
        self.children.drop_parked(place, actions);
        for child in waiting {
            self.request_pair(child, actions);
        }
    }

    /// The joined servers; first the one through which the fewest stations are served.
    fn joined(&self) -> Vec<Place> {
        let mut joined: Vec<Place> =
            self.pools.iter().filter(|pool| pool.is_joined()).map(Pool::place).collect();
        joined.sort_by_key(|place| self.children.stations_at(*place));
        joined
    }

    /// A child has a station but no pair.
    pub(super) fn request_pair(&mut self, child: Pid, actions: &mut Actions) {
        let place = self.joined().first().copied();
        self.request_at(place, child, NO_SERVER.to_owned(), actions);
    }

    /// When `maintain_pools` may be due.
    pub(super) fn pools_due(&self) -> Option<Instant> {
        self.pools.iter().filter_map(Pool::due).chain(self.demand.due()).min()
    }

    pub(super) fn config(&self) -> Option<&ClientConfig> {
        self.config.as_ref()
    }

    fn limits(&self) -> Limits {
        self.config.as_ref().map(|config| config.limits.clone()).unwrap_or_default()
    }

    /// Our configuration has arrived. Parked children were forked with the old one and are retired. False: it is the
    /// one in force.
    pub(super) fn accept_config(
        &mut self,
        config: ClientConfig,
        now: Instant,
        actions: &mut Actions,
    ) -> bool {
        if self.config.as_ref() == Some(&config) {
            return false;
        }
        Event::new(&catalogue::CONFIG_TAKEN).field_num("generation", config.generation).log();
        common::log::set_max_bytes(config.limits.log_max_bytes.into());
        self.children.retire_idle_children("the client has another configuration", actions);
        for partner in self.debugged.replace(&config.debug, now) {
            for child in self.children.of_partner(&partner) {
                let time = self.debugged.time_of(&partner, now);
                actions.push(Action::SendToChild(child, ToChild::Debug(time)));
            }
        }
        self.config = Some(config);
        true
    }

    /// A child has sent a message.
    pub(super) fn on_child_message(
        &mut self,
        pid: Pid,
        message: ToParent,
        now: Instant,
        actions: &mut Actions,
    ) {
        // The child was forked with an older list of partners that write DEBUG.
        if let ToParent::Joined { partner, .. } = &message {
            let time = self.debugged.time_of(partner, now);
            actions.push(Action::SendToChild(pid, ToChild::Debug(time)));
        }
        self.children.on_message(pid, message, actions);
    }

    /// Adds the generation in force and the number of sessions with their limits to `state`.
    pub(super) fn describe(&self, has_listener: bool, state: &mut DaemonState) {
        let limits = self.config.as_ref().map(|config| &config.limits);
        let limit = |of: fn(&Limits) -> u32| limits.map(of).unwrap_or_default() as usize;
        let running = |direction| self.children.running(direction);
        state.generation = self.config.as_ref().map(|config| config.generation);
        state.incoming = Use { used: running(Direction::Incoming), limit: limit(|limits| limits.sessions) };
        state.outgoing =
            Use { used: running(Direction::Outgoing), limit: limit(|limits| limits.outgoing_sessions) };
        // The server decides about pairs for incoming sessions; this client reports those for outgoing ones.
        let parked = self.children.idle(Direction::Outgoing);
        let wanted = if has_listener { limit(|limits| limits.parked_pairs) } else { 0 };
        state.parked = Use { used: parked, limit: wanted };
    }

    /// Number of stations that are served or about to be.
    fn stations(&self, actions: &Actions) -> usize {
        self.children.stations() + actions.station_forks()
    }

    /// A station has connected: it is served or refused.
    pub(super) fn admit_station(
        &mut self,
        station: Station,
        is_allowed: bool,
        now: Instant,
        actions: &mut Actions,
    ) {
        let (stations, limits) = (self.stations(actions), self.limits());
        match admission::admit_station(is_allowed, stations, &limits) {
            Ok(()) => {
                self.demand.note(now);
                self.serve_station(station, actions);
            }
            Err(EntryRefusal { status, reason }) => {
                actions.push(Action::RefuseStation { station, status, reason: reason.to_owned() });
            }
        }
    }

    /// Gives a station to a parked child, or to a new one. Also called after the chosen child proved to be gone.
    pub(super) fn serve_station(&mut self, station: Station, actions: &mut Actions) {
        let is_full = admission::is_full(self.stations(actions), &self.limits());
        // A child that is forked above the limit only refuses the station.
        let parked = |sessions: &mut Self| {
            let places = sessions.joined();
            places.into_iter().find_map(|place| sessions.children.assign_station(place))
        };
        match if is_full { None } else { parked(self) } {
            Some(child) => actions.push(Action::SendStation(child, station)),
            None => actions.push_fork(Fork::Session(Work::Station(station))),
        }
    }

    /// A server requests a session process for this pair.
    pub(super) fn on_pair(&mut self, pair: Pair, direction: Direction, now: Instant, actions: &mut Actions) {
        let place = pair.place;
        match direction {
            Direction::Outgoing => {
                if let Some(pool) = self.pools.get_mut(place.0) {
                    pool.on_pair(pair, &mut self.children, actions);
                }
            }
            Direction::Incoming => {
                let incoming = self.children.incoming() + actions.partner_forks();
                match self.pairs.admit(incoming, &self.limits(), now) {
                    Ok(()) => actions.push_fork(Fork::Session(Work::Partner(pair))),
                    Err(reason) => actions.push(Action::FailPair(place, pair.id, reason.to_owned())),
                }
            }
        }
    }

    /// A server has refused the oldest request of its pool, for example because it is drained. Another one that has not
    /// refused lately is asked instead.
    pub(super) fn on_no_pair(&mut self, place: Place, reason: String, now: Instant, actions: &mut Actions) {
        if let Some(child) = self.pool(place).and_then(|pool| pool.on_no_pair(&reason, now)) {
            self.request_elsewhere(child, reason, now, actions);
        }
    }

    /// The server at this place, whose pair the child had, is drained.
    pub(super) fn request_other_pair(
        &mut self,
        child: Pid,
        place: Option<Place>,
        now: Instant,
        actions: &mut Actions,
    ) {
        if let Some(pool) = place.and_then(|place| self.pool(place)) {
            pool.note_refusal(now);
        }
        self.request_elsewhere(child, NO_SERVER.to_owned(), now, actions);
    }

    /// Asks a server that has not refused lately; `reason`: why the child gets no pair if there is none.
    fn request_elsewhere(&mut self, child: Pid, reason: String, now: Instant, actions: &mut Actions) {
        let may_grant = |place: &Place| self.pools.get(place.0).is_some_and(|pool| !pool.refuses(now));
        let place = self.joined().into_iter().find(may_grant);
        self.request_at(place, child, reason, actions);
    }

    /// Asks this server; `reason`: why the child gets no pair if there is none.
    fn request_at(&mut self, place: Option<Place>, child: Pid, reason: String, actions: &mut Actions) {
        match place.and_then(|place| self.pool(place)) {
            Some(pool) => pool.request_for(child, actions),
            None => actions.push(Action::SendToChild(child, ToChild::NoPair { reason })),
        }
    }

    /// A child was forked for this work.
    pub(super) fn register(&mut self, pid: Pid, work: &Work, actions: &mut Actions) {
        let is_full = admission::is_full(self.stations(actions), &self.limits());
        self.children.register(pid, work);
        match work {
            Work::Station(_) | Work::Test(_) if is_full => {
                let reason = "the limit of outgoing sessions is reached".to_owned();
                actions.push(Action::SendToChild(pid, ToChild::NoPair { reason }));
            }
            Work::Station(_) | Work::Test(_) => self.request_pair(pid, actions),
            Work::Partner(_) | Work::Parked(_) => {}
        }
    }

    /// No child could be forked: this work fails, and the other work continues.
    pub(super) fn fork_failed(&mut self, work: Work, reason: &str, now: Instant, actions: &mut Actions) {
        let reason = reason.to_owned();
        match work {
            Work::Partner(pair) => actions.push(Action::FailPair(pair.place, pair.id, reason)),
            Work::Parked(pair) => {
                if let Some(pool) = self.pool(pair.place) {
                    pool.failed(now);
                }
                actions.push(Action::FailPair(pair.place, pair.id, reason));
            }
            Work::Station(station) => {
                actions.push(Action::RefuseStation { station, status: Status::Capacity, reason });
            }
            Work::Test(test) => acts::report_failure(test.number, reason, actions),
        }
    }

    /// Requests pairs if too few are parked, and retires those that are too many. Without a listener no pair is needed.
    /// The joined servers share the number that is wanted, and each has one at least.
    pub(super) fn maintain_pools(&mut self, has_listener: bool, now: Instant, actions: &mut Actions) {
        let config = self.config.as_ref().filter(|_| has_listener);
        let wanted = config.map_or(0, |ClientConfig { limits, .. }| {
            self.demand.pairs(limits.parked_pairs as usize, limits.most_parked_pairs(), now)
        });
        let joined = self.pools.iter().filter(|pool| pool.is_joined()).count().max(1);
        let wanted = wanted.div_ceil(joined);
        for pool in self.pools.iter_mut().filter(|pool| pool.is_joined()) {
            let place = pool.place();
            let parked = self.children.idle_at(place);
            self.children.retire_surplus(place, parked.saturating_sub(wanted), actions);
            let here = parked.min(wanted) + actions.parked_forks(place);
            pool.maintain(wanted, here, now, actions);
        }
    }

    /// A child has ended, and its last messages were read; none if it is not in the table. `fault`: how it ended, if it
    /// could send no message: otherwise the server would wait for its pair for nothing.
    pub(super) fn reap(
        &mut self,
        pid: Pid,
        fault: Option<&str>,
        now: Instant,
        actions: &mut Actions,
    ) -> Option<Ended> {
        let ended = self.children.reap(pid)?;
        if let Some(pool) = ended.idle_at.and_then(|place| self.pool(place)) {
            pool.failed(now);
        }
        if let Some(number) = ended.test {
            let how = fault.unwrap_or("without a word");
            let reason = format!("the client's session process {pid} has ended: {how}");
            acts::report_failure(number, reason, actions);
        }
        if let (Some((place, pair)), Some(fault)) = (ended.unjoined, fault) {
            let reason = format!("the client's session process {pid} has ended: {fault}");
            actions.push(Action::FailRetiredPair(place, pair, reason));
        }
        Some(ended)
    }
}

#[cfg(test)]
mod tests;

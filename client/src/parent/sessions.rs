//! All sessions of this client: its configuration with the limits, the session processes, and the pairs. Decides which
//! process serves which station, and how many processes there are. Pure.

use super::action::{Action, Actions, Fork, Work};
use super::admission::{self, PairAdmission, Refusal};
use super::children::{Children, Ended};
use super::pool::Pool;
use crate::session::Station;
use common::config::{ClientConfig, Limits};
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::log::{Event, events};
use common::process::status::Status;
use nix::unistd::Pid;
use std::time::Instant;

#[derive(Default)]
pub(super) struct Sessions {
    config: Option<ClientConfig>,
    pub(super) children: Children,
    pub(super) pool: Pool,
    pairs: PairAdmission,
}

impl Sessions {
    pub(super) fn config(&self) -> Option<&ClientConfig> {
        self.config.as_ref()
    }

    fn limits(&self) -> Limits {
        self.config.as_ref().map(|config| config.limits.clone()).unwrap_or_default()
    }

    /// Our configuration has come. Children were forked with the one before: those that are parked are retired. False:
    /// it is the one in force.
    pub(super) fn accept_config(&mut self, config: ClientConfig, actions: &mut Actions) -> bool {
        if self.config.as_ref() == Some(&config) {
            return false;
        }
        Event::new(&events::CONFIG_TAKEN).field_num("generation", config.generation).log();
        common::log::set_max_bytes(config.limits.log_max_bytes.into());
        self.children.retire_idle_children("the client has another configuration", actions);
        self.config = Some(config);
        true
    }

    /// Stations that are served, or are about to be.
    fn stations(&self, actions: &Actions) -> usize {
        self.children.stations() + actions.station_forks()
    }

    /// A station has connected: it is served, or refused.
    pub(super) fn admit_station(&mut self, station: Station, is_allowed: bool, actions: &mut Actions) {
        let (stations, limits) = (self.stations(actions), self.limits());
        match admission::admit_station(is_allowed, stations, &limits) {
            Ok(()) => self.serve_station(station, actions),
            Err(Refusal { status, reason }) => {
                actions.push(Action::RefuseStation { station, status, reason: reason.to_owned() });
            }
        }
    }

    /// A parked child serves a station, or a new one does. Also after the child that was chosen proved to be gone.
    pub(super) fn serve_station(&mut self, station: Station, actions: &mut Actions) {
        let is_full = admission::is_full(self.stations(actions), &self.limits());
        // A child that is forked beyond the limit only refuses the station.
        match if is_full { None } else { self.children.assign_station() } {
            Some(child) => actions.push(Action::SendStation(child, station)),
            None => actions.push_fork(Fork::Session(Work::Station(station))),
        }
    }

    /// The server asks for a session process for this pair.
    pub(super) fn on_pair(
        &mut self,
        (pair, ticket): (SessionId, Ticket),
        direction: Direction,
        now: Instant,
        actions: &mut Actions,
    ) {
        match direction {
            Direction::Outgoing => self.pool.on_pair(pair, ticket, &mut self.children, actions),
            Direction::Incoming => {
                let incoming = self.children.incoming() + actions.pair_forks(Direction::Incoming);
                match self.pairs.admit(incoming, &self.limits(), now) {
                    Ok(()) => actions.push_fork(Fork::Session(Work::Partner(pair, ticket))),
                    Err(reason) => actions.push(Action::FailPair(pair, reason.to_owned())),
                }
            }
        }
    }

    /// A child was forked for this work.
    pub(super) fn register(&mut self, pid: Pid, work: &Work, actions: &mut Actions) {
        let is_full = admission::is_full(self.stations(actions), &self.limits());
        self.children.register(pid, work);
        if let Work::Station(_) = work {
            self.pool.station_forked(pid, is_full, actions);
        }
    }

    /// No child could be forked: this work is refused, and the others go on.
    pub(super) fn fork_failed(&mut self, work: Work, reason: &str, now: Instant, actions: &mut Actions) {
        let reason = reason.to_owned();
        match work {
            Work::Partner(pair, _) => actions.push(Action::FailPair(pair, reason)),
            Work::Parked(pair, _) => {
                self.pool.failed(now);
                actions.push(Action::FailPair(pair, reason));
            }
            Work::Station(station) => {
                actions.push(Action::RefuseStation { station, status: Status::Capacity, reason });
            }
        }
    }

    /// Asks for pairs if too few are parked. Without a listener nobody can need one.
    pub(super) fn maintain_pool(&mut self, has_listener: bool, now: Instant, actions: &mut Actions) {
        let config = self.config.as_ref().filter(|_| has_listener);
        let wanted = config.map_or(0, |config| config.limits.parked_pairs as usize);
        let here = self.children.idle_outgoing() + actions.pair_forks(Direction::Outgoing);
        self.pool.maintain(wanted, here, now, actions);
    }

    /// A child has ended, and its last messages are read; none if it is not in the table. `fault`: how it ended, if it
    /// was in no state to say anything: the server would wait for its pair in vain.
    pub(super) fn reap(
        &mut self,
        pid: Pid,
        fault: Option<&str>,
        now: Instant,
        actions: &mut Actions,
    ) -> Option<Ended> {
        let ended = self.children.reap(pid)?;
        if ended.was_idle {
            self.pool.failed(now);
        }
        if let (Some(pair), Some(fault)) = (ended.unjoined, fault) {
            let reason = format!("the client's session process {pid} has ended: {fault}");
            actions.push(Action::LosePair(pair, reason));
        }
        Some(ended)
    }
}

#[cfg(test)]
mod tests;

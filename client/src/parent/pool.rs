//! Pairs for outgoing sessions: this parent decides how many are parked ahead of need, and hands stations to them. The
//! server is asked for each and answers in order; what it was not asked for is not taken.

use super::children::Child;
use super::{Need, Parent};
use crate::messages::ToChild;
use crate::session::Station;
use common::link::backoff::BackOff;
use common::link::control::ToServer;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The pool is filled up again so long after it ran low: not while a session is being set up.
const QUIET: Duration = Duration::from_millis(5);

/// What a pair that was asked for is for.
enum Want {
    /// To be parked.
    Spare,
    /// For the station of this child.
    Child(Pid),
}

#[derive(Default)]
pub(super) struct Pool {
    /// BackendCall for and not answered yet, in order.
    wants: VecDeque<Want>,
    low_since: Option<Instant>,
    pub(super) pause: BackOff,
}

impl Pool {
    pub(super) fn due(&self) -> Option<Instant> {
        self.low_since.map(|since| self.pause.not_before(since) + QUIET)
    }

    fn spares(&self) -> usize {
        self.wants.iter().filter(|want| matches!(want, Want::Spare)).count()
    }
}

impl Parent {
    /// Asks for pairs if too few are parked.
    pub(super) fn tend_outgoing(&mut self) {
        let listens = self.joined.is_some() && self.listeners.are_open();
        let Some(limits) = self.config.as_ref().filter(|_| listens).map(|config| &config.limits) else {
            self.pool.low_since = None;
            return;
        };
        let queued = self.needs.iter().filter(|need| matches!(need, Need::Spare(..))).count();
        let here = self.children.parked(Direction::Outgoing) + self.pool.spares() + queued;
        let missing = (limits.parked_pairs as usize).saturating_sub(here);
        if missing == 0 {
            self.pool.low_since = None;
            return;
        }
        let now = Instant::now();
        let low_since = *self.pool.low_since.get_or_insert(now);
        if low_since + QUIET <= now && !self.pool.pause.is_on(now) {
            self.pool.low_since = None;
            for _ in 0..missing {
                self.want_pair(Want::Spare);
            }
        }
    }

    fn want_pair(&mut self, want: Want) {
        self.pool.wants.push_back(want);
        self.tell_server(&ToServer::WantOutgoing);
    }

    /// A child has a station and no pair for it.
    pub(super) fn want_pair_for(&mut self, child: Pid) {
        self.want_pair(Want::Child(child));
    }

    /// The server's answer: a pair.
    pub(super) fn take_outgoing(&mut self, pair: SessionId, ticket: Ticket) {
        match self.pool.wants.pop_front() {
            None => self.pair_failed(pair, "nobody has asked for this pair"),
            Some(Want::Spare) => {
                self.pool.pause.succeeded();
                self.needs.push_back(Need::Spare(pair, ticket));
            }
            Some(Want::Child(child)) => {
                if !self.children.give_pair(child, pair, ticket) {
                    self.pair_failed(pair, "the station is gone");
                }
            }
        }
    }

    /// The server's other answer.
    pub(super) fn no_outgoing(&mut self, reason: String) {
        match self.pool.wants.pop_front() {
            None => {}
            Some(Want::Spare) => {
                common::debug!("no pair for outgoing sessions: {}", common::log::escape(&reason));
                self.pool.pause.failed(Instant::now());
            }
            Some(Want::Child(child)) => {
                self.children.send(child, &ToChild::NoPair { reason });
            }
        }
    }

    /// A station has come: a parked child takes it, or a new one.
    pub(super) fn serve(&mut self, station: Station) {
        if !self.is_full() {
            while let Some(child) = self.children.take_parked() {
                if self.children.hand_over(child, &station) {
                    return;
                }
            }
        }
        self.needs.push_back(Need::Station(station));
    }

    /// No more sessions at a time.
    pub(super) fn is_full(&self) -> bool {
        let most = self.config.as_ref().map_or(0, |config| config.limits.outgoing_sessions as usize);
        self.stations() >= most
    }

    /// Stations that are served, or are about to be.
    pub(super) fn stations(&self) -> usize {
        let queued = self.needs.iter().filter(|need| matches!(need, Need::Station(_))).count();
        self.children.stations() + queued
    }

    /// A child was forked for a station: it needs a pair, unless there are too many.
    pub(super) fn adopt_for_station(&mut self, child: Child) {
        let pid = child.pid();
        let full = self.is_full();
        self.adopt(child);
        if full {
            let reason = "there are as many outgoing sessions as there may be".to_owned();
            self.children.send(pid, &ToChild::NoPair { reason });
        } else {
            self.want_pair_for(pid);
        }
    }
}

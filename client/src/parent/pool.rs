//! Pairs for outgoing sessions: how many are parked ahead of need, and which child gets which pair. The client requests
//! each pair from the server, which answers in order; a pair without a request is refused. Pure.

use super::action::{Action, Actions, Fork, Work};
use super::children::Children;
use crate::messages::ToChild;
use common::config::Limits;
use common::link::backoff::BackOff;
use common::link::control::ToServer;
use common::link::demand::Demand;
use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The pool is filled this long after pairs became too few: not while a session is being set up.
const QUIET: Duration = Duration::from_millis(5);

/// The purpose of a requested pair.
enum Request {
    /// To be parked.
    Parked,
    /// For the station of this child.
    Child(Pid),
}

#[derive(Default)]
pub(super) struct Pool {
    /// Requests without an answer so far, in order.
    requests: VecDeque<Request>,
    /// The stations of the last seconds.
    demand: Demand,
    low_since: Option<Instant>,
    pause: BackOff,
}

impl Pool {
    /// When `maintain` may be due.
    pub(super) fn due(&self) -> Option<Instant> {
        let refill = self.low_since.map(|since| self.pause.not_before(since) + QUIET);
        [refill, self.demand.due()].into_iter().flatten().min()
    }

    /// A station has been accepted.
    pub(super) fn note_station(&mut self, now: Instant) {
        self.demand.note(now);
    }

    /// How many pairs there should be.
    pub(super) fn wanted(&mut self, limits: &Limits, now: Instant) -> usize {
        self.demand.pairs(limits.parked_pairs as usize, limits.most_parked_pairs(), now)
    }

    /// Requests pairs if there are fewer than `wanted`; `here`: those that are parked or about to be.
    pub(super) fn maintain(&mut self, wanted: usize, here: usize, now: Instant, actions: &mut Actions) {
        let asked = self.requests.iter().filter(|request| matches!(request, Request::Parked)).count();
        let missing = wanted.saturating_sub(here + asked);
        if missing == 0 {
            self.low_since = None;
            return;
        }
        let low_since = *self.low_since.get_or_insert(now);
        if low_since + QUIET <= now && !self.pause.is_on(now) {
            self.low_since = None;
            for _ in 0..missing {
                self.request(Request::Parked, actions);
            }
        }
    }

    fn request(&mut self, request: Request, actions: &mut Actions) {
        self.requests.push_back(request);
        actions.push(Action::SendToServer(ToServer::WantOutgoing));
    }

    /// A child has a station but no pair.
    pub(super) fn request_for(&mut self, child: Pid, actions: &mut Actions) {
        self.request(Request::Child(child), actions);
    }

    /// A child was forked for a station: requests a pair for it, unless there are too many sessions.
    pub(super) fn station_forked(&mut self, child: Pid, is_full: bool, actions: &mut Actions) {
        if is_full {
            let reason = "the limit of outgoing sessions is reached".to_owned();
            actions.push(Action::SendToChild(child, ToChild::NoPair { reason }));
        } else {
            self.request_for(child, actions);
        }
    }

    /// The server has granted the oldest request.
    pub(super) fn on_pair(
        &mut self,
        pair: SessionId,
        ticket: Ticket,
        children: &mut Children,
        actions: &mut Actions,
    ) {
        match self.requests.pop_front() {
            None => actions.push(Action::FailPair(pair, "this pair was not requested".to_owned())),
            Some(Request::Parked) => {
                self.pause.succeeded();
                actions.push_fork(Fork::Session(Work::Parked(pair, ticket)));
            }
            Some(Request::Child(child)) => children.assign_pair(child, pair, ticket, actions),
        }
    }

    /// The server has refused the oldest request.
    pub(super) fn on_no_pair(&mut self, reason: String, now: Instant, actions: &mut Actions) {
        match self.requests.pop_front() {
            None => {}
            Some(Request::Parked) => {
                common::debug!("no pair for outgoing sessions: {}", common::log::escape(&reason));
                self.pause.failed(now);
            }
            Some(Request::Child(child)) => {
                actions.push(Action::SendToChild(child, ToChild::NoPair { reason }));
            }
        }
    }

    /// A parked pair could not be used: the next request waits.
    pub(super) fn failed(&mut self, now: Instant) {
        self.pause.failed(now);
    }
}

#[cfg(test)]
mod tests;

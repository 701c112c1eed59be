//! Pairs for outgoing sessions: how many are parked ahead of need, and which child gets which. The server is asked for
//! each pair and answers in order; a pair that it was not asked for is not taken. Pure.

use super::action::{Action, Actions, Fork, Work};
use super::children::Children;
use crate::messages::ToChild;
use common::link::backoff::BackOff;
use common::link::control::ToServer;
use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The pool is filled up again so long after it ran low: not while a session is being set up.
const QUIET: Duration = Duration::from_millis(5);

/// The purpose of a pair that was asked for.
enum Request {
    /// To be parked.
    Parked,
    /// For the station of this child.
    Child(Pid),
}

#[derive(Default)]
pub(super) struct Pool {
    /// Not answered yet, in order.
    requests: VecDeque<Request>,
    low_since: Option<Instant>,
    pause: BackOff,
}

impl Pool {
    /// When `maintain` may have something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.low_since.map(|since| self.pause.not_before(since) + QUIET)
    }

    /// Asks for pairs if there are fewer than `wanted`: `here` are parked, or about to be.
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

    /// A child has a station and no pair for it.
    pub(super) fn request_for(&mut self, child: Pid, actions: &mut Actions) {
        self.request(Request::Child(child), actions);
    }

    /// A child was forked for a station: it needs a pair, unless there are too many.
    pub(super) fn station_forked(&mut self, child: Pid, is_full: bool, actions: &mut Actions) {
        if is_full {
            let reason = "there are as many outgoing sessions as there may be".to_owned();
            actions.push(Action::SendToChild(child, ToChild::NoPair { reason }));
        } else {
            self.request_for(child, actions);
        }
    }

    /// The server has granted the pair that was asked for first.
    pub(super) fn on_pair(
        &mut self,
        pair: SessionId,
        ticket: Ticket,
        children: &mut Children,
        actions: &mut Actions,
    ) {
        match self.requests.pop_front() {
            None => actions.push(Action::FailPair(pair, "nobody has asked for this pair".to_owned())),
            Some(Request::Parked) => {
                self.pause.succeeded();
                actions.push_fork(Fork::Session(Work::Parked(pair, ticket)));
            }
            Some(Request::Child(child)) => children.assign_pair(child, pair, ticket, actions),
        }
    }

    /// The server grants none.
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

    /// A parked pair was of no use: the next one is not asked for at once.
    pub(super) fn failed(&mut self, now: Instant) {
        self.pause.failed(now);
    }
}

#[cfg(test)]
mod tests;

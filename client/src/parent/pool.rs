//! Pairs of one server for outgoing sessions: how many are parked ahead of need, and which child gets which pair. The
//! client requests each pair from the server, which answers in order; a pair without a request is refused. Pure.

use super::action::{Action, Actions, Fork, Pair, Work};
use super::children::Children;
use super::place::Place;
use common::link::backoff::BackOff;
use common::link::control::ToServer;
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The pool is filled this long after pairs became too few: not while a session is being set up.
const QUIET: Duration = Duration::from_millis(5);

/// After a refusal, another server is asked first for this long.
const REFUSES: Duration = Duration::from_secs(1);

/// The purpose of a requested pair.
enum Request {
    /// To be parked.
    Parked,
    /// For the station of this child.
    Child(Pid),
}

pub(super) struct Pool {
    place: Place,
    /// The server is joined.
    is_joined: bool,
    /// Requests without an answer so far, in order.
    requests: VecDeque<Request>,
    low_since: Option<Instant>,
    pause: BackOff,
    /// When the server has refused a request last.
    refused: Option<Instant>,
}

impl Pool {
    /// The pool of the server at this place, which is not joined yet.
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            is_joined: false,
            requests: VecDeque::new(),
            low_since: None,
            pause: BackOff::default(),
            refused: None,
        }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn is_joined(&self) -> bool {
        self.is_joined
    }

    /// The server is joined.
    pub(super) fn join(&mut self) {
        self.is_joined = true;
    }

    /// The server is gone: returns the children that wait for one of its pairs.
    pub(super) fn leave(&mut self) -> Vec<Pid> {
        let gone = std::mem::replace(self, Self::new(self.place));
        let child = |request: Request| match request {
            Request::Child(child) => Some(child),
            Request::Parked => None,
        };
        gone.requests.into_iter().filter_map(child).collect()
    }

    /// When `maintain` may be due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.low_since.map(|since| self.pause.not_before(since) + QUIET)
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
        actions.push(Action::SendToServer(self.place, ToServer::WantOutgoing));
    }

    /// A child has a station but no pair.
    pub(super) fn request_for(&mut self, child: Pid, actions: &mut Actions) {
        self.request(Request::Child(child), actions);
    }

    /// The server has granted the oldest request.
    pub(super) fn on_pair(&mut self, pair: Pair, children: &mut Children, actions: &mut Actions) {
        match self.requests.pop_front() {
            None => {
                let reason = "this pair was not requested".to_owned();
                actions.push(Action::FailPair(pair.place, pair.id, reason));
            }
            Some(Request::Parked) => {
                self.pause.succeeded();
                actions.push_fork(Fork::Session(Work::Parked(pair)));
            }
            Some(Request::Child(child)) => children.assign_pair(child, pair, actions),
        }
    }

    /// The server has refused the oldest request: returns the child that waits for it.
    pub(super) fn on_no_pair(&mut self, reason: &str, now: Instant) -> Option<Pid> {
        let request = self.requests.pop_front()?;
        self.note_refusal(now);
        match request {
            Request::Parked => {
                self.pause.failed(now);
                common::debug!("no pair for outgoing sessions: {}", common::log::escape(reason));
                None
            }
            Request::Child(child) => Some(child),
        }
    }

    /// The server grants nothing now.
    pub(super) fn note_refusal(&mut self, now: Instant) {
        self.refused = Some(now);
    }

    /// Whether the server has refused a request within the last second.
    pub(super) fn refuses(&self, now: Instant) -> bool {
        self.refused.is_some_and(|at| now < at + REFUSES)
    }

    /// A parked pair could not be used: the next request waits.
    pub(super) fn failed(&mut self, now: Instant) {
        self.pause.failed(now);
    }
}

#[cfg(test)]
mod tests;

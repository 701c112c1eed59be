//! Pairs that are requested, granted, refused and lost.

use super::{Pool, QUIET};
use crate::messages::{Test, ToChild};
use crate::parent::action::{Action, Actions, Fork, Pair, Work};
use crate::parent::children::Children;
use crate::parent::place::Place;
use common::link::control::ToServer;
use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use nix::unistd::Pid;
use std::time::{Duration, Instant};

const CHILD: Pid = Pid::from_raw(1);
const OTHER: Pid = Pid::from_raw(2);

fn id(number: u32) -> SessionId {
    SessionId::try_from(format!("{number:032x}")).unwrap()
}

/// The pair of this number at the first server.
fn pair(number: u32) -> Pair {
    pair_at(Place(0), number)
}

fn pair_at(place: Place, number: u32) -> Pair {
    let server = ([192, 0, 2, 1], 2878).into();
    Pair { place, server, id: id(number), ticket: Ticket::random().unwrap() }
}

struct Client {
    pool: Pool,
    children: Children,
    actions: Actions,
    now: Instant,
    /// The child whose request was refused last.
    refused: Option<Pid>,
}

impl Client {
    fn new() -> Self {
        let mut children = Children::default();
        for child in [CHILD, OTHER] {
            children.register(child, &Work::Test(Test { number: 1, partner: String::new() }));
        }
        let (actions, now) = (Actions::default(), Instant::now());
        Self { pool: Pool::new(Place(0)), children, actions, now, refused: None }
    }

    fn maintain(&mut self, wanted: usize, here: usize) -> usize {
        self.pool.maintain(wanted, here, self.now, &mut self.actions);
        let mut asked = 0;
        while let Some(action) = self.actions.pop() {
            assert!(matches!(action, Action::SendToServer(_, ToServer::WantOutgoing)));
            asked += 1;
        }
        asked
    }

    fn sleep(&mut self, time: Duration) {
        self.now += time;
    }

    /// Pairs become too few; returns how many are requested.
    fn fill(&mut self, wanted: usize, here: usize) -> usize {
        assert_eq!(self.maintain(wanted, here), 0);
        self.sleep(QUIET);
        self.maintain(wanted, here)
    }

    fn pair(&mut self, number: u32) {
        self.pool.on_pair(pair(number), &mut self.children, &mut self.actions);
    }

    fn no_pair(&mut self) {
        self.refused = self.pool.on_no_pair("why", self.now);
    }
}

#[test]
fn the_pool_is_filled_after_a_quiet_time_and_not_beyond_the_wanted_number() {
    let mut client = Client::new();
    assert_eq!(client.pool.due(), None);
    assert_eq!(client.maintain(4, 1), 0);
    assert_eq!(client.pool.due(), Some(client.now + QUIET));
    client.sleep(QUIET);
    assert_eq!(client.maintain(4, 1), 3);
    // The requests are open.
    client.sleep(QUIET);
    assert_eq!(client.maintain(4, 1), 0);
    assert_eq!(client.pool.due(), None);
    client.pair(1);
    assert_eq!(client.actions.parked_forks(Place(0)), 1);
    // A smaller pool is wanted; without a listener, none.
    assert_eq!(client.fill(2, 2), 0);
    assert_eq!(client.fill(0, 0), 0);
    assert_eq!(client.pool.due(), None);
}

#[test]
fn a_pair_without_a_request_is_not_taken() {
    let mut client = Client::new();
    client.pair(1);
    assert!(matches!(client.actions.pop(), Some(Action::FailPair(_, pair, _)) if pair == id(1)));
    client.no_pair();
    assert!(client.actions.pop().is_none() && client.actions.pop_fork().is_none());
    // A pair that was granted twice is not taken either.
    client.pool.request_for(CHILD, &mut client.actions);
    client.actions.pop();
    client.pair(2);
    client.pair(2);
    assert!(matches!(client.actions.pop(), Some(Action::SendToChild(CHILD, ToChild::Pair { .. }))));
    assert!(matches!(client.actions.pop(), Some(Action::FailPair(..))));
}

#[test]
fn answers_go_to_those_who_asked_in_their_order() {
    let mut client = Client::new();
    client.pool.request_for(CHILD, &mut client.actions);
    client.actions.pop();
    assert_eq!(client.fill(1, 0), 1);
    client.pool.request_for(OTHER, &mut client.actions);
    client.actions.pop();
    client.pair(1);
    client.pair(2);
    client.no_pair();
    let to_child = client.actions.pop();
    assert!(
        matches!(to_child, Some(Action::SendToChild(CHILD, ToChild::Pair { pair, .. })) if pair == id(1))
    );
    assert_eq!(client.refused, Some(OTHER));
    let fork = client.actions.pop_fork();
    assert!(matches!(fork, Some(Fork::Session(Work::Parked(pair))) if pair.id == id(2)));
}

#[test]
fn a_pool_that_cannot_be_filled_waits_longer_and_longer() {
    let mut client = Client::new();
    let mut pauses = Vec::new();
    for _ in 0..3 {
        assert_eq!(client.fill(1, 0), 1);
        client.no_pair();
        assert_eq!(client.maintain(1, 0), 0);
        let due = client.pool.due().unwrap();
        pauses.push(due - client.now);
        client.now = due.checked_sub(QUIET + Duration::from_millis(1)).unwrap();
        assert_eq!(client.maintain(1, 0), 0, "too early");
        client.now = due.checked_sub(QUIET).unwrap();
        // The quiet time has passed meanwhile.
        client.pool.low_since = None;
    }
    assert!(pauses.windows(2).all(|two| two[1] > two[0]), "{pauses:?}");
    // A pair that could not be used counts as well; one that arrives ends the pause.
    client.pool.failed(client.now);
    assert!(client.pool.due().is_none());
    assert_eq!(client.maintain(1, 0), 0);
    assert!(client.pool.due().unwrap() > client.now + QUIET);
}

#[test]
fn a_pair_whose_child_is_gone_fails() {
    let mut client = Client::new();
    client.pool.request_for(CHILD, &mut client.actions);
    client.pool.request_for(OTHER, &mut client.actions);
    while client.actions.pop().is_some() {}
    // Sending fails, and the server is told.
    client.pair(1);
    let Some(Action::SendToChild(CHILD, message)) = client.actions.pop() else { panic!("not sent") };
    client.children.send_failed(CHILD, &message, &mut client.actions);
    assert!(matches!(client.actions.pop(), Some(Action::FailPair(_, pair, _)) if pair == id(1)));
    // It was reaped before.
    client.children.reap(OTHER);
    client.pair(2);
    assert!(matches!(client.actions.pop(), Some(Action::FailPair(_, pair, _)) if pair == id(2)));
}

#[test]
fn when_the_server_is_gone_those_who_wait_for_it_are_named_and_nothing_is_asked() {
    let mut client = Client::new();
    client.pool.join();
    client.pool.request_for(CHILD, &mut client.actions);
    client.actions.pop();
    assert_eq!(client.fill(1, 0), 1);
    assert_eq!(client.pool.leave(), [CHILD]);
    assert!(!client.pool.is_joined() && client.pool.due().is_none());
    client.pair(1);
    assert!(matches!(client.actions.pop(), Some(Action::FailPair(..))), "it was not asked for any more");
}

//! Pairs that are made ahead of need. A pair is a server child and a client child with a data connection between them,
//! parked until a partner or a station comes. A pair outlives a peer that was not verified, because only a join uses
//! its ticket. This module decides how many pairs there are for incoming sessions; the client decides for outgoing
//! ones. Pure: of a process it only knows the ID.

use common::config::Limits;
use common::link::backoff::BackOff;
use common::link::demand::Demand;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use nix::unistd::Pid;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A pair without a data connection is given up after this time.
pub(super) const DIAL: Duration = Duration::from_secs(10);
/// The pool is filled when the loop has been idle for this time ...
const QUIET: Duration = Duration::from_millis(5);
/// ... or this long after pairs became too few, even in a busy loop.
const BUSY: Duration = Duration::from_millis(250);
/// A pair that is lost within this time counts as a failure.
const YOUNG: Duration = Duration::from_secs(1);

/// A pair that has not been joined yet.
pub(super) struct Pair<S> {
    pub(super) ticket: Ticket,
    pub(super) child: Pid,
    pub(super) direction: Direction,
    created: Instant,
    /// The generation of the configuration that its server child has.
    pub(super) generation: u64,
    /// Until when the client's child must connect; none once it has.
    dial_by: Option<Instant>,
    /// Whether it has had a data connection.
    pub(super) was_dialled: bool,
    /// Its data connection, while its next server child is being forked.
    socket: Option<S>,
}

impl<S> Pair<S> {
    /// Whether the client's child is expected to connect, for the first time or again.
    pub(super) fn awaits_dial(&self) -> bool {
        self.dial_by.is_some()
    }

    pub(super) fn is_younger_than(&self, age: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.created) < age
    }
}

/// Result for a data connection that names a pair.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim<S> {
    /// The pair waited for it and has it now.
    Taken,
    /// The pair was given up a short time ago.
    GivenUp(S),
    /// There is no such pair, or it has its data connection already.
    Unknown(S),
}

/// All pairs that have not been joined yet.
pub(super) struct Pool<S> {
    pairs: HashMap<SessionId, Pair<S>>,
    /// Pairs that were given up recently: the client's child may connect once more before it learns this.
    given_up: HashMap<SessionId, Instant>,
    /// The sessions of partners in the last seconds.
    demand: Demand,
    low_since: Option<Instant>,
    pause: BackOff,
}

impl<S> Default for Pool<S> {
    fn default() -> Self {
        Self {
            pairs: HashMap::new(),
            given_up: HashMap::new(),
            demand: Demand::default(),
            low_since: None,
            pause: BackOff::default(),
        }
    }
}

impl<S> Pool<S> {
    /// Adds a new pair; the client's child must connect within `DIAL`.
    pub(super) fn insert(
        &mut self,
        id: SessionId,
        ticket: Ticket,
        child: Pid,
        direction: Direction,
        generation: u64,
        now: Instant,
    ) {
        let dial_by = Some(now + DIAL);
        let pair = Pair {
            ticket,
            child,
            direction,
            created: now,
            generation,
            dial_by,
            was_dialled: false,
            socket: None,
        };
        self.pairs.insert(id, pair);
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Pair<S>> {
        self.pairs.get(&id)
    }

    /// Whether a data connection is expected: then the internal port must listen.
    pub(super) fn awaits_dial(&self) -> bool {
        self.pairs.values().any(|pair| pair.dial_by.is_some())
    }

    /// When the pool has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        let dial = self.pairs.values().filter_map(|pair| pair.dial_by).min();
        let refill = self.low_since.map(|since| self.pause.not_before(since) + QUIET);
        [dial, refill, self.demand.due()].into_iter().flatten().min()
    }

    /// A partner has been admitted. Only these count, so that strangers cannot make the pool grow: half of it is
    /// inside.
    pub(super) fn note_partner(&mut self, now: Instant) {
        self.demand.note(now);
    }

    /// How many pairs for incoming sessions there should be.
    pub(super) fn wanted(&mut self, limits: &Limits, now: Instant) -> usize {
        self.demand.pairs(limits.parked_pairs as usize, limits.most_parked_pairs(), now)
    }

    /// Pairs for incoming sessions above `wanted` whose child is idle, the oldest first.
    pub(super) fn surplus(&self, wanted: usize, is_idle: impl Fn(Pid) -> bool) -> Vec<SessionId> {
        if self.pairs.len() <= wanted {
            return Vec::new();
        }
        let mut idle = self.select(|pair| pair.direction == Direction::Incoming && is_idle(pair.child));
        idle.sort_by_key(|id| self.pairs.get(id).map(|pair| pair.created));
        idle.truncate(self.incoming().saturating_sub(wanted));
        idle
    }

    /// Number of pairs for incoming sessions.
    pub(super) fn incoming(&self) -> usize {
        self.pairs.values().filter(|pair| pair.direction == Direction::Incoming).count()
    }

    /// Pairs whose client's child has not connected in time.
    pub(super) fn overdue(&self, now: Instant) -> Vec<SessionId> {
        self.select(|pair| pair.dial_by.is_some_and(|until| until <= now))
    }

    /// Pairs of this age or older whose child is idle.
    pub(super) fn aged(&self, age: Duration, now: Instant, is_idle: impl Fn(Pid) -> bool) -> Vec<SessionId> {
        self.select(|pair| !pair.is_younger_than(age, now) && is_idle(pair.child))
    }

    /// Pairs whose child is idle.
    pub(super) fn idle(&self, is_idle: impl Fn(Pid) -> bool) -> Vec<SessionId> {
        self.select(|pair| is_idle(pair.child))
    }

    fn select(&self, wanted: impl Fn(&Pair<S>) -> bool) -> Vec<SessionId> {
        self.pairs.iter().filter(|(_, pair)| wanted(pair)).map(|(id, _)| *id).collect()
    }

    /// How many spare children to fork now: when the loop is quiet, or when pairs have been too few for some time.
    /// `spares`: children that are being forked already.
    pub(super) fn refill(&mut self, wanted: usize, spares: usize, idle: bool, now: Instant) -> usize {
        let missing = wanted.saturating_sub(self.incoming() + spares);
        if missing == 0 {
            self.low_since = None;
            return 0;
        }
        let low_since = *self.low_since.get_or_insert(now);
        let ready = (idle && low_since + QUIET <= now) || low_since + BUSY <= now;
        if !ready || self.pause.is_on(now) {
            return 0;
        }
        self.low_since = None;
        missing
    }

    /// No pair can be parked now.
    pub(super) fn suspend(&mut self) {
        self.low_since = None;
    }

    /// A data connection names this pair.
    pub(super) fn claim(&mut self, id: SessionId, socket: S) -> Claim<S> {
        match self.pairs.get_mut(&id).filter(|pair| pair.dial_by.is_some()) {
            Some(pair) => {
                pair.dial_by = None;
                pair.was_dialled = true;
                pair.socket = Some(socket);
                self.pause.succeeded();
                Claim::Taken
            }
            None if self.given_up.contains_key(&id) => Claim::GivenUp(socket),
            None => Claim::Unknown(socket),
        }
    }

    /// Takes the pair's data connection, for its child.
    pub(super) fn take_socket(&mut self, id: SessionId) -> Option<S> {
        self.pairs.get_mut(&id).and_then(|pair| pair.socket.take())
    }

    /// The pair will get another server child: its client's child will connect again.
    pub(super) fn await_replacement(&mut self, id: SessionId, now: Instant) {
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.dial_by = Some(now + DIAL);
        }
    }

    /// Makes this child the pair's child; false: the pair is gone.
    pub(super) fn replace_child(&mut self, id: SessionId, child: Pid) -> bool {
        self.pairs.get_mut(&id).map(|pair| pair.child = child).is_some()
    }

    /// The pair is joined, and its ticket is used.
    pub(super) fn join(&mut self, id: SessionId) {
        self.pairs.remove(&id);
    }

    /// Gives this pair up.
    pub(super) fn give_up(&mut self, id: SessionId, now: Instant) -> Option<Pair<S>> {
        let pair = self.pairs.remove(&id)?;
        self.given_up.retain(|_, since| now.saturating_duration_since(*since) < DIAL);
        self.given_up.insert(id, now);
        Some(pair)
    }

    /// Gives all pairs up, because the client is gone. Earlier failures do not count any more.
    pub(super) fn give_all_up(&mut self, now: Instant) -> Vec<Pair<S>> {
        let ids: Vec<SessionId> = self.pairs.keys().copied().collect();
        let pairs = ids.into_iter().filter_map(|id| self.give_up(id, now)).collect();
        self.low_since = None;
        self.pause = BackOff::default();
        pairs
    }

    /// A pair has failed: the next one waits.
    pub(super) fn failed(&mut self, now: Instant) {
        self.pause.failed(now);
    }

    /// The data connection of a parked child has ended.
    pub(super) fn lost(&mut self, id: SessionId, now: Instant) {
        let young =
            |pair: &Pair<S>| pair.is_younger_than(YOUNG, now) && pair.direction == Direction::Incoming;
        if self.pairs.get(&id).is_some_and(young) {
            self.pause.failed(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: u32 = 5;

    fn pool_with(direction: Direction, now: Instant) -> (Pool<u32>, SessionId) {
        let mut pool = Pool::default();
        let id = SessionId::random().unwrap();
        pool.insert(id, Ticket::random().unwrap(), Pid::from_raw(7), direction, 1, now);
        (pool, id)
    }

    #[test]
    fn a_pair_is_claimed_once() {
        let now = Instant::now();
        let (mut pool, id) = pool_with(Direction::Incoming, now);
        assert!(pool.awaits_dial());
        assert_eq!(pool.claim(id, SOCKET), Claim::Taken);
        assert!(!pool.awaits_dial());
        assert_eq!(pool.claim(id, 6), Claim::Unknown(6), "it has its data connection");
        assert_eq!(pool.take_socket(id), Some(SOCKET));
        assert_eq!(pool.take_socket(id), None);
        assert_eq!(pool.claim(SessionId::random().unwrap(), 7), Claim::Unknown(7));
    }

    #[test]
    fn a_pair_that_was_given_up_is_known_for_as_long_as_it_may_be_dialled() {
        let now = Instant::now();
        let (mut pool, id) = pool_with(Direction::Incoming, now);
        assert!(pool.give_up(id, now).is_some());
        assert!(pool.give_up(id, now).is_none());
        assert_eq!(pool.claim(id, SOCKET), Claim::GivenUp(SOCKET));
        // When the next pair is given up, old entries are dropped.
        let other = SessionId::random().unwrap();
        pool.insert(other, Ticket::random().unwrap(), Pid::from_raw(8), Direction::Incoming, 1, now);
        assert!(pool.give_up(other, now + DIAL).is_some());
        assert_eq!(pool.claim(id, SOCKET), Claim::Unknown(SOCKET));
        assert_eq!(pool.claim(other, SOCKET), Claim::GivenUp(SOCKET));
    }

    #[test]
    fn a_pair_that_is_dialled_in_time_is_not_overdue() {
        let now = Instant::now();
        let (mut pool, id) = pool_with(Direction::Incoming, now);
        assert_eq!(pool.due(), Some(now + DIAL));
        assert_eq!(pool.overdue(now + DIAL / 2), []);
        assert_eq!(pool.overdue(now + DIAL), [id]);
        pool.claim(id, SOCKET);
        assert_eq!(pool.overdue(now + DIAL), []);
        // Its server child is replaced: the client's child must connect again.
        pool.await_replacement(id, now + DIAL);
        assert_eq!(pool.overdue(now + DIAL + DIAL), [id]);
    }

    #[test]
    fn the_pool_is_filled_in_a_quiet_loop_or_after_it_was_low_for_some_time() {
        let now = Instant::now();
        let mut pool = Pool::<u32>::default();
        assert_eq!(pool.refill(2, 0, true, now), 0, "low just now");
        assert_eq!(pool.due(), Some(now + QUIET));
        assert_eq!(pool.refill(2, 0, false, now + QUIET), 0, "the loop is busy");
        assert_eq!(pool.refill(2, 1, true, now + QUIET), 1);
        assert_eq!(pool.due(), None);
        assert_eq!(pool.refill(2, 0, false, now), 0);
        assert_eq!(pool.refill(2, 0, false, now + BUSY), 2, "however busy");
        assert_eq!(pool.refill(2, 2, true, now + BUSY), 0, "they are on their way");
        assert_eq!(pool.due(), None);
    }

    #[test]
    fn outgoing_pairs_do_not_fill_the_pool() {
        let now = Instant::now();
        let (mut pool, _) = pool_with(Direction::Outgoing, now);
        pool.refill(1, 0, true, now);
        assert_eq!(pool.refill(1, 0, true, now + QUIET), 1);
    }

    #[test]
    fn a_failure_makes_the_next_pairs_wait_until_one_is_dialled() {
        let now = Instant::now();
        let (mut pool, id) = pool_with(Direction::Incoming, now);
        pool.failed(now);
        pool.refill(2, 0, true, now);
        assert_eq!(pool.refill(2, 0, true, now + BUSY), 0, "it pauses");
        let due = pool.due().unwrap();
        assert!(due > now + BUSY && due < now + DIAL);
        assert_eq!(pool.refill(2, 0, true, due), 1);
        // After one success, the next failure counts as the first one.
        pool.failed(now);
        pool.claim(id, SOCKET);
        pool.failed(now);
        pool.refill(2, 0, true, now);
        assert_eq!(pool.due(), Some(due));
    }

    #[test]
    fn only_a_young_incoming_pair_that_is_lost_counts_as_a_failure() {
        let now = Instant::now();
        for (direction, age, pauses) in [
            (Direction::Incoming, Duration::ZERO, true),
            (Direction::Incoming, YOUNG, false),
            (Direction::Outgoing, Duration::ZERO, false),
        ] {
            let (mut pool, id) = pool_with(direction, now);
            pool.lost(id, now + age);
            pool.give_up(id, now + age);
            pool.refill(1, 0, true, now + age);
            assert_eq!(pool.refill(1, 0, true, now + age + BUSY) == 0, pauses, "{direction:?} {age:?}");
        }
    }

    #[test]
    fn a_pair_ages_until_its_child_serves_somebody() {
        let now = Instant::now();
        let (pool, id) = pool_with(Direction::Incoming, now);
        let age = Duration::from_mins(5);
        assert_eq!(pool.aged(age, now + age / 2, |_| true), []);
        assert_eq!(pool.aged(age, now + age, |_| false), []);
        assert_eq!(pool.aged(age, now + age, |_| true), [id]);
        assert_eq!((pool.idle(|_| true), pool.idle(|_| false)), (vec![id], vec![]));
    }

    #[test]
    fn a_lost_client_takes_all_pairs_and_pauses_along_but_not_the_memory_of_them() {
        let now = Instant::now();
        let (mut pool, id) = pool_with(Direction::Incoming, now);
        pool.failed(now);
        assert_eq!(pool.give_all_up(now).len(), 1);
        assert_eq!(pool.claim(id, SOCKET), Claim::GivenUp(SOCKET));
        pool.refill(1, 0, true, now);
        assert_eq!(pool.refill(1, 0, true, now + QUIET), 1, "the next client starts afresh");
    }
}

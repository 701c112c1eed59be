//! Pairs ahead of need. A pair is a server child and a client child with a data connection between them, parked until a
//! partner comes, or a station. A pair outlives a peer that was not verified: only a join uses its ticket up. How many
//! pairs there are for incoming sessions is decided here, for outgoing ones in the client. Pure: it knows of no
//! process but its ID.

use common::link::backoff::BackOff;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use nix::unistd::Pid;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// An unclaimed pair ID dies after this.
pub(super) const DIAL: Duration = Duration::from_secs(10);
/// The pool is filled up again when the loop has been idle so long ...
const QUIET: Duration = Duration::from_millis(5);
/// ... or this long after it ran low, however busy.
const BUSY: Duration = Duration::from_millis(250);
/// A pair that is lost so soon was of no use.
const YOUNG: Duration = Duration::from_secs(1);

/// A pair that is not joined yet.
pub(super) struct Pair<S> {
    pub(super) ticket: Ticket,
    pub(super) child: Pid,
    pub(super) direction: Direction,
    created: Instant,
    /// Of the configuration that its server child was forked with.
    pub(super) generation: u64,
    /// Until when the client's child must dial; none once it has.
    dial_by: Option<Instant>,
    /// It had a data connection once.
    pub(super) was_dialled: bool,
    /// Its data connection, while its next server child is on its way.
    socket: Option<S>,
}

impl<S> Pair<S> {
    /// The client's child is on its way, for the first time or again.
    pub(super) fn awaits_dial(&self) -> bool {
        self.dial_by.is_some()
    }

    pub(super) fn is_younger_than(&self, age: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.created) < age
    }
}

/// What a data connection that names a pair is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim<S> {
    /// The pair waited for it and has it now.
    Taken,
    /// Of a pair that was given up lately.
    GivenUp(S),
    /// Of no pair, or of one that has its data connection.
    Unknown(S),
}

/// All pairs that are not joined yet.
pub(super) struct Pool<S> {
    pairs: HashMap<SessionId, Pair<S>>,
    /// Pairs that we gave up lately: their client's children may dial once more before they read of it.
    given_up: HashMap<SessionId, Instant>,
    low_since: Option<Instant>,
    pause: BackOff,
}

impl<S> Default for Pool<S> {
    fn default() -> Self {
        Self { pairs: HashMap::new(), given_up: HashMap::new(), low_since: None, pause: BackOff::default() }
    }
}

impl<S> Pool<S> {
    /// A new pair; the client's child is to dial within `DIAL`.
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

    /// A data connection is awaited: the internal port must listen.
    pub(super) fn awaits_dial(&self) -> bool {
        self.pairs.values().any(|pair| pair.dial_by.is_some())
    }

    /// When there is something to do for the pool.
    pub(super) fn due(&self) -> Option<Instant> {
        let dial = self.pairs.values().filter_map(|pair| pair.dial_by).min();
        let refill = self.low_since.map(|since| self.pause.not_before(since) + QUIET);
        [dial, refill].into_iter().flatten().min()
    }

    /// Pairs for incoming sessions.
    pub(super) fn incoming(&self) -> usize {
        self.pairs.values().filter(|pair| pair.direction == Direction::Incoming).count()
    }

    /// Pairs for which nobody has dialled in time.
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

    /// How many spare children are to be forked now: in the quiet, or when the pool has been low for long. `spares`:
    /// those that are on their way.
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

    /// Nothing can be parked now.
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

    /// The pair's data connection, for its child.
    pub(super) fn take_socket(&mut self, id: SessionId) -> Option<S> {
        self.pairs.get_mut(&id).and_then(|pair| pair.socket.take())
    }

    /// The pair is to have another server child: its client's child will dial again.
    pub(super) fn await_replacement(&mut self, id: SessionId, now: Instant) {
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.dial_by = Some(now + DIAL);
        }
    }

    /// This child belongs to the pair from now on; false: the pair is gone.
    pub(super) fn replace_child(&mut self, id: SessionId, child: Pid) -> bool {
        self.pairs.get_mut(&id).map(|pair| pair.child = child).is_some()
    }

    /// The pair is joined: the ticket is used.
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

    /// Gives all pairs up, since the client is gone. What went wrong before does not count any more.
    pub(super) fn give_all_up(&mut self, now: Instant) -> Vec<Pair<S>> {
        let ids: Vec<SessionId> = self.pairs.keys().copied().collect();
        let pairs = ids.into_iter().filter_map(|id| self.give_up(id, now)).collect();
        self.low_since = None;
        self.pause = BackOff::default();
        pairs
    }

    /// The making of a pair went wrong: the next one waits.
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
        // The next one that is given up clears what is too old.
        let other = SessionId::random().unwrap();
        pool.insert(other, Ticket::random().unwrap(), Pid::from_raw(8), Direction::Incoming, 1, now);
        assert!(pool.give_up(other, now + DIAL).is_some());
        assert_eq!(pool.claim(id, SOCKET), Claim::Unknown(SOCKET));
        assert_eq!(pool.claim(other, SOCKET), Claim::GivenUp(SOCKET));
    }

    #[test]
    fn nobody_who_dials_in_time_is_overdue() {
        let now = Instant::now();
        let (mut pool, id) = pool_with(Direction::Incoming, now);
        assert_eq!(pool.due(), Some(now + DIAL));
        assert_eq!(pool.overdue(now + DIAL / 2), []);
        assert_eq!(pool.overdue(now + DIAL), [id]);
        pool.claim(id, SOCKET);
        assert_eq!(pool.overdue(now + DIAL), []);
        // Its server child is replaced: the client's child has to dial again.
        pool.await_replacement(id, now + DIAL);
        assert_eq!(pool.overdue(now + DIAL + DIAL), [id]);
    }

    #[test]
    fn the_pool_is_filled_in_the_quiet_or_when_it_has_been_low_for_long() {
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
        // One success, and the next failure is a first one.
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

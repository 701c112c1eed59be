//! Pairs ahead of need. A pair is a server child and a client child with a data connection between them, parked until
//! a partner comes, or a station. A pair outlives a stranger: only a join uses its ticket up. How many there are for
//! incoming sessions is decided here, for outgoing ones in the client.

use super::internal_port::decline_pair;
use super::{Need, Parent};
use crate::messages::ToChild;
use common::link::backoff::BackOff;
use common::link::control::ToClient;
use common::link::session_id::{Direction, SessionId, Ticket};
use mio::net::TcpStream;
use nix::unistd::Pid;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// An unclaimed pair ID dies after this.
const DIAL: Duration = Duration::from_secs(10);
/// The pool is filled up again when the loop has been idle so long ...
const QUIET: Duration = Duration::from_millis(5);
/// ... or this long after it ran low, however busy.
const BUSY: Duration = Duration::from_millis(250);
/// A pair that is lost so soon was of no use.
const YOUNG: Duration = Duration::from_secs(1);

/// A pair that is not joined yet.
struct Pair {
    ticket: Ticket,
    child: Pid,
    direction: Direction,
    created: Instant,
    generation: u64,
    /// Until when the client's child must dial; none once it has.
    dial_by: Option<Instant>,
    /// Its data connection, while its next server child is on its way.
    held: Option<TcpStream>,
}

#[derive(Default)]
pub(super) struct Pool {
    pairs: HashMap<SessionId, Pair>,
    /// Pairs that we gave up lately: their client's children may dial once more before they hear of it.
    given_up: HashMap<SessionId, Instant>,
    low_since: Option<Instant>,
    pub(super) pause: BackOff,
}

impl Pool {
    /// A data connection is awaited: the internal port must listen.
    pub(super) fn awaits_dial(&self) -> bool {
        self.pairs.values().any(|pair| pair.dial_by.is_some())
    }

    fn give_up(&mut self, id: SessionId) {
        self.given_up.retain(|_, since| since.elapsed() < DIAL);
        self.given_up.insert(id, Instant::now());
    }

    pub(super) fn due(&self) -> Option<Instant> {
        let dial = self.pairs.values().filter_map(|pair| pair.dial_by).min();
        let refill = self.low_since.map(|since| self.pause.not_before(since) + QUIET);
        [dial, refill].into_iter().flatten().min()
    }

    fn incoming(&self) -> usize {
        self.pairs.values().filter(|pair| pair.direction == Direction::Incoming).count()
    }
}

impl Parent {
    /// Drops what is too old, gives up what nobody dialled, and fills the pool in the quiet.
    pub(super) fn tend_pool(&mut self, quiet: bool) {
        let now = Instant::now();
        let late: Vec<SessionId> = self
            .pool
            .pairs
            .iter()
            .filter(|(_, pair)| pair.dial_by.is_some_and(|until| until <= now))
            .map(|(id, _)| *id)
            .collect();
        for pair in late {
            self.fail_pair(pair, &format!("nobody dialled in for it within {} s", DIAL.as_secs()));
        }
        let Some(active) = self.active.as_ref().filter(|_| self.joined.is_some()) else {
            self.pool.low_since = None;
            return;
        };
        let max_age = Duration::from_secs(u64::from(active.limits.parked_age));
        let wanted = active.limits.parked_pairs as usize;
        self.retire_aged(max_age);
        let spares = self.needs.iter().filter(|need| matches!(need, Need::Spare | Need::Heir(_))).count();
        let missing = wanted.saturating_sub(self.pool.incoming() + spares);
        if missing == 0 {
            self.pool.low_since = None;
            return;
        }
        let low_since = *self.pool.low_since.get_or_insert(now);
        let paused = self.pool.pause.is_on(now);
        if !paused && ((quiet && low_since + QUIET <= now) || low_since + BUSY <= now) {
            self.pool.low_since = None;
            self.needs.extend((0..missing).map(|_| Need::Spare));
        }
    }

    /// A new pair for this child; the client is asked to dial in.
    pub(super) fn make_pair(&mut self, child: Pid, direction: Direction) {
        if self.joined.is_none() {
            let reason = "the client is gone".to_owned();
            self.children.send(child, &ToChild::NoPair { reason }, None::<&TcpStream>);
            return;
        }
        let generation = self.active.as_ref().map_or(0, |active| active.generation);
        match SessionId::random().and_then(|id| Ticket::random().map(|ticket| (id, ticket))) {
            Ok((id, ticket)) => {
                let now = Instant::now();
                let message = ToClient::Pair { pair: id, ticket: ticket.clone(), direction };
                let dial_by = Some(now + DIAL);
                let pair = Pair { ticket, child, direction, created: now, generation, dial_by, held: None };
                self.pool.pairs.insert(id, pair);
                self.children.set_pair(child, Some(id));
                self.tell_client(&message);
            }
            Err(e) => {
                common::error!("no random numbers for a pair: {e}");
                if direction == Direction::Outgoing {
                    self.tell_client(&ToClient::NoOutgoing { reason: "no random numbers".to_owned() });
                    self.children.release_parked(child);
                }
            }
        }
    }

    /// A data connection names its pair: its child gets it.
    pub(super) fn connect_pair(&mut self, id: SessionId, socket: TcpStream) {
        let peer = socket.peer_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
        // The client's child may be faster to dial again than we are to bury ours.
        self.bury();
        let Some(pair) = self.pool.pairs.get_mut(&id).filter(|pair| pair.dial_by.is_some()) else {
            if self.pool.given_up.contains_key(&id) {
                common::debug!("pair {id} was given up before it was dialled again");
                return decline_pair(socket);
            }
            return self.internal.refuse_pair(
                socket,
                peer,
                "there is no such pair, or it has its data connection",
            );
        };
        pair.dial_by = None;
        self.pool.pause.succeeded();
        pair.held = Some(socket);
        self.deliver(id);
    }

    /// Hands a pair's data connection to its child, if that is there by now.
    fn deliver(&mut self, id: SessionId) {
        let Some(pair) = self.pool.pairs.get_mut(&id) else { return };
        if !self.children.lives(pair.child) {
            return;
        }
        let Some(socket) = pair.held.take() else { return };
        let message = ToChild::Data { pair: id, ticket: pair.ticket.clone() };
        let child = pair.child;
        if self.children.send(child, &message, Some(&socket)) {
            self.children.has_data(child);
        } else {
            self.retire(id);
        }
    }

    /// A parked child's data connection has ended.
    pub(super) fn lose_data(&mut self, child: Pid, id: SessionId) {
        let lost = self.pool.pairs.get(&id);
        if lost.is_some_and(|pair| pair.created.elapsed() < YOUNG && pair.direction == Direction::Incoming) {
            self.pool.pause.failed();
        }
        self.children.set_pair(child, None);
        self.retire(id);
    }

    /// The pair's two children are joined: the ticket is used.
    pub(super) fn joined_pair(&mut self, id: SessionId) {
        self.pool.pairs.remove(&id);
    }

    /// No data connection came of this pair: its child hears why.
    pub(super) fn fail_pair(&mut self, id: SessionId, reason: &str) {
        let Some(pair) = self.pool.pairs.remove(&id) else { return };
        self.pool.give_up(id);
        common::warn!("pair {id} failed: {}", common::log::escape(reason));
        if pair.direction == Direction::Incoming {
            self.pool.pause.failed();
        }
        self.tell_client(&ToClient::Retire { pair: id });
        self.children.send(pair.child, &ToChild::NoPair { reason: reason.to_owned() }, None::<&TcpStream>);
        self.children.release_parked(pair.child);
    }

    /// This pair's server child is gone without a join: another one waits in its place, if the pair is worth it.
    pub(super) fn inherit(&mut self, id: SessionId) {
        let Some(pair) = self.pool.pairs.get(&id) else { return };
        let current = self.active.as_ref().filter(|_| self.joined.is_some());
        let worth = current.is_some_and(|active| {
            // A parked child of an outgoing pair meets no strangers: if it is gone, something is wrong with it.
            pair.direction == Direction::Incoming
                && active.generation == pair.generation
                && pair.created.elapsed() < Duration::from_secs(u64::from(active.limits.parked_age))
        });
        if worth {
            pair_again(&mut self.pool, id);
            self.needs.push_back(Need::Heir(id));
        } else {
            self.retire(id);
        }
    }

    /// The heir of a pair was forked.
    pub(super) fn bequeath(&mut self, id: SessionId, child: Pid) {
        if let Some(pair) = self.pool.pairs.get_mut(&id) {
            pair.child = child;
            self.children.set_pair(child, Some(id));
            self.deliver(id);
        } else {
            self.children.release_parked(child);
        }
    }

    /// This pair is not wanted any more. A child that serves a partner meanwhile is left alone.
    pub(super) fn retire(&mut self, id: SessionId) {
        if let Some(pair) = self.pool.pairs.remove(&id) {
            self.pool.give_up(id);
            self.tell_client(&ToClient::Retire { pair: id });
            self.children.release_parked(pair.child);
        }
    }

    /// Retires all pairs whose child serves nobody yet.
    pub(super) fn retire_parked(&mut self, why: &str) {
        let parked: Vec<SessionId> = self
            .pool
            .pairs
            .iter()
            .filter(|(_, pair)| self.children.is_parked(pair.child))
            .map(|(id, _)| *id)
            .collect();
        if !parked.is_empty() {
            common::debug!("{} parked pairs are retired: {why}", parked.len());
        }
        for pair in parked {
            self.retire(pair);
        }
    }

    fn retire_aged(&mut self, max_age: Duration) {
        let aged: Vec<SessionId> = self
            .pool
            .pairs
            .iter()
            .filter(|(_, pair)| pair.created.elapsed() >= max_age && self.children.is_parked(pair.child))
            .map(|(id, _)| *id)
            .collect();
        for pair in aged {
            self.retire(pair);
        }
    }

    /// The client is gone, and its children with it.
    pub(super) fn drop_pairs(&mut self) {
        for (id, pair) in std::mem::take(&mut self.pool.pairs) {
            self.pool.give_up(id);
            let reason = "the client is gone".to_owned();
            self.children.send(pair.child, &ToChild::NoPair { reason }, None::<&TcpStream>);
            self.children.release_parked(pair.child);
        }
        let given_up = std::mem::take(&mut self.pool.given_up);
        self.pool = Pool { given_up, ..Pool::default() };
    }
}

fn pair_again(pool: &mut Pool, id: SessionId) {
    if let Some(pair) = pool.pairs.get_mut(&id) {
        pair.dial_by = Some(Instant::now() + DIAL);
    }
}

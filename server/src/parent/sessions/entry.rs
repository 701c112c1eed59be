//! Partners that have connected and are not verified yet: who may come in, in whose place, and which child serves it. A
//! balancer's connection is decided about twice: at its address, and at the partner's once the child has read it.

use super::Sessions;
use crate::messages::{Peer, ToChild};
use crate::parent::action::{Action, Fork};
use crate::parent::admission::{Conditions, EntryRefusal};
use crate::parent::source_limits::Entry;
use crate::parent::unverified_places::Waiting;
use common::link::session_id::Direction;
use common::process::end_reasons::Status;
use common::state::Refused;
use nix::unistd::Pid;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Where a connection is that is not verified yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Child(Pid),
    /// It waits for a child, at this index of `forks`.
    Queue(usize),
}

impl<S> Sessions<S> {
    /// A partner has connected: passes it to a parked child, if there is one, or to a new one.
    pub(in crate::parent) fn accept(
        &mut self,
        socket: S,
        address: SocketAddr,
        conditions: &Conditions<'_>,
        now: Instant,
    ) {
        let (has_line, entered) = self.enter(address.ip(), None, conditions, now);
        match entered {
            Ok(()) => {
                let is_balancer = conditions.addresses.is_some_and(|all| all.is_balancer(address.ip()));
                self.assign(socket, Peer { address, has_line, is_balancer }, now);
            }
            Err(refusal) => self.refuse(address, has_line, refusal),
        }
    }

    /// A balancer has told this child whose connection it serves: decides as if the partner had connected itself.
    pub(super) fn name_partner(
        &mut self,
        pid: Pid,
        address: SocketAddr,
        conditions: &Conditions<'_>,
        now: Instant,
    ) {
        let Some(balancer) = self.children.balancer(pid) else { return };
        self.source_limits.give_back_line(balancer);
        let (has_line, entered) = self.enter(address.ip(), Some(pid), conditions, now);
        self.children.set_peer(pid, Peer { address, has_line, is_balancer: false });
        let refusal =
            entered.err().map(|EntryRefusal { status, reason }| (status.number(), reason.to_owned()));
        self.send_to_child(pid, ToChild::Entry { has_line, refusal }, None);
    }

    /// Whether `source` may come in, and whether a refusal may have a log line. If another connection has to make way
    /// for it, that one is closed. `child`: the one that serves it already, which does not count as waiting.
    fn enter(
        &mut self,
        source: IpAddr,
        child: Option<Pid>,
        conditions: &Conditions<'_>,
        now: Instant,
    ) -> (bool, Result<(), EntryRefusal>) {
        let is_other = |(held, _): &(Held, Waiting)| Some(*held) != child.map(Held::Child);
        let (places, waiting): (Vec<Held>, Vec<Waiting>) =
            self.unverified(conditions, now).into_iter().filter(is_other).unzip();
        match self.source_limits.enter(source, &waiting, conditions, now) {
            Ok(Entry { instead, has_line }) => {
                if let Some(held) = instead.and_then(|index| places.get(index)) {
                    self.displace(*held);
                }
                (has_line, Ok(()))
            }
            Err(refusal) => (self.source_limits.take_line(source, conditions, now), Err(refusal)),
        }
    }

    /// The connections that are not verified, and where each of them is.
    fn unverified(&self, conditions: &Conditions<'_>, now: Instant) -> Vec<(Held, Waiting)> {
        let is_known = |address| self.source_limits.is_known(address, conditions, now);
        let queued = self.forks.iter().enumerate().filter_map(|(index, fork)| match fork {
            Fork::Partner { peer, since, .. } => {
                let address = peer.address.ip();
                Some((Held::Queue(index), Waiting { address, since: *since, known: is_known(address) }))
            }
            _ => None,
        });
        let children = self.children.unverified(is_known).into_iter();
        children.map(|(pid, waiting)| (Held::Child(pid), waiting)).chain(queued).collect()
    }

    /// Closes this connection, because a newcomer needs its place.
    fn displace(&mut self, held: Held) {
        match held {
            Held::Child(child) => {
                self.children.displace(child);
                self.send_to_child(child, ToChild::MakeWay, None);
            }
            Held::Queue(index) => {
                if let Some(Fork::Partner { peer, .. }) = self.forks.remove(index) {
                    let refusal = EntryRefusal::new(Status::Capacity, "others needed its place");
                    self.refuse(peer.address, peer.has_line, refusal);
                }
            }
        }
    }

    /// Refuses a partner that has no child.
    pub(super) fn refuse(
        &mut self,
        peer: SocketAddr,
        has_line: bool,
        EntryRefusal { status, reason }: EntryRefusal,
    ) {
        self.push(Action::CountRefusal(Box::new(Refused {
            direction: Direction::Incoming.word().to_owned(),
            reason: status.word().to_owned(),
            address: Some(peer.ip()),
            ..Refused::default()
        })));
        if has_line {
            self.push(Action::RefusePartner(peer, status, reason));
        } else {
            self.source_limits.leave_out();
        }
    }

    /// Passes a partner to a parked child, or asks for a new one.
    pub(super) fn assign(&mut self, socket: S, peer: Peer, now: Instant) {
        match self.children.parked() {
            Some(child) => self.serve(child, socket, peer, now),
            None => self.forks.push_back(Fork::Partner { socket, peer, since: now }),
        }
    }

    /// Passes a partner to this child.
    pub(super) fn serve(&mut self, child: Pid, socket: S, peer: Peer, now: Instant) {
        self.children.serve(child, peer, now);
        self.send_to_child(child, ToChild::Serve(peer), Some(socket));
    }
}

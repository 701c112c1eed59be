//! The table of session processes: the stage of each, its pair, and its peer. Pure: it has no channels and writes no
//! log lines.

use super::action::Crash;
use super::admission::Sessions;
use super::unverified_places::Waiting;
use crate::messages::Peer;
use common::ipc::frame;
use common::link::session_id::{Direction, SessionId};
use common::state::Progress;
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// The stage of a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Forked ahead of need, without a data connection so far.
    Waiting,
    /// Parked with its data connection: can be given a partner.
    Parked,
    /// Serves a partner that is not verified yet.
    Unverified,
    /// Was told to close a connection that is not verified, because another one needs the place.
    Leaving,
    /// Serves a partner whose certificate is verified, or a station.
    Verified,
}

/// One session process.
#[derive(Debug)]
pub(super) struct Child {
    direction: Direction,
    stage: Stage,
    /// Whether its channel is open, so that it can be sent messages.
    reachable: bool,
    /// The partner that it serves.
    peer: Option<Peer>,
    partner: Option<String>,
    session: Option<SessionId>,
    end_logged: bool,
    listed: bool,
    /// Progress of its session that was not reported yet.
    progress: Option<Progress>,
}

impl Child {
    /// Whether it serves nobody yet.
    fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Parked)
    }

    /// Whether it can be given a partner.
    fn is_free(&self) -> bool {
        self.stage == Stage::Parked && self.reachable && self.direction == Direction::Incoming
    }
}

/// All session processes by their process IDs. Some answers are kept beside the table, because each new connection asks
/// for them and the cost must not grow with the number of sessions.
#[derive(Debug, Default)]
pub(super) struct Children {
    all: BTreeMap<Pid, Child>,
    /// Children that can be given a partner.
    parked: BTreeSet<Pid>,
    /// Number of admitted sessions, by direction and short name.
    admitted: [HashMap<String, usize>; 2],
    /// Number of processes for outgoing sessions, including parked ones.
    outgoing: usize,
    /// Children whose peer is not verified yet, and since when: each new connection needs this list.
    unverified: BTreeMap<Pid, (SocketAddr, Instant)>,
    /// The child whose progress was taken last: the next call begins behind it.
    taken: Option<Pid>,
}

impl Children {
    /// A child was forked; `reachable`: its channel is open.
    pub(super) fn register(&mut self, pid: Pid, direction: Direction, reachable: bool) {
        let child = Child {
            direction,
            stage: Stage::Waiting,
            reachable,
            peer: None,
            partner: None,
            session: None,
            end_logged: false,
            listed: false,
            progress: None,
        };
        self.outgoing += usize::from(direction == Direction::Outgoing);
        self.all.insert(pid, child);
    }

    /// A child has ended; returns what is known of it. `ended`: how it ended, in words.
    pub(super) fn reap(&mut self, pid: Pid, ended: String) -> Option<Reaped> {
        let child = self.all.remove(&pid)?;
        self.unverified.remove(&pid);
        self.parked.remove(&pid);
        self.outgoing -= usize::from(child.direction == Direction::Outgoing);
        self.count(child.direction, child.partner.as_deref(), false);
        let refused = child.peer.filter(|_| child.partner.is_none());
        let crash = (!child.is_idle() && !child.end_logged).then_some(Crash {
            pid,
            direction: child.direction,
            session: child.session,
            peer: child.peer.map(|peer| peer.address),
            partner: child.partner,
            listed: child.listed,
            ended,
        });
        Some(Reaped { session: child.session, crash, refused })
    }

    /// Incoming connections whose peer is not verified; `is_known` tells whether a source is known.
    pub(super) fn unverified(&self, is_known: impl Fn(IpAddr) -> bool) -> Vec<(Pid, Waiting)> {
        let waiting = |(pid, (peer, since)): (&Pid, &(SocketAddr, Instant))| {
            let address = peer.ip();
            (*pid, Waiting { address, since: *since, known: is_known(address) })
        };
        self.unverified.iter().map(waiting).collect()
    }

    /// The number of these connections.
    pub(super) fn count_unverified(&self) -> usize {
        self.unverified.len()
    }

    /// The number of children that serve somebody.
    pub(super) fn count_busy(&self) -> usize {
        self.all.values().filter(|child| !child.is_idle()).count()
    }

    /// The number of children that can be given a partner.
    pub(super) fn count_parked(&self) -> usize {
        self.parked.len()
    }

    /// Sets the progress of a child's session.
    pub(super) fn set_progress(&mut self, pid: Pid, progress: Progress) {
        self.update(pid, |child| child.progress = Some(progress));
    }

    /// Progress reports that were not taken yet, as many as fit into this many octets of JSON.
    pub(super) fn take_progress(&mut self, octets: usize) -> Vec<Progress> {
        let told = self.all.iter().filter(|(_, child)| child.progress.is_some());
        let mut pids: Vec<Pid> = told.map(|(pid, _)| *pid).collect();
        // Children behind the one that was taken last come first.
        let taken = pids.partition_point(|pid| Some(*pid) <= self.taken);
        pids.rotate_left(taken);
        let (mut all, mut used) = (Vec::new(), 0);
        for pid in pids {
            let Some(told) = self.all.get_mut(&pid).map(|child| &mut child.progress) else { continue };
            used += told.as_ref().map_or(0, |progress| 1 + frame::length(progress).unwrap_or(octets));
            if used > octets {
                break;
            }
            all.extend(told.take());
            self.taken = Some(pid);
        }
        all
    }

    /// A parked child for a partner.
    pub(super) fn parked(&self) -> Option<Pid> {
        self.parked.first().copied()
    }

    /// The child that serves this session and can be told to end it.
    pub(super) fn serving(&self, session: SessionId) -> Option<Pid> {
        let is_it = |child: &Child| child.session == Some(session) && child.reachable && !child.is_idle();
        self.all.iter().find(|(_, child)| is_it(child)).map(|(pid, _)| *pid)
    }

    /// The children that serve this partner and can be sent a message.
    pub(super) fn of_partner(&self, partner: &str) -> Vec<Pid> {
        let is_one = |child: &Child| child.reachable && child.partner.as_deref() == Some(partner);
        self.all.iter().filter(|(_, child)| is_one(child)).map(|(pid, _)| *pid).collect()
    }

    /// Whether it can be sent messages.
    pub(super) fn is_reachable(&self, pid: Pid) -> bool {
        self.all.get(&pid).is_some_and(|child| child.reachable)
    }

    /// Whether it serves nobody yet.
    pub(super) fn is_idle(&self, pid: Pid) -> bool {
        self.all.get(&pid).is_some_and(Child::is_idle)
    }

    pub(super) fn session(&self, pid: Pid) -> Option<SessionId> {
        self.all.get(&pid).and_then(|child| child.session)
    }

    /// Sets the pair that the child belongs to.
    pub(super) fn set_session(&mut self, pid: Pid, session: Option<SessionId>) {
        self.update(pid, |child| child.session = session);
    }

    /// The child has its data connection.
    pub(super) fn park(&mut self, pid: Pid) {
        self.update(pid, |child| {
            if child.stage == Stage::Waiting {
                child.stage = Stage::Parked;
            }
        });
    }

    /// The child gets this partner.
    pub(super) fn serve(&mut self, pid: Pid, peer: Peer, now: Instant) {
        self.update(pid, |child| {
            child.stage = Stage::Unverified;
            child.peer = Some(peer);
        });
        self.unverified.insert(pid, (peer.address, now));
    }

    /// The balancer whose connection this child serves, while it is not known whose the connection is.
    pub(super) fn balancer(&self, pid: Pid) -> Option<Peer> {
        let child = self.all.get(&pid).filter(|child| child.stage == Stage::Unverified)?;
        child.peer.filter(|peer| peer.is_balancer)
    }

    /// The balancer has named the partner.
    pub(super) fn set_peer(&mut self, pid: Pid, peer: Peer) {
        self.update(pid, |child| child.peer = Some(peer));
        if let Some((address, _)) = self.unverified.get_mut(&pid) {
            *address = peer.address;
        }
    }

    /// The child was told to close its connection.
    pub(super) fn displace(&mut self, pid: Pid) {
        self.unverified.remove(&pid);
        self.update(pid, |child| child.stage = Stage::Leaving);
    }

    /// The partner could not be passed to the child.
    pub(super) fn take_back(&mut self, pid: Pid) {
        self.update(pid, |child| {
            child.stage = Stage::Waiting;
            child.peer = None;
        });
        self.unverified.remove(&pid);
    }

    /// The partner's certificate is verified.
    pub(super) fn verify(&mut self, pid: Pid) {
        self.update(pid, |child| {
            if child.stage == Stage::Unverified {
                child.stage = Stage::Verified;
            }
        });
        self.unverified.remove(&pid);
    }

    /// The pair is joined: a child for outgoing sessions has a station.
    pub(super) fn join(&mut self, pid: Pid) {
        self.update(pid, |child| {
            if child.direction == Direction::Outgoing {
                child.stage = Stage::Verified;
            }
        });
    }

    /// The partner may have this session. Returns the peer if it was an incoming connection.
    pub(super) fn admit(&mut self, pid: Pid, partner: String) -> Option<Peer> {
        let direction = self.direction(pid)?;
        self.count(direction, Some(&partner), true);
        let child = self.all.get_mut(&pid)?;
        let (before, peer) = (child.partner.replace(partner), child.peer);
        self.count(direction, before.as_deref(), false);
        peer
    }

    /// Counts one session more or less of this partner.
    fn count(&mut self, direction: Direction, partner: Option<&str>, more: bool) {
        let (Some(partner), counts) = (partner, &mut self.admitted[index(direction)]) else { return };
        let count = counts.entry(partner.to_owned()).or_default();
        *count = if more { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            counts.remove(partner);
        }
    }

    /// Sets whether the backend's session list has the session.
    pub(super) fn set_listed(&mut self, pid: Pid, listed: bool) {
        self.update(pid, |child| child.listed = listed);
    }

    /// The child has written its end line.
    pub(super) fn set_end_logged(&mut self, pid: Pid) {
        self.update(pid, |child| child.end_logged = true);
    }

    /// The child can be sent nothing any more: it could not be reached, or was dismissed.
    pub(super) fn disconnect(&mut self, pid: Pid) {
        self.update(pid, |child| child.reachable = false);
    }

    pub(super) fn direction(&self, pid: Pid) -> Option<Direction> {
        self.all.get(&pid).map(|child| child.direction)
    }

    /// Number of processes for outgoing sessions, including parked ones.
    pub(super) fn outgoing(&self) -> usize {
        self.outgoing
    }

    /// Number of sessions in this direction: of this partner, and of all.
    pub(super) fn sessions(&self, direction: Direction, partner: &str) -> Sessions {
        let counts = &self.admitted[index(direction)];
        Sessions { of_partner: counts.get(partner).copied().unwrap_or_default(), all: counts.values().sum() }
    }

    fn update(&mut self, pid: Pid, change: impl FnOnce(&mut Child)) {
        if let Some(child) = self.all.get_mut(&pid) {
            change(child);
            if child.is_free() {
                self.parked.insert(pid);
            } else {
                self.parked.remove(&pid);
            }
        }
    }
}

/// Its index in arrays of both directions.
fn index(direction: Direction) -> usize {
    match direction {
        Direction::Incoming => 0,
        Direction::Outgoing => 1,
    }
}

/// A child that has ended.
#[derive(Debug)]
pub(super) struct Reaped {
    /// The pair that it belonged to.
    pub(super) session: Option<SessionId>,
    /// Set if it served somebody and wrote no end line.
    pub(super) crash: Option<Crash>,
    /// The refused peer, if it had one and no partner was admitted.
    pub(super) refused: Option<Peer>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number)
    }

    fn peer(last: u8) -> Peer {
        let address = SocketAddr::from(([192, 0, 2, last], 4000));
        Peer { address, has_line: false, is_balancer: false }
    }

    /// Number of connections that are not verified, of this peer or of all.
    fn unverified(children: &Children, last: Option<u8>) -> usize {
        let all = children.unverified(|_| false);
        all.iter().filter(|(_, one)| last.is_none_or(|last| one.address == peer(last).address.ip())).count()
    }

    fn crash(children: &mut Children, number: i32) -> Option<Crash> {
        children.reap(pid(number), "signal 11".to_owned()).unwrap().crash
    }

    #[test]
    fn only_a_parked_child_with_a_channel_takes_a_partner() {
        let mut children = Children::default();
        children.register(pid(7), Direction::Incoming, true);
        assert_eq!(children.parked(), None, "its data connection is not there yet");
        children.park(pid(7));
        assert_eq!(children.parked(), Some(pid(7)));
        children.disconnect(pid(7));
        assert_eq!(children.parked(), None);
        children.register(pid(8), Direction::Outgoing, true);
        children.park(pid(8));
        assert_eq!(children.parked(), None, "it waits for a station");
    }

    #[test]
    fn a_data_connection_does_not_park_a_child_that_serves_a_partner() {
        let mut children = Children::default();
        children.register(pid(7), Direction::Incoming, true);
        children.serve(pid(7), peer(1), Instant::now());
        children.park(pid(7));
        assert!(!children.is_idle(pid(7)));
        assert_eq!(children.parked(), None);
    }

    #[test]
    fn peers_count_as_unverified_until_their_certificate_is_verified_or_they_are_gone() {
        let mut children = Children::default();
        for number in [1, 2, 3] {
            children.register(pid(number), Direction::Incoming, true);
            children.serve(pid(number), peer(u8::from(number == 3)), Instant::now());
        }
        assert_eq!(unverified(&children, None), 3);
        assert_eq!(unverified(&children, Some(0)), 2);
        children.verify(pid(1));
        assert_eq!(unverified(&children, Some(0)), 1);
        children.reap(pid(2), String::new());
        assert_eq!(unverified(&children, None), 1);
    }

    #[test]
    fn a_crash_is_told_of_a_child_that_served_and_wrote_no_end_line() {
        let mut children = Children::default();
        for number in 1..=4 {
            children.register(pid(number), Direction::Incoming, true);
        }
        children.park(pid(1));
        children.serve(pid(2), peer(2), Instant::now());
        children.serve(pid(3), peer(3), Instant::now());
        children.set_end_logged(pid(3));
        assert_eq!(crash(&mut children, 1), None, "it served nobody");
        assert_eq!(crash(&mut children, 3), None, "it wrote its line");
        let found = crash(&mut children, 2).unwrap();
        assert_eq!(
            (found.pid, found.peer, found.ended.as_str()),
            (pid(2), Some(peer(2).address), "signal 11")
        );
        // Killed between two forks: the table has it, but it had served no session.
        assert_eq!(crash(&mut children, 4), None);
        assert!(children.reap(pid(2), String::new()).is_none(), "reaped once");
    }

    #[test]
    fn sessions_are_counted_by_direction_once_they_are_admitted() {
        let mut children = Children::default();
        for (number, direction) in
            [(1, Direction::Incoming), (2, Direction::Incoming), (3, Direction::Outgoing)]
        {
            children.register(pid(number), direction, true);
        }
        children.admit(pid(1), "acme".to_owned());
        children.admit(pid(3), "acme".to_owned());
        let of = |direction, name| {
            let Sessions { of_partner, all } = children.sessions(direction, name);
            (of_partner, all)
        };
        assert_eq!(of(Direction::Incoming, "acme"), (1, 1));
        assert_eq!(of(Direction::Incoming, "other"), (0, 1));
        assert_eq!(of(Direction::Outgoing, "acme"), (1, 1));
        assert_eq!(children.outgoing(), 1);
    }

    #[test]
    fn progress_is_taken_once_as_much_as_fits_and_each_session_has_its_turn() {
        let mut children = Children::default();
        let told = |number: i32| Progress { session: format!("{number:032}"), ..Progress::default() };
        (1..=4).for_each(|number| children.register(pid(number), Direction::Incoming, true));
        assert_eq!(children.take_progress(1_000), []);
        (1..=4).for_each(|number| children.set_progress(pid(number), told(number)));
        let room = 2 * (1 + frame::length(&told(1)).unwrap());
        assert_eq!(children.take_progress(room), [told(1), told(2)]);
        (1..=2).for_each(|number| children.set_progress(pid(number), told(number)));
        assert_eq!(children.take_progress(room), [told(3), told(4)], "those that wait longer");
        assert_eq!(children.take_progress(10 * room), [told(1), told(2)]);
        assert_eq!(children.take_progress(room), []);
    }
}

//! Session processes and their pairs: takes events and returns the resulting actions. Pure: the parent does the actions
//! and forks; `S` is a socket. `entry` is about partners that are not verified yet.

mod entry;

use super::action::{Action, Fork};
use super::admission::{self, Conditions, EntryRefusal};
use super::children::Children;
use super::pool::{Claim, DIAL, Pair, Pool};
use super::source_limits::{Counts, SourceLimits};
use crate::messages::{ToChild, ToParent};
use common::config::{DebuggedPartner, Limits};
use common::link::control::ToClient;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::process::end_reasons::{self, Status};
use common::rpc::{Act, ActKind, ActOutcome, SessionEvent};
use common::session::debugged_partners::DebuggedPartners;
use common::state::{DaemonState, Progress, Use};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The children, the pairs, and the actions and forks that are to be done for them.
pub(super) struct Sessions<S> {
    children: Children,
    pool: Pool<S>,
    source_limits: SourceLimits,
    debugged: DebuggedPartners,
    forks: VecDeque<Fork<S>>,
    actions: VecDeque<Action<S>>,
}

impl<S> Default for Sessions<S> {
    fn default() -> Self {
        Self {
            children: Children::default(),
            pool: Pool::default(),
            source_limits: SourceLimits::default(),
            debugged: DebuggedPartners::default(),
            forks: VecDeque::new(),
            actions: VecDeque::new(),
        }
    }
}

impl<S> Sessions<S> {
    /// The next action.
    pub(super) fn next_action(&mut self) -> Option<Action<S>> {
        self.actions.pop_front()
    }

    /// The next process to fork; actions are done first.
    pub(super) fn next_fork(&mut self) -> Option<Fork<S>> {
        self.forks.pop_front()
    }

    /// Whether the internal port must listen.
    pub(super) fn awaits_dial(&self) -> bool {
        self.pool.awaits_dial()
    }

    /// When `maintain_pool` is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.pool.due()
    }

    /// Adds the number of sessions and their limits to `state`.
    pub(super) fn describe(&self, state: &mut DaemonState, limits: Option<&Limits>) {
        let running = |direction| self.children.sessions(direction, "").all;
        let queued = self.forks.iter().filter(|fork| matches!(fork, Fork::Partner { .. })).count();
        let used = |used: usize, limit: Option<u32>| Use { used, limit: limit.unwrap_or_default() as usize };
        state.incoming = used(running(Direction::Incoming), limits.map(|limits| limits.sessions));
        state.outgoing = used(running(Direction::Outgoing), limits.map(|limits| limits.outgoing_sessions));
        let unverified = self.children.count_unverified() + queued;
        state.unverified = used(unverified, limits.map(|limits| limits.unverified_hard));
        state.parked = used(self.children.count_parked(), limits.map(|limits| limits.parked_pairs));
    }

    /// Number of sessions that run or begin.
    pub(super) fn count_begun(&self) -> usize {
        let queued = self.forks.iter().filter(|fork| matches!(fork, Fork::Partner { .. })).count();
        self.children.count_busy() + queued
    }

    /// Progress of sessions, as many as fit into so many octets of JSON; each report is returned once.
    pub(super) fn take_progress(&mut self, octets: usize) -> Vec<Progress> {
        self.children.take_progress(octets)
    }

    /// The counts about strangers since the last call.
    pub(super) fn take_stranger_counts(&mut self) -> Counts {
        self.source_limits.take_counts()
    }

    /// The requested child was forked; its channel is open.
    pub(super) fn register_child(
        &mut self,
        pid: Pid,
        fork: Fork<S>,
        conditions: &Conditions<'_>,
        now: Instant,
    ) {
        self.children.register(pid, fork.direction(), true);
        match fork {
            Fork::Spare => self.make_pair(pid, Direction::Incoming, conditions, now),
            Fork::Outgoing => self.make_pair(pid, Direction::Outgoing, conditions, now),
            Fork::Partner { socket, peer, .. } => self.serve(pid, socket, peer, now),
            Fork::Replacement(id) => {
                if self.pool.replace_child(id, pid) {
                    self.children.set_session(pid, Some(id));
                    self.send_socket(id);
                } else {
                    self.release(pid);
                }
            }
        }
    }

    /// No child could be forked: this request fails, the others go on.
    pub(super) fn fork_failed(&mut self, fork: &Fork<S>, reason: &str, now: Instant) {
        self.pool.failed(now);
        self.drop_fork(
            fork,
            EntryRefusal::new(Status::Capacity, "no session process can be started"),
            reason,
            now,
        );
    }

    /// Requests that wait for a fork cannot be served any more.
    pub(super) fn drop_forks(&mut self, reason: &'static str, now: Instant) {
        for fork in std::mem::take(&mut self.forks) {
            self.drop_fork(&fork, EntryRefusal::new(Status::ClientDown, reason), reason, now);
        }
    }

    /// This request cannot be served any more; `partner`: how a partner is refused.
    pub(super) fn drop_fork(&mut self, fork: &Fork<S>, partner: EntryRefusal, reason: &str, now: Instant) {
        match fork {
            Fork::Spare => {}
            Fork::Outgoing => self.send_to_client(ToClient::NoOutgoing { reason: reason.to_owned() }),
            Fork::Replacement(pair) => self.retire(*pair, now),
            Fork::Partner { peer, .. } => self.refuse(peer.address, peer.has_line, partner),
        }
    }

    /// A message could not be sent to a child: it is gone, or does not read.
    pub(super) fn send_failed(&mut self, child: Pid, message: &ToChild, socket: Option<S>, now: Instant) {
        match (message, socket) {
            (ToChild::Data { pair, .. }, _) => self.retire(*pair, now),
            (ToChild::Serve(peer), Some(socket)) => {
                // A child that never had a pair was forked for this partner: another one would not help.
                let fresh = self.children.session(child).is_none();
                self.children.take_back(child);
                self.close_channel(child);
                if fresh {
                    let reason = "it could not be handed to a session process";
                    let refusal = EntryRefusal::new(Status::Capacity, reason);
                    self.refuse(peer.address, peer.has_line, refusal);
                } else {
                    self.assign(socket, *peer, now);
                }
            }
            _ => {}
        }
    }

    /// A child has sent a message.
    pub(super) fn on_message(
        &mut self,
        pid: Pid,
        message: ToParent,
        conditions: &Conditions<'_>,
        now: Instant,
    ) {
        if self.children.direction(pid).is_none() {
            return;
        }
        match message {
            ToParent::Source(source) => self.name_partner(pid, source, conditions, now),
            ToParent::Verified => {
                self.children.verify(pid);
                if self.children.session(pid).is_none() {
                    // No child was parked when the partner came: the pair is made only now.
                    self.make_pair(pid, Direction::Incoming, conditions, now);
                }
            }
            ToParent::DataLost => {
                if let Some(pair) = self.children.session(pid) {
                    self.pool.lost(pair, now);
                    self.children.set_session(pid, None);
                    self.retire(pair, now);
                }
            }
            ToParent::NeedPair => {
                if let Some(pair) = self.children.session(pid) {
                    self.retire(pair, now);
                }
                self.make_pair(pid, Direction::Incoming, conditions, now);
            }
            ToParent::Partner { name } => self.admit(pid, name, conditions, now),
            ToParent::Joined => {
                self.children.join(pid);
                if let Some(pair) = self.children.session(pid) {
                    self.pool.join(pair);
                }
            }
            ToParent::CrlUrl(url) => self.push(Action::ReportCrlUrl(url)),
            ToParent::Session(event) => {
                self.children.set_listed(pid, matches!(*event, SessionEvent::Begin(_)));
                if let Some(direction) = self.children.direction(pid) {
                    if let (SessionEvent::Begin(begin), Direction::Outgoing) = (&*event, direction)
                        && let Ok(called) = begin.address.parse::<SocketAddr>()
                    {
                        self.source_limits.note_called(called.ip(), now);
                    }
                    self.push(Action::ReportSession(pid, direction, event));
                }
            }
            ToParent::SystemLog(entry) => self.push(Action::ReportSystemLog(entry)),
            ToParent::Progress(progress) => self.children.set_progress(pid, progress),
            ToParent::Refused(what) => self.push(Action::CountRefusal(what)),
            ToParent::EndLogged(remains) => {
                self.children.set_end_logged(pid);
                self.push(Action::NoteEnd(self.children.session(pid), remains));
            }
        }
    }

    /// Answers whether a partner may have one more session.
    fn admit(&mut self, pid: Pid, partner: String, conditions: &Conditions<'_>, now: Instant) {
        self.children.verify(pid);
        let answer = self.admission(pid, &partner, conditions);
        let time = self.debugged.time_of(&partner, now);
        // Before the answer: the child waits for it, and its next steps are to be logged.
        if time.left.is_some() {
            self.send_to_child(pid, ToChild::Debug(time), None);
        }
        if matches!(answer, ToChild::Admitted)
            && let Some(peer) = self.children.admit(pid, partner)
        {
            self.pool.note_partner(now);
            self.source_limits.note_partner(peer, now);
        }
        self.send_to_child(pid, answer, None);
    }

    fn admission(&self, pid: Pid, partner: &str, conditions: &Conditions<'_>) -> ToChild {
        let direction = self.children.direction(pid).unwrap_or(Direction::Incoming);
        // Without a configuration the client is gone; a session that is admitted then continues.
        let Some(limits) = conditions.limits else { return ToChild::Admitted };
        if direction == Direction::Outgoing && !conditions.licensed {
            return ToChild::Unlicensed;
        }
        if let Some(cause) = conditions.draining.filter(|_| direction == Direction::Outgoing) {
            return ToChild::Draining(cause);
        }
        let sessions = self.children.sessions(direction, partner);
        admission::session(limits, direction, sessions).map_or_else(ToChild::Full, |()| ToChild::Admitted)
    }

    /// A child has ended. All its messages have been read.
    pub(super) fn reap(&mut self, pid: Pid, ended: WaitStatus, conditions: &Conditions<'_>, now: Instant) {
        let Some(child) = self.children.reap(pid, end_reasons::word_of(ended)) else { return };
        let ended = end_reasons::of(ended);
        if let Some(peer) = child.refused {
            self.source_limits.note_refused(peer, ended, now);
        }
        if let Some(crash) = child.crash {
            self.push(Action::LogCrash(crash));
        }
        if let Some(pair) = child.session {
            self.replace_child(pair, conditions, now);
        }
    }

    /// This pair's server child has ended without a join: another child gets the pair, if it is still of use.
    fn replace_child(&mut self, id: SessionId, conditions: &Conditions<'_>, now: Instant) {
        let Some(pair) = self.pool.get(id) else { return };
        let is_worth_it = |pair: &Pair<S>| {
            let Some(limits) = conditions.serving() else { return false };
            // A parked child of an outgoing pair serves no strangers: if it has ended, something is wrong with it.
            pair.direction == Direction::Incoming
                && pair.generation == conditions.generation
                && pair.is_younger_than(Duration::from_secs(u64::from(limits.parked_age)), now)
        };
        if is_worth_it(pair) {
            self.pool.await_replacement(id, now);
            self.forks.push_back(Fork::Replacement(id));
        } else {
            self.retire(id, now);
        }
    }

    /// The client wants one more pair for its station. Whether the licence is valid is checked when a station has come,
    /// because the station can then be told.
    pub(super) fn request_outgoing(&mut self, conditions: &Conditions<'_>) {
        let queued = self.forks.iter().filter(|fork| matches!(fork, Fork::Outgoing)).count();
        let reason = match conditions.limits {
            None => "the server has no configuration yet",
            Some(limits) if admission::outgoing_process(limits, self.children.outgoing() + queued) => {
                return self.forks.push_back(Fork::Outgoing);
            }
            Some(_) => "the server has reached its limit of processes for outgoing sessions",
        };
        self.send_to_client(ToClient::NoOutgoing { reason: reason.to_owned() });
    }

    /// Does what an administrator requested, and answers.
    pub(super) fn act(&mut self, act: Act) {
        let Act { number, administrator, kind } = act;
        let ActKind::EndSession { session } = kind else {
            let text = "the client tests partners itself, by a session of its own".to_owned();
            let outcome = ActOutcome { number, done: false, text, steps: Vec::new() };
            return self.send_to_client(ToClient::ActOutcome(outcome));
        };
        let child = SessionId::try_from(session).ok().and_then(|id| self.children.serving(id));
        let text = child.map_or_else(
            || "the server has no such session: it has ended, or runs on another server".to_owned(),
            |child| format!("the server's session process {child} ends it"),
        );
        if let Some(child) = child {
            common::info!(
                "an administrator, {}, ends session process {child}",
                common::log::escape(&administrator)
            );
            self.send_to_child(child, ToChild::End { administrator }, None);
        }
        let outcome = ActOutcome { number, done: child.is_some(), text, steps: Vec::new() };
        self.send_to_client(ToClient::ActOutcome(outcome));
    }

    /// Sets the partners whose sessions write DEBUG. Their running sessions are told about changes; others are told
    /// when they ask for admission.
    pub(super) fn debug_partners(&mut self, wanted: &[DebuggedPartner], now: Instant) {
        for partner in self.debugged.replace(wanted, now) {
            for child in self.children.of_partner(&partner) {
                self.send_to_child(child, ToChild::Debug(self.debugged.time_of(&partner, now)), None);
            }
        }
    }

    /// Gives up pairs without a data connection, drops old ones, fills the pool; `idle`: the loop had nothing to do.
    pub(super) fn maintain_pool(&mut self, idle: bool, conditions: &Conditions<'_>, now: Instant) {
        for pair in self.pool.overdue(now) {
            let reason = format!("no data connection came for it within {} s", DIAL.as_secs());
            let was_dialled = self.pool.get(pair).is_some_and(|pair| pair.was_dialled);
            // It was connected once: the client has dismissed its child, or has reported the fault.
            if !(was_dialled && self.retire_idle_pair(pair, &reason, now)) {
                self.fail_pair(pair, &reason, now);
            }
        }
        let Some(limits) = conditions.serving() else { return self.pool.suspend() };
        let oldest = Duration::from_secs(u64::from(limits.parked_age));
        for pair in self.pool.aged(oldest, now, |child| self.children.is_idle(child)) {
            self.retire(pair, now);
        }
        let spares =
            self.forks.iter().filter(|fork| matches!(fork, Fork::Spare | Fork::Replacement(_))).count();
        let wanted = self.pool.wanted(limits, now);
        for pair in self.pool.surplus(wanted, |child| self.children.is_idle(child)) {
            self.retire(pair, now);
        }
        let missing = self.pool.refill(wanted, spares, idle, now);
        self.forks.extend((0..missing).map(|_| Fork::Spare));
    }

    /// Makes a pair for this child and asks the client to have a child connect.
    fn make_pair(&mut self, child: Pid, direction: Direction, conditions: &Conditions<'_>, now: Instant) {
        if !conditions.joined {
            let reason = "the client is gone".to_owned();
            return self.send_to_child(child, ToChild::NoPair { reason }, None);
        }
        match SessionId::random().and_then(|id| Ticket::random().map(|ticket| (id, ticket))) {
            Ok((id, ticket)) => {
                self.pool.insert(id, ticket.clone(), child, direction, conditions.generation, now);
                self.children.set_session(child, Some(id));
                self.send_to_client(ToClient::Pair { pair: id, ticket, direction });
            }
            Err(e) => {
                common::error!("no random numbers for a pair: {e}");
                if direction == Direction::Outgoing {
                    let reason = "the server has no random numbers for a pair".to_owned();
                    self.send_to_client(ToClient::NoOutgoing { reason });
                    self.release(child);
                }
            }
        }
    }

    /// A data connection names its pair: passes it to the pair's child. Ended children must have been reaped before,
    /// because the client's child may connect again before the parent handles that signal.
    pub(super) fn connect_pair(&mut self, id: SessionId, socket: S) {
        match self.pool.claim(id, socket) {
            Claim::Taken => self.send_socket(id),
            Claim::GivenUp(socket) => {
                common::debug!("pair {id} was given up before it was dialled again");
                self.push(Action::DeclineDial(socket));
            }
            Claim::Unknown(socket) => self.push(Action::RefuseDial(socket)),
        }
    }

    /// Passes a pair's data connection to its child, if there is one.
    fn send_socket(&mut self, id: SessionId) {
        let Some(pair) = self.pool.get(id) else { return };
        let (child, ticket) = (pair.child, pair.ticket.clone());
        if self.children.is_reachable(child)
            && let Some(socket) = self.pool.take_socket(id)
        {
            self.children.park(child);
            self.send_to_child(child, ToChild::Data { pair: id, ticket }, Some(socket));
        }
    }

    /// This pair got no data connection: tells its child why.
    pub(super) fn fail_pair(&mut self, id: SessionId, reason: &str, now: Instant) {
        let Some(pair) = self.pool.give_up(id, now) else { return };
        common::warn!("pair {id} failed: {}", common::log::escape(reason));
        if pair.direction == Direction::Incoming {
            self.pool.failed(now);
        }
        self.send_to_client(ToClient::Retire { pair: id });
        self.send_to_child(pair.child, ToChild::NoPair { reason: reason.to_owned() }, None);
        self.release(pair.child);
    }

    /// Retires this pair. A child that serves somebody meanwhile is left alone.
    fn retire(&mut self, id: SessionId, now: Instant) {
        if let Some(pair) = self.pool.give_up(id, now) {
            self.send_to_client(ToClient::Retire { pair: id });
            self.release(pair.child);
        }
    }

    /// Retires a pair whose client's child will not connect, which is no fault; false if its child serves a session.
    fn retire_idle_pair(&mut self, id: SessionId, reason: &str, now: Instant) -> bool {
        let is_idle = self.pool.get(id).is_some_and(|pair| self.children.is_idle(pair.child));
        if is_idle {
            common::debug!("pair {id} is retired: {}", common::log::escape(reason));
            self.retire(id, now);
        }
        is_idle
    }

    /// The client has no process for this pair any more. A child that waits for the data connection gets a message; a
    /// child that has the data connection sees its end there.
    pub(super) fn lose_pair(&mut self, id: SessionId, reason: &str, now: Instant) {
        let Some(pair) = self.pool.get(id) else { return };
        let (awaits_dial, was_dialled) = (pair.awaits_dial(), pair.was_dialled);
        if self.retire_idle_pair(id, reason, now) {
            if !was_dialled {
                self.pool.failed(now);
            }
        } else if awaits_dial {
            self.fail_pair(id, reason, now);
        }
    }

    /// Retires all pairs whose child serves nobody yet; `why`: the reason for the log.
    pub(super) fn retire_idle_children(&mut self, why: &str, now: Instant) {
        let idle = self.pool.idle(|child| self.children.is_idle(child));
        if !idle.is_empty() {
            common::debug!("{} parked pairs are retired: {why}", idle.len());
        }
        for pair in idle {
            self.retire(pair, now);
        }
    }

    /// The client is gone, and so are its children.
    pub(super) fn drop_pairs(&mut self, now: Instant) {
        for pair in self.pool.give_all_up(now) {
            let reason = "the client is gone".to_owned();
            self.send_to_child(pair.child, ToChild::NoPair { reason }, None);
            self.release(pair.child);
        }
    }

    /// Dismisses a child that serves no session.
    fn release(&mut self, child: Pid) {
        if self.children.is_idle(child) {
            self.children.set_session(child, None);
            self.close_channel(child);
        }
    }

    /// No more messages for this child; an idle one ends.
    fn close_channel(&mut self, child: Pid) {
        self.children.disconnect(child);
        self.push(Action::CloseChannel(child));
    }

    fn send_to_child(&mut self, child: Pid, message: ToChild, socket: Option<S>) {
        self.push(Action::SendToChild(child, message, socket));
    }

    fn send_to_client(&mut self, message: ToClient) {
        self.push(Action::SendToClient(message));
    }

    fn push(&mut self, action: Action<S>) {
        self.actions.push_back(action);
    }
}

#[cfg(test)]
mod tests;

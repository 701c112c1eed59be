//! The table of session processes: what each is at, what it reports, and its burial. A child writes its own end line;
//! where it could not, the line is written here. Exactly one, always.

use super::{CHILDREN, Need, Parent};
use crate::messages::{ToChild, ToParent};
use common::ipc::channel::{Channel, ChannelError, Received};
use common::link::session_id::{Direction, SessionId};
use common::log::{Event, events};
use common::process::status::Status;
use common::rpc::{Level, Origin, SessionEnd, SessionEvent, SystemLog};
use common::sys;
use mio::net::TcpStream;
use mio::{Interest, Token};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::AsFd;

/// What a child is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Forked ahead of need, its data connection not there yet.
    Waiting,
    /// Parked with its data connection: may be handed a partner.
    Ready,
    /// Serves a partner who is not verified yet.
    Stranger,
    /// Serves a partner whose certificate is verified, or a station.
    Trusted,
}

/// One session process.
pub(super) struct Child {
    pid: Pid,
    channel: Option<Channel>,
    direction: Direction,
    stage: Stage,
    peer: Option<SocketAddr>,
    partner: Option<String>,
    pair: Option<SessionId>,
    end_logged: bool,
    listed: bool,
}

impl Child {
    pub(super) fn new(pid: Pid, channel: Channel, direction: Direction) -> Self {
        Self {
            pid,
            channel: Some(channel),
            direction,
            stage: Stage::Waiting,
            peer: None,
            partner: None,
            pair: None,
            end_logged: false,
            listed: false,
        }
    }
}

#[derive(Default)]
pub(super) struct Children {
    table: HashMap<Pid, Child>,
    ready: Vec<Pid>,
    unverified: usize,
}

impl Children {
    /// Partners who are not verified yet.
    pub(super) fn unverified(&self) -> usize {
        self.unverified
    }

    pub(super) fn unverified_from(&self, same: impl Fn(SocketAddr) -> bool) -> usize {
        self.table
            .values()
            .filter(|child| child.stage == Stage::Stranger && child.peer.is_some_and(&same))
            .count()
    }

    /// A parked child with its data connection.
    pub(super) fn take_ready(&mut self) -> Option<Pid> {
        while let Some(pid) = self.ready.pop() {
            if self
                .table
                .get(&pid)
                .is_some_and(|child| child.stage == Stage::Ready && child.channel.is_some())
            {
                return Some(pid);
            }
        }
        None
    }

    /// Sends; false if the child is gone or does not listen any more.
    pub(super) fn send(&mut self, pid: Pid, message: &ToChild, descriptor: Option<&impl AsFd>) -> bool {
        let Some(channel) = self.table.get(&pid).and_then(|child| child.channel.as_ref()) else {
            return false;
        };
        match channel.hand_over(message, descriptor) {
            Ok(()) => true,
            Err(e) => {
                common::debug!("session process {pid}: {e}");
                false
            }
        }
    }

    pub(super) fn lives(&self, pid: Pid) -> bool {
        self.table.get(&pid).is_some_and(|child| child.channel.is_some())
    }

    pub(super) fn set_pair(&mut self, pid: Pid, pair: Option<SessionId>) {
        if let Some(child) = self.table.get_mut(&pid) {
            child.pair = pair;
        }
    }

    pub(super) fn has_data(&mut self, pid: Pid) {
        if let Some(child) = self.table.get_mut(&pid)
            && child.stage == Stage::Waiting
        {
            child.stage = Stage::Ready;
            if child.direction == Direction::Incoming {
                self.ready.push(pid);
            }
        }
    }

    pub(super) fn has_work(&mut self, pid: Pid, peer: SocketAddr) {
        if let Some(child) = self.table.get_mut(&pid) {
            child.stage = Stage::Stranger;
            child.peer = Some(peer);
            self.unverified += 1;
        }
    }

    fn trust(&mut self, pid: Pid) {
        if let Some(child) = self.table.get_mut(&pid)
            && child.stage == Stage::Stranger
        {
            child.stage = Stage::Trusted;
            self.unverified -= 1;
        }
    }

    /// Serves nobody yet.
    pub(super) fn is_parked(&self, pid: Pid) -> bool {
        self.table.get(&pid).is_some_and(|child| matches!(child.stage, Stage::Waiting | Stage::Ready))
    }

    /// Lets a child go that serves nobody: its channel ends, and it with it.
    pub(super) fn release_parked(&mut self, pid: Pid) {
        if self.is_parked(pid)
            && let Some(child) = self.table.get_mut(&pid)
        {
            child.channel = None;
            child.pair = None;
            self.ready.retain(|ready| *ready != pid);
        }
    }

    /// Of an outgoing pair: the client's child has joined, for a station has come.
    fn serves_station(&mut self, pid: Pid) {
        if let Some(child) = self.table.get_mut(&pid)
            && child.direction == Direction::Outgoing
        {
            child.stage = Stage::Trusted;
        }
    }

    /// Processes for outgoing sessions, parked ones too.
    pub(super) fn outgoing(&self) -> usize {
        self.table.values().filter(|child| child.direction == Direction::Outgoing).count()
    }

    /// Sessions that way with this partner, and in all.
    fn sessions(&self, direction: Direction, partner: &str) -> (usize, usize) {
        let that_way = self.table.values().filter(|child| child.direction == direction);
        let known = that_way.filter_map(|child| child.partner.as_deref());
        known.fold((0, 0), |(of, all), name| (of + usize::from(name == partner), all + 1))
    }
}

impl Parent {
    /// A child was forked: into the table with it, and to work.
    pub(super) fn adopt(&mut self, mut child: Child, need: Need) {
        let pid = child.pid;
        let token = usize::try_from(pid.as_raw()).map_or(CHILDREN, |pid| CHILDREN + pid);
        if let Some(channel) = &mut child.channel
            && let Err(e) = self.poller.registry().register(channel, Token(token), Interest::READABLE)
        {
            common::error!("session process {pid} cannot be watched: {e}");
            child.channel = None;
        }
        self.children.table.insert(pid, child);
        match need {
            Need::Spare => self.make_pair(pid, Direction::Incoming),
            Need::Outgoing => self.make_pair(pid, Direction::Outgoing),
            Need::Heir(pair) => self.bequeath(pair, pid),
            Need::Partner(socket, peer) => {
                if self.children.send(pid, &ToChild::Work { peer }, Some(&socket)) {
                    self.children.has_work(pid, peer);
                } else {
                    self.children.release_parked(pid);
                    self.turn_away(peer, Status::Capacity, "it could not be handed to a session process");
                }
            }
        }
    }

    /// Takes in what a child has sent.
    pub(super) fn hear_child(&mut self, pid: usize) {
        let Some(pid) = i32::try_from(pid).ok().map(Pid::from_raw) else { return };
        loop {
            let Some(channel) = self.children.table.get(&pid).and_then(|child| child.channel.as_ref()) else {
                return;
            };
            match channel.receive::<ToParent>() {
                Ok(Received::Message(message, _)) => self.take_report(pid, message),
                Ok(Received::Blocked | Received::Gone) => return,
                // What follows may still be of use: its end line, above all.
                Err(ChannelError::Message(e)) => {
                    common::error!("session process {pid} sent no message of ours: {e}");
                }
                Err(e) => {
                    common::error!("session process {pid}: {e}");
                    return;
                }
            }
        }
    }

    fn take_report(&mut self, pid: Pid, message: ToParent) {
        match message {
            ToParent::Trusted => {
                self.children.trust(pid);
                if self.children.table.get(&pid).is_some_and(|child| child.pair.is_none()) {
                    // Nobody was parked when it came: the inside hears of it only now.
                    self.make_pair(pid, Direction::Incoming);
                }
            }
            ToParent::DataLost => {
                if let Some(pair) = self.children.table.get(&pid).and_then(|child| child.pair) {
                    self.lose_data(pid, pair);
                }
            }
            ToParent::NeedPair => {
                if let Some(pair) = self.children.table.get(&pid).and_then(|child| child.pair) {
                    self.retire(pair);
                }
                self.make_pair(pid, Direction::Incoming);
            }
            ToParent::Partner { name } => self.answer_admission(pid, name),
            ToParent::Joined => {
                self.children.serves_station(pid);
                if let Some(pair) = self.children.table.get(&pid).and_then(|child| child.pair) {
                    self.joined_pair(pair);
                }
            }
            ToParent::CrlUrl(url) => self.report_crl_url(url),
            ToParent::Session(event) => {
                if let Some(child) = self.children.table.get_mut(&pid) {
                    child.listed = matches!(*event, SessionEvent::Begin(_));
                }
                self.outbox.event(*event);
            }
            ToParent::SystemLog(entry) => self.outbox.entry(*entry),
            ToParent::EndLogged => {
                if let Some(child) = self.children.table.get_mut(&pid) {
                    child.end_logged = true;
                }
            }
        }
    }

    fn answer_admission(&mut self, pid: Pid, name: String) {
        self.children.trust(pid);
        let answer = self.admit(pid, &name);
        if let (ToChild::Admitted, Some(child)) = (&answer, self.children.table.get_mut(&pid)) {
            child.partner = Some(name);
        }
        self.children.send(pid, &answer, None::<&TcpStream>);
    }

    fn admit(&self, pid: Pid, partner: &str) -> ToChild {
        let Some(child) = self.children.table.get(&pid) else { return ToChild::Full };
        // Without a configuration the client is gone, and a session that is through runs on.
        let Some(active) = &self.active else { return ToChild::Admitted };
        let (of_partner, all) = self.children.sessions(child.direction, partner);
        let limits = &active.limits;
        let open = match child.direction {
            Direction::Incoming => {
                of_partner < limits.sessions_per_partner as usize && all < limits.sessions as usize
            }
            Direction::Outgoing if self.licensing.licence.expired() => return ToChild::Unlicensed,
            Direction::Outgoing => all < limits.outgoing_sessions as usize,
        };
        if open { ToChild::Admitted } else { ToChild::Full }
    }

    /// Children have ended: read their last reports, write the line that one could not write, free what they held.
    pub(super) fn bury(&mut self) {
        for (pid, status) in sys::reap() {
            self.hear_child(usize::try_from(pid.as_raw()).unwrap_or_default());
            let Some(mut child) = self.children.table.remove(&pid) else { continue };
            if child.stage == Stage::Stranger {
                self.children.unverified -= 1;
            }
            self.children.ready.retain(|ready| *ready != pid);
            if let Some(channel) = &mut child.channel {
                let _ = self.poller.registry().deregister(channel);
            }
            let word = common::process::status::word_of(status);
            let served = matches!(child.stage, Stage::Stranger | Stage::Trusted);
            if served && !child.end_logged {
                self.log_crash(&child, &word);
            }
            if let Some(pair) = child.pair {
                self.inherit(pair);
            }
        }
    }

    fn log_crash(&mut self, child: &Child, word: &str) {
        let address = child.peer.map(|peer| peer.to_string()).unwrap_or_default();
        let session = child.pair.map(|pair| pair.to_string()).unwrap_or_default();
        let event = Event::new(events::SESSION_CRASHED)
            .field("direction", child.direction.word())
            .field("session", &session)
            .field("address", &address)
            .field("partner", child.partner.as_deref().unwrap_or_default())
            .field_num("pid", child.pid.as_raw())
            .field("reason", word);
        self.report(Level::Error, "a session process crashed", event.text());
        event.error();
        if child.listed {
            self.outbox.event(SessionEvent::End(SessionEnd {
                session,
                time: common::unix_time(),
                reason: "crashed".to_owned(),
                detail: format!("the server's session process {} ended: {word}", child.pid),
                ..SessionEnd::default()
            }));
        }
    }

    /// An entry of the parent's own for the backend's system log.
    pub(super) fn report(&mut self, level: Level, text: &str, detail: &str) {
        self.outbox.entry(SystemLog {
            level,
            text: text.to_owned(),
            detail: detail.to_owned(),
            origin: Origin::Server,
            host: common::host_name(),
            pid: std::process::id(),
            time: common::unix_time(),
            address: None,
            partner: None,
        });
    }
}

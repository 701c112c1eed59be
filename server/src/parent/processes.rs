//! Session processes and the other processes of the parent: forks them, passes sockets and messages to them, and reaps
//! them. A forked process gets what it needs by value, and drops the rest of the parent.

use super::action::{Crash, Fork};
use super::admission::EntryRefusal;
use super::resolver;
use super::{Parent, tokens};
use crate::messages::ToChild;
use crate::report_notes::ReportNotes;
use crate::session::{self, ChildInit};
use common::ipc::channel::Channel;
use common::link::session_id::SessionId;
use common::log::{Event, Unwritten, catalogue};
use common::process::attendant;
use common::process::end_reasons::{self, Status};
use common::process::forker::{self, Forked, ForkedChild};
use common::rpc::{Level, SessionEnd, SessionEvent};
use common::sandbox::Sandbox;
use common::session::end_lines::DIED_WITH_PARENT;
use common::sys;
use mio::Interest;
use mio::net::TcpStream;
use mio::unix::pipe;
use nix::unistd::Pid;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

impl Parent {
    /// Has a session child forked. If there is no forker, this process forks it, and the copy becomes the forker.
    pub(super) fn fork(mut self, fork: Fork<TcpStream>) -> Self {
        if self.config.is_none() {
            return self.refuse_fork(&fork, "there is no configuration");
        }
        match self.forker.fork(fork.direction()) {
            Ok(Forked::Child(pid, channel)) => {
                self.register_child(pid, channel, fork);
                self
            }
            Ok(Forked::Forker(orders)) => {
                drop(fork);
                self.become_forker(orders)
            }
            Err(e) => self.fork_failed(&fork, &e),
        }
    }

    /// Continues as the forker for the configuration in force. Everything that its children do not need is dropped:
    /// identity key, control connection, other children's channels, tickets.
    fn become_forker(self, orders: Channel) -> ! {
        let unreported = self.reports.unreported().clone();
        let report_notes = ReportNotes::open(&unreported.beside("reports"));
        let keep = |lines: &str| unreported.append(lines.as_bytes());
        let (mut parent, orders) = attendant::start((self, orders), keep);
        let active = parent.config.take();
        let end_notes = parent.end_lines.notes();
        drop(parent);
        let Some(active) = active else { sys::exit_now(Status::Internal.number()) };
        let sandbox = Sandbox::new(active.sandbox);
        end_reasons::end_with(|| {
            let ForkedChild { channel, direction } = forker::serve(orders, sandbox, active.ports());
            session::run(ChildInit {
                channel,
                active,
                direction,
                unreported,
                report_notes,
                end_notes,
                sandbox,
            })
        })
    }

    /// Forks the process that looks up names. It has only the names, and may take as long as the system's resolver
    /// does.
    pub(super) fn fork_resolver(mut self) -> Self {
        let now = Instant::now();
        let forked = pipe::new().and_then(|ends| Ok((ends, sys::fork()?)));
        match forked {
            Ok(((sender, receiver), sys::Fork::Parent(pid))) => {
                drop(sender);
                self.resolver.begin(pid, receiver, self.poller.registry(), now);
            }
            Ok(((sender, receiver), sys::Fork::Child)) => {
                drop(receiver);
                let names = self.resolver.names().clone();
                drop(self);
                end_reasons::end_with(|| {
                    let done = resolver::run(names.iter().map(String::as_str), sender);
                    if done.is_ok() { Status::Normal } else { Status::Failed }
                })
            }
            Err(e) => {
                common::warn!("the names of partners are looked up later: no process can be started: {e}");
                self.resolver.put_off(now);
            }
        }
        self
    }

    /// Sessions cannot be served any more.
    fn refuse_fork(mut self, fork: &Fork<TcpStream>, reason: &'static str) -> Self {
        self.feed(|sessions, _, now| {
            sessions.drop_fork(fork, EntryRefusal::new(Status::ClientDown, reason), reason, now);
            sessions.drop_forks(reason, now);
        });
        self
    }

    /// No more processes or descriptors: refuse this one and go on.
    fn fork_failed(mut self, fork: &Fork<TcpStream>, e: &dyn fmt::Display) -> Self {
        common::error!("no session process can be started: {e}");
        self.feed(|sessions, _, now| sessions.fork_failed(fork, &format!("no session process: {e}"), now));
        self
    }

    /// Accepts partners, as many as the limits allow.
    pub(super) fn accept_partners(&mut self) {
        let mut accepted = Vec::new();
        if let Err(e) = self.listeners.accept(&mut accepted, self.poller.registry()) {
            let event = Event::new(&catalogue::LISTENER_ERROR)
                .field("listener", "tls")
                .field("address", self.listeners.address().map(|at| at.to_string()).unwrap_or_default())
                .field("reason", format!("it cannot accept: {e}"));
            self.report(Level::Error, "the TLS listener cannot accept", event.text());
            event.log();
        }
        self.admit_partners(accepted);
    }

    /// Each connection is passed to a child, or refused.
    pub(super) fn admit_partners(&mut self, accepted: Vec<(TcpStream, SocketAddr)>) {
        for (socket, peer) in accepted {
            self.feed(|sessions, conditions, now| sessions.accept(socket, peer, conditions, now));
        }
    }

    /// A child was forked; `channel` is the parent's end.
    fn register_child(&mut self, pid: Pid, mut channel: Channel, fork: Fork<TcpStream>) {
        match self.poller.registry().register(&mut channel, tokens::child(pid), Interest::READABLE) {
            Ok(()) => {
                self.channels.insert(pid, channel);
            }
            // It cannot be reached: this fails in the same way as with a child that is gone.
            Err(e) => common::error!("session process {pid} cannot be watched: {e}"),
        }
        self.feed(|sessions, conditions, now| sessions.register_child(pid, fork, conditions, now));
    }

    pub(super) fn send_to_child(&mut self, pid: Pid, message: &ToChild, socket: Option<TcpStream>) {
        let sent = match self.channels.get(&pid) {
            Some(channel) => channel.hand_over(message, socket.as_ref()).map_err(|e| e.to_string()),
            None => Err("its channel is closed".to_owned()),
        };
        if let Err(e) = sent {
            common::debug!("session process {pid} cannot be reached: {e}");
            self.sessions.send_failed(pid, message, socket, Instant::now());
        }
    }

    pub(super) fn close_channel(&mut self, pid: Pid) {
        if let Some(mut channel) = self.channels.remove(&pid) {
            let _ = self.poller.registry().deregister(&mut channel);
        }
    }

    /// Reads all messages of a child.
    pub(super) fn read_child(&mut self, pid: Pid) {
        while let Some(message) = self.channels.get(&pid).and_then(|channel| channel.receive_from_child(pid))
        {
            self.feed(|sessions, conditions, now| sessions.on_message(pid, message, conditions, now));
        }
    }

    /// Children have ended: their last messages are read first.
    pub(super) fn reap_children(&mut self) {
        for (pid, ended) in sys::reap() {
            self.read_resolver();
            let is_success = end_reasons::of(ended) == Some(Status::Normal);
            if self.resolver.reap(pid, is_success, self.poller.registry(), Instant::now()) {
                continue;
            }
            self.read_child(pid);
            self.close_channel(pid);
            self.probes += u64::from(end_reasons::of(ended) == Some(Status::Probe));
            self.feed(|sessions, conditions, now| sessions.reap(pid, ended, conditions, now));
        }
    }

    /// Reads the resolver's results: partners with these addresses have reserved places.
    pub(super) fn read_resolver(&mut self) {
        if self.resolver.read()
            && let Some(config) = &mut self.config
        {
            config.addresses.set_resolved(self.resolver.addresses());
        }
    }

    /// Writes end lines that could not be written before, including those of an earlier parent's sessions.
    pub(super) fn write_end_lines(&mut self) {
        for begun in self.end_lines.run_timers(Instant::now()) {
            self.log_crash(&Crash {
                pid: Pid::from_raw(begun.pid),
                direction: begun.direction,
                session: SessionId::try_from(begun.session).ok(),
                peer: begun.address.parse().ok(),
                partner: Some(begun.partner),
                listed: true,
                ended: DIED_WITH_PARENT.to_owned(),
            });
        }
    }

    pub(super) fn log_crash(&mut self, crash: &Crash) {
        let session = crash.session.map(|session| session.to_string()).unwrap_or_default();
        let event = Event::new(&catalogue::SESSION_CRASHED)
            .field("direction", crash.direction.word())
            .field("session", &session)
            .field("address", crash.peer.map(|peer| peer.to_string()).unwrap_or_default())
            .field("partner", crash.partner.as_deref().unwrap_or_default())
            .field_num("pid", crash.pid.as_raw())
            .field("reason", &crash.ended);
        self.report(Level::Error, "a session process crashed", event.text());
        event.log();
        self.end_lines.end(Some(&session), Unwritten::default());
        if crash.listed {
            let end = SessionEnd {
                session,
                time: common::text::clock::unix_time(),
                reason: "crashed".to_owned(),
                detail: format!("the server's session process {} ended: {}", crash.pid, crash.ended),
                ..SessionEnd::default()
            };
            self.reports.push_event(SessionEvent::End(end), Instant::now());
        }
    }
}

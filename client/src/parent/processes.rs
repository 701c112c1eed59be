//! Session processes, API worker and API watcher: forks them, passes sockets and messages to them, and reaps them.

use super::action::{Pair, Work};
use super::backend_call::BackendCall;
use super::children::Ended;
use super::worker::Worker;
use super::{Parent, tokens};
use crate::backend::{Access, Done, WatcherMessage};
use crate::messages::{ToChild, ToParent};
use crate::session::{self, ChildInit, Station};
use common::ipc::channel::Channel;
use common::link::session_id::Direction;
use common::log::{Event, Unwritten, catalogue};
use common::process::attendant;
use common::process::end_reasons::{self, Status};
use common::process::forker::{self, Forked, ForkedChild};
use common::sandbox::Sandbox;
use common::session::end_lines::DIED_WITH_PARENT;
use common::session::ledger::Begun;
use common::sys;
use mio::Interest;
use mio::net::TcpStream;
use nix::unistd::Pid;
use std::io::{self};
use std::os::unix::net::UnixStream;
use std::time::Instant;

impl Parent {
    /// Forks the API worker: the child keeps the access to the backend, and nothing else of its parent.
    pub(super) fn fork_worker(mut self) -> Self {
        self.backend.worker_forked(Instant::now());
        let (ours, theirs) = match UnixStream::pair() {
            Ok(ends) => ends,
            Err(e) => return self.fail(format!("the API worker cannot be started: {e}")),
        };
        match sys::fork() {
            Ok(sys::Fork::Parent(pid)) => {
                drop(theirs);
                match Worker::new(pid, ours, self.poller.registry()) {
                    Ok(worker) => self.register_worker(worker),
                    Err(e) => return self.fail(format!("the API worker cannot be watched: {e}")),
                }
                self
            }
            Ok(sys::Fork::Child) => {
                drop(ours);
                let access = self.into_access();
                end_reasons::end_with(|| crate::backend::run_worker(theirs, access))
            }
            Err(e) => self.fail(format!("the API worker cannot be started: {e}")),
        }
    }

    /// Forks the API watcher, which keeps the same. Without a watcher, changes are noticed within a minute.
    pub(super) fn fork_watcher(mut self, generation: u64) -> Self {
        let parent = Pid::this();
        let forked = Channel::pair().and_then(|ends| Ok((ends, sys::fork()?)));
        match forked {
            Ok(((ours, theirs), sys::Fork::Parent(pid))) => {
                drop(theirs);
                self.register_watcher(pid, ours);
            }
            Ok(((ours, theirs), sys::Fork::Child)) => {
                drop(ours);
                let access = self.into_access();
                end_reasons::end_with(|| crate::backend::run_watcher(&theirs, access, parent, generation))
            }
            Err(e) => {
                common::warn!("the API watcher cannot be started, changes take a minute: {e}");
                self.schedule.watcher_ended(Instant::now());
            }
        }
        self
    }

    fn into_access(self) -> Access {
        self.setup.access
    }

    /// Has a session child forked for this work. If there is no forker, this process forks it, and the copy becomes the
    /// forker.
    pub(super) fn fork_session(mut self, work: Work) -> Self {
        if self.sessions.config().is_none() || !self.members.is_joined() {
            return self.fork_failed(work, "this client is not ready for sessions");
        }
        match self.forker.fork(work.direction()) {
            Ok(Forked::Child(pid, channel)) => self.send_work(pid, channel, work),
            Ok(Forked::Forker(orders)) => {
                drop(work);
                self.become_forker(orders)
            }
            Err(e) => self.fork_failed(work, &format!("no session process can be started: {e}")),
        }
    }

    /// Sends a new child its work.
    fn send_work(mut self, pid: Pid, channel: Channel, work: Work) -> Self {
        let told = match &work {
            Work::Partner(Pair { server, id, ticket, .. })
            | Work::Parked(Pair { server, id, ticket, .. }) => {
                channel.send(&ToChild::Pair { pair: *id, ticket: ticket.clone(), server: *server })
            }
            Work::Test(test) => channel.send(&ToChild::Test(test.clone())),
            Work::Station(Station { socket, peer, tied }) => {
                channel.hand_over(&ToChild::Serve { peer: *peer, tied: tied.clone() }, Some(socket))
            }
        };
        match told {
            Ok(()) => {
                self.register_child(pid, channel, &work);
                self
            }
            // Without its channel the child ends by itself.
            Err(e) => self.fork_failed(work, &e.to_string()),
        }
    }

    /// Continues as the forker for the configuration in force. Everything that its children do not need is dropped.
    fn become_forker(self, orders: Channel) -> ! {
        // The client's attendant stores no events: the server's processes report sessions to the backend.
        let keep = |_: &str| Err(io::ErrorKind::Unsupported.into());
        let (parent, orders) = attendant::start((self, orders), keep);
        let config = parent.sessions.config().cloned();
        let source = parent.setup.source;
        let mut ports = parent.members.ports();
        let end_notes = parent.end_lines.notes();
        let debugged = parent.sessions.debugged.clone();
        drop(parent);
        let Some(config) = config else { sys::exit_now(Status::Internal.number()) };
        let sandbox = Sandbox::new(config.sandbox);
        ports.push(config.station_port);
        end_reasons::end_with(|| {
            let ForkedChild { channel, direction } = forker::serve(orders, sandbox, ports);
            session::run(ChildInit { channel, source, config, debugged, direction, end_notes, sandbox })
        })
    }

    /// No more processes or descriptors.
    fn fork_failed(mut self, work: Work, reason: &str) -> Self {
        self.sessions.fork_failed(work, reason, Instant::now(), &mut self.actions);
        self
    }

    /// The API worker runs. At the start it is asked for our certificate first.
    fn register_worker(&mut self, worker: Worker) {
        self.worker = Some(worker);
        self.backend.worker_started();
        if !self.enrolment.is_enrolled() {
            self.request_enrolment();
        }
    }

    /// The API watcher runs.
    fn register_watcher(&mut self, pid: Pid, mut channel: Channel) {
        if let Err(e) = self.poller.registry().register(&mut channel, tokens::WATCHER, Interest::READABLE) {
            common::error!("the API watcher cannot be watched: {e}");
        }
        self.watcher = Some((pid, channel));
    }

    fn register_child(&mut self, pid: Pid, mut channel: Channel, work: &Work) {
        let registered =
            self.poller.registry().register(&mut channel, tokens::child(pid), Interest::READABLE);
        self.sessions.register(pid, work, &mut self.actions);
        match registered {
            Ok(()) => drop(self.channels.insert(pid, channel)),
            // Without its channel the child ends by itself.
            Err(e) => common::error!("session process {pid} cannot be watched: {e}"),
        }
    }

    /// False if the child is gone, or has no channel any more.
    pub(super) fn send_to_child(&self, pid: Pid, message: &ToChild, descriptor: Option<&TcpStream>) -> bool {
        self.channels.get(&pid).is_some_and(|channel| channel.hand_over(message, descriptor).is_ok())
    }

    pub(super) fn send_station(&mut self, pid: Pid, station: Station) {
        let message = ToChild::Serve { peer: station.peer, tied: station.tied.clone() };
        if !self.send_to_child(pid, &message, Some(&station.socket)) {
            // Another parked child gets it, or a new one.
            self.sessions.serve_station(station, &mut self.actions);
        }
    }

    pub(super) fn close_channel(&mut self, pid: Pid) {
        if let Some(mut channel) = self.channels.remove(&pid) {
            let _ = self.poller.registry().deregister(&mut channel);
        }
    }

    /// Reads all messages of a child.
    pub(super) fn read_child(&mut self, pid: Pid) {
        let Some(channel) = self.channels.get(&pid) else { return };
        while let Some(message) = channel.receive_from_child::<ToParent>(pid) {
            self.sessions.on_child_message(pid, message, Instant::now(), &mut self.actions);
        }
    }

    /// The API worker has replied, or has room for more tasks, or is gone.
    pub(super) fn read_worker(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        worker.flush();
        let is_alive = worker.read().unwrap_or_else(|e| {
            common::error!("the API worker broke off: {e}");
            false
        });
        while let Some(worker) = &mut self.worker {
            match worker.next_reply() {
                Ok(Some(Done { number, reply })) => self.on_reply(number, reply),
                Ok(None) if is_alive => return,
                Ok(None) => return self.remove_worker(),
                Err(e) => {
                    common::error!("the API worker sent {e}");
                    return self.remove_worker();
                }
            }
        }
    }

    /// The API watcher reports another generation of the configuration, for this client and for the server, or an act.
    pub(super) fn read_watcher(&mut self) {
        while let Some((pid, channel)) = &self.watcher
            && let Some(heard) = channel.receive_from_child::<WatcherMessage>(*pid)
        {
            match heard {
                WatcherMessage::Generation(generation) => {
                    common::debug!("the backend has generation {generation}");
                    self.backend.ask(BackendCall::ClientConfig, &mut self.actions);
                    self.announce_config();
                }
                WatcherMessage::Act(act) => self.begin_act(&act),
            }
        }
    }

    /// Children have ended: reads their last messages, and logs what they could not log themselves.
    pub(super) fn reap_children(&mut self) {
        for (pid, status) in sys::reap() {
            if self.worker.as_ref().is_some_and(|worker| worker.pid() == pid) {
                self.read_worker();
                continue;
            }
            if self.reap_watcher(pid) {
                continue;
            }
            self.read_child(pid);
            self.close_channel(pid);
            let reason = end_reasons::word_of(status);
            let is_fault = end_reasons::of(status).is_none_or(|status| status == Status::Internal);
            let fault = Some(reason.as_str()).filter(|_| is_fault);
            let ended = self.sessions.reap(pid, fault, Instant::now(), &mut self.actions);
            if let Some(Ended { crash: Some(crash), .. }) = ended {
                let session = crash.pair.map(|pair| pair.to_string());
                let partner = crash.partner.as_deref().unwrap_or_default();
                log_crash(crash.direction, session.as_deref(), partner, pid, &reason);
                self.end_lines.end(session.as_deref(), Unwritten::default());
            }
        }
    }

    /// Whether this ended process was the API watcher. It will be replaced.
    fn reap_watcher(&mut self, pid: Pid) -> bool {
        let Some((_, mut channel)) = self.watcher.take_if(|(watcher, _)| *watcher == pid) else {
            return false;
        };
        let _ = self.poller.registry().deregister(&mut channel);
        self.schedule.watcher_ended(Instant::now());
        true
    }

    /// The API worker has ended.
    fn remove_worker(&mut self) {
        let Some(worker) = self.worker.take() else { return };
        let pid = worker.pid();
        worker.deregister(self.poller.registry());
        let is_started = self.is_started();
        self.backend.worker_ended(pid, is_started, Instant::now(), &mut self.actions);
    }

    /// Writes end lines that could not be written before, including those of an earlier parent's sessions.
    pub(super) fn write_end_lines(&mut self, now: Instant) {
        for Begun { session, pid, direction, partner, .. } in self.end_lines.run_timers(now) {
            log_crash(direction, Some(&session), &partner, Pid::from_raw(pid), DIED_WITH_PARENT);
        }
    }
}

fn log_crash(direction: Direction, session: Option<&str>, partner: &str, pid: Pid, reason: &str) {
    Event::new(&catalogue::SESSION_CRASHED)
        .field("direction", direction.word())
        .field("session", session.unwrap_or_default())
        .field("partner", partner)
        .field_num("pid", pid.as_raw())
        .field("reason", reason)
        .log();
}

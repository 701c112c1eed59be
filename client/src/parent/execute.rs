//! The parent's hands: carries out the actions of its machines, and keeps the descriptors of its processes.

use super::Parent;
use super::action::{Action, Work};
use super::backend_call::BackendCall;
use super::children::Ended;
use super::control::{Server, ServerConnection};
use super::join::Join;
use super::tokens;
use super::worker::Worker;
use crate::messages::ToChild;
use crate::session::Station;
use common::ipc::channel::Channel;
use common::link::control::{ControlError, ToServer};
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::log::{Event, Remains, events};
use common::process::startup::{Finish, Ready};
use common::process::status::{self, Status};
use common::session::end_lines::DIED_WITH_PARENT;
use common::session::ledger::Begun;
use common::sys;
use mio::Interest;
use mio::net::TcpStream;
use nix::unistd::Pid;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

impl Parent {
    pub(super) fn execute_actions(&mut self) {
        while let Some(action) = self.actions.pop() {
            self.execute(action);
        }
    }

    fn execute(&mut self, action: Action) {
        let now = Instant::now();
        match action {
            Action::SendToServer(message) => self.send_to_server(message),
            Action::SendBulkToServer(message) => {
                let sent = self.server.as_mut().map(|server| server.send_bulk(message));
                self.check_server(sent);
            }
            Action::SendToWorker { task, is_report } => {
                let sent = self.worker.as_mut().map(|worker| worker.send(&task, is_report));
                if let Some(Err(e)) = sent {
                    common::error!("the API worker cannot be asked: {e}");
                }
            }
            Action::SendToChild(pid, message) => {
                if !self.send_to_child(pid, &message, None) {
                    self.sessions.children.send_failed(pid, &message, &mut self.actions);
                }
            }
            Action::SendStation(pid, station) => self.send_station(pid, station),
            Action::CloseChannel(pid) => self.close_channel(pid),
            Action::AdmitStation { station, is_allowed } => {
                self.sessions.admit_station(station, is_allowed, &mut self.actions);
            }
            Action::RefuseStation { station, status, reason } => {
                self.listeners.refuse(&station, status, &reason, now);
            }
            Action::RequestPair(pid) => self.sessions.pool.request_for(pid, &mut self.actions),
            Action::FailPair(pair, reason) => self.fail_pair(pair, reason, false),
            Action::LosePair(pair, reason) => self.fail_pair(pair, reason, true),
            Action::NoteBegun { pid, session, direction, partner } => {
                let session = session.to_string();
                self.end_lines.begin(Begun::new(pid, session, direction, String::new(), partner));
            }
            Action::NoteEnd(session, remains) => {
                self.end_lines.end(session.map(|session| session.to_string()).as_deref(), remains);
            }
            Action::Report(report) => self.backend.report(report, now, &mut self.actions),
            Action::RenewalFailed => self.enrolment.renewal_failed(now),
            Action::Fail(reason) => {
                self.stop.get_or_insert(Finish::Failed(reason));
            }
        }
    }

    fn fail_pair(&mut self, pair: SessionId, reason: String, retired: bool) {
        if let Some(unlogged) = self.failed_pairs.admit(Instant::now()) {
            let before =
                if unlogged > 0 { format!("; {unlogged} more before have no line") } else { String::new() };
            common::warn!("pair {pair} failed: {}{before}", common::log::escape(&reason));
        }
        self.send_to_server(ToServer::PairFailed { pair, reason, retired });
    }

    fn send_to_server(&mut self, message: ToServer) {
        let sent = self.server.as_mut().map(|server| server.send(message));
        self.check_server(sent);
    }

    /// Sends as much as the server takes.
    pub(super) fn flush_control(&mut self) {
        let flushed = self.server.as_mut().map(Server::flush);
        self.check_server(flushed);
    }

    /// As documented: when the server ends, the client ends.
    pub(super) fn check_server(&mut self, outcome: Option<Result<(), ControlError>>) {
        if let Some(Err(e)) = outcome {
            self.server = None;
            self.stop.get_or_insert_with(|| Finish::Failed(e.to_string()));
        }
    }

    /// False if the child is gone, or has no channel any more.
    fn send_to_child(&self, pid: Pid, message: &ToChild, descriptor: Option<&TcpStream>) -> bool {
        self.channels.get(&pid).is_some_and(|channel| channel.hand_over(message, descriptor).is_ok())
    }

    fn send_station(&mut self, pid: Pid, station: Station) {
        let message = ToChild::Serve { peer: station.peer, tied: station.tied.clone() };
        if !self.send_to_child(pid, &message, Some(&station.socket)) {
            // The next parked child, or a new one.
            self.sessions.serve_station(station, &mut self.actions);
        }
    }

    fn close_channel(&mut self, pid: Pid) {
        if let Some(mut channel) = self.channels.remove(&pid) {
            let _ = self.poller.registry().deregister(&mut channel);
        }
    }

    /// The API worker runs: at the start it is asked for our certificate first.
    pub(super) fn register_worker(&mut self, worker: Worker) {
        self.worker = Some(worker);
        self.backend.worker_started();
        if !self.enrolment.is_enrolled() {
            self.request_enrolment();
        }
    }

    /// The API worker has ended.
    pub(super) fn remove_worker(&mut self) {
        let Some(worker) = self.worker.take() else { return };
        let pid = worker.pid();
        worker.deregister(self.poller.registry());
        self.backend.worker_ended(pid, self.server.is_some(), Instant::now(), &mut self.actions);
    }

    pub(super) fn register_child(&mut self, pid: Pid, mut channel: Channel, work: &Work) {
        let registered =
            self.poller.registry().register(&mut channel, tokens::child(pid), Interest::READABLE);
        self.sessions.register(pid, work, &mut self.actions);
        match registered {
            Ok(()) => drop(self.channels.insert(pid, channel)),
            // Without its channel it ends by itself.
            Err(e) => common::error!("session process {pid} cannot be watched: {e}"),
        }
    }

    /// Children have ended: their last messages are read, and what they could not log themselves is logged.
    pub(super) fn reap_children(&mut self) {
        for (pid, status) in sys::reap() {
            if self.worker.as_ref().is_some_and(|worker| worker.pid() == pid) {
                self.read_worker();
                continue;
            }
            self.read_child(pid);
            self.close_channel(pid);
            let reason = status::word_of(status);
            let is_fault = status::of(status).is_none_or(|status| status == Status::Internal);
            let fault = Some(reason.as_str()).filter(|_| is_fault);
            let ended = self.sessions.reap(pid, fault, Instant::now(), &mut self.actions);
            if let Some(Ended { crash: Some(crash), .. }) = ended {
                let session = crash.pair.map(|pair| pair.to_string());
                let partner = crash.partner.as_deref().unwrap_or_default();
                log_crash(crash.direction, session.as_deref(), partner, pid, &reason);
                self.end_lines.end(session.as_deref(), Remains::default());
            }
        }
    }

    /// Writes end lines that could not be written before: those of sessions of an earlier parent, too.
    pub(super) fn write_end_lines(&mut self, now: Instant) {
        for Begun { session, pid, direction, partner, .. } in self.end_lines.run_timers(now) {
            log_crash(direction, Some(&session), &partner, Pid::from_raw(pid), DIED_WITH_PARENT);
        }
    }

    /// Asks the backend for a certificate for a new key, unless it is being asked already.
    pub(super) fn request_enrolment(&mut self) {
        let renewal = self.server.is_some();
        if self.backend.is_asked("proxy_enrol") {
            return;
        }
        match self.enrolment.make_key() {
            Ok(public_key) => {
                self.backend.ask(BackendCall::Enrolment { public_key, renewal }, &mut self.actions);
            }
            Err(e) => self.stop = Some(Finish::Failed(format!("no key can be made: {e}"))),
        }
    }

    /// The first join: to the addresses of `-S`.
    pub(super) fn begin_join(&mut self, addresses: Vec<SocketAddr>) {
        let Some(credentials) = self.enrolment.credentials() else { return };
        self.join = Some(Join::new(addresses, self.setup.route.source, credentials, None, Instant::now()));
        self.advance_join();
    }

    /// Begins to renew the control connection, once nothing large is under way: to the address at which the server was
    /// joined, since it has to be the same server.
    pub(super) fn renew_control(&mut self) {
        let free = self.server.as_mut().filter(|server| self.join.is_none() && !server.is_bulk_pending());
        let (Some(server), Some(credentials)) = (free, self.enrolment.credentials()) else { return };
        let address = server.address();
        match Ticket::random() {
            Ok(secret) => {
                let announced = server.announce_renewal(secret.clone());
                self.check_server(Some(announced));
                let source = self.setup.route.source;
                self.join = Some(Join::new(vec![address], source, credentials, Some(secret), Instant::now()));
                self.advance_join();
            }
            Err(e) => self.log_failed_renewal(&e),
        }
    }

    /// The server has said Welcome.
    pub(super) fn register_server(&mut self, mut connection: ServerConnection) {
        let both = Interest::READABLE | Interest::WRITABLE;
        let socket = connection.control.conn().wire().socket();
        if let Err(e) = self.poller.registry().reregister(socket, tokens::CONTROL, both) {
            return self.join_failed(&e);
        }
        Event::new(&events::SERVER_JOINED)
            .field_display("address", connection.address)
            .field_display("proxy_id", &connection.proxy_id)
            .log();
        sys::set_title(&format!("joined {}", connection.address));
        if let Some(server) = &mut self.server {
            let renewed = server.renewed(connection, Instant::now());
            self.check_server(Some(renewed));
        } else {
            self.server = Some(Server::new(connection));
            self.nursery = None;
            if let Some(ready) = self.setup.ready.take() {
                Ready::succeed(ready);
            }
            self.apply_listeners();
        }
        self.read_server();
    }

    /// At the start that is the end; in a renewal the old connection goes on.
    pub(super) fn join_failed(&mut self, e: &dyn fmt::Display) {
        let Some(server) = &mut self.server else {
            let reason = format!("the server {} was not joined: {e}", self.setup.route);
            self.stop.get_or_insert(Finish::Failed(reason));
            return;
        };
        let released = server.renewal_failed();
        self.check_server(Some(released));
        self.log_failed_renewal(e);
    }

    fn log_failed_renewal(&mut self, e: &dyn fmt::Display) {
        common::error!("the control connection was not renewed: {e}");
        self.enrolment.renewal_failed(Instant::now());
    }

    /// Opens and closes listeners as the configuration says, while there is a server.
    pub(super) fn apply_listeners(&mut self) {
        if let Some(config) = self.sessions.config().filter(|_| self.server.is_some()) {
            self.listeners.apply(config, self.poller.registry(), &mut self.actions);
        }
    }
}

fn log_crash(direction: Direction, session: Option<&str>, partner: &str, pid: Pid, reason: &str) {
    Event::new(&events::SESSION_CRASHED)
        .field("direction", direction.word())
        .field("session", session.unwrap_or_default())
        .field("partner", partner)
        .field_num("pid", pid.as_raw())
        .field("reason", reason)
        .log();
}

//! The client's parent: the control connection to the server, the backend's answers, the session processes. It only
//! makes connections outward. From the DMZ it accepts nothing but the few messages of `link::control`, and none of them
//! makes it connect to another address. It only waits in its poller, and looks up no names.
//!
//! This file has the loop: it passes events to the state machines and does their actions. The machines own no socket,
//! read no clock, and know no parent.
//!
//! * `processes`: forks processes, passes sockets and messages to them, reaps them; nothing else forks
//! * `link`: joins the server, handles its messages, renews our certificate and the control connection
//! * `action`, `tokens`: the steps that the machines ask for; the sources of events
//! * `enrolment`, `join`, `control`: our certificate, joining the server, the connection to it
//! * `backend` with `backend_call`, `call_queue`, `reports`, `report_quota`, `call_faults`, `state_feed`: questions and
//!   reports to the backend, its faults, and the reports about the daemons
//! * `worker`, `task_writer`: the API worker process
//! * `sessions` with `children`, `pool`, `admission`: session processes, pairs, limits
//! * `acts`: acts of administrators
//! * `listeners`: the sockets for the station's outgoing sessions
//! * `schedule`: the remaining times

mod action;
mod acts;
mod admission;
mod backend;
mod backend_call;
mod call_faults;
mod call_queue;
mod children;
mod control;
mod enrolment;
mod join;
mod link;
mod listeners;
mod pool;
mod processes;
mod report_quota;
mod reports;
mod schedule;
mod sessions;
mod state_feed;
mod task_writer;
mod tokens;
mod worker;

use crate::backend::{Access, Reply};
use action::{Action, Actions, Fork};
use acts::Acts;
use backend::{BackendLink, Failure};
use backend_call::{Answer, BackendCall};
use common::check_interval::CheckInterval;
use common::ipc::channel::Channel;
use common::link::control::ToServer;
use common::log::{Event, RC_CHECKS, Throttle, catalogue};
use common::process::drain::{Drain, Patience};
use common::process::forker::Forker;
use common::process::running::Running;
use common::process::signals::{Signal, Signals};
use common::process::startup::{Finish, Ready};
use common::secret::Secret;
use common::session::end_lines::EndLines;
use common::session::ledger::Begun;
use common::state::DaemonState;
use common::sys;
use common::text::host::with_port;
use control::Server;
use enrolment::Enrolment;
use join::Join;
use listeners::Listeners;
use mio::{Events, Interest, Poll};
use nix::unistd::Pid;
use schedule::Schedule;
use sessions::Sessions;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokens::Source;
use worker::Worker;

/// The loop wakes up at least this often.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// The address of the server, and the source address for it.
pub(crate) struct Route {
    /// `-S`, a name or an address
    pub(crate) host: String,
    /// `-S`
    pub(crate) port: u16,
    /// `-o`
    pub(crate) source: Option<IpAddr>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_port(&self.host, self.port).fmt(f)
    }
}

/// The command line, and the starting process that waits for the result.
struct Setup {
    access: Access,
    route: Route,
    program: String,
    ready: Option<Ready>,
}

/// Everything that the parent owns.
pub(crate) struct Parent {
    poller: Poll,
    signals: Signals,
    setup: Setup,
    worker: Option<Worker>,
    watcher: Option<(Pid, Channel)>,
    backend: BackendLink,
    enrolment: Enrolment,
    join: Option<Join>,
    server: Option<Server>,
    sessions: Sessions,
    acts: Acts,
    /// The process that forks session children.
    forker: Forker,
    /// Channels to the children; a retired child has none any more.
    channels: HashMap<Pid, Channel>,
    listeners: Listeners,
    /// Limits the lines about failed pairs, because the server may request any number of pairs.
    failed_pairs: Throttle,
    actions: Actions,
    end_lines: EndLines,
    /// Limits the checks of the rc file.
    rc_checks: CheckInterval,
    schedule: Schedule,
    running: Running,
    /// Whether new sessions are taken.
    drain: Drain,
    /// How long a SIGTERM waits for the sessions.
    patience: Patience,
    stop: Option<Finish>,
}

impl Parent {
    /// Ready for the loop. Call it in the daemon, after it has detached.
    ///
    /// # Errors
    ///
    /// There is no free descriptor, or one cannot be registered.
    pub(crate) fn new(
        mut signals: Signals,
        access: Access,
        route: Route,
        program: &str,
        end_lines: EndLines,
        patience: Patience,
    ) -> io::Result<Self> {
        common::link::join::prepare().map_err(io::Error::other)?;
        let poller = Poll::new()?;
        poller.registry().register(&mut signals, tokens::SIGNALS, Interest::READABLE)?;
        let mut actions = Actions::default();
        actions.push_fork(Fork::Worker);
        Ok(Self {
            poller,
            signals,
            setup: Setup { access, route, program: program.to_owned(), ready: None },
            worker: None,
            watcher: None,
            backend: BackendLink::default(),
            enrolment: Enrolment::default(),
            join: None,
            server: None,
            sessions: Sessions::default(),
            acts: Acts::default(),
            forker: Forker::default(),
            channels: HashMap::new(),
            listeners: Listeners::default(),
            failed_pairs: Throttle::default(),
            end_lines,
            rc_checks: CheckInterval::every(RC_CHECKS),
            actions,
            schedule: Schedule::new(Instant::now()),
            running: Running::start(env!("CARGO_PKG_VERSION"), env!("OS4X_BUILD")),
            drain: Drain::default(),
            patience,
            stop: None,
        })
    }

    /// Works until a signal tells it to end, or until the server is lost; returns why. `ready` gets the result once the
    /// server is joined.
    pub(crate) fn run(mut self, ready: Ready) -> Finish {
        let mut events = Events::with_capacity(256);
        self.setup.ready = Some(ready);
        sys::set_title("joining the server");
        loop {
            self = self.do_actions();
            // After the forks and before the wait: a failed pair must be reported to the server now.
            self.flush_control();
            self.advance_drain(Instant::now());
            if let Some(finish) = self.stop.take() {
                return self.finish(finish);
            }
            let now = Instant::now();
            let timeout = self.due(now).saturating_duration_since(now);
            match self.poller.poll(&mut events, Some(timeout)) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => self.stop = Some(Finish::Failed(format!("waiting failed: {e}"))),
            }
            for event in &events {
                if let Some(source) = tokens::source(event.token()) {
                    self.dispatch(source);
                }
            }
            self.run_timers();
        }
    }

    /// Does all actions and forks.
    fn do_actions(mut self) -> Self {
        loop {
            self.execute_actions();
            match self.actions.pop_fork() {
                None => return self,
                Some(Fork::Worker) => self = self.fork_worker(),
                Some(Fork::Watcher(generation)) => self = self.fork_watcher(generation),
                Some(Fork::Session(work)) => self = self.fork_session(work),
            }
        }
    }

    fn execute_actions(&mut self) {
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
            Action::SendToWorker(task) => {
                let sent = self.worker.as_mut().map(|worker| worker.send(&task));
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
                self.sessions.admit_station(station, is_allowed, Instant::now(), &mut self.actions);
            }
            Action::RefuseStation { station, status, reason } => {
                self.listeners.refuse(&station, status, &reason, now);
            }
            Action::RequestPair(pid) => self.sessions.pool.request_for(pid, &mut self.actions),
            Action::FailPair(pair, reason) => self.fail_pair(pair, reason, false),
            Action::FailRetiredPair(pair, reason) => self.fail_pair(pair, reason, true),
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

    /// The last steps. A starting process that still waits gets the reason of a failure.
    fn finish(mut self, finish: Finish) -> Finish {
        // Parked children first: otherwise they would connect again when the server drops their connections.
        self.sessions.children.retire_idle_children("the client ends", &mut self.actions);
        self.execute_actions();
        if let Some(server) = &mut self.server {
            server.close();
        }
        self.backend.release_held(&mut self.actions);
        self.report_end(&finish);
        self.execute_actions();
        self.end_lines.finish();
        common::log::log_left_out();
        if let Finish::Failed(reason) = &finish {
            Event::new(&catalogue::SERVER_LOST)
                .field("address", self.setup.route.to_string())
                .field("reason", reason)
                .log();
            if let Some(ready) = self.setup.ready.take() {
                ready.fail(&format_args!("{}: {reason}", self.setup.program));
            }
        }
        finish
    }

    fn fail(mut self, reason: String) -> Self {
        self.stop = Some(Finish::Failed(reason));
        self
    }

    fn dispatch(&mut self, source: Source) {
        match source {
            Source::Signals => self.handle_signals(),
            Source::Control => self.read_server(),
            Source::Worker => self.read_worker(),
            Source::Watcher => self.read_watcher(),
            Source::Join => self.advance_join(),
            Source::Listener(slot) => {
                self.listeners.accept(slot, self.poller.registry(), &mut self.actions);
            }
            Source::Child(pid) => self.read_child(pid),
        }
    }

    fn handle_signals(&mut self) {
        loop {
            match self.signals.next_signal() {
                Ok(Some(Signal::Level(level))) => {
                    common::log::change_level(level);
                    self.renew_children("the client has another log level");
                }
                Ok(Some(Signal::End(end))) => {
                    if !self.drain.wait_before_end(end, self.patience, Instant::now()) {
                        self.stop = Some(Finish::Signal(end));
                        return;
                    }
                    self.begin_drain();
                }
                Ok(Some(Signal::Child)) => self.reap_children(),
                Ok(None) => return,
                Err(e) => {
                    self.stop = Some(Finish::Failed(format!("signals cannot be read: {e}")));
                    return;
                }
            }
        }
    }

    /// No new sessions are taken from now on, in either direction.
    fn begin_drain(&mut self) {
        self.listeners.close_all("the client ends", self.poller.registry(), &mut self.actions);
        if self.server.as_ref().is_some_and(Server::takes_draining) {
            self.actions.push(Action::SendToServer(ToServer::Draining));
        }
    }

    /// Logs what is due about the drain, and ends this parent if it waits for the end of the sessions.
    fn advance_drain(&mut self, now: Instant) {
        let (children, actions) = (&self.sessions.children, &self.actions);
        let begun = || children.count_busy() + actions.station_forks();
        self.drain.log_news(begun, now);
        let drains_with_us = self.server.as_ref().is_some_and(Server::takes_draining);
        let given = || if drains_with_us { children.count_given() } else { 0 };
        if let Some(end) = self.drain.end(|| begun() + given(), now) {
            self.stop.get_or_insert(Finish::Signal(end));
        }
    }

    /// The data that children inherit has changed, because of `why`: ends the forker and the children that serve no
    /// session, since they have the old data.
    fn renew_children(&mut self, why: &str) {
        self.forker.stop();
        self.sessions.children.retire_idle_children(why, &mut self.actions);
    }

    fn run_timers(&mut self) {
        let now = Instant::now();
        if self.server.as_ref().is_some_and(Server::may_have_more) {
            self.read_server();
        }
        self.advance_join();
        if self.rc_checks.may_check(now) && common::log::reread_if_changed() {
            self.renew_children("the client has another rc file");
        }
        self.backend.run_timers(now, &mut self.actions);
        self.write_end_lines(now);
        self.listeners.retry(self.poller.registry(), &mut self.actions);
        if self.server.is_none() {
            if let Some(reason) = self.schedule.overdue_start(now) {
                self.stop.get_or_insert(Finish::Failed(reason));
            }
            return;
        }
        if self.schedule.is_watcher_due(now) {
            let generation = self.sessions.config().map_or(0, |config| config.generation);
            self.actions.push_fork(Fork::Watcher(generation));
        }
        if self.schedule.is_refresh_due(now) {
            common::log::log_left_out();
            self.backend.ask(BackendCall::ClientConfig, &mut self.actions);
            // A port that was in use may be free now, whether the backend answers or not.
            self.apply_listeners();
        }
        self.sessions.maintain_pool(self.listeners.are_open(), now, &mut self.actions);
        self.report_state(now);
        if self.enrolment.is_due(now) {
            self.request_enrolment();
        }
        if self.enrolment.is_fresh() {
            self.renew_control();
        }
    }

    fn on_reply(&mut self, number: u64, reply: Reply) {
        let Some(call) = self.backend.take_call(number) else { return };
        let now = Instant::now();
        let taken = match reply {
            Reply::Failed { reason, untaken, is_older } => Err(Failure { reason, untaken, is_older }),
            Reply::Addresses(addresses) => return self.begin_join(addresses),
            // The backend has received the question, even if its answer is invalid.
            Reply::Answer { text } => {
                let accepted = self.accept_answer(&call, &text, now);
                accepted.map_err(|reason| Failure { reason, untaken: false, is_older: false })
            }
        };
        match taken {
            Ok(()) => self.backend.succeeded(&call, now, &mut self.actions),
            Err(failure) => {
                let is_joined = self.server.is_some();
                self.backend.failed((number, call), failure, is_joined, now, &mut self.actions);
            }
        }
    }

    fn accept_answer(&mut self, call: &BackendCall, text: &Secret, now: Instant) -> Result<(), String> {
        match call.read_answer(text)? {
            Answer::Enrolment(enrolment) => self.accept_enrolment(&enrolment, now)?,
            Answer::ClientConfig(config) => self.accept_config(config),
            Answer::ServerConfig => {
                for part in control::config_parts(text.expose()) {
                    self.actions.push(Action::SendBulkToServer(part));
                }
            }
            Answer::Taken => {}
        }
        Ok(())
    }

    /// Reports the state of this client and of its server to the backend, when it is due.
    fn report_state(&mut self, now: Instant) {
        if self.backend.feed.may_check(now) {
            let (state, server) = (self.state(), self.server.as_ref().map(Server::joined));
            if let Some(call) = self.backend.feed.take_due(state, server, now) {
                self.backend.report_state(call, &mut self.actions);
            }
        }
    }

    /// Reports to the backend that this client ends, and why; a client that was never joined has reported nothing.
    fn report_end(&mut self, finish: &Finish) {
        let reason = match finish {
            Finish::Signal(end) => format!("told to end by {end}"),
            Finish::Failed(reason) => reason.clone(),
        };
        if self.setup.ready.is_none()
            && let Some(call) = self.backend.feed.take_last(self.state(), reason, Instant::now())
        {
            self.backend.report_end(call, &mut self.actions);
        }
    }

    fn state(&self) -> DaemonState {
        let mut state = self.running.state();
        state.listeners = self.listeners.all_open();
        state.certificate_ends = self.enrolment.ends();
        state.draining = self.drain.is_on().then(|| self.sessions.children.count_busy());
        self.sessions.describe(self.listeners.are_open(), &mut state);
        state
    }

    /// When the loop must run again, even without an event.
    fn due(&self, now: Instant) -> Instant {
        if self.server.as_ref().is_some_and(Server::has_more) {
            return now;
        }
        let is_joined = self.server.is_some();
        [now + LONGEST_WAIT, self.schedule.due(is_joined)]
            .into_iter()
            .chain(self.server.as_ref().and_then(Server::due))
            .chain(self.join.as_ref().map(Join::due))
            .chain(self.backend.due())
            .chain(self.sessions.pool.due())
            .chain(self.listeners.due())
            .chain(self.rc_checks.due())
            .chain(self.drain.due())
            .chain(self.enrolment.renew_at().filter(|_| is_joined))
            .fold(now + LONGEST_WAIT, Instant::min)
    }
}

//! The client's parent: the control connections to the servers, the backend's answers, the session processes. It only
//! makes connections outward. From the DMZ it accepts nothing but the few messages of `link::control`, and none of them
//! makes it connect to another address. It only waits in its poller, and looks up no names.
//!
//! This file has the loop: it passes events to the state machines and does their actions. The machines own no socket,
//! read no clock, and know no parent.
//!
//! * `processes`: forks processes, passes sockets and messages to them, reaps them; nothing else forks
//! * `link`: joins the servers, handles their messages, renews our certificate and the control connections
//! * `action`, `tokens`: the steps that the machines ask for; the sources of events
//! * `enrolment`, `members`, `place`, `join`, `control`: our certificate, the servers, joining one, the connection to
//!   it
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
mod members;
mod place;
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
use enrolment::Enrolment;
use listeners::Listeners;
use members::Members;
use mio::{Events, Interest, Poll};
use nix::unistd::Pid;
use schedule::Schedule;
use sessions::Sessions;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokens::Source;
use worker::Worker;

/// The loop wakes up at least this often.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

pub(crate) use members::Route;
pub(crate) use place::MOST;

/// The command line, without the servers.
pub(crate) struct Setup {
    pub(crate) access: Access,
    /// Source address of the connections to servers (`-o`).
    pub(crate) source: Option<IpAddr>,
    pub(crate) program: String,
}

/// Everything that the parent owns.
pub(crate) struct Parent {
    poller: Poll,
    signals: Signals,
    setup: Setup,
    /// The starting process, which waits for the result.
    ready: Option<Ready>,
    worker: Option<Worker>,
    watcher: Option<(Pid, Channel)>,
    backend: BackendLink,
    enrolment: Enrolment,
    members: Members,
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
        setup: Setup,
        servers: Vec<Route>,
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
            setup,
            ready: None,
            worker: None,
            watcher: None,
            backend: BackendLink::default(),
            enrolment: Enrolment::default(),
            sessions: Sessions::new(servers.len()),
            members: Members::new(servers),
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
        self.ready = Some(ready);
        sys::set_title(&format!("joining {}", self.members));
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
            Action::SendToServer(place, message) => self.send_to_server(place, message),
            Action::SendBulkToServer(place, message) => {
                let sent = self.members.server(place).map(|server| server.send_bulk(message));
                self.check_server(place, sent);
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
            Action::RequestPair(pid) => self.sessions.request_pair(pid, &mut self.actions),
            Action::RequestOtherPair(pid, place) => {
                self.sessions.request_other_pair(pid, place, now, &mut self.actions);
            }
            Action::FailPair(place, pair, reason) => self.fail_pair(place, pair, reason, false),
            Action::FailRetiredPair(place, pair, reason) => self.fail_pair(place, pair, reason, true),
            Action::LookUpFailed { host, port, reason } => self.look_up_failed(&host, port, &reason),
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
        for place in self.members.places() {
            if let Some(server) = self.members.server(place) {
                server.close();
            }
        }
        self.backend.release_held(&mut self.actions);
        self.report_end(&finish);
        self.execute_actions();
        self.end_lines.finish();
        common::log::log_left_out();
        if let Finish::Failed(reason) = &finish {
            Event::new(&catalogue::SERVER_LOST)
                .field_display("address", &self.members)
                .field("reason", reason)
                .log();
            if let Some(ready) = self.ready.take() {
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
            Source::Control(place) => self.read_server(place),
            Source::Worker => self.read_worker(),
            Source::Watcher => self.read_watcher(),
            Source::Join(place) => self.advance_join(place),
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
        for (place, server) in self.members.servers() {
            if server.takes_draining() {
                self.actions.push(Action::SendToServer(place, ToServer::Draining));
            }
        }
    }

    /// Logs what is due about the drain, and ends this parent if it waits for the end of the sessions.
    fn advance_drain(&mut self, now: Instant) {
        let (children, actions) = (&self.sessions.children, &self.actions);
        let begun = || children.count_busy() + actions.station_forks();
        self.drain.log_news(begun, now);
        let drains_with_us = self.members.servers().all(|(_, server)| server.takes_draining());
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
        self.read_servers();
        self.advance_joins();
        if self.rc_checks.may_check(now) && common::log::reread_if_changed() {
            self.renew_children("the client has another rc file");
        }
        self.backend.run_timers(now, &mut self.actions);
        self.write_end_lines(now);
        self.listeners.retry(self.poller.registry(), &mut self.actions);
        if !self.is_started() {
            if let Some(reason) = self.schedule.overdue_start(now) {
                self.stop.get_or_insert(Finish::Failed(reason));
            }
            return;
        }
        self.report_state(now);
        if self.enrolment.is_due(now) {
            self.request_enrolment();
        }
        self.maintain_members(now);
        if !self.members.is_joined() {
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
        self.sessions.maintain_pools(self.listeners.are_open(), now, &mut self.actions);
    }

    fn on_reply(&mut self, number: u64, reply: Reply) {
        let Some(call) = self.backend.take_call(number) else { return };
        let now = Instant::now();
        let taken = match reply {
            Reply::Failed { reason, untaken, is_older } => Err(Failure { reason, untaken, is_older }),
            Reply::Addresses(addresses) => {
                if let BackendCall::LookUp { host, port } = call {
                    self.on_addresses(&host, port, &addresses);
                }
                return;
            }
            // The backend has received the question, even if its answer is invalid.
            Reply::Answer { text } => {
                let accepted = self.accept_answer(&call, &text, now);
                accepted.map_err(|reason| Failure { reason, untaken: false, is_older: false })
            }
        };
        match taken {
            Ok(()) => self.backend.succeeded(&call, now, &mut self.actions),
            Err(failure) => {
                let is_started = self.is_started();
                self.backend.failed((number, call), failure, is_started, now, &mut self.actions);
            }
        }
    }

    fn accept_answer(&mut self, call: &BackendCall, text: &Secret, now: Instant) -> Result<(), String> {
        match call.read_answer(text)? {
            Answer::Enrolment(enrolment) => self.accept_enrolment(&enrolment, now)?,
            Answer::ClientConfig(config) => self.accept_config(config),
            Answer::ServerConfig => {
                if let BackendCall::ServerConfig { place, .. } = call {
                    for part in control::config_parts(text.expose()) {
                        self.actions.push(Action::SendBulkToServer(*place, part));
                    }
                }
            }
            Answer::Taken => {}
        }
        Ok(())
    }

    /// Reports the state of this client and of its servers to the backend, when it is due.
    fn report_state(&mut self, now: Instant) {
        if self.backend.feed.may_check(now) {
            for call in self.backend.feed.take_due(&self.state(), self.members.joined(), now) {
                self.backend.report_state(Box::new(call), &mut self.actions);
            }
        }
    }

    /// Reports to the backend that this client ends, and why; a client that was never joined has reported nothing.
    fn report_end(&mut self, finish: &Finish) {
        let reason = match finish {
            Finish::Signal(end) => format!("told to end by {end}"),
            Finish::Failed(reason) => reason.clone(),
        };
        if self.ready.is_none()
            && let Some(call) = self.backend.feed.take_last(self.state(), reason, Instant::now())
        {
            self.backend.report_end(call, &mut self.actions);
        }
    }

    fn state(&self) -> DaemonState {
        let mut state = self.running.state();
        state.listeners = self.listeners.all_open();
        state.certificate_ends = self.enrolment.ends();
        state.stands_by = self.members.stands_by();
        state.draining = self.drain.is_on().then(|| self.sessions.children.count_busy());
        self.sessions.describe(self.listeners.are_open(), &mut state);
        state
    }

    /// When the loop must run again, even without an event.
    fn due(&self, now: Instant) -> Instant {
        let (is_started, is_joined) = (self.is_started(), self.members.is_joined());
        let schedule = (is_joined || !is_started).then(|| self.schedule.due(is_joined));
        schedule
            .into_iter()
            .chain(self.members.due(is_started, now))
            .chain(self.backend.due())
            .chain(self.sessions.pools_due())
            .chain(self.listeners.due())
            .chain(self.rc_checks.due())
            .chain(self.drain.due())
            .chain(self.enrolment.renew_at().filter(|_| is_started))
            .fold(now + LONGEST_WAIT, Instant::min)
    }
}

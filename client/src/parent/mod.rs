//! The client's parent: the control connection to the server, the backend's answers, the session processes. It dials
//! out and listens to nobody in the DMZ beyond the few messages of `link::control`; none of them makes it connect
//! elsewhere. It never waits for anything but its poller, and looks up no names.
//!
//! This file has the loop, and forks, which nothing else does: the nursery, API worker and watcher. `messages_in` reads
//! the sockets and feeds the machines, `execute` carries out their actions. The machines own no socket, read no clock,
//! and know no parent:
//!
//! * `action`, `tokens`: the steps that they ask for; the sources of events
//! * `enrolment`, `join`, `control`: our certificate, the way to the server, the connection to it
//! * `backend` with `backend_call`, `call_queue`, `reports`, `report_quota`, `call_faults`: questions and reports to
//!   the backend, and its faults
//! * `worker`, `task_writer`: the API worker process
//! * `sessions` with `children`, `pool`, `admission`: session processes, pairs, limits
//! * `listeners`: the sockets for the station's outgoing sessions
//! * `schedule`: the times that are left

mod action;
mod admission;
mod backend;
mod backend_call;
mod call_faults;
mod call_queue;
mod children;
mod control;
mod enrolment;
mod execute;
mod join;
mod listeners;
mod messages_in;
mod pool;
mod report_quota;
mod reports;
mod schedule;
mod sessions;
mod task_writer;
mod tokens;
mod worker;

use crate::backend::Access;
use crate::messages::ToChild;
use crate::session::{self, ChildInit, Station};
use action::{Actions, Fork, Work};
use backend::BackendLink;
use backend_call::BackendCall;
use common::ipc::channel::Channel;
use common::log::{Event, Throttle, events};
use common::process::nursery::{self, Newborn, Nursery, NurseryError};
use common::process::signals::{Signal, Signals};
use common::process::startup::{Finish, Ready};
use common::process::status;
use common::session::end_lines::EndLines;
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
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use tokens::Source;
use worker::Worker;

/// The loop wakes at least this often.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Where the server is and how to get there.
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

/// The command line, and the starting process that waits for the outcome.
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
    /// Where session children are forked; none until one is wanted, and when what they inherit has changed.
    nursery: Option<Nursery>,
    /// Channels to the children; one that is retired has none any more.
    channels: HashMap<Pid, Channel>,
    listeners: Listeners,
    /// Lines about pairs that failed: the server may ask for as many as it likes.
    failed_pairs: Throttle,
    actions: Actions,
    end_lines: EndLines,
    schedule: Schedule,
    stop: Option<Finish>,
}

impl Parent {
    /// Ready to loop. Call it in the daemon, not before it has detached.
    ///
    /// # Errors
    ///
    /// A descriptor cannot be had or watched.
    pub(crate) fn new(
        mut signals: Signals,
        access: Access,
        route: Route,
        program: &str,
        end_lines: EndLines,
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
            nursery: None,
            channels: HashMap::new(),
            listeners: Listeners::default(),
            failed_pairs: Throttle::default(),
            end_lines,
            actions,
            schedule: Schedule::new(Instant::now()),
            stop: None,
        })
    }

    /// Works until a signal tells it to end, or until the server is lost; says why. `ready` gets the outcome once the
    /// server is joined.
    pub(crate) fn run(mut self, ready: Ready) -> Finish {
        let mut events = Events::with_capacity(256);
        self.setup.ready = Some(ready);
        sys::set_title("joining the server");
        loop {
            self = self.work_off();
            let has_more = self.server.as_ref().is_some_and(Server::has_more);
            // After the forks, before the wait: a pair that failed must be reported to the server now.
            self.flush_control();
            if let Some(finish) = self.stop.take() {
                return self.finish(finish);
            }
            let now = Instant::now();
            let timeout =
                if has_more { Duration::ZERO } else { self.due(now).saturating_duration_since(now) };
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

    /// Carries out all actions, and forks.
    fn work_off(mut self) -> Self {
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

    /// The last steps. A starting process that still waits gets the reason of a failure.
    fn finish(mut self, finish: Finish) -> Finish {
        // Parked children first, or they would dial again when the server drops their connections.
        self.sessions.children.retire_idle_children("the client ends", &mut self.actions);
        self.execute_actions();
        if let Some(server) = &mut self.server {
            server.close();
        }
        self.backend.release_held(&mut self.actions);
        self.execute_actions();
        self.end_lines.finish();
        common::log::log_left_out();
        if let Finish::Failed(reason) = &finish {
            Event::new(&events::SERVER_LOST)
                .field("address", self.setup.route.to_string())
                .field("reason", reason)
                .log();
            if let Some(ready) = self.setup.ready.take() {
                ready.fail(&format_args!("{}: {reason}", self.setup.program));
            }
        }
        finish
    }

    /// Forks the API worker: the child keeps the access to the backend, and nothing else of its parent.
    fn fork_worker(mut self) -> Self {
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
                status::end_with(|| crate::backend::run_worker(theirs, access))
            }
            Err(e) => self.fail(format!("the API worker cannot be started: {e}")),
        }
    }

    /// Forks the API watcher, which keeps the same. Without one, changes are noticed within a minute.
    fn fork_watcher(mut self, generation: u64) -> Self {
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
                status::end_with(|| crate::backend::run_watcher(&theirs, access, parent, generation))
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

    /// Has a session child forked for this work. A nursery that somebody has ended meanwhile is replaced once.
    fn fork_session(mut self, mut work: Work) -> Self {
        let mut reason = String::new();
        for _ in 0..2 {
            if self.nursery.is_none() {
                let started;
                (self, work, started) = self.start_nursery(work);
                if let Err(e) = started {
                    return self.fork_failed(work, &e);
                }
            }
            match self.nursery.as_ref().map(|nursery| nursery.fork(work.direction())) {
                Some(Ok((pid, channel))) => return self.put_to_work(pid, channel, work),
                Some(Err(NurseryError::Refused(e))) => {
                    return self.fork_failed(work, &format!("no session process can be started: {e}"));
                }
                Some(Err(NurseryError::Gone(why))) => reason = why,
                None => {}
            }
            self.nursery = None;
        }
        self.fork_failed(work, &format!("no session process can be started: {reason}"))
    }

    /// Tells a new child what it is for.
    fn put_to_work(mut self, pid: Pid, channel: Channel, work: Work) -> Self {
        let told = match &work {
            Work::Partner(pair, ticket) | Work::Parked(pair, ticket) => {
                channel.send(&ToChild::Pair { pair: *pair, ticket: ticket.clone() })
            }
            Work::Station(Station { socket, peer, tied }) => {
                channel.hand_over(&ToChild::Serve { peer: *peer, tied: tied.clone() }, Some(socket))
            }
        };
        match told {
            Ok(()) => {
                self.register_child(pid, channel, &work);
                self
            }
            // Without its channel it ends by itself.
            Err(e) => self.fork_failed(work, &e.to_string()),
        }
    }

    /// Forks the nursery for the configuration in force: it gets what its children need by value, the rest of its
    /// parent is dropped there, and the station of the child that is wanted, too.
    fn start_nursery(mut self, work: Work) -> (Self, Work, Result<(), String>) {
        let (Some(config), Some(server)) = (self.sessions.config().cloned(), self.server.as_ref()) else {
            return (self, work, Err("this client is not ready for sessions".to_owned()));
        };
        let server = server.address();
        let failed = |e: nix::Error| Err(format!("no session process can be started: {e}"));
        let (ours, theirs) = match Channel::pair() {
            Ok(ends) => ends,
            Err(e) => return (self, work, failed(e)),
        };
        match sys::fork() {
            Ok(sys::Fork::Parent(pid)) => {
                self.nursery = Some(Nursery::new(pid, ours));
                (self, work, Ok(()))
            }
            Ok(sys::Fork::Child) => {
                drop((ours, work));
                let source = self.setup.route.source;
                let ledger = self.end_lines.ledger().to_owned();
                drop(self);
                status::end_with(|| {
                    let Newborn { channel, direction } = nursery::serve(theirs);
                    session::run(ChildInit { channel, server, source, config, direction, ledger })
                })
            }
            Err(e) => (self, work, failed(e)),
        }
    }

    /// Out of processes or descriptors.
    fn fork_failed(mut self, work: Work, reason: &str) -> Self {
        self.sessions.fork_failed(work, reason, Instant::now(), &mut self.actions);
        self
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
                    self.stop = Some(Finish::Told(end));
                    return;
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

    /// What children inherit has changed, because of `why`: those that serve nobody have the old one, and so has the
    /// nursery.
    fn renew_children(&mut self, why: &str) {
        self.nursery = None;
        self.sessions.children.retire_idle_children(why, &mut self.actions);
    }

    fn run_timers(&mut self) {
        let now = Instant::now();
        self.read_server();
        self.advance_join();
        if common::log::reread_if_changed() {
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
            // A port that was taken may be free by now, whether the backend answers or not.
            self.apply_listeners();
        }
        self.sessions.maintain_pool(self.listeners.are_open(), now, &mut self.actions);
        if self.enrolment.is_due(now) {
            self.request_enrolment();
        }
        if self.enrolment.is_fresh() {
            self.renew_control();
        }
    }

    /// When the loop has something to do though no event comes.
    fn due(&self, now: Instant) -> Instant {
        let is_joined = self.server.is_some();
        [now + LONGEST_WAIT, self.schedule.due(is_joined)]
            .into_iter()
            .chain(self.server.as_ref().and_then(Server::due))
            .chain(self.join.as_ref().map(Join::due))
            .chain(self.backend.due())
            .chain(self.sessions.pool.due())
            .chain(self.listeners.due())
            .chain(self.enrolment.renew_at().filter(|_| is_joined))
            .fold(now + LONGEST_WAIT, Instant::min)
    }
}

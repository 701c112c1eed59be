//! The client's parent: the control connection to the server, the backend's answers, the child table. It dials out and
//! listens to nobody in the DMZ beyond the few messages of `link::control`; none of them makes it connect elsewhere.
//!
//! * `server`: joining the server, renewing, and what the server asks
//! * `backend`, `output`: the API worker process, and what is asked of the backend
//! * `reports`, `queue`: what the backend is told, and what waits for it
//! * `faults`: which of its functions fail
//! * `children`: session processes
//! * `local`: the listeners for the station's outgoing sessions
//! * `outgoing`: pairs for them
//!
//! `run` is the only place that forks.

mod admission;
mod backend;
mod call_faults;
mod children;
mod control;
mod listeners;
mod pool;
mod report_queue;
mod report_writer;
mod reports;

use crate::backend::Access;
use crate::session::{self, ChildInit, Station, Work};
use admission::Rate;
use backend::{Backend, BackendCall};
use call_faults::Faults;
use children::{Child, Children};
use common::config::ClientConfig;
use common::ipc::channel::Channel;
use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::log::{Event, Throttle, events};
use common::process::signals::{Signal, Signals};
use common::process::startup::{Finish, Ready};
use common::process::status::Status;
use common::sys::{self, Fork};
use control::{Joined, Membership};
use listeners::Listeners;
use mio::{Events, Interest, Poll, Token};
use openssl::pkey::{PKey, Private};
use pool::Pool;
use reports::Backlog;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

const SIGNALS: Token = Token(0);
const CONTROL: Token = Token(1);
const BACKEND: Token = Token(2);
/// Local listeners: `LISTENERS` and the slots after it.
const LISTENERS: usize = 16;
/// A child's channel: `CHILDREN` plus its process ID.
const CHILDREN: usize = 1024;

/// Session processes that the server may ask for at once, and a second.
const PAIRS_AT_ONCE: u32 = 600;
const PAIRS_PER_SECOND: u32 = 300;
/// An API worker that ends sooner after its start is not replaced at once.
const WORKER_PAUSE: Duration = Duration::from_secs(5);

/// How often the client's own configuration is asked for.
const REFRESH: Duration = Duration::from_secs(60);
/// How long the way from the start to being joined may take.
const START: Duration = Duration::from_secs(60);

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
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A process that is wanted.
enum Need {
    /// The API worker.
    Worker,
    /// A session child for this pair, which waits for a partner.
    Pair(SessionId, Ticket),
    /// A session child for this pair, which waits for a station.
    Spare(SessionId, Ticket),
    /// A session child for this station.
    Station(Station),
}

/// All that the parent owns.
pub(crate) struct Parent {
    poller: Poll,
    signals: Signals,
    access: Access,
    route: Route,
    backend: Option<Backend>,
    /// Calls of the backend so far.
    calls: u64,
    faults: Faults,
    held: Backlog,
    /// Lines about reports of the server that are too large.
    large_reports: Throttle,
    membership: Option<Membership>,
    joined: Option<Joined>,
    config: Option<ClientConfig>,
    children: Children,
    /// Of an enrolment that is under way.
    key: Option<PKey<Private>>,
    /// Session processes that the server may ask for.
    pair_rate: Rate,
    /// When the last API worker was started.
    worker_started: Option<Instant>,
    listeners: Listeners,
    pool: Pool,
    needs: VecDeque<Need>,
    program: String,
    ready: Option<Ready>,
    start_by: Instant,
    refreshed: Instant,
    stop: Option<Finish>,
}

impl Parent {
    /// Ready to loop. Call it in the daemon, not before it has detached. `ready` is told once the server is joined.
    pub(crate) fn new(
        mut signals: Signals,
        access: Access,
        route: Route,
        program: &str,
        ready: Ready,
    ) -> io::Result<Self> {
        let poller = Poll::new()?;
        poller.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        let now = Instant::now();
        Ok(Self {
            poller,
            signals,
            access,
            route,
            backend: None,
            calls: 0,
            faults: Faults::default(),
            held: Backlog::default(),
            large_reports: Throttle::new(1),
            membership: None,
            joined: None,
            config: None,
            children: Children::default(),
            key: None,
            pair_rate: Rate::new(PAIRS_AT_ONCE, PAIRS_PER_SECOND),
            worker_started: None,
            listeners: Listeners::default(),
            pool: Pool::default(),
            needs: VecDeque::from([Need::Worker]),
            program: program.to_owned(),
            ready: Some(ready),
            start_by: now + START,
            refreshed: now,
            stop: None,
        })
    }

    /// Works until told to end, or until the server is lost; says why.
    pub(crate) fn run(mut self) -> Finish {
        let mut events = Events::with_capacity(256);
        sys::set_title("joining the server");
        loop {
            while let Some(need) = self.needs.pop_front() {
                self = self.fork(need);
            }
            // After the forks: a pair that came to nothing is told of before the loop waits.
            self.tend_server();
            if let Some(finish) = self.stop.take() {
                return self.finish(finish);
            }
            let due = if self.server_has_more() { Instant::now() } else { self.due() };
            let timeout = due.saturating_duration_since(Instant::now());
            match self.poller.poll(&mut events, Some(timeout)) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => self.stop = Some(Finish::Failed(format!("waiting failed: {e}"))),
            }
            for event in &events {
                self.dispatch(event.token());
            }
            self.turn();
        }
    }

    /// Why the server is not joined any more, and the starting process's answer if it still waits for one.
    fn finish(mut self, finish: Finish) -> Finish {
        // Parked children first, or they would dial again when the server lets theirs go.
        self.children.release_parked();
        self.leave_server();
        self.release_held();
        if let Finish::Failed(reason) = &finish {
            Event::new(&events::SERVER_LOST)
                .field("address", self.route.to_string())
                .field("reason", reason)
                .log();
            if let Some(ready) = self.ready.take() {
                ready.fail(&format_args!("{}: {reason}", self.program));
            }
        }
        finish
    }

    /// Forks the API worker or a session child; what it does not need of the parent is dropped there.
    fn fork(self, need: Need) -> Self {
        match need {
            Need::Worker => self.fork_worker(),
            Need::Pair(pair, ticket) => self.fork_child(Work::Partner(pair, ticket)),
            Need::Spare(pair, ticket) => self.fork_child(Work::Parked(pair, ticket)),
            Need::Station(station) => self.fork_child(Work::Station(station)),
        }
    }

    fn fork_worker(mut self) -> Self {
        self.worker_started = Some(Instant::now());
        let ends = UnixStream::pair();
        let (ours, theirs) = match ends {
            Ok(ends) => ends,
            Err(e) => return self.fail(format!("the API worker cannot be started: {e}")),
        };
        match sys::fork() {
            Ok(Fork::Parent(pid)) => {
                drop(theirs);
                if let Err(e) = self.adopt_worker(pid, ours) {
                    return self.fail(format!("the API worker cannot be watched: {e}"));
                }
                self
            }
            Ok(Fork::Child) => {
                drop(ours);
                let access = self.into_access();
                let status = catch_unwind(AssertUnwindSafe(|| crate::backend::run(theirs, access)));
                sys::exit_now(status.unwrap_or(Status::Internal).number())
            }
            Err(e) => self.fail(format!("the API worker cannot be started: {e}")),
        }
    }

    /// All that the API worker keeps of its parent; the rest is dropped.
    fn into_access(self) -> Access {
        self.access
    }

    fn fork_child(mut self, work: Work) -> Self {
        let (Some(config), Some(joined)) = (self.config.clone(), self.joined.as_ref()) else {
            return self.no_child(&work, "this client is not ready for sessions");
        };
        let address = joined.address();
        let (ours, theirs) = match Channel::pair() {
            Ok(ends) => ends,
            Err(e) => return self.no_child(&work, &format!("no session process can be started: {e}")),
        };
        match sys::fork() {
            Ok(Fork::Parent(pid)) => {
                drop(theirs);
                let child = Child::new(pid, ours, &work);
                match work {
                    Work::Station(_) => self.adopt_for_station(child),
                    Work::Partner(..) | Work::Parked(..) => self.adopt(child),
                }
                self
            }
            Ok(Fork::Child) => {
                drop(ours);
                let source = self.route.source;
                drop(self);
                let born = ChildInit { channel: theirs, server: address, source, config, work };
                let status =
                    catch_unwind(AssertUnwindSafe(|| session::run(born))).unwrap_or(Status::Internal);
                sys::exit_now(status.number())
            }
            Err(e) => self.no_child(&work, &format!("no session process can be started: {e}")),
        }
    }

    /// Out of processes or descriptors: refuse this one and go on.
    fn no_child(mut self, work: &Work, reason: &str) -> Self {
        match work {
            Work::Partner(pair, _) => self.pair_failed(*pair, reason),
            Work::Parked(pair, _) => {
                self.pool.pause.failed(Instant::now());
                self.pair_failed(*pair, reason);
            }
            Work::Station(station) => self.turn_away(station, Status::Capacity, reason),
        }
        self
    }

    fn fail(mut self, reason: String) -> Self {
        self.stop = Some(Finish::Failed(reason));
        self
    }

    fn dispatch(&mut self, token: Token) {
        match token {
            SIGNALS => self.obey_signals(),
            CONTROL => self.hear_server(),
            BACKEND => self.hear_backend(),
            Token(number) if number < CHILDREN => self.accept_stations(number.saturating_sub(LISTENERS)),
            Token(number) => self.hear_child(number.saturating_sub(CHILDREN)),
        }
    }

    fn turn(&mut self) {
        self.hear_server();
        if self.backend.is_none() && self.worker_due().is_some_and(|at| at <= Instant::now()) {
            self.needs.push_back(Need::Worker);
        }
        common::log::reread_if_changed();
        if self.joined.is_some() && self.refreshed.elapsed() >= REFRESH {
            self.refreshed = Instant::now();
            self.ask(BackendCall::ClientConfig);
            // A port that was taken may be free by now, whether the backend answers or not.
            self.tend_listeners();
        }
        self.retry_accepts();
        self.tend_held();
        self.tend_outgoing();
        self.renew_when_due();
        if self.joined.is_none() && self.start_by <= Instant::now() && self.stop.is_none() {
            let reason = format!("the server was not joined within {} s", START.as_secs());
            self.stop = Some(Finish::Failed(reason));
        }
    }

    fn due(&self) -> Instant {
        match &self.joined {
            None => self.start_by,
            Some(joined) => [joined.due(), self.refreshed + REFRESH]
                .into_iter()
                .chain(self.worker_due())
                .chain(self.pool.due())
                .chain(self.held.due())
                .chain(self.listeners.due())
                .chain(self.membership.as_ref().map(Membership::renew_at))
                .fold(Instant::now() + REFRESH, Instant::min),
        }
    }

    /// When a lost API worker is to be replaced.
    fn worker_due(&self) -> Option<Instant> {
        self.worker_started.filter(|_| self.backend.is_none()).map(|started| started + WORKER_PAUSE)
    }

    fn obey_signals(&mut self) {
        loop {
            match self.signals.next_signal() {
                Ok(Some(Signal::Level(level))) => {
                    common::log::change_level(level);
                    // Parked children still have the old level; the next ones inherit the new one.
                    self.children.release_parked();
                }
                Ok(Some(Signal::End(end))) => {
                    self.stop = Some(Finish::Told(end));
                    return;
                }
                Ok(Some(Signal::Child)) => self.bury(),
                Ok(None) => return,
                Err(e) => {
                    self.stop = Some(Finish::Failed(format!("signals cannot be read: {e}")));
                    return;
                }
            }
        }
    }
}

//! The server's parent: listeners, control connection, configuration, child table. It waits and hands on; it never
//! parses an octet that a partner sent, and never blocks.
//!
//! * `internal`: the internal port, and who comes in by it
//! * `joined`, `answer`: the client, once it is joined, and its answer to what is asked
//! * `public`: the TLS listener, and who may come in by it
//! * `pool`: pairs ahead of need
//! * `outgoing`: pairs that the client asks for
//! * `source`: the addresses that outgoing sessions come from
//! * `expiry`: what runs out
//! * `children`: the table of session processes, what they report, how they end
//!
//! `run` is the only place that forks: a child gets what it needs by value, the rest of the parent is dropped there.

mod children;
mod config_chunks;
mod control;
mod crl_urls;
mod expiry;
mod internal_port;
mod listeners;
mod outgoing;
mod outgoing_address;
mod pool;
mod reports;

use crate::active_config::ActiveConfig;
use crate::identity::Identity;
use crate::licence::Licence;
use crate::session::{self, ChildInit};
use children::{Child, Children};
use common::ipc::channel::Channel;
use common::link::control::ToClient;
use common::link::session_id::{Direction, SessionId};
use common::process::signals::{Signal, Signals};
use common::process::startup::Finish;
use common::process::status::Status;
use common::sys::{self, Fork};
use control::Joined;
use crl_urls::CrlUrls;
use expiry::Licensing;
use internal_port::{InternalPort, Newcomer};
use listeners::PublicPort;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use pool::Pool;
use reports::Outbox;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const SIGNALS: Token = Token(0);
const INTERNAL: Token = Token(1);
const PUBLIC: Token = Token(2);
const CONTROL: Token = Token(3);
/// Newcomers on the internal port: `PENDING` and the slots after it.
const PENDING: usize = 16;
/// A child's channel: `CHILDREN` plus its process ID.
const CHILDREN: usize = 1024;

/// How often the backend is asked for a newer generation while a client is joined, as documented.
const REFRESH: Duration = Duration::from_secs(60);

/// Why a child is wanted.
pub(super) enum Need {
    /// To wait in the pool.
    Spare,
    /// To take over a pair whose first child met a stranger.
    Heir(SessionId),
    /// For this partner, because no child was parked.
    Partner(TcpStream, SocketAddr),
    /// The client wants one for its station.
    Outgoing,
}

impl Need {
    fn direction(&self) -> Direction {
        if matches!(self, Self::Outgoing) { Direction::Outgoing } else { Direction::Incoming }
    }
}

/// All that the parent owns.
pub(crate) struct Parent {
    poller: Poll,
    signals: Signals,
    internal: InternalPort,
    joined: Option<Joined>,
    public: Option<PublicPort>,
    active: Option<ActiveConfig>,
    pool: Pool,
    children: Children,
    outbox: Outbox,
    needs: VecDeque<Need>,
    licensing: Licensing,
    crl_urls: CrlUrls,
    /// When `look_around` did so last.
    looked: Instant,
    /// The last fault of a configuration that was reported.
    config_fault: Option<String>,
    asked: Option<Instant>,
    stop: Option<Finish>,
}

impl Parent {
    /// Ready to loop; `listener` is bound already. Call it in the daemon, not before it has detached.
    pub(crate) fn new(
        mut signals: Signals,
        listener: std::net::TcpListener,
        identity: Identity,
        licence: Licence,
        licence_file: PathBuf,
    ) -> io::Result<Self> {
        let licensing = Licensing::new(identity, licence, licence_file);
        let context = licensing.context().map_err(io::Error::other)?;
        let poller = Poll::new()?;
        poller.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        let internal = InternalPort::new(listener, context, poller.registry())?;
        Ok(Self {
            poller,
            signals,
            internal,
            joined: None,
            public: None,
            active: None,
            pool: Pool::default(),
            children: Children::default(),
            outbox: Outbox::default(),
            needs: VecDeque::new(),
            licensing,
            crl_urls: CrlUrls::default(),
            looked: Instant::now(),
            config_fault: None,
            asked: None,
            stop: None,
        })
    }

    /// Works until told to end, or until it cannot go on; says why.
    pub(crate) fn run(mut self) -> Finish {
        let mut events = Events::with_capacity(256);
        self.show();
        self.look_around();
        loop {
            let due = if self.client_has_more() { Instant::now() } else { self.due() };
            let timeout = due.saturating_duration_since(Instant::now());
            match self.poller.poll(&mut events, Some(timeout)) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Finish::Failed(format!("waiting failed: {e}")),
            }
            for event in &events {
                self.dispatch(event.token());
            }
            self.turn(events.is_empty());
            while self.stop.is_none()
                && let Some(need) = self.needs.pop_front()
            {
                self = self.fork(need);
            }
            self.settle();
            if let Some(stop) = self.stop.take() {
                self.leave_client();
                return stop;
            }
        }
    }

    /// Forks a session child. In the child everything but its own things is dropped: identity key, control
    /// connection, other children's channels, tickets.
    fn fork(mut self, need: Need) -> Self {
        if self.active.is_none() {
            // Nobody can be served any more.
            self.needs.push_back(need);
            self.drop_needs("there is no configuration");
            return self;
        }
        let (ours, theirs) = match Channel::pair() {
            Ok(ends) => ends,
            Err(e) => return self.no_child(need, e),
        };
        let direction = need.direction();
        match sys::fork() {
            Ok(Fork::Parent(pid)) => {
                drop(theirs);
                self.adopt(Child::new(pid, ours, direction), need);
                self
            }
            Ok(Fork::Child) => {
                drop((ours, need));
                let active = self.active.take();
                drop(self);
                let Some(active) = active else { sys::exit_now(Status::Internal.number()) };
                let init = ChildInit { channel: theirs, active, direction };
                let status =
                    catch_unwind(AssertUnwindSafe(|| session::run(init))).unwrap_or(Status::Internal);
                sys::exit_now(status.number())
            }
            Err(e) => self.no_child(need, e),
        }
    }

    /// What was wanted cannot be had any more.
    fn drop_needs(&mut self, reason: &str) {
        for need in std::mem::take(&mut self.needs) {
            match need {
                Need::Spare => {}
                Need::Outgoing => self.tell_client(&ToClient::NoOutgoing { reason: reason.to_owned() }),
                Need::Heir(pair) => self.retire(pair),
                Need::Partner(_, peer) => self.turn_away(peer, Status::ClientDown, reason),
            }
        }
    }

    /// Out of processes or descriptors: refuse this one and go on.
    fn no_child(mut self, need: Need, e: nix::Error) -> Self {
        common::error!("no session process can be started: {e}");
        self.pool.pause.failed();
        match need {
            Need::Spare => {}
            Need::Outgoing => {
                self.tell_client(&ToClient::NoOutgoing { reason: format!("no session process: {e}") });
            }
            Need::Heir(pair) => self.retire(pair),
            Need::Partner(socket, peer) => {
                drop(socket);
                self.turn_away(peer, Status::Capacity, "no session process can be started");
            }
        }
        self
    }

    fn dispatch(&mut self, token: Token) {
        match token {
            SIGNALS => self.obey_signals(),
            INTERNAL => self.internal.accept(self.poller.registry()),
            PUBLIC => self.accept_partners(),
            CONTROL => self.hear_client(),
            Token(number) if number < CHILDREN => self.meet(number - PENDING),
            Token(number) => self.hear_child(number - CHILDREN),
        }
    }

    /// What is due by time, or follows from what has just happened.
    fn turn(&mut self, quiet: bool) {
        common::log::reread_if_changed();
        self.internal.expire(self.poller.registry());
        self.internal.retry_accept(self.poller.registry());
        if self.public.as_ref().is_some_and(PublicPort::must_retry) {
            self.accept_partners();
        }
        self.hear_client();
        self.tend_client();
        if self.looked.elapsed() >= REFRESH {
            self.look_around();
        }
        self.tend_pool(quiet);
    }

    /// At the start, and every minute from then on: what changes without anybody telling.
    fn look_around(&mut self) {
        self.looked = Instant::now();
        self.check_source();
        self.check_expiry();
    }

    /// The last step before the loop waits: the port listens for whoever is awaited, then the client hears of it. The
    /// forks come before it, since a new child makes a pair.
    fn settle(&mut self) {
        self.listen_for_awaited();
        self.send_to_client();
        // The client may have been lost in sending.
        self.listen_for_awaited();
    }

    fn listen_for_awaited(&mut self) {
        let awaited = self.joined.is_none() || self.pool.awaits_dial() || self.is_renewing();
        if let Err(e) = self.internal.listen(awaited, self.poller.registry()) {
            self.stop = Some(Finish::Failed(format!("the internal port cannot listen: {e}")));
        }
    }

    fn due(&self) -> Instant {
        let far = Instant::now() + REFRESH;
        let refresh = self.asked.filter(|_| self.joined.is_some()).map(|asked| asked + REFRESH);
        // Without a client nothing of these can be done: they wait for it.
        let reports = self.outbox.due().filter(|_| self.joined.is_some());
        let pairs = self.pool.due().filter(|_| self.joined.is_some());
        let accept = self.public.as_ref().and_then(PublicPort::retry_at);
        [accept, self.internal.due(), self.joined.as_ref().map(Joined::due), pairs, reports, refresh]
            .into_iter()
            .flatten()
            .fold(far, Instant::min)
    }

    fn obey_signals(&mut self) {
        loop {
            match self.signals.next_signal() {
                Ok(Some(Signal::Level(level))) => {
                    common::log::change_level(level);
                    // Parked children still have the old level; the next ones inherit the new one.
                    self.retire_parked("log level changed");
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

    /// A newcomer on the internal port has moved.
    fn meet(&mut self, slot: usize) {
        match self.internal.advance(
            slot,
            self.joined.is_some(),
            self.renewal().as_ref(),
            self.poller.registry(),
        ) {
            Some(Newcomer::Client(joined)) => self.join(*joined),
            Some(Newcomer::Data(pair, socket)) => self.connect_pair(pair, socket),
            None => {}
        }
    }

    /// What `ps` shows.
    fn show(&self) {
        sys::set_title(&match (&self.joined, &self.public) {
            (None, _) => format!("waiting for the client on {}", self.internal.address()),
            (Some(joined), None) => format!("client {} joined, not listening", joined.address().ip()),
            (Some(joined), Some(public)) => {
                format!("client {} joined, partners on {}", joined.address().ip(), public.address())
            }
        });
    }
}

//! The server's parent: listeners, control connection, configuration, table of children. It waits and hands on; it
//! never parses an octet that a partner sent, and never blocks.
//!
//! * `execute`: what comes from the client and from children, and what is to be done for it
//! * `configuration`: taking one over, refusing one, and what is checked every minute
//! * `sessions`, `children`, `pool`, `admission`: state machines of session processes, without sockets and clock
//! * `screening`, `sources`, `penalties`, `places`, `refusal_lines`: who may come in before it is verified, and what is
//!   told of it
//! * `internal_port`, `newcomer`: the internal port, and who proves what it is there
//! * `control`, `renewal`, `config_fetch`: the client, once it is joined, and the configuration that comes by it
//! * `succession`: whether another client takes its place
//! * `listeners`: the TLS listener
//! * `resolver`: the addresses of partners that are called by a name
//! * `reports`, `crl_urls`: what goes to the backend
//! * `expiry`, `outgoing_address`: what changes without an event
//! * `action`, `tokens`: what they all speak of
//!
//! Only `run` forks, the nursery or the resolver: it gets what it needs by value, the rest of the parent is dropped
//! there.

mod action;
mod admission;
mod children;
mod config_fetch;
mod configuration;
mod control;
mod crl_urls;
mod execute;
mod expiry;
mod internal_port;
mod listeners;
mod newcomer;
mod outgoing_address;
mod penalties;
mod places;
mod pool;
mod refusal_lines;
mod renewal;
mod reports;
mod resolver;
mod screening;
mod sessions;
mod sources;
mod succession;
mod tokens;

use crate::active_config::ActiveConfig;
use crate::identity::Identity;
use crate::licence::Licence;
use crate::session::{self, ChildInit};
use crate::untold::Untold;
use action::Fork;
use common::ipc::channel::Channel;
use common::link::join;
use common::process::nursery::{self, Newborn, Nursery, NurseryError};
use common::process::signals::{Signal, Signals};
use common::process::startup::{Finish, Ready};
use common::process::status::{self, Status};
use common::session::end_lines::EndLines;
use common::sys;
use config_fetch::{ConfigFetch, REFRESH};
use control::Client;
use crl_urls::CrlUrls;
use expiry::{Countdown, Licensing};
use internal_port::InternalPort;
use listeners::Listeners;
use mio::net::TcpStream;
use mio::unix::pipe;
use mio::{Events, Interest, Poll, Token};
use newcomer::{Expected, Newcomer};
use nix::unistd::Pid;
use reports::Reports;
use resolver::Resolver;
use sessions::Sessions;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Instant;
use tokens::Source;

/// All that the parent owns.
pub(crate) struct Parent {
    poller: Poll,
    signals: Signals,
    internal_port: InternalPort,
    client: Option<Client>,
    listeners: Listeners,
    config: Option<ActiveConfig>,
    fetch: ConfigFetch,
    sessions: Sessions<TcpStream>,
    /// Where children are forked; none until one is wanted, and when what they inherit has changed.
    nursery: Option<Nursery>,
    /// The channels of children that can be sent messages.
    channels: HashMap<Pid, Channel>,
    reports: Reports,
    resolver: Resolver,
    end_lines: EndLines,
    licensing: Licensing,
    /// Of our certificate towards partners.
    certificate: Countdown,
    crl_urls: CrlUrls,
    /// Connections that were closed before their first octet, since `check_every_minute` wrote their number last.
    probes: u64,
    /// When `check_every_minute` did so last.
    checked: Instant,
    stop: Option<Finish>,
}

impl Parent {
    /// Ready to loop; `listener` is bound already. Call it in the daemon, not before it has detached.
    ///
    /// # Errors
    ///
    /// The licence or a descriptor cannot be used.
    pub(crate) fn new(
        mut signals: Signals,
        listener: std::net::TcpListener,
        identity: Identity,
        licence: Licence,
        licence_file: PathBuf,
        untold: Untold,
        end_lines: EndLines,
    ) -> io::Result<Self> {
        let licensing = Licensing::new(identity, licence, licence_file);
        let context = licensing.context().map_err(io::Error::other)?;
        join::prepare().map_err(io::Error::other)?;
        let poller = Poll::new()?;
        poller.registry().register(&mut signals, tokens::SIGNALS, Interest::READABLE)?;
        let internal_port = InternalPort::new(listener, context, poller.registry())?;
        Ok(Self {
            poller,
            signals,
            internal_port,
            client: None,
            listeners: Listeners::default(),
            config: None,
            fetch: ConfigFetch::default(),
            sessions: Sessions::default(),
            nursery: None,
            channels: HashMap::new(),
            reports: Reports::new(untold),
            resolver: Resolver::default(),
            end_lines,
            licensing,
            certificate: Countdown::default(),
            crl_urls: CrlUrls::default(),
            probes: 0,
            checked: Instant::now(),
            stop: None,
        })
    }

    /// Works until told to end, or until it cannot go on; says why. `ready`: the starting process waits for it.
    pub(crate) fn run(mut self, ready: Ready) -> Finish {
        let mut events = Events::with_capacity(256);
        ready.succeed();
        self.update_title();
        self.check_every_minute();
        loop {
            let now = Instant::now();
            let timeout = self.due(now).saturating_duration_since(now);
            match self.poller.poll(&mut events, Some(timeout)) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Finish::Failed(format!("waiting failed: {e}")),
            }
            for event in &events {
                self.dispatch(event.token());
            }
            self.run_timers(events.is_empty());
            while self.stop.is_none()
                && let Some(fork) = self.sessions.next_fork()
            {
                self = self.fork(fork);
            }
            if self.stop.is_none() && self.config.is_some() && self.resolver.is_due(Instant::now()) {
                self = self.fork_resolver();
            }
            self.before_wait();
            if let Some(stop) = self.stop.take() {
                self.resolver.stop();
                self.log_counts();
                self.end_lines.finish();
                self.close_control();
                return stop;
            }
        }
    }

    /// Has a session child forked. A nursery that somebody has ended meanwhile is replaced once.
    fn fork(mut self, mut fork: Fork<TcpStream>) -> Self {
        if self.config.is_none() {
            return self.refuse_fork(&fork, "there is no configuration");
        }
        let mut reason = String::new();
        for _ in 0..2 {
            if self.nursery.is_none() {
                let started;
                (self, fork, started) = self.start_nursery(fork);
                if let Err(e) = started {
                    return self.fork_failed(&fork, &e);
                }
            }
            match self.nursery.as_ref().map(|nursery| nursery.fork(fork.direction())) {
                Some(Ok((pid, channel))) => {
                    self.register_child(pid, channel, fork);
                    return self;
                }
                Some(Err(NurseryError::Refused(e))) => return self.fork_failed(&fork, &e),
                Some(Err(NurseryError::Gone(why))) => reason = why,
                None => {}
            }
            self.nursery = None;
        }
        self.fork_failed(&fork, &reason)
    }

    /// Forks the nursery for the configuration in force. There everything but what its children need is dropped:
    /// identity key, control connection, other children's channels, tickets; and the socket of the child that is
    /// wanted.
    fn start_nursery(mut self, fork: Fork<TcpStream>) -> (Self, Fork<TcpStream>, nix::Result<()>) {
        let (ours, theirs) = match Channel::pair() {
            Ok(ends) => ends,
            Err(e) => return (self, fork, Err(e)),
        };
        match sys::fork() {
            Ok(sys::Fork::Parent(pid)) => {
                self.nursery = Some(Nursery::new(pid, ours));
                (self, fork, Ok(()))
            }
            Ok(sys::Fork::Child) => {
                drop((ours, fork));
                let active = self.config.take();
                let untold = self.reports.untold().clone();
                let ledger = self.end_lines.ledger().to_owned();
                drop(self);
                let Some(active) = active else { sys::exit_now(Status::Internal.number()) };
                status::end_with(|| {
                    let Newborn { channel, direction } = nursery::serve(theirs);
                    session::run(ChildInit { channel, active, direction, untold, ledger })
                })
            }
            Err(e) => (self, fork, Err(e)),
        }
    }

    /// Forks the process that looks up names: it has those alone, and goes on however long the system's resolver
    /// waits.
    fn fork_resolver(mut self) -> Self {
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
                status::end_with(|| {
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

    /// Nobody can be served any more.
    fn refuse_fork(mut self, fork: &Fork<TcpStream>, reason: &'static str) -> Self {
        self.feed(|sessions, _, now| {
            sessions.drop_fork(fork, (Status::ClientDown, reason), reason, now);
            sessions.drop_forks(reason, now);
        });
        self
    }

    /// Out of processes or descriptors: refuse this one and go on.
    fn fork_failed(mut self, fork: &Fork<TcpStream>, e: &dyn fmt::Display) -> Self {
        common::error!("no session process can be started: {e}");
        self.feed(|sessions, _, now| sessions.fork_failed(fork, &format!("no session process: {e}"), now));
        self
    }

    fn dispatch(&mut self, token: Token) {
        match tokens::source(token) {
            Some(Source::Signals) => self.handle_signals(),
            Some(Source::InternalPort) => self.internal_port.accept(self.poller.registry()),
            Some(Source::Listener) => self.accept_partners(),
            Some(Source::Control) => self.read_client(),
            Some(Source::Resolver) => self.read_resolver(),
            Some(Source::Newcomer(slot)) => self.advance_newcomer(slot),
            Some(Source::Child(pid)) => self.read_child(pid),
            None => {}
        }
    }

    /// What children inherit has changed, because of `why`: those that serve nobody have the old one, and so has the
    /// nursery.
    pub(super) fn renew_children(&mut self, why: &str) {
        self.nursery = None;
        self.feed(|sessions, _, now| sessions.retire_idle_children(why, now));
    }

    /// What is due by time, or follows from what has just happened; `idle`: nothing has.
    fn run_timers(&mut self, idle: bool) {
        if common::log::reread_if_changed() {
            self.renew_children("rc file changed");
        }
        self.internal_port.expire(Instant::now(), self.poller.registry());
        self.internal_port.retry_accept(self.poller.registry());
        if self.listeners.must_retry() {
            self.accept_partners();
        }
        self.read_client();
        // After all that the client has sent: an answer that is there counts, however late we read it.
        self.settle_succession();
        self.maintain_client();
        self.write_end_lines();
        self.resolver.expire(Instant::now());
        if self.checked.elapsed() >= REFRESH {
            self.check_every_minute();
        }
        self.feed(|sessions, conditions, now| sessions.maintain_pool(idle, conditions, now));
    }

    /// The last step before the loop waits: the port listens if a connection is awaited, then the client is told. The
    /// forks come before it, since a new child makes a pair.
    fn before_wait(&mut self) {
        self.listen_if_awaited();
        self.flush_control();
        // The client may have been lost in sending.
        self.listen_if_awaited();
    }

    fn listen_if_awaited(&mut self) {
        let now = Instant::now();
        let gives_room = |client: &Client| client.announced().is_some() || client.life().is_silent(now);
        let awaited = self.client.as_ref().is_none_or(gives_room) || self.sessions.awaits_dial();
        self.internal_port.set_listening(awaited, self.poller.registry(), now);
    }

    /// When the loop has something to do, whether an event comes or not.
    fn due(&self, now: Instant) -> Instant {
        if self.client.as_ref().is_some_and(Client::has_more) {
            return now;
        }
        // Without a client these have to wait for one.
        let with_client =
            self.client.as_ref().map(|_| [self.fetch.due(), self.reports.due(), self.sessions.due()]);
        [
            self.config.as_ref().and_then(|_| self.resolver.due()),
            self.listeners.retry_at(),
            self.internal_port.due(),
            self.end_lines.due(),
            self.client.as_ref().map(|client| client.due(now)),
        ]
        .into_iter()
        .chain(with_client.into_iter().flatten())
        .flatten()
        .fold(now + REFRESH, Instant::min)
    }

    fn handle_signals(&mut self) {
        loop {
            match self.signals.next_signal() {
                Ok(Some(Signal::Level(level))) => {
                    common::log::change_level(level);
                    self.renew_children("log level changed");
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

    /// A newcomer on the internal port has moved.
    fn advance_newcomer(&mut self, slot: usize) {
        let expected = Expected {
            joined: self.client.is_some(),
            renewal: self.client.as_ref().and_then(|client| client.announced().cloned()),
        };
        match self.internal_port.advance(slot, &expected, self.poller.registry()) {
            Some(Newcomer::Client(client)) => self.join_client(*client),
            Some(Newcomer::Data(pair, socket)) => {
                // The client's child may be faster to dial again than the signal of ours that has ended.
                self.reap_children();
                self.feed(|sessions, _, _| sessions.connect_pair(pair, socket));
            }
            None => {}
        }
    }

    /// Sets what `ps` shows.
    fn update_title(&self) {
        sys::set_title(&match (&self.client, self.listeners.address()) {
            (None, _) => format!("waiting for the client on {}", self.internal_port.address()),
            (Some(client), None) => format!("client {} joined, not listening", client.address().ip()),
            (Some(client), Some(listener)) => {
                format!("client {} joined, partners on {listener}", client.address().ip())
            }
        });
    }
}

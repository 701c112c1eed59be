//! The server's parent: listeners, control connection, configuration, table of children. It waits and passes work on.
//! It never parses an octet of a partner, and never blocks.
//!
//! This file has the loop: it passes events to the state machines and does their actions.
//!
//! * `processes`: forks processes, passes sockets and messages to them, reaps them; nothing else forks
//! * `link`: joins the client, handles its messages, takes over the configuration that it brings
//! * `sessions`, `children`, `pool`, `admission`: state machines of session processes, without sockets and clock
//! * `source_limits`, `known_sources`, `penalties`, `unverified_places`, `refusal_lines`: which connections are
//!   accepted before they are verified, and what is logged about them
//! * `internal_port`, `newcomer`: the internal port, and how a connection there authenticates
//! * `control`, `announced_renewal`: the joined client
//! * `config_fetch`, `config_answer`: the request for a configuration, and the answer
//! * `succession`: whether another client replaces the joined one
//! * `listeners`: the TLS listener
//! * `resolver`: looks up the host names of partners
//! * `reports`, `refusals`, `reported_crl_urls`, `reported_chains`: reports for the backend
//! * `expiry`, `outgoing_address`: state that changes without an event
//! * `action`, `tokens`: the actions of the state machines, and the sources of events

mod action;
mod admission;
mod announced_renewal;
mod children;
mod config_answer;
mod config_fetch;
mod control;
mod expiry;
mod internal_port;
mod known_sources;
mod link;
mod listeners;
mod newcomer;
mod outgoing_address;
mod penalties;
mod pool;
mod processes;
mod refusal_lines;
mod refusals;
mod report_journal;
mod reported_chains;
mod reported_crl_urls;
mod reports;
mod resolver;
mod sessions;
mod source_limits;
mod succession;
mod tokens;
mod unverified_places;

use crate::active_config::ActiveConfig;
use crate::identity::Identity;
use crate::licence::Licence;
use crate::unreported::Unreported;
use action::Action;
use admission::Conditions;
use common::check_interval::CheckInterval;
use common::ipc::channel::Channel;
use common::link::join;
use common::link::session_id::Direction;
use common::log::{Event, RC_CHECKS, catalogue};
use common::process::drain::{Drain, Patience};
use common::process::end_reasons::Status;
use common::process::forker::Forker;
use common::process::running::Running;
use common::process::signals::{Signal, Signals};
use common::process::startup::{Finish, Ready};
use common::report_interval::ReportInterval;
use common::rpc::{Level, Origin, SessionBegin, SessionEvent, SystemLog};
use common::session::end_lines::EndLines;
use common::session::ledger::Begun;
use common::state::{DaemonState, this_minute};
use common::sys;
use common::text::clock;
use config_fetch::{ConfigFetch, REFRESH};
use control::Client;
use expiry::{Countdown, Licensing};
use internal_port::InternalPort;
use listeners::Listeners;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use newcomer::{Expected, Newcomer};
use nix::unistd::Pid;
use refusals::Refusals;
use reported_chains::ReportedChains;
use reported_crl_urls::ReportedCrlUrls;
use reports::Reports;
use resolver::Resolver;
use sessions::Sessions;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};
use tokens::Source;

/// Everything that the parent owns.
pub(crate) struct Parent {
    poller: Poll,
    signals: Signals,
    internal_port: InternalPort,
    client: Option<Client>,
    listeners: Listeners,
    config: Option<ActiveConfig>,
    fetch: ConfigFetch,
    sessions: Sessions<TcpStream>,
    /// The process that forks session children.
    forker: Forker,
    /// Channels to children that can be sent messages.
    channels: HashMap<Pid, Channel>,
    reports: Reports,
    refusals: Refusals,
    running: Running,
    /// When the state is sent to the client.
    state_interval: ReportInterval<DaemonState>,
    resolver: Resolver,
    end_lines: EndLines,
    /// Limits the checks of the rc file.
    rc_checks: CheckInterval,
    licensing: Licensing,
    /// The expiry of our certificate towards partners.
    certificate: Countdown,
    crl_urls: ReportedCrlUrls,
    chains: ReportedChains,
    /// Connections that were closed before their first octet, since `check_every_minute` logged their number.
    probes: u64,
    /// When `check_every_minute` ran last.
    checked: Instant,
    /// Whether new sessions are taken.
    drain: Drain,
    /// How long a SIGTERM waits for the sessions.
    patience: Patience,
    stop: Option<Finish>,
}

impl Parent {
    /// Ready for the loop; `listener` is bound already. Call it in the daemon, after it has detached.
    ///
    /// # Errors
    ///
    /// The licence or a descriptor cannot be used.
    pub(crate) fn new(
        mut signals: Signals,
        listener: std::net::TcpListener,
        identity: Identity,
        (licence, licence_file): (Licence, PathBuf),
        unreported: Unreported,
        end_lines: EndLines,
        patience: Patience,
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
            forker: Forker::default(),
            channels: HashMap::new(),
            reports: Reports::new(unreported, Instant::now()),
            refusals: Refusals::default(),
            running: Running::start(env!("CARGO_PKG_VERSION"), env!("OS4X_BUILD")),
            state_interval: ReportInterval::default(),
            resolver: Resolver::default(),
            end_lines,
            rc_checks: CheckInterval::every(RC_CHECKS),
            licensing,
            certificate: Countdown::default(),
            crl_urls: ReportedCrlUrls::default(),
            chains: ReportedChains::default(),
            probes: 0,
            checked: Instant::now(),
            drain: Drain::default(),
            patience,
            stop: None,
        })
    }

    /// Works until told to end, or until it cannot go on; returns why. `ready`: the starting process waits for it.
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

    /// Passes an event to the state machines of the sessions, and does the steps that they ask for.
    fn feed(&mut self, event: impl FnOnce(&mut Sessions<TcpStream>, &Conditions<'_>, Instant)) {
        let config = self.config.as_ref();
        let conditions = Conditions {
            joined: self.client.is_some(),
            limits: config.map(|config| &config.limits),
            generation: config.map_or(0, |config| config.generation),
            licensed: !self.licensing.licence().expired(),
            draining: self.drain.cause(),
            addresses: config.map(|config| &config.addresses),
            time: clock::now(),
        };
        event(&mut self.sessions, &conditions, Instant::now());
        while let Some(action) = self.sessions.next_action() {
            self.execute(action);
        }
    }

    fn execute(&mut self, action: Action<TcpStream>) {
        match action {
            Action::SendToClient(message) => self.send_to_client(&message),
            Action::SendToChild(pid, message, socket) => self.send_to_child(pid, &message, socket),
            Action::CloseChannel(pid) => self.close_channel(pid),
            Action::RefusePartner(peer, status, reason) => log_refusal(peer, status, reason),
            Action::CountRefusal(what) => self.refusals.count(*what, this_minute(), Instant::now()),
            Action::DeclineDial(socket) => internal_port::decline_pair(socket),
            Action::RefuseDial(socket) => {
                self.internal_port
                    .refuse_pair(socket, "there is no such pair, or it has its data connection already");
            }
            Action::ReportCrlUrl(url) => self.report_crl_url(url),
            Action::ReportSession(pid, direction, mut event) => {
                if let SessionEvent::Begin(begin) = &mut *event {
                    self.end_lines.begin(begun(pid, direction, begin));
                    self.chains.strip(begin);
                }
                self.reports.push_event(*event, Instant::now());
            }
            Action::NoteEnd(session, remains) => {
                self.end_lines.end(session.map(|session| session.to_string()).as_deref(), remains);
            }
            Action::ReportSystemLog(entry) => self.reports.push_entry(*entry, Instant::now()),
            Action::LogCrash(crash) => self.log_crash(&crash),
        }
    }

    /// The data that children inherit has changed, because of `why`: ends the forker and the children that serve no
    /// session, since they have the old data.
    fn renew_children(&mut self, why: &str) {
        self.forker.stop();
        self.feed(|sessions, _, now| sessions.retire_idle_children(why, now));
    }

    /// Does what is due by time or follows from the last events; `idle`: there were none.
    fn run_timers(&mut self, idle: bool) {
        if self.rc_checks.may_check(Instant::now()) && common::log::reread_if_changed() {
            self.renew_children("rc file changed");
        }
        self.internal_port.expire(Instant::now(), self.poller.registry());
        self.internal_port.retry_accept(self.poller.registry());
        if self.listeners.must_retry() {
            self.accept_partners();
        }
        // Before the succession is decided: an answer that has arrived counts, even if it is read late.
        let must_read = |client: &Client| client.has_more() || client.life().answer_due.is_some();
        if self.client.as_ref().is_some_and(must_read) {
            self.read_client();
        }
        self.settle_succession();
        self.advance_drain();
        self.maintain_client();
        self.write_end_lines();
        self.resolver.expire(Instant::now());
        if self.checked.elapsed() >= REFRESH {
            self.check_every_minute();
        }
        self.feed(|sessions, conditions, now| sessions.maintain_pool(idle, conditions, now));
    }

    /// While no new sessions are taken: closes the listener, logs what is due, and ends this parent if it waits for
    /// that.
    fn advance_drain(&mut self) {
        if self.drain.is_on() {
            self.shut_listener();
        }
        let (sessions, now) = (&self.sessions, Instant::now());
        if self.drain.log_news(|| sessions.count_begun(), now) {
            // The client's children of these pairs end, too, so that it sees which may still get a session.
            self.renew_children("no new sessions are taken");
            self.update_title();
        }
        if let Some(end) = self.drain.end(|| self.sessions.count_begun(), now) {
            self.stop.get_or_insert(Finish::Signal(end));
        }
    }

    /// Connections that wait in the queue of the listener are still served.
    fn shut_listener(&mut self) {
        let mut accepted = Vec::new();
        self.listeners.shut("no new sessions are taken", &mut accepted, self.poller.registry());
        self.admit_partners(accepted);
    }

    /// Checks state that changes without an event: at the start, and then every minute.
    fn check_every_minute(&mut self) {
        self.log_counts();
        self.checked = Instant::now();
        let wanted = self.config.as_ref().and_then(|config| config.outgoing_ip);
        if let Some(reason) = outgoing_address::fault(wanted) {
            self.stop_without_address(reason);
        }
        self.check_licence(SystemTime::now());
        self.check_certificate();
        self.drop_stale_config();
    }

    fn check_licence(&mut self, now: SystemTime) {
        let mut entries = Vec::new();
        if let Some(context) = self.licensing.check(now, &mut entries) {
            self.internal_port.set_context(context);
        }
        for entry in entries {
            self.reports.push_entry(entry, Instant::now());
        }
    }

    fn check_certificate(&mut self) {
        let Some(config) = &self.config else { return };
        let days = config.certificate_days();
        if self.certificate.is_news(days) {
            let text = if days < 0 { "our certificate has expired" } else { "our certificate expires soon" };
            let left = format!("{days} days left of the certificate towards partners");
            common::warn!("{text}: {left}");
            self.report(Level::Warn, text, &left);
        }
    }

    /// Drops a configuration that the backend has not confirmed for too long: no partner is admitted then.
    fn drop_stale_config(&mut self) {
        let Some(config) = self.config.as_ref().filter(|config| config.confirmed.elapsed() > config.max_age)
        else {
            return;
        };
        let seconds = config.max_age.as_secs();
        let event = Event::new(&catalogue::CONFIG_EXPIRED)
            .field_num("generation", config.generation)
            .field_num("seconds", seconds);
        let reason = format!("the backend has not confirmed the configuration for {seconds} s");
        self.report(Level::Error, "the configuration is too old and not in force any more", event.text());
        event.log();
        self.listeners.close(&reason, self.poller.registry());
        self.config = None;
        self.renew_children("configuration too old");
        self.update_title();
    }

    /// Logs how many probes there were since the last call, and what was done to strangers, if anything.
    fn log_counts(&mut self) {
        let seconds = self.checked.elapsed().as_secs();
        common::log::log_left_out();
        self.log_strangers(seconds);
        let count = std::mem::take(&mut self.probes);
        if count > 0 {
            Event::new(&catalogue::PROBES).field_num("count", count).field_num("seconds", seconds).log();
        }
    }

    /// Logs refusals and closed connections of strangers: one line a minute, however many there are.
    fn log_strangers(&mut self, seconds: u64) {
        let counts = self.sessions.take_stranger_counts();
        if !counts.is_empty() {
            Event::new(&catalogue::STRANGERS)
                .field_num("displaced", counts.displaced)
                .field_num("banned", counts.banned)
                .field_num("penalized", counts.penalized)
                .field_num("unlogged", counts.left_out)
                .field_num("seconds", seconds)
                .log();
        }
    }

    /// Reports an entry of this parent for the backend's system log.
    fn report(&mut self, level: Level, text: &str, detail: &str) {
        self.reports.push_entry(SystemLog::new(Origin::Server, level, text, detail), Instant::now());
    }

    /// The last step before the loop waits: opens the port if a connection is expected, then sends messages to the
    /// client. It comes after the forks, because a new child makes a pair.
    fn before_wait(&mut self) {
        self.listen_if_awaited();
        self.flush_control();
        // Sending may have shown that the client is gone.
        self.listen_if_awaited();
    }

    fn listen_if_awaited(&mut self) {
        let now = Instant::now();
        let gives_room = |client: &Client| client.announced().is_some() || client.life().is_silent(now);
        let awaited = self.client.as_ref().is_none_or(gives_room) || self.sessions.awaits_dial();
        let invites = self.internal_port.invites(self.client.is_some(), now);
        self.internal_port.set_listening(awaited || invites, self.poller.registry(), now);
    }

    /// When the loop must run again, even without an event.
    fn due(&self, now: Instant) -> Instant {
        if self.client.as_ref().is_some_and(Client::has_more) {
            return now;
        }
        // Without a client these wait for one.
        let with_client =
            self.client.as_ref().map(|_| [self.fetch.due(), self.reports.due(), self.sessions.due()]);
        let states = self.client.as_ref().filter(|client| client.takes_states() && client.has_room());
        let states = states.map(|_| [self.state_interval.due(), self.refusals.due()]);
        [
            self.config.as_ref().and_then(|_| self.resolver.due()),
            self.listeners.retry_at(),
            self.internal_port.due(now),
            self.end_lines.due(),
            self.rc_checks.due(),
            self.drain.due(),
            self.client.as_ref().map(|client| client.due(now)),
        ]
        .into_iter()
        .chain(with_client.into_iter().flatten())
        .chain(states.into_iter().flatten())
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
                    if !self.drain.wait_before_end(end, self.patience, Instant::now()) {
                        self.stop = Some(Finish::Signal(end));
                        return;
                    }
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

    /// A newcomer on the internal port has an event.
    fn advance_newcomer(&mut self, slot: usize) {
        let expected = Expected {
            joined: self.client.is_some(),
            renewal: self.client.as_ref().and_then(|client| client.announced().cloned()),
        };
        match self.internal_port.advance(slot, &expected, self.poller.registry()) {
            Some(Newcomer::Client(client)) => self.join_client(*client),
            Some(Newcomer::Data(pair, socket)) => {
                // The client's child may connect again before the signal about our ended child is handled.
                self.reap_children();
                self.feed(|sessions, _, _| sessions.connect_pair(pair, socket));
            }
            None => {}
        }
    }

    /// Sets the title for `ps`.
    fn update_title(&self) {
        sys::set_title(&match (&self.client, self.listeners.address()) {
            (None, _) => format!("waiting for the client on {}", self.internal_port.address()),
            (Some(client), None) if self.drain.is_on() => {
                format!("client {} joined, takes no new sessions", client.address().ip())
            }
            (Some(client), None) => format!("client {} joined, not listening", client.address().ip()),
            (Some(client), Some(listener)) => {
                format!("client {} joined, partners on {listener}", client.address().ip())
            }
        });
    }
}

fn begun(pid: Pid, direction: Direction, begin: &SessionBegin) -> Begun {
    Begun::new(pid, begin.session.clone(), direction, begin.address.clone(), begin.partner.clone())
}

/// Logs that a partner was refused before it had a child.
fn log_refusal(peer: SocketAddr, status: Status, reason: &str) {
    Event::new(&catalogue::SESSION_REFUSED)
        .field("direction", "incoming")
        .field("reason", status.word())
        .field_display("address", peer)
        .field("detail", reason)
        .log();
}

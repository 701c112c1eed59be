//! What comes from the client, from partners and from children is fed to the state machines; what those want is done
//! here: messages are sent, channels closed, lines written, reports queued.

use super::Parent;
use super::action::{Action, Crash, Fork};
use super::admission::Conditions;
use super::config_fetch::Progress;
use super::control::Client;
use super::internal_port;
use super::outgoing_address;
use super::sessions::Sessions;
use super::succession::{self, Verdict};
use super::tokens;
use crate::messages::ToChild;
use common::ipc::channel::Channel;
use common::link::control::{ANSWER_WITHIN, MAX_ANSWER, ToClient, ToServer, VERSION};
use common::link::session_id::{Direction, SessionId};
use common::log::{Event, Remains, events};
use common::process::status::{self, Status};
use common::rpc::{BY_HAND, CrlUrl, Level, Origin, SessionBegin, SessionEnd, SessionEvent, SystemLog};
use common::session::end_lines::DIED_WITH_PARENT;
use common::session::ledger::Begun;
use common::sys;
use common::text::clock;
use common::text::url::is_web;
use mio::Interest;
use mio::net::TcpStream;
use nix::unistd::Pid;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

/// Reports are queued for the client while less than this is unsent, octets.
const REPORT_BACKLOG: usize = 256 * 1024;

impl Parent {
    /// Feeds an event to the state machines of the sessions, and does what they want.
    pub(super) fn feed(&mut self, event: impl FnOnce(&mut Sessions<TcpStream>, &Conditions<'_>, Instant)) {
        let config = self.config.as_ref();
        let conditions = Conditions {
            joined: self.client.is_some(),
            limits: config.map(|config| &config.limits),
            generation: config.map_or(0, |config| config.generation),
            licensed: !self.licensing.licence().expired(),
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
            Action::DeclineDial(socket) => internal_port::decline_pair(socket),
            Action::RefuseDial(socket) => {
                self.internal_port
                    .refuse_pair(socket, "there is no such pair, or it has its data connection");
            }
            Action::ReportCrlUrl(url) => self.report_crl_url(url),
            Action::ReportSession(pid, direction, event) => {
                if let SessionEvent::Begin(begin) = &*event {
                    self.end_lines.begin(begun(pid, direction, begin));
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

    /// Takes partners in, as many as their limits allow.
    pub(super) fn accept_partners(&mut self) {
        let mut accepted = Vec::new();
        if let Err(e) = self.listeners.accept(&mut accepted, self.poller.registry()) {
            let event = Event::new(&events::LISTENER_ERROR)
                .field("listener", "tls")
                .field("address", self.listeners.address().map(|at| at.to_string()).unwrap_or_default())
                .field("reason", format!("it cannot accept: {e}"));
            self.report(Level::Error, "the TLS listener cannot accept", event.text());
            event.log();
        }
        self.admit_partners(accepted);
    }

    /// Each goes to a child, or is turned away.
    pub(super) fn admit_partners(&mut self, accepted: Vec<(TcpStream, SocketAddr)>) {
        for (socket, peer) in accepted {
            self.feed(|sessions, conditions, now| sessions.accept(socket, peer, conditions, now));
        }
    }

    /// What is done to strangers is told once a minute, however many there are.
    fn log_screening(&mut self, seconds: u64) {
        let counts = self.sessions.take_screening_counts();
        if !counts.is_empty() {
            Event::new(&events::STRANGERS)
                .field_num("displaced", counts.displaced)
                .field_num("banned", counts.banned)
                .field_num("penalized", counts.penalized)
                .field_num("unlogged", counts.left_out)
                .field_num("seconds", seconds)
                .log();
        }
    }

    /// A child was forked; `channel`: our end.
    pub(super) fn register_child(&mut self, pid: Pid, mut channel: Channel, fork: Fork<TcpStream>) {
        match self.poller.registry().register(&mut channel, tokens::child(pid), Interest::READABLE) {
            Ok(()) => {
                self.channels.insert(pid, channel);
            }
            // It is unreachable: what it was forked for fails as with a child that is gone.
            Err(e) => common::error!("session process {pid} cannot be watched: {e}"),
        }
        self.feed(|sessions, conditions, now| sessions.register_child(pid, fork, conditions, now));
    }

    fn send_to_child(&mut self, pid: Pid, message: &ToChild, socket: Option<TcpStream>) {
        let sent = match self.channels.get(&pid) {
            Some(channel) => channel.hand_over(message, socket.as_ref()).map_err(|e| e.to_string()),
            None => Err("its channel is closed".to_owned()),
        };
        if let Err(e) = sent {
            common::debug!("session process {pid} cannot be reached: {e}");
            self.sessions.send_failed(pid, message, socket, Instant::now());
        }
    }

    fn close_channel(&mut self, pid: Pid) {
        if let Some(mut channel) = self.channels.remove(&pid) {
            let _ = self.poller.registry().deregister(&mut channel);
        }
    }

    /// Reads all that a child has sent.
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
            let is_success = status::of(ended) == Some(Status::Normal);
            if self.resolver.reap(pid, is_success, self.poller.registry(), Instant::now()) {
                continue;
            }
            self.read_child(pid);
            self.close_channel(pid);
            self.probes += u64::from(status::of(ended) == Some(Status::Probe));
            self.feed(|sessions, conditions, now| sessions.reap(pid, ended, conditions, now));
        }
    }

    /// Reads what the resolver has found: partners have places there.
    pub(super) fn read_resolver(&mut self) {
        if self.resolver.read()
            && let Some(config) = &mut self.config
        {
            config.addresses.set_resolved(self.resolver.addresses());
        }
    }

    /// How many probes there were since this was last asked, and what was done to strangers, if anything.
    pub(super) fn log_counts(&mut self) {
        let seconds = self.checked.elapsed().as_secs();
        common::log::log_left_out();
        self.log_screening(seconds);
        let count = std::mem::take(&mut self.probes);
        if count > 0 {
            Event::new(&events::PROBES).field_num("count", count).field_num("seconds", seconds).log();
        }
    }

    /// Writes end lines that could not be written before: those of sessions of an earlier parent, too.
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

    fn log_crash(&mut self, crash: &Crash) {
        let session = crash.session.map(|session| session.to_string()).unwrap_or_default();
        let event = Event::new(&events::SESSION_CRASHED)
            .field("direction", crash.direction.word())
            .field("session", &session)
            .field("address", crash.peer.map(|peer| peer.to_string()).unwrap_or_default())
            .field("partner", crash.partner.as_deref().unwrap_or_default())
            .field_num("pid", crash.pid.as_raw())
            .field("reason", &crash.ended);
        self.report(Level::Error, "a session process crashed", event.text());
        event.log();
        self.end_lines.end(Some(&session), Remains::default());
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

    /// An entry of the parent's own for the backend's system log.
    pub(super) fn report(&mut self, level: Level, text: &str, detail: &str) {
        self.reports.push_entry(SystemLog::new(Origin::Server, level, text, detail), Instant::now());
    }

    /// A child has found this CRL distribution URL.
    fn report_crl_url(&mut self, found: CrlUrl) {
        let known = self.config.as_ref().is_some_and(|config| config.crl_urls.contains(&found.url));
        let is_news = !known || !found.issuers.is_empty();
        if is_news && self.client.is_some() && self.crl_urls.take(&found, Instant::now()) {
            let shown = common::log::escape(&found.url);
            if is_web(&found.url) {
                common::info!("a CRL distribution URL is new: {shown}");
            } else {
                common::warn!("a CRL distribution URL cannot be downloaded from: {shown}: {BY_HAND}");
            }
            self.send_to_client(&ToClient::CrlUrl(found));
        }
    }

    /// A client has proven itself; it takes the place of the one that announced it, if any did.
    pub(super) fn join_client(&mut self, mut client: Client) {
        if let Some(mut old) = self.client.take() {
            // What was sent to it before reaches the client still: it reads to the end.
            old.close();
            old.unwatch(self.poller.registry());
            self.fetch.reconnect();
        }
        if let Err(e) = client.watch(self.poller.registry(), tokens::CONTROL) {
            return common::error!("the control connection cannot be watched: {e}");
        }
        self.internal_port.note_joined(client.address().ip());
        Event::new(&events::CLIENT_JOINED)
            .field_display("address", client.address())
            .field("client", client.name())
            .field("renewed", if client.renews() { "yes" } else { "no" })
            .log();
        let renews = client.renews();
        self.client = Some(client);
        self.send_to_client(&ToClient::Welcome { version: VERSION, changes: true });
        if !renews {
            self.request_config();
        }
        self.read_client();
        self.update_title();
    }

    /// Clients that have proven themselves while one is joined: it is pinged, and they are joined or refused.
    pub(super) fn settle_succession(&mut self) {
        while let Some((slot, since)) = self.internal_port.successor() {
            let now = Instant::now();
            match succession::judge(since, self.client.as_ref().map(Client::life), now) {
                Verdict::Wait => {
                    let asked = self.client.as_mut().map_or(Ok(()), |client| client.connection().ask(now));
                    match asked {
                        Ok(()) => return,
                        Err(e) => self.lose_client(&e),
                    }
                }
                Verdict::Replace => self.lose_client(&format_args!(
                    "no answer to a ping for {} s, and another client has come",
                    ANSWER_WITHIN.as_secs()
                )),
                Verdict::Join => {
                    if let Some(client) = self.internal_port.take_successor(slot) {
                        self.join_client(client);
                    }
                }
                Verdict::Refuse => {
                    let registry = self.poller.registry();
                    self.internal_port.refuse_successor(slot, "a client is joined already", registry);
                }
            }
        }
    }

    /// Reads all that the client has sent.
    pub(super) fn read_client(&mut self) {
        while let Some(client) = &mut self.client {
            match client.connection().receive() {
                Ok(Some(message)) => self.on_client_message(message),
                Ok(None) => return,
                Err(e) => return self.lose_client(&e),
            }
        }
    }

    fn on_client_message(&mut self, message: ToServer) {
        match message {
            ToServer::Ping | ToServer::Hello { .. } => {}
            ToServer::ConfigPart { text, last } => match self.fetch.take(text.expose(), last, MAX_ANSWER) {
                Progress::Nothing => {}
                Progress::Whole(text) => self.take_config(&text),
                Progress::TooLong => {
                    self.refuse_config(None, &format!("it is larger than {} MiB", MAX_ANSWER >> 20));
                }
            },
            ToServer::ConfigChanged => self.fetch.hasten(),
            ToServer::ConfigFailed { reason } => {
                self.fetch.fail();
                if self.fetch.is_new_fault(&reason) {
                    Event::new(&events::BACKEND_ERROR)
                        .field("function", "proxy_config")
                        .field("reason", &reason)
                        .log();
                }
            }
            ToServer::PairFailed { pair, reason, retired } => self.feed(|sessions, _, now| {
                if retired {
                    sessions.lose_pair(pair, &reason, now);
                } else {
                    sessions.fail_pair(pair, &reason, now);
                }
            }),
            ToServer::WantOutgoing => {
                self.feed(|sessions, conditions, _| sessions.request_outgoing(conditions));
            }
            ToServer::Renewing { secret } => {
                if let Some(client) = &mut self.client {
                    client.renewal().announce(secret, Instant::now());
                }
            }
        }
    }

    /// Queues the reports that are due, asks for a newer generation when it is time.
    pub(super) fn maintain_client(&mut self) {
        let now = Instant::now();
        self.queue_reports(now);
        if self.client.is_some() && self.fetch.is_due(now) {
            self.request_config();
        }
        if let Some(client) = &mut self.client {
            client.renewal().expire(now);
        }
    }

    /// A report that cannot be sent is dropped and counted; it never costs the connection.
    fn queue_reports(&mut self, now: Instant) {
        let Some(client) = &mut self.client else { return };
        self.reports.take_untold(now);
        while client.connection().backlog() < REPORT_BACKLOG {
            let Some(report) = self.reports.next_due(now) else { return };
            if client.send(&report).is_err() {
                self.reports.lost();
            }
        }
    }

    pub(super) fn send_to_client(&mut self, message: &ToClient) {
        if let Some(client) = &mut self.client
            && let Err(e) = client.send(message)
        {
            self.lose_client(&e);
        }
    }

    /// Pings, and sends what is queued.
    pub(super) fn flush_control(&mut self) {
        if let Some(client) = &mut self.client
            && let Err(e) = client.connection().advance()
        {
            self.lose_client(&e);
        }
    }

    /// This parent ends: the client learns of it at once, and of what waits to be reported. Without a client that waits
    /// for the next parent.
    pub(super) fn close_control(&mut self) {
        if let Some(client) = &mut self.client {
            while let Some(report) = self.reports.next() {
                if client.send(&report).is_err() {
                    break;
                }
            }
            client.close();
        }
        self.reports.leave_untold();
    }

    fn request_config(&mut self) {
        self.fetch.request(Instant::now());
        let held = self.config.as_ref().filter(|config| !config.is_outdated());
        let generation = held.map(|config| config.generation);
        let addresses = outgoing_address::of_this_host();
        self.send_to_client(&ToClient::GetConfig { generation, time: Some(clock::now()), addresses });
    }

    /// Back to listening on the internal port; sessions that are admitted run on.
    fn lose_client(&mut self, reason: &dyn fmt::Display) {
        let Some(mut client) = self.client.take() else { return };
        client.unwatch(self.poller.registry());
        Event::new(&events::CLIENT_GONE)
            .field_display("address", client.address())
            .field_display("reason", reason)
            .log();
        self.listeners.close("the client is gone", self.poller.registry());
        // The partner-facing private key goes with the configuration.
        self.config = None;
        self.nursery = None;
        self.fetch.disconnect();
        self.feed(|sessions, _, now| {
            sessions.drop_pairs(now);
            sessions.drop_forks("the client is gone", now);
        });
        self.update_title();
    }
}

fn begun(pid: Pid, direction: Direction, begin: &SessionBegin) -> Begun {
    let SessionBegin { session, address, partner, .. } = begin.clone();
    Begun::new(pid, session, direction, address, partner)
}

/// A partner was turned away before a child served it.
fn log_refusal(peer: SocketAddr, status: Status, reason: &str) {
    Event::new(&events::SESSION_REFUSED)
        .field("direction", "incoming")
        .field("reason", status.word())
        .field_display("address", peer)
        .field("detail", reason)
        .log();
}

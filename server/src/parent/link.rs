//! The link to the client: joins it, handles its messages, takes over the configuration that it brings, and sends what
//! waits for it.

use super::config_answer::{self, Answer};
use super::config_fetch::Progress;
use super::control::Client;
use super::succession::{self, Verdict};
use super::{Parent, outgoing_address, tokens};
use crate::active_config::ActiveConfig;
use common::link::control::{ANSWER_WITHIN, MAX_ANSWER, ToClient, ToServer, VERSION};
use common::log::{Event, catalogue};
use common::process::startup::Finish;
use common::rpc::{ActKind, BY_HAND, CrlUrl, Level};
use common::state::{DaemonState, FOR_PARTNERS, OpenListener};
use common::text::clock;
use common::text::url::is_web;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

/// Largest progress reports in a state, octets of JSON: the rest of the state fits into `MAX_REPORT`, too.
const MAX_PROGRESS: usize = 48 * 1024;

impl Parent {
    /// A client has authenticated. It replaces the client that announced it, if there is one.
    pub(super) fn join_client(&mut self, mut client: Client) {
        if let Some(mut old) = self.client.take() {
            // The old connection is read to its end, so the client still receives what was sent there.
            old.close();
            old.unwatch(self.poller.registry());
            self.fetch.reconnect();
        }
        if let Err(e) = client.watch(self.poller.registry(), tokens::CONTROL) {
            return common::error!("the control connection cannot be watched: {e}");
        }
        self.internal_port.note_joined(client.address().ip());
        Event::new(&catalogue::CLIENT_JOINED)
            .field_display("address", client.address())
            .field("client", client.name())
            .field("renewed", if client.renews() { "yes" } else { "no" })
            .log();
        let renews = client.renews();
        self.client = Some(client);
        self.state_interval.forget();
        let acts = ActKind::all();
        self.send_to_client(&ToClient::Welcome {
            version: VERSION,
            changes: true,
            states: true,
            acts,
            drains: true,
        });
        if !renews {
            self.chains.forget();
            self.drain.follow_peer(false);
            self.request_config();
        }
        self.read_client();
        self.update_title();
    }

    /// For clients that have authenticated while another one is joined: the joined one is pinged, and the others are
    /// joined, stand by, or are refused.
    pub(super) fn settle_succession(&mut self) {
        self.join_standby();
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
                Verdict::Replace => self.lose_silent_client("has come"),
                Verdict::Join => {
                    if let Some(client) = self.internal_port.take_successor(slot) {
                        self.join_client(client);
                    }
                }
                Verdict::Answered if self.internal_port.let_stand_by(slot, now) => {}
                Verdict::Answered => {
                    let registry = self.poller.registry();
                    let reason = self.internal_port.why_not_standby(slot);
                    self.internal_port.refuse_successor(slot, &reason, registry);
                }
            }
        }
    }

    /// Joins the client that has stood by longest, if the joined one is gone or does not answer.
    fn join_standby(&mut self) {
        let Some(slot) = self.internal_port.standby() else { return };
        let present = self.client.as_ref().map(Client::life);
        if !succession::is_standby_joined(present, Instant::now()) {
            return;
        }
        if present.is_some() {
            self.lose_silent_client("stands by");
        }
        if let Some(client) = self.internal_port.take_standby(slot) {
            self.join_client(client);
        }
    }

    fn lose_silent_client(&mut self, other: &str) {
        let seconds = ANSWER_WITHIN.as_secs();
        self.lose_client(&format_args!("no answer to a ping for {seconds} s, and another client {other}"));
    }

    /// Reads all messages of the client.
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
            ToServer::ConfigChanged => self.fetch.request_soon(),
            ToServer::ConfigFailed { reason } => {
                self.fetch.fail();
                if self.fetch.is_new_fault(&reason) {
                    Event::new(&catalogue::BACKEND_ERROR)
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
            ToServer::Draining => self.drain.follow_peer(true),
            ToServer::Act(act) => self.feed(|sessions, _, _| sessions.act(act)),
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

    /// The backend's answer has arrived.
    fn take_config(&mut self, text: &str) {
        match config_answer::read(text) {
            Answer::Unchanged => {
                common::debug!("the configuration is unchanged");
                self.confirm_config();
            }
            Answer::New(config, skipped) => self.activate_config(*config, &skipped),
            Answer::Refused(generation, reason) => self.refuse_config(generation, &reason),
        }
    }

    /// The backend says that the generation in force is the newest.
    fn confirm_config(&mut self) {
        let Some(config) = &mut self.config else {
            return self.refuse_config(
                None,
                "the backend says that nothing has changed, but this server has no configuration",
            );
        };
        config.confirmed = Instant::now();
        if self.fetch.recover() {
            Event::new(&catalogue::CONFIG_CONFIRMED).field_num("generation", config.generation).log();
        }
    }

    /// All or nothing: the new listener is bound before anything of the old configuration is given up.
    fn activate_config(&mut self, mut config: ActiveConfig, skipped: &[String]) {
        let (generation, log_max_bytes) = (config.generation, config.limits.log_max_bytes);
        self.drain.order(!config.new_sessions.are_taken());
        if !self.check_outgoing_address(&config) || !(self.drain.is_on() || self.open_listener(&config)) {
            return;
        }
        for what in skipped {
            common::warn!("skipped in generation {generation}: {}", common::log::escape(what));
            self.report(Level::Error, "a certificate or CRL of the configuration cannot be used", what);
        }
        if self.config.as_ref().is_none_or(|before| before.generation != generation) {
            self.report_partner_addresses(&config);
        }
        self.resolver.set_names(config.addresses.names(), Instant::now());
        config.addresses.set_resolved(self.resolver.addresses());
        self.sessions.debug_partners(&config.debug, Instant::now());
        self.config = Some(config);
        self.fetch.recover();
        Event::new(&catalogue::CONFIG_TAKEN).field_num("generation", generation).log();
        common::log::set_max_bytes(log_max_bytes.into());
        self.renew_children("generation changed");
        self.update_title();
    }

    /// Opens or moves the listener. Connections in the queue of the old one are served with the old configuration.
    fn open_listener(&mut self, config: &ActiveConfig) -> bool {
        let mut accepted = Vec::new();
        let opened = self.listeners.open(config.listen, &mut accepted, self.poller.registry());
        self.admit_partners(accepted);
        match opened {
            Ok(()) => true,
            Err(e) => {
                self.refuse_listener(config.generation, config.listen, &e);
                false
            }
        }
    }

    fn refuse_listener(&mut self, generation: u64, address: SocketAddr, e: &std::io::Error) {
        let reason = format!("the TLS listener cannot be opened on {address}: {e}");
        if !self.fetch.has_fault(&reason) {
            Event::new(&catalogue::LISTENER_ERROR)
                .field("listener", "tls")
                .field_display("address", address)
                .field_display("reason", e)
                .log();
        }
        self.refuse_config(Some(generation), &reason);
    }

    /// The old configuration stays in force unchanged. Each fault is logged once, not each minute.
    fn refuse_config(&mut self, generation: Option<u64>, reason: &str) {
        if !self.fetch.is_new_fault(reason) {
            return;
        }
        let event = Event::new(&catalogue::CONFIG_REFUSED);
        let event = match generation {
            Some(generation) => event.field_num("generation", generation),
            None => event,
        };
        event.field("reason", reason).log();
        self.report(Level::Error, "a generation of the configuration was refused", reason);
    }

    /// Whether this host has the global outgoing address, or none is configured. Otherwise the server stops.
    fn check_outgoing_address(&mut self, config: &ActiveConfig) -> bool {
        let Some(reason) = outgoing_address::fault(config.outgoing_ip) else { return true };
        self.stop_without_address(reason);
        false
    }

    pub(super) fn stop_without_address(&mut self, reason: String) {
        self.report(Level::Error, "the outgoing IP address is not available on this host", &reason);
        self.stop = Some(Finish::Failed(reason));
    }

    fn report_partner_addresses(&mut self, config: &ActiveConfig) {
        for fault in outgoing_address::partner_faults(config) {
            common::error!("{fault}");
            let text = "a partner's outgoing IP address is not available on this host";
            self.report(Level::Error, text, &fault);
        }
    }

    /// A child has found this CRL distribution URL.
    pub(super) fn report_crl_url(&mut self, found: CrlUrl) {
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

    /// Queues the reports that are due, and asks for a newer generation when it is time.
    pub(super) fn maintain_client(&mut self) {
        let now = Instant::now();
        self.queue_reports(now);
        self.report_state(now);
        if self.client.is_some() && self.fetch.is_due(now) {
            self.request_config();
        }
        if let Some(client) = &mut self.client {
            client.renewal().expire(now);
        }
    }

    /// A report that cannot be sent is dropped and counted; the connection stays.
    fn queue_reports(&mut self, now: Instant) {
        let Some(client) = &mut self.client else { return };
        self.reports.take_unreported(now);
        while client.has_room() {
            let Some(report) = self.reports.next_due(now) else { return };
            if client.send(&report).is_err() {
                self.reports.lost();
            }
        }
    }

    /// Sends the state of this server and its refusals to a client that accepts them.
    fn report_state(&mut self, now: Instant) {
        let Some(client) = self.client.as_mut().filter(|client| client.takes_states()) else { return };
        while client.has_room()
            && let Some(rows) = self.refusals.take_due(now)
        {
            // If this fails, the connection is lost, and that is noticed elsewhere.
            let _ = client.send(&ToClient::Refusals(rows));
        }
        if !client.has_room() || !self.state_interval.may_check(now) {
            return;
        }
        let mut state = self.state();
        if self.state_interval.is_due(state.lasting(), now) {
            state.sessions = self.sessions.take_progress(MAX_PROGRESS);
            self.send_to_client(&ToClient::State(Box::new(state)));
        }
    }

    fn state(&self) -> DaemonState {
        let mut state = self.running.state();
        let internal = OpenListener { purpose: "client".to_owned(), address: self.internal_port.address() };
        let tls = |address| OpenListener { purpose: FOR_PARTNERS.to_owned(), address };
        state.listeners = self.listeners.address().map(tls).into_iter().chain([internal]).collect();
        state.licence_ends = Some(self.licensing.licence().valid.1);
        state.generation = self.config.as_ref().map(|config| config.generation);
        state.certificate_ends = self.config.as_ref().map(ActiveConfig::certificate_until);
        state.draining = self.drain.is_on().then(|| self.sessions.count_begun());
        self.sessions.describe(&mut state, self.config.as_ref().map(|config| &config.limits));
        state
    }

    pub(super) fn send_to_client(&mut self, message: &ToClient) {
        if let Some(client) = &mut self.client
            && let Err(e) = client.send(message)
        {
            self.lose_client(&e);
        }
    }

    /// Sends pings and queued messages.
    pub(super) fn flush_control(&mut self) {
        if let Some(client) = &mut self.client
            && let Err(e) = client.connection().advance()
        {
            self.lose_client(&e);
        }
    }

    /// This parent ends: sends the client the reports that wait, and closes. Without a client, the reports wait for the
    /// next parent.
    pub(super) fn close_control(&mut self) {
        if let Some(client) = &mut self.client {
            let takes_states = client.takes_states();
            let mut rows = || self.refusals.take().filter(|_| takes_states).map(ToClient::Refusals);
            while let Some(report) = self.reports.next().or_else(&mut rows) {
                if client.send(&report).is_err() {
                    break;
                }
            }
            client.close();
        }
        self.reports.leave_unreported();
    }

    fn request_config(&mut self) {
        self.fetch.request(Instant::now());
        let held = self.config.as_ref().filter(|config| !config.is_outdated());
        let generation = held.map(|config| config.generation);
        let addresses = outgoing_address::of_this_host();
        self.send_to_client(&ToClient::GetConfig { generation, time: Some(clock::now()), addresses });
    }

    /// The client is gone: the internal port listens again. Admitted sessions continue.
    fn lose_client(&mut self, reason: &dyn fmt::Display) {
        let Some(mut client) = self.client.take() else { return };
        client.unwatch(self.poller.registry());
        Event::new(&catalogue::CLIENT_GONE)
            .field_display("address", client.address())
            .field_display("reason", reason)
            .log();
        self.listeners.close("the client is gone", self.poller.registry());
        // The partner-facing private key is part of the configuration and is dropped with it.
        self.config = None;
        self.forker.stop();
        self.fetch.disconnect();
        self.reports.repeat_latest(Instant::now());
        self.drain.follow_peer(false);
        self.feed(|sessions, _, now| {
            sessions.drop_pairs(now);
            sessions.drop_forks("the client is gone", now);
        });
        self.update_title();
    }
}

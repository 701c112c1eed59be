//! The link to the server: our certificate, the join and its renewal, the messages of the server, and the listeners
//! that are open while the server is joined.

use super::backend_call::BackendCall;
use super::control::{Server, ServerConnection};
use super::join::{Join, Joining};
use super::{Parent, tokens};
use common::config::ClientConfig;
use common::ipc::frame;
use common::link::control::{ControlError, MAX_REPORT, ToClient, ToServer};
use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::log::{Event, catalogue};
use common::process::startup::{Finish, Ready};
use common::rpc::{self, Act, MAX_ADDRESSES, Origin, SystemLog};
use common::{net, sys};
use mio::Interest;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

impl Parent {
    /// Requests a certificate for a new key, unless a request is open.
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

    /// Our certificate has arrived. At the start the configuration is requested next; later, the control connection is
    /// renewed.
    pub(super) fn accept_enrolment(
        &mut self,
        enrolment: &rpc::Enrolment,
        now: Instant,
    ) -> Result<(), String> {
        self.enrolment.accept(enrolment, now)?;
        if self.server.is_none() {
            self.backend.ask(BackendCall::ClientConfig, &mut self.actions);
        }
        Ok(())
    }

    /// Our configuration has arrived. At the start the server is joined next.
    pub(super) fn accept_config(&mut self, config: ClientConfig) {
        if self.sessions.accept_config(config, Instant::now(), &mut self.actions) {
            self.forker.stop();
        }
        if self.server.is_some() {
            return self.apply_listeners();
        }
        let (host, port) = (self.setup.route.host.clone(), self.setup.route.port);
        match net::literal_address(&host, port) {
            Some(address) => self.begin_join(Vec::<SocketAddr>::from([address])),
            None => self.backend.ask(BackendCall::LookUp { host, port }, &mut self.actions),
        }
    }

    /// The first join, with the addresses of `-S`.
    pub(super) fn begin_join(&mut self, addresses: Vec<SocketAddr>) {
        let Some(credentials) = self.enrolment.credentials() else { return };
        self.join = Some(Join::new(addresses, self.setup.route.source, credentials, None, Instant::now()));
        self.advance_join();
    }

    /// Advances the join in progress, if there is one.
    pub(super) fn advance_join(&mut self) {
        let Some(join) = self.join.take() else { return };
        match join.advance(Instant::now(), self.poller.registry()) {
            Ok(Joining::UnderWay(join)) => {
                if let Some(server) = self.server.as_mut().filter(|_| join.has_greeted()) {
                    server.set_replaceable();
                }
                self.join = Some(*join);
            }
            Ok(Joining::Welcome(connection)) => self.register_server(*connection),
            Err(e) => self.join_failed(&e),
        }
    }

    /// The server has said Welcome.
    fn register_server(&mut self, mut connection: ServerConnection) {
        let both = Interest::READABLE | Interest::WRITABLE;
        let socket = connection.control.conn().wire().socket();
        if let Err(e) = self.poller.registry().reregister(socket, tokens::CONTROL, both) {
            return self.join_failed(&e);
        }
        Event::new(&catalogue::SERVER_JOINED)
            .field_display("address", connection.address)
            .field_display("proxy_id", &connection.proxy_id)
            .log();
        sys::set_title(&format!("joined {}", connection.address));
        if let Some(server) = &mut self.server {
            let renewed = server.renewed(connection, Instant::now());
            self.check_server(Some(renewed));
        } else {
            self.server = Some(Server::new(connection));
            self.forker.stop();
            if let Some(ready) = self.setup.ready.take() {
                Ready::succeed(ready);
            }
            self.apply_listeners();
        }
        self.read_server();
    }

    /// At the start this ends the client; in a renewal the old connection stays.
    fn join_failed(&mut self, e: &dyn fmt::Display) {
        let Some(server) = &mut self.server else {
            let reason = format!("the server {} was not joined: {e}", self.setup.route);
            self.stop.get_or_insert(Finish::Failed(reason));
            return;
        };
        let released = server.renewal_failed();
        self.check_server(Some(released));
        self.log_failed_renewal(e);
    }

    /// Begins to renew the control connection, once no configuration is being sent. It uses the address of the joined
    /// server, because it must be the same server.
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

    fn log_failed_renewal(&mut self, e: &dyn fmt::Display) {
        common::error!("the control connection was not renewed: {e}");
        self.enrolment.renewal_failed(Instant::now());
    }

    /// Reads all messages of the server. They ask and report; none of them names an address, a path or a command.
    pub(super) fn read_server(&mut self) {
        while let Some(server) = &mut self.server {
            match server.receive(Instant::now()) {
                Ok(Some(message)) => self.on_server_message(message),
                Ok(None) => return,
                Err(e) => return self.check_server(Some(Err(e))),
            }
        }
    }

    fn on_server_message(&mut self, message: ToClient) {
        let now = Instant::now();
        let actions = &mut self.actions;
        match message {
            ToClient::Ping | ToClient::Welcome { .. } => {}
            ToClient::Refused { reason } => {
                self.stop = Some(Finish::Failed(format!("the server refused this client: {reason}")));
            }
            ToClient::GetConfig { generation, time, addresses } => {
                self.fetch_config(generation, time, addresses);
            }
            ToClient::Pair { pair, ticket, direction } => {
                self.sessions.on_pair((pair, ticket), direction, now, actions);
            }
            ToClient::NoOutgoing { reason } => self.sessions.pool.on_no_pair(reason, now, actions),
            ToClient::Retire { pair } => self.sessions.children.retire(pair, actions),
            ToClient::ActOutcome(outcome) => self.acts.on_outcome(outcome, actions),
            ToClient::CrlUrl(url) => self.backend.pass_report(BackendCall::CrlUrl(url), now, actions),
            ToClient::SystemLog(entry) => {
                // Whatever origin the entry claims, it comes from the DMZ.
                let entry = SystemLog { origin: Origin::Server, ..*entry };
                self.backend.pass_report(BackendCall::SystemLog(Box::new(entry)), now, actions);
            }
            ToClient::Sessions(events) => {
                let children = &mut self.sessions.children;
                let server = self.server.as_ref().map(Server::proxy_id);
                let complete = |report: &mut BackendCall| {
                    if let BackendCall::Sessions(events) = report {
                        children.name_stations(events);
                        // Whatever server the events claim, they come from this one.
                        events
                            .iter_mut()
                            .zip(server.iter().cycle())
                            .for_each(|(event, id)| event.set_server(id));
                    }
                };
                self.backend.pass_completed(BackendCall::Sessions(events), complete, now, actions);
            }
            ToClient::State(state) => {
                let octets = frame::length(&state).unwrap_or(usize::MAX);
                if octets <= MAX_REPORT {
                    self.backend.feed.on_server(state, now);
                }
            }
            ToClient::Refusals(refusals) => {
                if let Some(server) = &self.server {
                    self.backend.pass_refusals(server.proxy_id(), refusals, now, actions);
                }
            }
        }
    }

    /// One request at a time: a request of the server before the last one is answered is ignored.
    fn fetch_config(
        &mut self,
        generation: Option<u64>,
        server_time: Option<i64>,
        mut server_addresses: Vec<IpAddr>,
    ) {
        let Some(server) = &self.server else { return };
        if server.is_bulk_pending() || self.backend.is_asked("proxy_config") {
            common::debug!("the server asks for its configuration while it is on its way");
            return;
        }
        server_addresses.truncate(MAX_ADDRESSES);
        let proxy_id = server.proxy_id();
        let question = BackendCall::ServerConfig { proxy_id, generation, server_time, server_addresses };
        self.backend.ask(question, &mut self.actions);
    }

    /// Begins an act of an administrator: this client's part, and the server's.
    pub(super) fn begin_act(&mut self, act: Act) {
        let feed = &self.backend.feed;
        let fault = match &self.server {
            Some(server) if server.does(act.kind.word()) => None,
            Some(server) => Some(server.too_old(feed.server_version())),
            None => Some("this client is joined to no server".to_owned()),
        };
        self.acts.begin(act, fault, &self.sessions.children, &mut self.actions);
    }

    pub(super) fn send_to_server(&mut self, message: ToServer) {
        let sent = self.server.as_mut().map(|server| server.send(message));
        self.check_server(sent);
    }

    pub(super) fn fail_pair(&mut self, pair: SessionId, reason: String, retired: bool) {
        if let Some(unlogged) = self.failed_pairs.admit(Instant::now()) {
            let before = if unlogged > 0 {
                format!("; {unlogged} more before it have no line")
            } else {
                String::new()
            };
            common::warn!("pair {pair} failed: {}{before}", common::log::escape(&reason));
        }
        self.send_to_server(ToServer::PairFailed { pair, reason, retired });
    }

    /// Sends as much as the server takes.
    pub(super) fn flush_control(&mut self) {
        let flushed = self.server.as_mut().map(Server::flush);
        self.check_server(flushed);
    }

    /// When the server ends, the client ends, as documented.
    pub(super) fn check_server(&mut self, outcome: Option<Result<(), ControlError>>) {
        if let Some(Err(e)) = outcome {
            self.server = None;
            self.stop.get_or_insert_with(|| Finish::Failed(e.to_string()));
        }
    }

    /// Opens and closes listeners according to the configuration, while there is a server.
    pub(super) fn apply_listeners(&mut self) {
        if let Some(config) = self.sessions.config().filter(|_| self.server.is_some() && !self.drain.is_on())
        {
            self.listeners.apply(config, self.poller.registry(), &mut self.actions);
        }
    }
}

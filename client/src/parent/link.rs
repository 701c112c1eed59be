//! The links to the servers: our certificate, the joins and their renewals, the messages of the servers, and the
//! listeners that are open while a server is joined.

use super::backend_call::BackendCall;
use super::control::{Server, ServerConnection};
use super::join::{Join, Joining};
use super::members::TRY_AGAIN;
use super::place::Place;
use super::{Action, Parent, action, tokens};
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
    /// Whether the start is over: a server was joined, or has let this client stand by.
    pub(super) fn is_started(&self) -> bool {
        self.ready.is_none()
    }

    /// Requests a certificate for a new key, unless a request is open.
    pub(super) fn request_enrolment(&mut self) {
        let renewal = self.is_started();
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

    /// Our certificate has arrived. At the start the configuration is requested next; later, the control connections
    /// are renewed.
    pub(super) fn accept_enrolment(
        &mut self,
        enrolment: &rpc::Enrolment,
        now: Instant,
    ) -> Result<(), String> {
        self.enrolment.accept(enrolment, now)?;
        if !self.is_started() {
            self.backend.ask(BackendCall::ClientConfig, &mut self.actions);
        }
        Ok(())
    }

    /// Our configuration has arrived. At the start the servers are joined next.
    pub(super) fn accept_config(&mut self, config: ClientConfig) {
        if self.sessions.accept_config(config, Instant::now(), &mut self.actions) {
            self.forker.stop();
        }
        if self.is_started() {
            return self.apply_listeners();
        }
        self.members.begin_all(Instant::now());
        for place in self.members.places() {
            self.begin(place);
        }
    }

    /// Begins to join this server, unless that is under way.
    fn begin(&mut self, place: Place) {
        let Some(member) = self.members.get_mut(place).filter(|member| member.join.is_none()) else { return };
        // If the worker loses the question, it is asked again.
        member.try_at = Some(Instant::now() + TRY_AGAIN);
        let (host, port) = (member.route.host.clone(), member.route.port);
        match net::literal_address(&host, port) {
            Some(address) => self.begin_join(place, vec![address]),
            None => self.backend.ask(BackendCall::LookUp { host, port }, &mut self.actions),
        }
    }

    /// The addresses of a server were looked up.
    pub(super) fn on_addresses(&mut self, host: &str, port: u16, addresses: &[SocketAddr]) {
        for place in self.members.at(host, port) {
            self.begin_join(place, addresses.to_vec());
        }
    }

    /// They were not found.
    pub(super) fn look_up_failed(&mut self, host: &str, port: u16, reason: &str) {
        for place in self.members.at(host, port) {
            self.join_failed(place, &reason);
        }
    }

    fn begin_join(&mut self, place: Place, addresses: Vec<SocketAddr>) {
        let (serial, source) = (self.enrolment.serial(), self.setup.source);
        let Some(credentials) = self.enrolment.credentials() else { return };
        let Some(member) = self.members.get_mut(place) else { return };
        let join = Join::new((addresses, source), tokens::join(place), credentials, None, Instant::now());
        member.begin(join, serial);
        self.advance_join(place);
    }

    /// Advances all joins in progress.
    pub(super) fn advance_joins(&mut self) {
        for place in self.members.places() {
            self.advance_join(place);
        }
    }

    /// Advances the join of this server, if there is one.
    pub(super) fn advance_join(&mut self, place: Place) {
        let Some(member) = self.members.get_mut(place) else { return };
        let Some(join) = member.join.take() else { return };
        let stood_by = join.standby().is_some();
        match join.advance(Instant::now(), self.poller.registry()) {
            Ok(Joining::UnderWay(join)) => {
                if let Some(server) = member.server.as_mut().filter(|_| join.has_greeted()) {
                    server.set_replaceable();
                }
                member.join = Some(*join);
                if !stood_by {
                    self.note_standby(place);
                }
            }
            Ok(Joining::Welcome(connection)) => {
                self.register_server(place, *connection);
                if stood_by {
                    // Ours may be as old as the time of the wait.
                    self.backend.ask(BackendCall::ClientConfig, &mut self.actions);
                }
            }
            Err(e) => self.join_failed(place, &e),
        }
    }

    /// If the server has just said that this client stands by: the start is over.
    fn note_standby(&mut self, place: Place) {
        let Some(connection) = self.members.get(place).and_then(|member| member.standby()) else { return };
        if let Some(same) = self.members.same_server(place, connection) {
            common::error!("-S names the server {same} twice: {} leads to it as well", connection.address);
            // It is not tried again.
            if let Some(member) = self.members.get_mut(place) {
                member.join = None;
            }
            return;
        }
        Event::new(&catalogue::SERVER_STANDBY)
            .field_display("address", connection.address)
            .field_display("proxy_id", &connection.proxy_id)
            .log();
        self.settled(place);
    }

    /// This client is joined to this server, or stands by.
    fn settled(&mut self, place: Place) {
        if let Some(member) = self.members.get_mut(place) {
            member.is_told = false;
        }
        self.update_title();
        if let Some(ready) = self.ready.take() {
            Ready::succeed(ready);
        }
    }

    /// Sets the title for `ps`.
    fn update_title(&self) {
        let joined: Vec<String> = self.members.addresses().iter().map(SocketAddr::to_string).collect();
        sys::set_title(&if self.members.stands_by() {
            format!("standing by for {}", self.members)
        } else if joined.is_empty() {
            format!("joining {}", self.members)
        } else {
            format!("joined {}", joined.join(", "))
        });
    }

    /// A new certificate has arrived while this client stands by: it comes again with that one.
    fn renew_standby(&mut self, place: Place) {
        let standby = self.members.get(place).and_then(|member| member.standby());
        let Some(address) = standby.map(|connection| connection.address) else { return };
        self.begin_join(place, vec![address]);
    }

    /// The server has said Welcome.
    fn register_server(&mut self, place: Place, mut connection: ServerConnection) {
        let both = Interest::READABLE | Interest::WRITABLE;
        let socket = connection.control.conn().wire().socket();
        if let Err(e) = self.poller.registry().reregister(socket, tokens::control(place), both) {
            return self.join_failed(place, &e);
        }
        Event::new(&catalogue::SERVER_JOINED)
            .field_display("address", connection.address)
            .field_display("proxy_id", &connection.proxy_id)
            .log();
        let Some(member) = self.members.get_mut(place) else { return };
        if let Some(server) = &mut member.server {
            let renewed = server.renewed(connection, Instant::now());
            self.check_server(place, Some(renewed));
        } else {
            member.server = Some(Server::new(connection));
            self.sessions.join(place);
            self.apply_listeners();
        }
        self.settled(place);
        self.read_server(place);
    }

    /// At the start this ends the client, unless another server is or may be joined; in a renewal the old connection
    /// stays.
    fn join_failed(&mut self, place: Place, e: &dyn fmt::Display) {
        let Some(member) = self.members.get_mut(place) else { return };
        if let Some(server) = &mut member.server {
            let released = server.renewal_failed();
            self.check_server(place, Some(released));
            return self.log_failed_renewal(e);
        }
        let reason = format!("the server {} was not joined: {e}", member.route);
        self.lose_member(place, reason);
    }

    /// This server is not joined. While another one is, or may be soon, it is tried again; otherwise the client ends.
    fn lose_member(&mut self, place: Place, reason: String) {
        let Some(member) = self.members.get_mut(place) else { return };
        member.try_at = None;
        let may_go_on = self.members.is_settled() || self.members.is_joining();
        let Some(member) = self.members.get_mut(place).filter(|_| may_go_on) else {
            self.stop.get_or_insert(Finish::Failed(reason));
            return;
        };
        member.try_at = Some(Instant::now() + TRY_AGAIN);
        if !std::mem::replace(&mut member.is_told, true) {
            Event::new(&catalogue::SERVER_LOST)
                .field_display("address", &member.route)
                .field("reason", &reason)
                .log();
        }
        self.sessions.leave(place, &mut self.actions);
        self.update_title();
        self.apply_listeners();
    }

    /// Tries servers again, and renews connections that show an older certificate, when it is time.
    pub(super) fn maintain_members(&mut self, now: Instant) {
        let serial = self.enrolment.serial();
        for place in self.members.places() {
            let Some(member) = self.members.get(place) else { continue };
            let is_old = member.certificate != serial;
            if member.try_at.is_some_and(|at| at <= now) {
                self.begin(place);
            } else if is_old && member.standby().is_some() {
                self.renew_standby(place);
            } else if is_old {
                self.renew_control(place);
            }
        }
    }

    /// Begins to renew the control connection, once no configuration is being sent. It uses the address of the joined
    /// server, because it must be the same server.
    fn renew_control(&mut self, place: Place) {
        let (serial, source) = (self.enrolment.serial(), self.setup.source);
        let Some(member) = self.members.get_mut(place).filter(|member| member.join.is_none()) else { return };
        let server = member.server.as_mut().filter(|server| !server.is_bulk_pending());
        let (Some(server), Some(credentials)) = (server, self.enrolment.credentials()) else { return };
        match Ticket::random() {
            Ok(secret) => {
                let to = (vec![server.address()], source);
                let announced = server.announce_renewal(secret.clone());
                let join = Join::new(to, tokens::join(place), credentials, Some(secret), Instant::now());
                member.begin(join, serial);
                self.check_server(place, Some(announced));
                self.advance_join(place);
            }
            Err(e) => {
                member.certificate = serial;
                self.log_failed_renewal(&e);
            }
        }
    }

    fn log_failed_renewal(&mut self, e: &dyn fmt::Display) {
        common::error!("the control connection was not renewed: {e}");
        self.enrolment.renewal_failed(Instant::now());
    }

    /// Reads all messages of all servers that may have some.
    pub(super) fn read_servers(&mut self) {
        for place in self.members.places() {
            if self.members.server(place).is_some_and(|server| server.may_have_more()) {
                self.read_server(place);
            }
        }
    }

    /// Reads all messages of this server. They ask and report; none of them names an address, a path or a command.
    pub(super) fn read_server(&mut self, place: Place) {
        while let Some(server) = self.members.server(place) {
            match server.receive(Instant::now()) {
                Ok(Some(message)) => self.on_server_message(place, message),
                Ok(None) => return,
                Err(e) => return self.check_server(place, Some(Err(e))),
            }
        }
    }

    fn on_server_message(&mut self, place: Place, message: ToClient) {
        let now = Instant::now();
        let actions = &mut self.actions;
        match message {
            ToClient::Ping | ToClient::Standby | ToClient::Welcome { .. } => {}
            ToClient::Refused { reason } => {
                self.lose_server(place, format!("the server refused this client: {reason}"));
            }
            ToClient::GetConfig { generation, time, addresses } => {
                self.fetch_config(place, generation, time, addresses);
            }
            ToClient::Pair { pair, ticket, direction } => {
                if let Some(server) = self.members.server(place).map(|server| server.address()) {
                    let pair = action::Pair { place, server, id: pair, ticket };
                    self.sessions.on_pair(pair, direction, now, actions);
                }
            }
            ToClient::NoOutgoing { reason } => self.sessions.on_no_pair(place, reason, now, actions),
            ToClient::Retire { pair } => self.sessions.children.retire(place, pair, actions),
            ToClient::ActOutcome(outcome) => self.acts.on_outcome(outcome, actions),
            ToClient::CrlUrl(url) => self.backend.pass_report(BackendCall::CrlUrl(url), now, actions),
            ToClient::SystemLog(entry) => {
                // Whatever origin the entry claims, it comes from the DMZ.
                let entry = SystemLog { origin: Origin::Server, ..*entry };
                self.backend.pass_report(BackendCall::SystemLog(Box::new(entry)), now, actions);
            }
            ToClient::Sessions(events) => {
                let children = &mut self.sessions.children;
                let server = self.members.server(place).map(|server| server.proxy_id());
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
                    self.backend.feed.on_server(place, state, now);
                }
            }
            ToClient::Refusals(refusals) => {
                if let Some(server) = self.members.server(place) {
                    self.backend.pass_refusals(server.proxy_id(), refusals, now, actions);
                }
            }
        }
    }

    /// One request at a time: one that comes before the last is answered is ignored.
    fn fetch_config(
        &mut self,
        place: Place,
        generation: Option<u64>,
        server_time: Option<i64>,
        mut server_addresses: Vec<IpAddr>,
    ) {
        let Some(server) = self.members.server(place) else { return };
        if server.is_bulk_pending() {
            common::debug!("the server asks for its configuration while it is on its way");
            return;
        }
        server_addresses.truncate(MAX_ADDRESSES);
        let proxy_id = server.proxy_id();
        let question =
            BackendCall::ServerConfig { place, proxy_id, generation, server_time, server_addresses };
        self.backend.ask(question, &mut self.actions);
    }

    /// Begins an act of an administrator: this client's part, and the servers'.
    pub(super) fn begin_act(&mut self, act: &Act) {
        let able = self.able(act.kind.word());
        self.acts.begin(act, able, &self.sessions.children, &mut self.actions);
    }

    /// The joined servers that carry out acts of this kind, or why there is none.
    fn able(&self, kind: &str) -> Result<Vec<Place>, String> {
        let able = self.members.servers().filter(|(_, server)| server.does(kind));
        let able: Vec<Place> = able.map(|(place, _)| place).collect();
        match self.members.servers().next() {
            _ if !able.is_empty() => Ok(able),
            Some((place, server)) => Err(server.too_old(self.backend.feed.server_version(place))),
            None => Err("this client is joined to no server".to_owned()),
        }
    }

    pub(super) fn send_to_server(&mut self, place: Place, message: ToServer) {
        let sent = self.members.server(place).map(|server| server.send(message));
        self.check_server(place, sent);
    }

    pub(super) fn fail_pair(&mut self, place: Place, pair: SessionId, reason: String, retired: bool) {
        if let Some(unlogged) = self.failed_pairs.admit(Instant::now()) {
            let before = if unlogged > 0 {
                format!("; {unlogged} more before it have no line")
            } else {
                String::new()
            };
            common::warn!("pair {pair} failed: {}{before}", common::log::escape(&reason));
        }
        self.send_to_server(place, ToServer::PairFailed { pair, reason, retired });
    }

    /// Sends as much as the servers take.
    pub(super) fn flush_control(&mut self) {
        for place in self.members.places() {
            let flushed = self.members.server(place).map(Server::flush);
            self.check_server(place, flushed);
        }
    }

    pub(super) fn check_server(&mut self, place: Place, outcome: Option<Result<(), ControlError>>) {
        if let Some(Err(e)) = outcome {
            self.lose_server(place, e.to_string());
        }
    }

    /// A server is gone. When all are, the client ends, as documented.
    fn lose_server(&mut self, place: Place, reason: String) {
        let Some(member) = self.members.get_mut(place) else { return };
        (member.server, member.join) = (None, None);
        self.backend.feed.forget(place);
        self.lose_member(place, reason);
    }

    /// Tells all servers that there is another generation of the configuration.
    pub(super) fn announce_config(&mut self) {
        let takes = self.members.servers().filter(|(_, server)| server.takes_changes());
        let places: Vec<Place> = takes.map(|(place, _)| place).collect();
        for place in places {
            self.actions.push(Action::SendToServer(place, ToServer::ConfigChanged));
        }
    }

    /// Opens and closes listeners according to the configuration while a server is joined; otherwise closes them.
    pub(super) fn apply_listeners(&mut self) {
        let registry = self.poller.registry();
        if !self.members.is_joined() {
            return self.listeners.close_all("no server is joined", registry, &mut self.actions);
        }
        if let Some(config) = self.sessions.config().filter(|_| !self.drain.is_on()) {
            self.listeners.apply(config, registry, &mut self.actions);
        }
    }
}

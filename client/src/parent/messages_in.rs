//! The parent's ears: reads the sockets of server, API worker and children, and feeds the machines with what came.

use super::Parent;
use super::action::Action;
use super::backend_call::{Answer, BackendCall};
use super::control::{self, Server};
use super::join::Joining;
use crate::backend::{Done, Reply};
use crate::messages::ToParent;
use common::config::ClientConfig;
use common::link::control::{ToClient, ToServer};
use common::net;
use common::process::startup::Finish;
use common::rpc::{self, MAX_ADDRESSES, Origin, SystemLog};
use common::secret::Secret;
use nix::unistd::Pid;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

impl Parent {
    /// Reads all that the server has sent. Its messages ask and report; none names an address, a path or a command.
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
            ToClient::CrlUrl(url) => self.backend.pass_report(BackendCall::CrlUrl(url), now, actions),
            ToClient::SystemLog(entry) => {
                // Whatever the DMZ says of itself, this comes from there.
                let entry = SystemLog { origin: Origin::Server, ..*entry };
                self.backend.pass_report(BackendCall::SystemLog(Box::new(entry)), now, actions);
            }
            ToClient::Sessions(events) => {
                let children = &mut self.sessions.children;
                let name_stations = |report: &mut BackendCall| {
                    if let BackendCall::Sessions(events) = report {
                        children.name_stations(events);
                    }
                };
                self.backend.pass_completed(BackendCall::Sessions(events), name_stations, now, actions);
            }
        }
    }

    /// One at a time: a server that asks again before it has its answer asks in vain.
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

    /// The join that is under way goes on, if there is one.
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

    /// Takes in what a child has sent.
    pub(super) fn read_child(&mut self, pid: Pid) {
        let Some(channel) = self.channels.get(&pid) else { return };
        while let Some(message) = channel.receive_from_child::<ToParent>(pid) {
            self.sessions.children.on_message(pid, message, &mut self.actions);
        }
    }

    /// The API worker has replied, or has room for more, or is gone.
    pub(super) fn read_worker(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        worker.flush();
        let is_alive = worker.read().unwrap_or_else(|e| {
            common::error!("the API worker broke off: {e}");
            false
        });
        while let Some(worker) = &mut self.worker {
            match worker.next_reply() {
                Ok(Some(Done { number, reply })) => self.on_reply(number, reply),
                Ok(None) if is_alive => return,
                Ok(None) => return self.remove_worker(),
                Err(e) => {
                    common::error!("the API worker sent {e}");
                    return self.remove_worker();
                }
            }
        }
    }

    /// The API watcher has something to say: there is another generation, for us and for the server.
    pub(super) fn read_watcher(&mut self) {
        while let Some((pid, channel)) = &self.watcher
            && let Some(generation) = channel.receive_from_child::<u64>(*pid)
        {
            common::debug!("the backend has generation {generation}");
            self.backend.ask(BackendCall::ClientConfig, &mut self.actions);
            if self.server.as_ref().is_some_and(Server::hears_changes) {
                self.actions.push(Action::SendToServer(ToServer::ConfigChanged));
            }
        }
    }

    fn on_reply(&mut self, number: u64, reply: Reply) {
        let Some(call) = self.backend.take_call(number) else { return };
        let now = Instant::now();
        let taken = match reply {
            Reply::Failed { reason, untaken } => Err((reason, untaken)),
            Reply::Addresses(addresses) => return self.begin_join(addresses),
            // The backend has heard the question, whatever its answer is worth.
            Reply::Answer { text } => self.accept_answer(&call, &text, now).map_err(|reason| (reason, false)),
        };
        match taken {
            Ok(()) => self.backend.succeeded(call.function(), now, &mut self.actions),
            Err(failure) => {
                let is_joined = self.server.is_some();
                self.backend.failed((number, call), failure, is_joined, now, &mut self.actions);
            }
        }
    }

    fn accept_answer(&mut self, call: &BackendCall, text: &Secret, now: Instant) -> Result<(), String> {
        match call.read_answer(text)? {
            Answer::Enrolment(enrolment) => self.accept_enrolment(&enrolment, now)?,
            Answer::ClientConfig(config) => self.accept_config(config),
            Answer::ServerConfig => {
                for part in control::config_parts(text.expose()) {
                    self.actions.push(Action::SendBulkToServer(part));
                }
            }
            Answer::Taken => {}
        }
        Ok(())
    }

    /// Our certificate has come. At the start the configuration is next; later, the control connection is renewed.
    fn accept_enrolment(&mut self, enrolment: &rpc::Enrolment, now: Instant) -> Result<(), String> {
        self.enrolment.accept(enrolment, now)?;
        if self.server.is_none() {
            self.backend.ask(BackendCall::ClientConfig, &mut self.actions);
        }
        Ok(())
    }

    /// Our configuration has come. At the start the server is joined next.
    fn accept_config(&mut self, config: ClientConfig) {
        if self.sessions.accept_config(config, &mut self.actions) {
            self.nursery = None;
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
}

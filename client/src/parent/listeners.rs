//! The sockets of the local listeners for the station's outgoing sessions. They are opened, moved and closed according
//! to the configuration, without an effect on running sessions. Nothing is read here; `admission` decides whether a
//! station may come in.

use super::action::{Action, Actions};
use super::admission;
use super::backend_call::BackendCall;
use super::tokens;
use crate::session::Station;
use common::config::{ClientConfig, MAX_TIED};
use common::log::{Event, Throttle, catalogue};
use common::net::{self, Accepting, Network};
use common::process::end_reasons::Status;
use common::rpc::Level;
use common::state::OpenListener;
use common::sys;
use mio::net::TcpListener;
use mio::{Interest, Registry};
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Instant;

/// Connections that are accepted in one turn, so that other work is done, too.
const BURST: usize = 32;

/// A listener in the configuration.
#[derive(Clone)]
struct ListenerSpec {
    address: SocketAddr,
    /// The partner that all its connections go to; none: it accepts proxy requests.
    tied: Option<String>,
    /// The networks that may use it.
    networks: Vec<Network>,
}

impl ListenerSpec {
    /// Whether it has the same address and purpose; its networks can change while it is open.
    fn is_same(&self, other: &Self) -> bool {
        self.address == other.address && self.tied == other.tied
    }

    /// The first fields of each log line about it.
    fn event(&self, row: &'static catalogue::Row) -> Event {
        Event::new(row)
            .field("listener", "local")
            .field_display("address", self.address)
            .field_opt("partner", self.tied.as_deref())
    }
}

struct Listener {
    socket: TcpListener,
    spec: ListenerSpec,
    accepting: Accepting,
}

#[derive(Default)]
pub(super) struct Listeners {
    /// The listeners of the configuration, and its generation.
    wanted: (Option<u64>, Vec<ListenerSpec>),
    /// By slot.
    open: Vec<Option<Listener>>,
    /// Addresses that could not be bound and have a log line.
    faulty: HashSet<SocketAddr>,
    refusals: Throttle,
}

impl Listeners {
    pub(super) fn are_open(&self) -> bool {
        self.open.iter().any(Option::is_some)
    }

    /// The open listeners, for the report about this client.
    pub(super) fn all_open(&self) -> Vec<OpenListener> {
        let shown = |listener: &Listener| OpenListener {
            purpose: listener.spec.tied.clone().unwrap_or_else(|| "stations".to_owned()),
            address: listener.spec.address,
        };
        self.open.iter().flatten().map(shown).collect()
    }

    /// When to try again after an accept that failed.
    pub(super) fn due(&self) -> Option<Instant> {
        self.open.iter().flatten().filter_map(|listener| listener.accepting.retry_at()).min()
    }

    /// The listeners of this configuration; computed once for each generation.
    fn wanted_by(&mut self, config: &ClientConfig) -> Vec<ListenerSpec> {
        if self.wanted.0 != Some(config.generation) {
            self.wanted = (Some(config.generation), wanted(config));
        }
        self.wanted.1.clone()
    }

    /// Opens and closes listeners according to the configuration; one that cannot be opened is tried again in the next
    /// call.
    pub(super) fn apply(&mut self, config: &ClientConfig, registry: &Registry, actions: &mut Actions) {
        let wanted = self.wanted_by(config);
        self.faulty.retain(|address| wanted.iter().any(|spec| spec.address == *address));
        // Close first: a new listener may need the address of an old one.
        for slot in 0..self.open.len() {
            let Some(Some(listener)) = self.open.get_mut(slot) else { continue };
            match wanted.iter().find(|spec| spec.is_same(&listener.spec)) {
                Some(spec) => listener.spec.networks.clone_from(&spec.networks),
                None => self.close(slot, "the configuration has changed", registry, actions),
            }
        }
        for spec in wanted {
            if !self.open.iter().flatten().any(|listener| listener.spec.is_same(&spec)) {
                self.open(spec, registry, actions);
            }
        }
    }

    /// Closes all listeners; stations that wait in their queues are still accepted.
    pub(super) fn close_all(&mut self, reason: &str, registry: &Registry, actions: &mut Actions) {
        for slot in 0..self.open.len() {
            self.close(slot, reason, registry, actions);
        }
    }

    fn close(&mut self, slot: usize, reason: &str, registry: &Registry, actions: &mut Actions) {
        // Accept what is queued first: closing would reset established connections.
        self.accept(slot, registry, actions);
        let Some(mut listener) = self.open.get_mut(slot).and_then(Option::take) else { return };
        let _ = registry.deregister(&mut listener.socket);
        let event = listener.spec.event(&catalogue::LISTENER_CLOSED);
        event.field("reason", reason).log();
    }

    fn open(&mut self, spec: ListenerSpec, registry: &Registry, actions: &mut Actions) {
        let free = self.open.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.open.len());
        let opened = net::listen_at(spec.address).and_then(|socket| {
            socket.set_nonblocking(true)?;
            let mut socket = TcpListener::from_std(socket);
            registry.register(&mut socket, tokens::listener(slot), Interest::READABLE)?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => {
                self.faulty.remove(&spec.address);
                spec.event(&catalogue::LISTENER_OPEN).log();
                let listener = Some(Listener { socket, spec, accepting: Accepting::default() });
                match self.open.get_mut(slot) {
                    Some(place) => *place = listener,
                    None => self.open.push(listener),
                }
            }
            Err(e) => {
                if self.faulty.insert(spec.address) {
                    let event = spec.event(&catalogue::LISTENER_ERROR).field_display("reason", e);
                    report_error("the local listener cannot be opened", event, actions);
                }
            }
        }
    }

    /// Accepts stations; each becomes an action.
    pub(super) fn accept(&mut self, slot: usize, registry: &Registry, actions: &mut Actions) {
        let Some(Some(Listener { socket, spec, accepting })) = self.open.get_mut(slot) else { return };
        for _ in 0..BURST {
            match accepting.next(socket) {
                Ok(Some((socket, peer))) => {
                    let is_allowed = admission::is_allowed(peer.ip(), &spec.networks);
                    let station = Station { socket, peer, tied: spec.tied.clone() };
                    actions.push(Action::AdmitStation { station, is_allowed });
                }
                Ok(None) => return,
                Err(e) => {
                    let event = spec.event(&catalogue::LISTENER_ERROR);
                    let event = event.field("reason", format!("it cannot accept: {e}"));
                    return report_error("the local listener cannot accept", event, actions);
                }
            }
        }
        // mio is edge-triggered: without this no event reports the remaining connections.
        let _ = registry.reregister(socket, tokens::listener(slot), Interest::READABLE);
    }

    /// Tries accept again where it has failed, if that is due.
    pub(super) fn retry(&mut self, registry: &Registry, actions: &mut Actions) {
        for slot in 0..self.open.len() {
            let listener = self.open.get(slot).and_then(Option::as_ref);
            if listener.is_some_and(|listener| listener.accepting.is_due()) {
                self.accept(slot, registry, actions);
            }
        }
    }

    /// Breaks the connection of a station. A regular close would look like the end of a session.
    pub(super) fn refuse(&mut self, station: &Station, status: Status, reason: &str, now: Instant) {
        // A connection that is gone needs no reset.
        let _ = sys::linger_reset(station.socket.as_fd());
        let Some(unlogged) = self.refusals.admit(now) else { return };
        Event::new(&catalogue::SESSION_REFUSED)
            .field("direction", "outgoing")
            .field("reason", status.word())
            .field_display("address", station.peer)
            .field_opt("partner", station.tied.as_deref())
            .unlogged(unlogged)
            .field("detail", reason)
            .log();
    }
}

/// Logs an error of a listener, and reports it to the backend.
fn report_error(text: &str, event: Event, actions: &mut Actions) {
    actions.push(Action::Report(BackendCall::log_entry(Level::Error, text, event.text())));
    event.log();
}

/// The listener for proxy requests, and the tied ones.
fn wanted(config: &ClientConfig) -> Vec<ListenerSpec> {
    let spec = |ip: Option<IpAddr>, port, tied: Option<&String>, listed: &[String]| ListenerSpec {
        address: net::canonical(SocketAddr::new(ip.unwrap_or(net::ANY), port)),
        tied: tied.cloned(),
        networks: networks(listed),
    };
    let proxy = config.listen_port.map(|port| spec(config.listen_ip, port, None, &config.networks));
    let tied = config.tied.iter().take(MAX_TIED);
    let tied = tied.map(|row| spec(row.listen_ip, row.listen_port, Some(&row.partner), &row.networks));
    proxy.into_iter().chain(tied).collect()
}

fn networks(listed: &[String]) -> Vec<Network> {
    if listed.is_empty() {
        return net::private_networks();
    }
    // A configuration with an unreadable network was refused before.
    listed.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{ListenerSpec, networks, wanted};
    use common::config::{ClientConfig, Confinement, Limits, Tied};

    fn may_use(spec: &ListenerSpec, from: &str) -> bool {
        spec.networks.iter().any(|network| network.contains(from.parse().unwrap()))
    }

    #[test]
    fn each_listener_has_its_own_networks() {
        let tied = |port, networks: &[&str]| Tied {
            listen_ip: Some([127, 0, 0, 2].into()),
            listen_port: port,
            partner: "acme".to_owned(),
            networks: networks.iter().map(|&text| text.to_owned()).collect(),
        };
        let config = ClientConfig {
            generation: 1,
            station_host: "localhost".to_owned(),
            station_port: 3305,
            station_proxy_protocol: false,
            listen_ip: None,
            listen_port: Some(65_433),
            networks: vec!["192.0.2.0/24".to_owned()],
            tied: vec![tied(3306, &[]), tied(3307, &["192.0.2.9"])],
            debug: Vec::new(),
            sandbox: Confinement::Sandbox,
            limits: Limits::default(),
        };
        let specs = wanted(&config);
        let seen: Vec<_> = specs
            .iter()
            .map(|spec| {
                let may = ["192.0.2.1", "192.0.2.9", "10.0.0.1"].map(|from| may_use(spec, from));
                (spec.address.to_string(), spec.tied.as_deref(), may)
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("[::]:65433".to_owned(), None, [true, true, false]),
                ("127.0.0.2:3306".to_owned(), Some("acme"), [false, false, true]),
                ("127.0.0.2:3307".to_owned(), Some("acme"), [false, true, false]),
            ]
        );
        let none = ClientConfig { listen_port: None, tied: Vec::new(), ..config };
        assert!(wanted(&none).is_empty());
    }

    #[test]
    fn a_list_without_a_readable_network_lets_nobody_in() {
        assert!(networks(&["nonsense".to_owned()]).is_empty());
    }
}

//! The listeners for the station's outgoing sessions: opened, moved and closed as the configuration says, without
//! touching running sessions. Nothing is read here; whoever may not use them is turned away.

use super::{LISTENERS, Parent};
use crate::session::Station;
use common::config::{ClientConfig, MAX_TIED};
use common::log::{Event, Throttle, events};
use common::net::{self, Accepting, Network};
use common::process::status::Status;
use common::sys;
use mio::net::TcpListener;
use mio::{Interest, Token};
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Instant;

/// Connections taken in at a time, so that other work gets its turn.
const BURST: usize = 32;
/// Beyond the limit of sessions so many stations are told so; all further ones are cut off.
const TOLD: usize = 20;

/// A listener as the configuration wants it.
#[derive(Clone)]
struct ListenerSpec {
    address: SocketAddr,
    /// The partner it leads to; none: it takes proxy requests.
    tied: Option<String>,
    /// Who may use it.
    networks: Vec<Network>,
}

impl ListenerSpec {
    /// The same place for the same purpose; who may use it can change while it is open.
    fn is_same(&self, other: &Self) -> bool {
        self.address == other.address && self.tied == other.tied
    }

    /// What each line about it begins with.
    fn event(&self, row: &'static events::Row) -> Event {
        Event::new(row)
            .field("listener", "local")
            .field_display("address", self.address)
            .field_opt("partner", self.tied.as_deref())
    }
}

struct Listener {
    socket: TcpListener,
    door: ListenerSpec,
    accepting: Accepting,
}

#[derive(Default)]
pub(super) struct Listeners {
    /// What is wanted, and the generation that says so.
    wanted: (Option<u64>, Vec<ListenerSpec>),
    /// By slot: `LISTENERS` and the tokens after it.
    open: Vec<Option<Listener>>,
    /// Addresses that could not be bound, and were told of.
    faulty: HashSet<SocketAddr>,
    refusals: Throttle,
}

impl Listeners {
    pub(super) fn are_open(&self) -> bool {
        self.open.iter().any(Option::is_some)
    }

    /// After an accept that failed: when to try again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.open.iter().flatten().filter_map(|listener| listener.accepting.retry_at()).min()
    }

    /// What is wanted under this configuration; read once for each generation.
    fn wanted_by(&mut self, config: &ClientConfig) -> Vec<ListenerSpec> {
        if self.wanted.0 != Some(config.generation) {
            self.wanted = (Some(config.generation), wanted(config));
        }
        self.wanted.1.clone()
    }
}

impl Parent {
    /// Brings the listeners to what the configuration says; what failed is tried again.
    pub(super) fn tend_listeners(&mut self) {
        let Some(config) = &self.config else { return };
        let wanted = self.listeners.wanted_by(config);
        self.listeners.faulty.retain(|address| wanted.iter().any(|door| door.address == *address));
        // Closed first: a new one may want the place of an old one.
        for slot in 0..self.listeners.open.len() {
            let Some(Some(listener)) = self.listeners.open.get_mut(slot) else { continue };
            match wanted.iter().find(|door| door.is_same(&listener.door)) {
                Some(door) => listener.door.networks.clone_from(&door.networks),
                None => self.close_listener(slot),
            }
        }
        for door in wanted {
            if !self.listeners.open.iter().flatten().any(|open| open.door.is_same(&door)) {
                self.open_listener(door);
            }
        }
    }

    fn close_listener(&mut self, slot: usize) {
        // Who is in its queue has come in time.
        self.accept_stations(slot);
        let Some(mut listener) = self.listeners.open.get_mut(slot).and_then(Option::take) else { return };
        let _ = self.poller.registry().deregister(&mut listener.socket);
        let event = listener.door.event(&events::LISTENER_CLOSED);
        event.field("reason", "the configuration has changed").log();
    }

    fn open_listener(&mut self, door: ListenerSpec) {
        let free = self.listeners.open.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.listeners.open.len());
        let opened = TcpListener::bind(door.address).and_then(|mut socket| {
            self.poller.registry().register(&mut socket, Token(LISTENERS + slot), Interest::READABLE)?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => {
                self.listeners.faulty.remove(&door.address);
                door.event(&events::LISTENER_OPEN).log();
                let listener = Some(Listener { socket, door, accepting: Accepting::default() });
                match self.listeners.open.get_mut(slot) {
                    Some(place) => *place = listener,
                    None => self.listeners.open.push(listener),
                }
            }
            Err(e) => {
                if self.listeners.faulty.insert(door.address) {
                    let event = door.event(&events::LISTENER_ERROR).field_display("reason", e);
                    self.report("the local listener cannot be opened", event.text());
                    event.log();
                }
            }
        }
    }

    /// Takes stations in.
    pub(super) fn accept_stations(&mut self, slot: usize) {
        for _ in 0..BURST {
            let Some(Some(listener)) = self.listeners.open.get_mut(slot) else { return };
            match listener.accepting.next(&listener.socket) {
                Ok(Some((socket, peer))) => {
                    let station = Station { socket, peer, tied: listener.door.tied.clone() };
                    self.meet(slot, station);
                }
                Ok(None) => return,
                Err(e) => {
                    let event = listener.door.event(&events::LISTENER_ERROR);
                    let event = event.field("reason", format!("it cannot accept: {e}"));
                    self.report("the local listener cannot accept", event.text());
                    return event.log();
                }
            }
        }
        // Edge-triggered: what is left is not told again.
        if let Some(Some(listener)) = self.listeners.open.get_mut(slot) {
            let token = Token(LISTENERS + slot);
            let _ = self.poller.registry().reregister(&mut listener.socket, token, Interest::READABLE);
        }
    }

    /// A station has come by the listener in this slot.
    fn meet(&mut self, slot: usize, station: Station) {
        let Some(Some(listener)) = self.listeners.open.get(slot) else { return };
        match self.admission(&listener.door, station.peer.ip()) {
            Ok(()) => self.serve(station),
            Err((status, reason)) => self.turn_away(&station, status, reason),
        }
    }

    /// Tries again where an accept has failed, once it is time.
    pub(super) fn retry_accepts(&mut self) {
        for slot in 0..self.listeners.open.len() {
            let listener = self.listeners.open.get(slot).and_then(Option::as_ref);
            if listener.is_some_and(|listener| listener.accepting.is_due()) {
                self.accept_stations(slot);
            }
        }
    }

    fn admission(&self, door: &ListenerSpec, from: IpAddr) -> Result<(), (Status, &'static str)> {
        if !door.networks.iter().any(|network| network.contains(from)) {
            return Err((
                Status::NotAllowed,
                "its address is not in the networks that may use this listener",
            ));
        }
        let most = self.config.as_ref().map_or(0, |config| config.limits.outgoing_sessions as usize);
        if self.stations() >= most + TOLD {
            return Err((Status::Capacity, "there are as many outgoing sessions as there may be"));
        }
        Ok(())
    }

    /// Breaks a station's connection off. A regular end would look like that of a session.
    pub(super) fn turn_away(&mut self, station: &Station, status: Status, reason: &str) {
        // One that is gone already needs no reset.
        let _ = sys::linger_reset(station.socket.as_fd());
        let Some(unlogged) = self.listeners.refusals.admit(Instant::now()) else { return };
        Event::new(&events::SESSION_REFUSED)
            .field("direction", "outgoing")
            .field("reason", status.word())
            .field_display("address", station.peer)
            .field_opt("partner", station.tied.as_deref())
            .unlogged(unlogged)
            .field("detail", reason)
            .log();
    }
}

/// The listener for proxy requests, and the tied ones.
fn wanted(config: &ClientConfig) -> Vec<ListenerSpec> {
    let door = |ip: Option<IpAddr>, port, tied: Option<&String>, listed: &[String]| ListenerSpec {
        address: SocketAddr::new(ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port),
        tied: tied.cloned(),
        networks: networks(listed),
    };
    let proxy = config.listen_port.map(|port| door(config.listen_ip, port, None, &config.networks));
    let tied = config.tied.iter().take(MAX_TIED);
    let tied = tied.map(|row| door(row.listen_ip, row.listen_port, Some(&row.partner), &row.networks));
    proxy.into_iter().chain(tied).collect()
}

fn networks(listed: &[String]) -> Vec<Network> {
    if listed.is_empty() {
        return net::private_networks();
    }
    // A configuration with one that cannot be read was refused.
    listed.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{ListenerSpec, networks, wanted};
    use common::config::{ClientConfig, Limits, Tied};

    fn may_use(door: &ListenerSpec, from: &str) -> bool {
        door.networks.iter().any(|network| network.contains(from.parse().unwrap()))
    }

    #[test]
    fn each_listener_has_networks_of_its_own() {
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
            listen_ip: None,
            listen_port: Some(65_433),
            networks: vec!["192.0.2.0/24".to_owned()],
            tied: vec![tied(3306, &[]), tied(3307, &["192.0.2.9"])],
            limits: Limits::default(),
        };
        let doors = wanted(&config);
        let seen: Vec<_> = doors
            .iter()
            .map(|door| {
                let may = ["192.0.2.1", "192.0.2.9", "10.0.0.1"].map(|from| may_use(door, from));
                (door.address.to_string(), door.tied.as_deref(), may)
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("0.0.0.0:65433".to_owned(), None, [true, true, false]),
                ("127.0.0.2:3306".to_owned(), Some("acme"), [false, false, true]),
                ("127.0.0.2:3307".to_owned(), Some("acme"), [false, true, false]),
            ]
        );
        let none = ClientConfig { listen_port: None, tied: Vec::new(), ..config };
        assert!(wanted(&none).is_empty());
    }

    #[test]
    fn a_list_of_nothing_but_rubbish_lets_nobody_in() {
        assert!(networks(&["nonsense".to_owned()]).is_empty());
    }
}

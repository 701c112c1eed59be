//! The listeners for the station's outgoing sessions: opened, moved and closed as the configuration says, without
//! touching running sessions. Nothing is read here; whoever may not use them is turned away.

use super::backend::Asked;
use super::{LISTENERS, Parent};
use crate::session::Station;
use common::config::ClientConfig;
use common::exit::Status;
use common::log::{Event, events};
use common::net::Network;
use common::rpc::{Origin, SystemLog};
use mio::net::TcpListener;
use mio::{Interest, Token};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Listeners at most: one for proxy requests, the others tied.
pub(super) const MOST: usize = 256;
/// Connections taken in at a time, so that other work gets its turn.
const BURST: usize = 32;
/// Beyond the limit of sessions so many stations are told so; all further ones are cut off.
const TOLD: usize = 20;
/// Refusals are logged at most this often; between, they are counted.
const REFUSAL_LINE: Duration = Duration::from_secs(10);
/// Who may use a listener unless the configuration says so.
const PRIVATE: [&str; 5] = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    /// The partner it leads to; none: it takes proxy requests.
    tied: Option<String>,
}

#[derive(Default)]
pub(super) struct Listeners {
    /// By slot: `LISTENERS` and the tokens after it.
    open: Vec<Option<Listener>>,
    networks: Vec<Network>,
    /// Addresses that could not be bound, and were told of.
    faulty: HashSet<SocketAddr>,
    quiet_since: Option<Instant>,
    unlogged: u64,
}

impl Listeners {
    pub(super) fn are_open(&self) -> bool {
        self.open.iter().any(Option::is_some)
    }

    fn has(&self, address: SocketAddr, tied: Option<&str>) -> bool {
        self.open.iter().flatten().any(|open| open.address == address && open.tied.as_deref() == tied)
    }
}

impl Parent {
    /// Brings the listeners to what the configuration says; what failed is tried again.
    pub(super) fn tend_listeners(&mut self) {
        let Some(config) = &self.config else { return };
        let wanted = wanted(config);
        self.listeners.networks = networks(&config.networks);
        for place in &mut self.listeners.open {
            let kept = place.as_ref().is_some_and(|open| {
                wanted.iter().any(|(address, tied)| open.address == *address && open.tied == *tied)
            });
            if let (false, Some(mut closed)) = (kept, if kept { None } else { place.take() }) {
                let _ = self.poller.registry().deregister(&mut closed.socket);
                Event::new(events::LISTENER_CLOSED)
                    .field("listener", "local")
                    .field_display("address", closed.address)
                    .field("reason", "the configuration has changed")
                    .info();
            }
        }
        for (address, tied) in wanted {
            if !self.listeners.has(address, tied.as_deref()) {
                self.open_listener(address, tied);
            }
        }
    }

    fn open_listener(&mut self, address: SocketAddr, tied: Option<String>) {
        let free = self.listeners.open.iter().position(Option::is_none);
        let slot = free.unwrap_or(self.listeners.open.len());
        let opened = TcpListener::bind(address).and_then(|mut socket| {
            self.poller.registry().register(&mut socket, Token(LISTENERS + slot), Interest::READABLE)?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => {
                self.listeners.faulty.remove(&address);
                Event::new(events::LISTENER_OPEN)
                    .field("listener", "local")
                    .field_display("address", address)
                    .field_opt("partner", tied.as_deref())
                    .info();
                let listener = Some(Listener { socket, address, tied });
                match self.listeners.open.get_mut(slot) {
                    Some(place) => *place = listener,
                    None => self.listeners.open.push(listener),
                }
            }
            Err(e) => {
                if self.listeners.faulty.insert(address) {
                    let event = Event::new(events::LISTENER_ERROR)
                        .field("listener", "local")
                        .field_display("address", address)
                        .field_display("reason", e);
                    self.report("the local listener cannot be opened", event.text());
                    event.error();
                }
            }
        }
    }

    /// Takes stations in.
    pub(super) fn accept_stations(&mut self, slot: usize) {
        for _ in 0..BURST {
            let Some(Some(listener)) = self.listeners.open.get(slot) else { return };
            match listener.socket.accept() {
                Ok((socket, peer)) => {
                    let tied = listener.tied.clone();
                    match self.admission(peer.ip()) {
                        Ok(()) => self.serve(Station { socket, peer, tied }),
                        Err((status, reason)) => self.turn_away(peer, status, reason),
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(e) => {
                    // Out of descriptors, most likely: what has come waits in the kernel.
                    common::error!("the local listener cannot accept: {e}");
                    break;
                }
            }
        }
        // Edge-triggered: what is left is not told again.
        if let Some(Some(listener)) = self.listeners.open.get_mut(slot) {
            let token = Token(LISTENERS + slot);
            let _ = self.poller.registry().reregister(&mut listener.socket, token, Interest::READABLE);
        }
    }

    fn admission(&self, from: IpAddr) -> Result<(), (Status, &'static str)> {
        if !self.listeners.networks.iter().any(|network| network.contains(from)) {
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

    pub(super) fn turn_away(&mut self, peer: SocketAddr, status: Status, reason: &str) {
        let now = Instant::now();
        if self.listeners.quiet_since.is_some_and(|since| since + REFUSAL_LINE > now) {
            self.listeners.unlogged += 1;
            return;
        }
        Event::new(events::SESSION_REFUSED)
            .field("direction", "outgoing")
            .field("reason", status.word())
            .field_display("address", peer)
            .field_num("unlogged", self.listeners.unlogged)
            .field("detail", reason)
            .warn();
        self.listeners.quiet_since = Some(now);
        self.listeners.unlogged = 0;
    }

    /// An entry of the parent's own for the backend's system log.
    fn report(&mut self, text: &str, detail: &str) {
        self.ask(Asked::SystemLog(Box::new(SystemLog {
            level: "ERROR".to_owned(),
            text: text.to_owned(),
            detail: detail.to_owned(),
            origin: Origin::Client,
            host: common::host_name(),
            pid: std::process::id(),
            time: common::unix_time(),
            address: None,
            partner: None,
        })));
    }
}

/// Where to listen, and for which partner.
fn wanted(config: &ClientConfig) -> Vec<(SocketAddr, Option<String>)> {
    let at =
        |ip: Option<IpAddr>, port| SocketAddr::new(ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port);
    let proxy = config.listen_port.map(|port| (at(config.listen_ip, port), None));
    let tied =
        config.tied.iter().map(|tied| (at(tied.listen_ip, tied.listen_port), Some(tied.partner.clone())));
    proxy.into_iter().chain(tied).take(MOST).collect()
}

fn networks(listed: &[String]) -> Vec<Network> {
    let default: Vec<String> = PRIVATE.map(str::to_owned).to_vec();
    let listed = if listed.is_empty() { &default } else { listed };
    let parse = |text: &String| {
        let network = text.parse();
        if let Err(e) = &network {
            common::warn!("{} may not use the local listener: {e}", common::log::escape(text));
        }
        network.ok()
    };
    listed.iter().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::networks;
    use std::net::IpAddr;

    #[test]
    fn without_a_list_the_neighbourhood_may_use_it() {
        let allowed = networks(&[]);
        let may = |ip: &str| allowed.iter().any(|network| network.contains(ip.parse::<IpAddr>().unwrap()));
        for inside in
            ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.0.9", "::ffff:10.0.0.1", "fd12::1"]
        {
            assert!(may(inside), "{inside}");
        }
        for outside in ["172.32.0.1", "192.0.2.1", "2001:db8::1", "169.254.1.1"] {
            assert!(!may(outside), "{outside}");
        }
    }
}

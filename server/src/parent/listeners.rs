//! The TLS listener, open while a client is joined, and admission: who may come in before anything is known of him but
//! his address. Accepted sockets go to a child at once; nothing is read here.

use super::{Need, PUBLIC, Parent};
use crate::messages::ToChild;
use common::log::{Event, Throttle, events};
use common::net::Accepting;
use common::process::status::Status;
use common::rpc::Level;
use mio::Interest;
use mio::net::{TcpListener, TcpStream};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Instant;

/// Connections taken in at a time, so that other work gets its turn.
const BURST: usize = 64;
/// Connections taken in before a listener closes: more than its queue can hold.
const LAST_CALL: usize = 4096;

/// The open TLS listener.
pub(super) struct PublicPort {
    listener: TcpListener,
    address: SocketAddr,
    throttle: Throttle,
    accepting: Accepting,
}

impl PublicPort {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// After an accept that failed: when to try again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.accepting.retry_at()
    }

    pub(super) fn must_retry(&self) -> bool {
        self.accepting.is_due()
    }
}

impl Parent {
    /// Opens the listener at `address`, or moves it there; the old one stays if that fails.
    pub(super) fn open_public(&mut self, address: SocketAddr) -> std::io::Result<()> {
        if self.public.as_ref().is_some_and(|public| public.address == address) {
            return Ok(());
        }
        let listener = self.bind_beside(address)?;
        // Who has come by the old way is let in still: closing would reset him.
        self.accept_up_to(LAST_CALL);
        self.close_public("moved");
        Event::new(events::LISTENER_OPEN).field("listener", "tls").field_display("address", address).info();
        let (throttle, accepting) = (Throttle::default(), Accepting::default());
        self.public = Some(PublicPort { listener, address, throttle, accepting });
        Ok(())
    }

    /// Binds the new listener while the old one is open. A wildcard address with the same port is in its way: then the
    /// old one steps aside, and is put back if that did not help.
    fn bind_beside(&mut self, address: SocketAddr) -> std::io::Result<TcpListener> {
        let taken = match self.bind_public(address) {
            Err(e) if e.kind() == ErrorKind::AddrInUse => e,
            other => return other,
        };
        let in_the_way = |old: SocketAddr| {
            old.port() == address.port() && (old.ip().is_unspecified() || address.ip().is_unspecified())
        };
        if !self.public.as_ref().is_some_and(|public| in_the_way(public.address)) {
            return Err(taken);
        }
        self.accept_up_to(LAST_CALL);
        let Some(old) = self.public.take() else { return Err(taken) };
        let PublicPort { mut listener, address: before, throttle, accepting } = old;
        let _ = self.poller.registry().deregister(&mut listener);
        drop(listener);
        self.bind_public(address).inspect(|_| log_closed(before, "moved")).inspect_err(|_| {
            match self.bind_public(before) {
                Ok(listener) => {
                    self.public = Some(PublicPort { listener, address: before, throttle, accepting });
                }
                Err(e) => log_closed(before, &format!("it stepped aside and cannot be put back: {e}")),
            }
        })
    }

    /// A listener that the loop watches.
    fn bind_public(&self, address: SocketAddr) -> std::io::Result<TcpListener> {
        let mut listener = TcpListener::bind(address)?;
        self.poller.registry().register(&mut listener, PUBLIC, Interest::READABLE)?;
        Ok(listener)
    }

    pub(super) fn close_public(&mut self, reason: &str) {
        if let Some(mut public) = self.public.take() {
            let _ = self.poller.registry().deregister(&mut public.listener);
            log_closed(public.address, reason);
        }
    }

    /// Takes partners in: to a parked child if there is one, to a new one if not.
    pub(super) fn accept_partners(&mut self) {
        self.accept_up_to(BURST);
    }

    fn accept_up_to(&mut self, most: usize) {
        for _ in 0..most {
            let Some(public) = &mut self.public else { return };
            let address = public.address;
            match public.accepting.next(&public.listener) {
                Ok(Some((socket, peer))) => match self.admission(peer.ip()) {
                    Ok(()) => self.hand_over(socket, peer),
                    Err((status, reason)) => self.turn_away(peer, status, reason),
                },
                Ok(None) => return,
                Err(e) => return self.tell_unable(address, &e),
            }
        }
        // Edge-triggered: what is left is not told again.
        if let Some(public) = &mut self.public {
            let _ = self.poller.registry().reregister(&mut public.listener, PUBLIC, Interest::READABLE);
        }
    }

    fn tell_unable(&mut self, address: SocketAddr, e: &std::io::Error) {
        let event = Event::new(events::LISTENER_ERROR)
            .field("listener", "tls")
            .field_display("address", address)
            .field("reason", format!("it cannot accept: {e}"));
        self.report(Level::Error, "the TLS listener cannot accept", event.text());
        event.error();
    }

    /// Limits on those who are not verified yet (as OpenSSH's MaxStartups).
    fn admission(&self, from: IpAddr) -> Result<(), (Status, &'static str)> {
        let full = |reason| Err((Status::Capacity, reason));
        let Some(active) = &self.active else {
            return Err((Status::ClientDown, "there is no configuration"));
        };
        let limits = &active.limits;
        if self.licensing.licence.expired() {
            return Err((Status::Licence, "the licence has expired"));
        }
        let queued = self.needs.iter().filter(|need| matches!(need, Need::Partner(..))).count();
        let unverified = self.children.unverified() + queued;
        let (soft, hard) = (limits.unverified_soft as usize, limits.unverified_hard as usize);
        if unverified >= hard {
            return full("too many connections that are not verified");
        }
        if unverified >= soft && hard > soft {
            let chance = (unverified - soft) * 256 / (hard - soft);
            if usize::from(random_octet()) < chance {
                return full("too many connections that are not verified");
            }
        }
        let network = network(from);
        let same = |peer: SocketAddr| self::network(peer.ip()) == network;
        let queued =
            self.needs.iter().filter(|need| matches!(need, Need::Partner(_, peer) if same(*peer))).count();
        if self.children.unverified_from(same) + queued >= limits.unverified_per_address as usize {
            return full("too many connections of this address that are not verified");
        }
        Ok(())
    }

    fn hand_over(&mut self, socket: TcpStream, peer: SocketAddr) {
        while let Some(child) = self.children.take_ready() {
            if self.children.send(child, &ToChild::Work { peer }, Some(&socket)) {
                self.children.has_work(child, peer);
                return;
            }
        }
        self.needs.push_back(Need::Partner(socket, peer));
    }

    pub(super) fn turn_away(&mut self, peer: SocketAddr, status: Status, reason: &str) {
        let admitted = match &mut self.public {
            Some(public) => public.throttle.admit(Instant::now()),
            None => Some(0),
        };
        let Some(unlogged) = admitted else { return };
        Event::new(events::SESSION_REFUSED)
            .field("direction", "incoming")
            .field("reason", status.word())
            .field_display("address", peer)
            .unlogged(unlogged)
            .field("detail", reason)
            .warn();
    }
}

fn log_closed(address: SocketAddr, reason: &str) {
    Event::new(events::LISTENER_CLOSED)
        .field("listener", "tls")
        .field_display("address", address)
        .field("reason", reason)
        .info();
}

/// What counts as one source: an IPv4 address, an IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn random_octet() -> u8 {
    let mut octet = [u8::MAX];
    // Without random numbers nobody is refused early; the hard limit holds.
    let _ = openssl::rand::rand_bytes(&mut octet);
    octet[0]
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn one_source_is_an_ipv4_address_or_an_ipv6_64() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }
}

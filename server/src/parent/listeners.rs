//! The TLS listener, open while a client is joined. Sockets only: who may come in is decided in `screening`. Nothing is
//! read here.

use super::tokens::LISTENER;
use common::log::{Event, events};
use common::net::{self, Accepting};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

/// Connections taken in at a time, so that other work gets its turn.
const BURST: usize = 64;
/// Connections taken in before a listener closes: more than its queue can hold.
const LAST_BURST: usize = 4096;

/// A connection that was taken in.
pub(super) type Accepted = (TcpStream, SocketAddr);

struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    accepting: Accepting,
}

/// The listener, if it is open.
#[derive(Default)]
pub(super) struct Listeners {
    tls: Option<Listener>,
}

impl Listeners {
    /// Where it is open.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.tls.as_ref().map(|listener| listener.address)
    }

    /// After an accept that failed: when to try again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.tls.as_ref().and_then(|listener| listener.accepting.retry_at())
    }

    /// It is time to try again.
    pub(super) fn must_retry(&self) -> bool {
        self.tls.as_ref().is_some_and(|listener| listener.accepting.is_due())
    }

    /// Opens the listener at `address`, or moves it there; the old one stays if that fails. What was in the queue of
    /// the old one is put into `accepted`: closing would reset connections that are established already.
    pub(super) fn open(
        &mut self,
        address: SocketAddr,
        accepted: &mut Vec<Accepted>,
        registry: &Registry,
    ) -> io::Result<()> {
        if self.address() == Some(address) {
            return Ok(());
        }
        let socket = self.bind_beside(address, accepted, registry)?;
        self.drain(accepted);
        self.close("moved", registry);
        Event::new(&events::LISTENER_OPEN).field("listener", "tls").field_display("address", address).log();
        self.tls = Some(Listener { socket, address, accepting: Accepting::default() });
        Ok(())
    }

    /// Binds the new listener while the old one is open. A wildcard address with the same port is in its way: then the
    /// old one steps aside, and is put back if that did not help.
    fn bind_beside(
        &mut self,
        address: SocketAddr,
        accepted: &mut Vec<Accepted>,
        registry: &Registry,
    ) -> io::Result<TcpListener> {
        let taken = match bind(address, registry) {
            Err(e) if e.kind() == ErrorKind::AddrInUse => e,
            other => return other,
        };
        if !self.address().is_some_and(|old| is_in_the_way(old, address)) {
            return Err(taken);
        }
        self.drain(accepted);
        let Some(Listener { mut socket, address: before, accepting }) = self.tls.take() else {
            return Err(taken);
        };
        let _ = registry.deregister(&mut socket);
        drop(socket);
        bind(address, registry).inspect(|_| log_closed(before, "moved")).inspect_err(|_| {
            match bind(before, registry) {
                Ok(socket) => self.tls = Some(Listener { socket, address: before, accepting }),
                Err(e) => log_closed(before, &format!("it stepped aside and cannot be put back: {e}")),
            }
        })
    }

    pub(super) fn close(&mut self, reason: &str, registry: &Registry) {
        if let Some(mut listener) = self.tls.take() {
            let _ = registry.deregister(&mut listener.socket);
            log_closed(listener.address, reason);
        }
    }

    /// Takes in connections that wait. An error: none can be taken now; it is tried again by itself.
    pub(super) fn accept(&mut self, accepted: &mut Vec<Accepted>, registry: &Registry) -> io::Result<()> {
        let Some(listener) = &mut self.tls else { return Ok(()) };
        if listener.accept_up_to(BURST, accepted)? {
            // Edge-triggered: what is left is not told again.
            let _ = registry.reregister(&mut listener.socket, LISTENER, Interest::READABLE);
        }
        Ok(())
    }

    fn drain(&mut self, accepted: &mut Vec<Accepted>) {
        if let Some(listener) = &mut self.tls {
            // One that cannot accept has nobody to lose whom it could save.
            let _ = listener.accept_up_to(LAST_BURST, accepted);
        }
    }
}

impl Listener {
    /// True: more may wait.
    fn accept_up_to(&mut self, most: usize, accepted: &mut Vec<Accepted>) -> io::Result<bool> {
        for _ in 0..most {
            match self.accepting.next(&self.socket)? {
                Some(connection) => accepted.push(connection),
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// A listener that the loop watches.
fn bind(address: SocketAddr, registry: &Registry) -> io::Result<TcpListener> {
    let socket = net::listen_at(address)?;
    socket.set_nonblocking(true)?;
    let mut socket = TcpListener::from_std(socket);
    registry.register(&mut socket, LISTENER, Interest::READABLE)?;
    Ok(socket)
}

fn is_in_the_way(old: SocketAddr, new: SocketAddr) -> bool {
    old.port() == new.port() && (old.ip().is_unspecified() || new.ip().is_unspecified())
}

fn log_closed(address: SocketAddr, reason: &str) {
    Event::new(&events::LISTENER_CLOSED)
        .field("listener", "tls")
        .field_display("address", address)
        .field("reason", reason)
        .log();
}

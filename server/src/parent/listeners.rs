//! The TLS listener, open while a client is joined. It only handles sockets: `source_limits` decides who may come in.
//! Nothing is read here.

use super::tokens::LISTENER;
use common::log::{Event, catalogue};
use common::net::{self, Accepting};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

/// Connections that are accepted in one turn, so that other work is done, too.
const BURST: usize = 64;
/// Connections that are accepted before a listener closes: more than its queue can hold.
const LAST_BURST: usize = 4096;

/// An accepted connection.
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
    /// The address of the open listener.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.tls.as_ref().map(|listener| listener.address)
    }

    /// When to try accept again after it has failed.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.tls.as_ref().and_then(|listener| listener.accepting.retry_at())
    }

    /// Whether accept must be tried again now.
    pub(super) fn must_retry(&self) -> bool {
        self.tls.as_ref().is_some_and(|listener| listener.accepting.is_due())
    }

    /// Opens the listener at `address`, or moves it there; if that fails, the old one stays. Connections in the queue
    /// of the old one are put into `accepted`, because closing would reset established connections.
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
        self.empty_queue(accepted);
        self.close("moved", registry);
        Event::new(&catalogue::LISTENER_OPEN)
            .field("listener", "tls")
            .field_display("address", address)
            .log();
        self.tls = Some(Listener { socket, address, accepting: Accepting::default() });
        Ok(())
    }

    /// Binds the new listener while the old one is open. If the same port at a wildcard address prevents this, the old
    /// listener is closed first, and opened again if the new one still cannot be bound.
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
        self.empty_queue(accepted);
        let Some(Listener { mut socket, address: before, accepting }) = self.tls.take() else {
            return Err(taken);
        };
        let _ = registry.deregister(&mut socket);
        drop(socket);
        bind(address, registry).inspect(|_| log_closed(before, "moved")).inspect_err(|_| {
            match bind(before, registry) {
                Ok(socket) => self.tls = Some(Listener { socket, address: before, accepting }),
                Err(e) => log_closed(
                    before,
                    &format!("it was closed for the new one and cannot be opened again: {e}"),
                ),
            }
        })
    }

    /// Closes the listener after the last connections of its queue were put into `accepted`.
    pub(super) fn shut(&mut self, reason: &str, accepted: &mut Vec<Accepted>, registry: &Registry) {
        self.empty_queue(accepted);
        self.close(reason, registry);
    }

    pub(super) fn close(&mut self, reason: &str, registry: &Registry) {
        if let Some(mut listener) = self.tls.take() {
            let _ = registry.deregister(&mut listener.socket);
            log_closed(listener.address, reason);
        }
    }

    /// Accepts the connections that wait. On an error accept does not work at the moment; it is tried again later.
    pub(super) fn accept(&mut self, accepted: &mut Vec<Accepted>, registry: &Registry) -> io::Result<()> {
        let Some(listener) = &mut self.tls else { return Ok(()) };
        if listener.accept_up_to(BURST, accepted)? {
            // mio is edge-triggered: the remaining connections cause no further event.
            let _ = registry.reregister(&mut listener.socket, LISTENER, Interest::READABLE);
        }
        Ok(())
    }

    fn empty_queue(&mut self, accepted: &mut Vec<Accepted>) {
        if let Some(listener) = &mut self.tls {
            // If accept fails, these connections cannot be saved in any case.
            let _ = listener.accept_up_to(LAST_BURST, accepted);
        }
    }
}

impl Listener {
    /// True if more connections may wait.
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

/// Binds a listener and registers it with the loop.
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
    Event::new(&catalogue::LISTENER_CLOSED)
        .field("listener", "tls")
        .field_display("address", address)
        .field("reason", reason)
        .log();
}

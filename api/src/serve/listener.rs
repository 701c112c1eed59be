//! A listener of the service: its socket, its accept loop, and the number of its connections. Knows nothing about the
//! requests on them.

use super::app::App;
use super::connection::Arrival;
use super::error::ServeError;
use super::guard::Guard;
use super::tls::Side;
use axum::Router;
use common::net;
use common::text::escape::escape;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time;

/// Pause after a failed accept (no descriptor left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener.
pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    router: Router,
    side: watch::Receiver<Side>,
    guard: Arc<Guard>,
    seats: Seats,
}

/// Places for connections.
pub(super) struct Seats {
    free: Arc<Semaphore>,
    all: u32,
}

/// A listening socket, and its address.
pub(super) type Bound = (TcpListener, SocketAddr);

/// Listens at `at`.
pub(super) fn bind(at: SocketAddr) -> Result<Bound, ServeError> {
    let bound = |cause| ServeError::Bind(at, cause);
    let listener = net::listen_at(at).and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    let socket = listener.map_err(bound)?;
    let address = socket.local_addr().map_err(bound)?;
    Ok((socket, address))
}

impl Listener {
    /// A listener with this limit of connections.
    pub(super) fn new(
        (socket, address): Bound,
        connections: usize,
        router: Router,
        side: watch::Receiver<Side>,
        guard: Arc<Guard>,
    ) -> Self {
        let all = u32::try_from(connections).unwrap_or(u32::MAX);
        let seats = Seats { free: Arc::new(Semaphore::new(connections)), all };
        Self { socket, address, router, side, guard, seats }
    }

    /// Its address.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections, each with a task of its own, until it is dropped.
    pub(super) async fn accept(&self, app: &Arc<App>) {
        loop {
            let Ok(seat) = Arc::clone(&self.seats.free).acquire_owned().await else { return };
            let (stream, peer) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                Err(cause) => {
                    log::error!("accept_failed cause={}", escape(&cause.to_string()));
                    time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let arrival = Arrival {
                stream,
                peer,
                acceptor: self.side.borrow().acceptor.clone(),
                router: self.router.clone(),
                guard: Arc::clone(&self.guard),
                stopped: app.stop.subscribe(),
            };
            tokio::spawn(async move {
                arrival.serve().await;
                drop(seat);
            });
        }
    }

    /// Closes the socket; its connections go on.
    pub(super) fn close(self) -> Seats {
        self.seats
    }
}

impl Seats {
    /// Waits until no connection is left.
    pub(super) async fn all_gone(&self) {
        // An error means that nobody can hold a place.
        let _ = self.free.acquire_many(self.all).await;
    }
}

//! One connection, in a task of its own: TLS handshake, then HTTP/1.1, each with a deadline. It closes a silent
//! connection, and one that is too old. Knows no function of the API.

use super::guard::{Guard, Place};
use axum::Router;
use axum::extract::Extension;
use common::net::normal;
use common::text::escape::escape;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use openssl::ssl::{Ssl, SslAcceptor};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time;
use tokio_openssl::SslStream;

/// Deadline of the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Deadline of request line and headers; also how long a connection may be idle between two requests.
const HEADERS: Duration = Duration::from_secs(5);
/// Longest life of a connection; a caller that needs more time connects again.
const LIFE: Duration = Duration::from_mins(2);

/// The address of the TCP peer, for handlers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The address of this host to which the peer has connected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Called(pub(crate) IpAddr);

/// A connection that was just accepted, and everything that is needed to serve it.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) acceptor: SslAcceptor,
    pub(super) router: Router,
    pub(super) guard: Arc<Guard>,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Arrival {
    /// Serves it to its end.
    pub(super) async fn serve(self) {
        let peer = normal(self.peer.ip());
        let guard = Arc::clone(&self.guard);
        let Some(seat) = guard.admit(peer) else {
            log::debug!("too_many_connections address={peer}");
            return;
        };
        let served = tokio::select! {
            served = time::timeout(LIFE, self.tls_and_http(peer, seat.place())) => served,
            () = seat.is_needed() => Ok(Err("another one of its address needs its place".into())),
        };
        match served {
            Ok(Ok(())) => {}
            Ok(Err(why)) => {
                log::debug!("connection_ended address={peer} cause={}", escape(&why));
            }
            Err(_) => log::debug!("connection_ended address={peer} cause=\"its time is over\""),
        }
    }

    async fn tls_and_http(mut self, peer: IpAddr, place: Arc<Place>) -> Result<(), String> {
        let called = self.stream.local_addr().map_or(IpAddr::from([0; 4]), |address| normal(address.ip()));
        let ssl = Ssl::new(self.acceptor.context()).map_err(|cause| cause.to_string())?;
        let mut stream = SslStream::new(ssl, self.stream).map_err(|cause| cause.to_string())?;
        match time::timeout(HANDSHAKE, Pin::new(&mut stream).accept()).await {
            Err(_) => return Err("no TLS handshake in time".into()),
            Ok(Err(cause)) => return Err(format!("TLS handshake: {cause}")),
            Ok(Ok(())) => {}
        }
        let router =
            self.router.layer(Extension(Peer(peer))).layer(Extension(Called(called))).layer(Extension(place));
        let service = TowerToHyperService::new(router);
        let http = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let mut http = pin!(http);
        let ended = tokio::select! {
            ended = http.as_mut() => Some(ended),
            () = stopping(&mut self.stopped) => None,
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            http.as_mut().graceful_shutdown();
            http.await
        };
        ended.map_err(|cause| cause.to_string())
    }
}

/// Waits until the service ends.
async fn stopping(stopped: &mut watch::Receiver<bool>) {
    // An error means that the service has ended: the same case.
    let _ = stopped.wait_for(|&stopped| stopped).await;
}

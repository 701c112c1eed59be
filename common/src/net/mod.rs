//! TCP connections, plain or with TLS, and waiting for several of them.
//!
//! All sockets are non-blocking, and the code above them reads as if they blocked: an operation is tried until it would
//! block, then the process waits for any event and tries again (`Waiter::drive`). mio is edge-triggered, so every
//! operation is tried before the process waits for it.

mod accept;
mod conn;
mod connect;
mod listen;
mod lookup;
mod network;
mod network_map;
pub mod proxy_header;
mod waiter;
mod wire;

pub use accept::{Accepting, canonical};
pub use conn::{Conn, Read, TlsFailure};
pub use connect::{Connecting, connect};
pub use listen::{ANY, BACKLOG, listen_at};
pub use lookup::{LookupError, addresses_of, answer_from_helper, is_own, literal_address, resolve};
pub use network::{Network, NetworkError, is_public, normal, private_networks};
pub use network_map::NetworkMap;
pub use waiter::{Interrupted, Waiter};
pub use wire::Wire;

use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long a connection may take to close once everything is written.
const GOODBYE: Duration = Duration::from_secs(5);

/// Detects a dead peer within about a minute and a half, also on an idle connection. Accepted connections inherit this
/// from their listener.
///
/// # Errors
/// The socket is gone.
pub fn keepalive(socket: impl AsFd) -> io::Result<()> {
    let socket = &socket;
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    setsockopt(socket, sockopt::TcpKeepIdle, &30)?;
    setsockopt(socket, sockopt::TcpKeepInterval, &15)?;
    setsockopt(socket, sockopt::TcpKeepCount, &4)?;
    Ok(())
}

/// Sends what was written, closes, and waits for the peer to close, too: a socket closed with unread octets would send
/// a reset, which can overtake the octets sent before. Takes 5 s at most.
pub fn goodbye(waiter: &mut Waiter, conn: Conn) {
    goodbye_unless(waiter, conn, || false);
}

/// The same, but ends at once when `is_hurried` says so; it is asked whenever the waiter wakes.
pub fn goodbye_unless(waiter: &mut Waiter, mut conn: Conn, mut is_hurried: impl FnMut() -> bool) {
    let deadline = Some(Instant::now() + GOODBYE);
    let mut finished = false;
    loop {
        match conn.drain() {
            Ok(true) if !finished => {
                finished = true;
                if conn.finish().is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
        if conn.discard()
            || is_hurried()
            || matches!(waiter.wait(deadline), Err(Interrupted::Late | Interrupted::Failed(_)))
        {
            return;
        }
    }
}

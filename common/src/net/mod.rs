//! One TCP connection, plain or under TLS, and waiting for several of them.
//!
//! Everything here is non-blocking below and straight-line above: an operation is tried until it would block, then
//! the process waits for any event and tries again (`Waiter::drive`). mio is edge-triggered, so nothing waits
//! before it has tried.

mod accept;
mod conn;
mod connect;
mod listen;
mod lookup;
mod network;
mod network_map;
mod waiter;
mod wire;

pub use accept::{Accepting, canonical};
pub use conn::{Conn, Read, TlsFailure};
pub use connect::{Connecting, connect};
pub use listen::{ANY, BACKLOG, listen_at};
pub use lookup::{LookupError, addresses_of, is_own, literal_address, resolve};
pub use network::{Network, NetworkError, is_public, normal, private_networks};
pub use network_map::NetworkMap;
pub use waiter::{Interrupted, Waiter};
pub use wire::Wire;

use mio::net::TcpStream;
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::time::{Duration, Instant};

/// How long a connection may take to close once everything is written.
const GOODBYE: Duration = Duration::from_secs(5);

/// A dead peer is noticed within about a minute and a half, also on a connection that carries nothing.
///
/// # Errors
/// The socket is gone.
pub fn keepalive(socket: &TcpStream) -> io::Result<()> {
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    setsockopt(socket, sockopt::TcpKeepIdle, &30)?;
    setsockopt(socket, sockopt::TcpKeepInterval, &15)?;
    setsockopt(socket, sockopt::TcpKeepCount, &4)?;
    Ok(())
}

/// Sends what was written, closes, and waits for the peer to close as well: a socket closed with octets unread would
/// send a reset that can overtake the octets just sent. Takes 5 s at most.
pub fn goodbye(waiter: &mut Waiter, conn: Conn) {
    goodbye_unless(waiter, conn, || false);
}

/// The same; whenever the waiter wakes, `is_hurried` is asked, and if so, it ends at once.
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

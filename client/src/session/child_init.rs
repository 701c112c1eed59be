//! The values that a session child gets from its parent at its fork; the rest of the parent is dropped there.

use common::config::ClientConfig;
use common::ipc::channel::Channel;
use common::link::session_id::Direction;
use mio::net::TcpStream;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Everything that a child needs.
pub(crate) struct ChildInit {
    /// Its end of the channel to the parent.
    pub(crate) channel: Channel,
    /// Where the server was reached.
    pub(crate) server: SocketAddr,
    /// `-o`
    pub(crate) source: Option<IpAddr>,
    /// The station and the limits.
    pub(crate) config: ClientConfig,
    /// Which way its session will go.
    pub(crate) direction: Direction,
    /// The file of sessions that have begun and not ended.
    pub(crate) ledger: PathBuf,
}

/// A station that has connected to a local listener.
pub(crate) struct Station {
    /// Nothing was read yet.
    pub(crate) socket: TcpStream,
    /// Its address and port.
    pub(crate) peer: SocketAddr,
    /// The partner that the listener is tied to.
    pub(crate) tied: Option<String>,
}

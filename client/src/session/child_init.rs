//! The values that a session child gets at its fork; everything else of the parent is dropped there.

use common::config::ClientConfig;
use common::ipc::channel::Channel;
use common::link::session_id::Direction;
use common::sandbox::Sandbox;
use common::session::debugged_partners::DebuggedPartners;
use common::session::ledger::EndNotes;
use mio::net::TcpStream;
use std::net::{IpAddr, SocketAddr};

/// Everything that a child needs.
pub(crate) struct ChildInit {
    /// Its end of the channel to the parent.
    pub(crate) channel: Channel,
    /// `-o`
    pub(crate) source: Option<IpAddr>,
    /// The station and the limits.
    pub(crate) config: ClientConfig,
    /// Partners whose sessions write DEBUG.
    pub(crate) debugged: DebuggedPartners,
    /// Direction of its session.
    pub(crate) direction: Direction,
    /// The ledger in which it notes its end.
    pub(crate) end_notes: EndNotes,
    /// Its sandbox.
    pub(crate) sandbox: Sandbox,
}

/// A station that has connected to a local listener.
pub(crate) struct Station {
    /// Nothing was read from it yet.
    pub(crate) socket: TcpStream,
    /// Its address and port.
    pub(crate) peer: SocketAddr,
    /// The partner that the listener is tied to.
    pub(crate) tied: Option<String>,
}

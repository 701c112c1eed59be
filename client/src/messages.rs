//! The messages between the client's parent and its session children, on their channel. Plain values.

use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::log::Remains;
use common::rpc::SystemLog;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// From the parent to a child: first what it is for, a pair or a station; the rest to one for an outgoing session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToChild {
    /// Serve this station; the descriptor of its connection comes along.
    Serve {
        /// The station's address and port.
        peer: SocketAddr,
        /// The partner that the listener is tied to.
        tied: Option<String>,
    },
    /// Dial in for this one: the first word to a child, or the answer to `WantPair`.
    Pair {
        /// Names the pair.
        pair: SessionId,
        /// For the join.
        ticket: Ticket,
    },
    /// The server has given this pair up: if it is not joined yet, the child asks for another one.
    Retired {
        /// Names the pair.
        pair: SessionId,
    },
    /// No pair was granted.
    NoPair {
        /// A sentence.
        reason: String,
    },
}

/// From a child to the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToParent {
    /// The pair is joined, and this is its session: the child is not parked any more.
    Joined {
        /// The partner's short name, from the server's child.
        partner: String,
        /// The station: where it has called from, or where it is called.
        station: String,
    },
    /// The server refused the data connection, or it could not be dialled.
    Failed {
        /// A sentence.
        reason: String,
    },
    /// The pair was of no use, and a station waits: the child asks for another one.
    WantPair,
    /// For the system log.
    SystemLog(Box<SystemLog>),
    /// This child has written the session's end line, or leaves it to its parent.
    EndLogged(Remains),
}

//! What the client's parent and its session children say to each other over their channel.

use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::rpc::SystemLog;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// From the parent to a child for an outgoing session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToChild {
    /// Serve this station; the descriptor of its connection comes along.
    Serve {
        /// The station's address and port.
        peer: SocketAddr,
        /// The partner that the listener is tied to.
        tied: Option<String>,
    },
    /// The answer to `WantPair`: dial in for this one.
    Pair {
        /// Names the pair.
        pair: SessionId,
        /// For the join.
        ticket: Ticket,
    },
    /// The server has given this pair up: if it is not joined yet, another one is to be had.
    Retired {
        /// Names the pair.
        pair: SessionId,
    },
    /// No pair can be had.
    NoPair {
        /// A finished sentence.
        reason: String,
    },
}

/// From a child to the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToParent {
    /// The pair is joined, and whose session it is: this child is parked no more.
    Joined {
        /// The partner's short name, as the server's child told it.
        partner: String,
        /// The station: where it has called from, or where it is called.
        station: String,
    },
    /// The server turned the data connection away, or it could not be dialled.
    Failed {
        /// A finished sentence.
        reason: String,
    },
    /// The pair was of no use, and a station waits: another one is wanted.
    WantPair,
    /// For the system log.
    SystemLog(Box<SystemLog>),
    /// This child has written the session's end line.
    EndLogged,
}

//! The messages between the client's parent and its session children, on their channel. Plain values.

use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::log::{DebugTime, Unwritten};
use common::rpc::{ActOutcome, SystemLog};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// From the parent to a child. The first message gives its work: a pair, a station or a test. The other messages are
/// for children with outgoing sessions.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToChild {
    /// Serve this station; the descriptor of its connection comes with the message.
    Serve {
        /// The station's address and port.
        peer: SocketAddr,
        /// The partner that the listener is tied to.
        tied: Option<String>,
    },
    /// Test a partner.
    Test(Test),
    /// Connect for this pair: the first message to a child, or the answer to `WantPair`.
    Pair {
        /// Names the pair.
        pair: SessionId,
        /// The secret for the join.
        ticket: Ticket,
        /// The server to which it connects.
        server: SocketAddr,
    },
    /// The server has given this pair up: if it is not joined yet, the child asks for another one.
    Retired {
        /// Names the pair.
        pair: SessionId,
    },
    /// An administrator ends the session; the server's child does it.
    EndedBy {
        /// The administrator's name, for the end line.
        administrator: String,
    },
    /// How long this process writes DEBUG for its partner.
    Debug(DebugTime),
    /// The server gives no pair.
    NoPair {
        /// A sentence.
        reason: String,
    },
}

/// A test of a partner that an administrator has requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Test {
    /// The act's number.
    pub(crate) number: u64,
    /// The partner's short name.
    pub(crate) partner: String,
}

/// From a child to the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToParent {
    /// The pair is joined for this session: the child is not parked any more.
    Joined {
        /// The partner's short name, from the server's child.
        partner: String,
        /// The station: its address if it has connected, or the address where it was called.
        station: String,
    },
    /// The server refused the data connection, or the connection could not be made.
    Failed {
        /// A sentence.
        reason: String,
    },
    /// The pair could not be used, and a station waits: the child needs another pair.
    WantPair,
    /// The server of its pair is drained, and a station waits: the child needs a pair of another server.
    WantOther,
    /// The test is over.
    Tested(ActOutcome),
    /// For the system log.
    SystemLog(Box<SystemLog>),
    /// This child has written the session's end line, or passes it to its parent.
    EndLogged(Unwritten),
}

//! Messages between the server's parent and its session children, over their channel.

use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::log::{DebugTime, Unwritten};
use common::process::drain::Cause;
use common::rpc::{CrlUrl, SessionEvent, SystemLog};
use common::state::{Progress, Refused};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The peer of a connection that was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// If the partner is refused, the child may write a log line and a system log entry.
    pub(crate) has_line: bool,
    /// It is a balancer: a PROXY header comes first, and names the partner's address.
    pub(crate) is_balancer: bool,
}

/// From the parent to a child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToChild {
    /// The data connection of this pair; its descriptor comes with the message.
    Data {
        /// Names the pair.
        pair: SessionId,
        /// The secret for the join.
        ticket: Ticket,
    },
    /// A partner's connection; its descriptor comes with the message.
    Serve(Peer),
    /// The answer to `Source`: the partner may come in, or the reason why not.
    Entry {
        /// As in `Peer`.
        has_line: bool,
        /// The number of a `Status`, and a finished sentence.
        refusal: Option<(u8, String)>,
    },
    /// The connection is not verified yet, and another one needs its place: close it.
    MakeWay,
    /// The answer to `Partner`: continue.
    Admitted,
    /// The answer to `Partner`: a limit of sessions is reached.
    Full(SessionLimit),
    /// The answer to `Partner`: the licence has expired (outgoing only: an incoming connection is refused earlier).
    Unlicensed,
    /// The answer to `Partner`: the server takes no new sessions (outgoing only: the listener for partners is closed).
    Draining(Cause),
    /// An administrator ends the session.
    End {
        /// The administrator's name, for the end line.
        administrator: String,
    },
    /// How long this process writes DEBUG for its partner.
    Debug(DebugTime),
    /// There will be no data connection.
    NoPair {
        /// A finished sentence.
        reason: String,
    },
}

/// A limit of sessions that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SessionLimit {
    /// Incoming sessions of this partner.
    OfPartner,
    /// Incoming sessions of all partners.
    Incoming,
    /// Outgoing sessions.
    Outgoing,
}

impl SessionLimit {
    /// For a refusal: the limit, and its setting.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::OfPartner => "the partner has reached its limit of sessions (proxy_sessions_per_partner)",
            Self::Incoming => "the limit of incoming sessions is reached (proxy_sessions)",
            Self::Outgoing => "the limit of outgoing sessions is reached (proxy_outgoing_sessions)",
        }
    }
}

/// From a child to the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToParent {
    /// A balancer's PROXY header names this address as the partner's: may it come in?
    Source(SocketAddr),
    /// The partner's certificate is verified: from now on the parent may make a pair for it.
    Verified,
    /// The SSID is known and fits the certificate: may this partner have one more session?
    Partner {
        /// Its short name.
        name: String,
    },
    /// The data connection of this parked child has ended.
    DataLost,
    /// The data connection cannot be used, and a partner waits: this child needs another pair.
    NeedPair,
    /// The pair is joined: its ticket is used up.
    Joined,
    /// A CRL distribution URL from a chain that leads to a trusted certificate; one in each message, so that it fits.
    CrlUrl(CrlUrl),
    /// The session has begun or ended: for the session list.
    Session(Box<SessionEvent>),
    /// For the system log.
    SystemLog(Box<SystemLog>),
    /// The progress of the session.
    Progress(Progress),
    /// This partner, or this station, was refused.
    Refused(Box<Refused>),
    /// This child has written the session's end line, or passes it to its parent.
    EndLogged(Unwritten),
}

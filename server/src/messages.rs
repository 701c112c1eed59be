//! Messages between the server's parent and its session children, over their channel.

use common::link::session_id::SessionId;
use common::link::ticket::Ticket;
use common::log::Remains;
use common::rpc::{CrlUrl, SessionEvent, SystemLog};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// From the parent to a child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToChild {
    /// The data connection of this pair; its descriptor comes along.
    Data {
        /// Names the pair.
        pair: SessionId,
        /// For the join.
        ticket: Ticket,
    },
    /// A partner's connection; its descriptor comes along.
    Serve {
        /// The partner's address and port.
        peer: SocketAddr,
        /// If it is refused, that may have a line in the log and an entry in the system log.
        has_line: bool,
    },
    /// The connection is not verified yet, and others need its place.
    MakeWay,
    /// The answer to `Partner`: go on.
    Admitted,
    /// The answer to `Partner`: there are as many sessions as there may be.
    Full(SessionLimit),
    /// The answer to `Partner`: the licence has expired (outgoing only: no incoming connection gets this far then).
    Unlicensed,
    /// No data connection can be had.
    NoPair {
        /// A finished sentence.
        reason: String,
    },
}

/// A limit of sessions that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SessionLimit {
    /// Incoming ones of this partner.
    OfPartner,
    /// Incoming ones of all partners.
    Incoming,
    /// Outgoing ones.
    Outgoing,
}

impl SessionLimit {
    /// For a refusal: what is reached, and the setting.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::OfPartner => "the partner has as many sessions as it may (proxy_sessions_per_partner)",
            Self::Incoming => "there are as many incoming sessions as there may be (proxy_sessions)",
            Self::Outgoing => "there are as many outgoing sessions as there may be (proxy_outgoing_sessions)",
        }
    }
}

/// From a child to the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToParent {
    /// The partner's certificate is verified: from now on a pair may be made for it.
    Verified,
    /// The SSID is known and matches: may this partner have one more session?
    Partner {
        /// Its short name.
        name: String,
    },
    /// The data connection of this parked child has ended.
    DataLost,
    /// The data connection cannot be used, and a partner waits: another pair is wanted.
    NeedPair,
    /// The pair is joined: its ticket is used up.
    Joined,
    /// A CRL distribution URL of a chain that leads to a trusted certificate; one for each message, so that it fits.
    CrlUrl(CrlUrl),
    /// The session has begun or is over: for the session list.
    Session(Box<SessionEvent>),
    /// For the system log.
    SystemLog(Box<SystemLog>),
    /// This child has written the session's end line, or leaves it to its parent.
    EndLogged(Remains),
}

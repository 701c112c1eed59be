//! What the client's parent and its session children say to each other over their channel.

use common::rpc::SystemLog;
use serde::{Deserialize, Serialize};

/// From a child to the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToParent {
    /// The pair is joined: this child is parked no more.
    Joined {
        /// The partner's short name, as the server's child told it.
        partner: String,
    },
    /// The server turned the data connection away, or it could not be dialled.
    Failed {
        /// A finished sentence.
        reason: String,
    },
    /// For the system log.
    SystemLog(Box<SystemLog>),
    /// This child has written the session's end line.
    EndLogged,
}

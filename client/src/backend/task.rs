//! The messages between the client's parent and the API worker: numbered tasks go out, replies come back. Plain values.

use common::rpc::Call;
use common::secret::Secret;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A task of the parent.
#[derive(Serialize, Deserialize)]
pub(crate) struct Task {
    /// Names it in its reply.
    pub(crate) number: u64,
    /// The work itself.
    pub(crate) job: Job,
}

/// The work that the API worker can do.
#[derive(Serialize, Deserialize)]
pub(crate) enum Job {
    /// Call the backend; the worker adds the token.
    Call(Call),
    /// Look a host name up, which may take a while.
    LookUp {
        /// A name or an address.
        host: String,
        /// Goes into the addresses.
        port: u16,
    },
}

impl Job {
    /// It only reports to the backend: the parent waits for no answer.
    pub(super) fn is_report(&self) -> bool {
        matches!(self, Self::Call(call) if call.is_report())
    }
}

/// A task that is done.
#[derive(Serialize, Deserialize)]
pub(crate) struct Done {
    /// Which one.
    pub(crate) number: u64,
    /// Its outcome.
    pub(crate) reply: Reply,
}

/// The outcome of a task.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The backend's answer.
    Answer {
        /// JSON, as it came: `"ok":true` and the function's own members.
        text: Secret,
    },
    /// The addresses of a host, at least one.
    Addresses(Vec<SocketAddr>),
    /// There is no answer, or no address.
    Failed {
        /// A sentence that says what is wrong; of a call it names the backend and says what to do.
        reason: String,
        /// The backend has not taken the call: it can be repeated.
        untaken: bool,
    },
}

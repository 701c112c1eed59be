//! The messages between the client's parent and the API worker: numbered tasks go out, replies come back. Plain values.

use common::rpc::Call;
use common::secret::Secret;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A task of the parent.
#[derive(Serialize, Deserialize)]
pub(crate) struct Task {
    /// Its number, which the reply repeats.
    pub(crate) number: u64,
    /// The work itself.
    pub(crate) job: Job,
}

/// The work that the API worker can do.
#[derive(Serialize, Deserialize)]
pub(crate) enum Job {
    /// Call the backend; the worker adds the token.
    Call(Call),
    /// Look up a host name, which may take some time.
    LookUp {
        /// A name or an address.
        host: String,
        /// Port for the addresses.
        port: u16,
    },
}

impl Job {
    /// Whether it only reports to the backend, so that the parent waits for no answer.
    pub(crate) fn is_report(&self) -> bool {
        matches!(self, Self::Call(call) if call.is_report())
    }
}

/// A finished task.
#[derive(Serialize, Deserialize)]
pub(crate) struct Done {
    /// The number of the task.
    pub(crate) number: u64,
    /// Its outcome.
    pub(crate) reply: Reply,
}

/// The outcome of a task.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The backend's answer.
    Answer {
        /// JSON, unchanged: `"ok":true` and the function's own members.
        text: Secret,
    },
    /// The addresses of a host, at least one.
    Addresses(Vec<SocketAddr>),
    /// There is no answer, or no address.
    Failed {
        /// A sentence that says what is wrong; for a call it names the backend and the remedy.
        reason: String,
        /// The call can be repeated: the backend has not carried it out, or does it only once.
        untaken: bool,
        /// The backend does not have the function, because it is older.
        is_older: bool,
    },
}

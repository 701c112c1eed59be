//! The API worker: the only process that calls the backend and uses the token. The client's parent forks it, hands it
//! tasks over a socket pair and reads the replies. It starts no thread, and sends neither token nor
//! password before the backend's certificate is verified.
//!
//! * `worker`: the process: tasks in, replies out
//! * `agent`: one call: POST, status, answer
//! * `connector`: names, TCP and TLS under ureq
//! * `trust`: which certificate is the backend's
//! * `fault`: why a call failed, and what to do about it

mod agent;
mod connector;
mod fault;
#[cfg(test)]
mod tests;
mod trust;
mod worker;

pub(crate) use worker::{Done, Reply, Task, run};

use common::secret::Secret;

/// Where the backend is, and what opens it.
#[derive(Debug)]
pub(crate) struct Access {
    /// The URL to POST to (`-U`), user and password taken out of it.
    pub(crate) url: String,
    /// `user:password` from it, percent-decoded.
    pub(crate) credentials: Option<Secret>,
    /// `-T`: `<secret>.<SHA-256 of the backend's CA, 64 hex digits>`, or any other text.
    pub(crate) token: Secret,
}

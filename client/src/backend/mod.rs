//! The API worker: the only process that calls the backend and uses the token. The client's parent forks it, hands it
//! tasks over a socket pair and reads the replies. It starts no thread, and sends neither token nor password before the
//! backend's certificate is verified.
//!
//! * `access`: where the backend is, and what opens it
//! * `task`: the messages between parent and worker
//! * `worker`: the process: tasks in, replies out
//! * `agent`: one call: POST, status, answer
//! * `connector`: names, TCP and TLS under ureq
//! * `trust`: the backend's certificate
//! * `fault`: why a call failed, and the remedy

mod access;
mod agent;
mod connector;
mod fault;
mod task;
#[cfg(test)]
mod tests;
mod trust;
mod worker;

pub(crate) use access::Access;
pub(crate) use task::{Done, Job, Reply, Task};
pub(crate) use worker::run;

//! The API worker and the API watcher: the only processes that call the backend and use the token. The client's parent
//! forks them; it hands tasks to the worker and reads the replies, and the watcher says when the configuration changes.
//! They start no thread, and send neither token nor password before the backend's certificate is verified.
//!
//! * `access`: where the backend is, and what opens it
//! * `task`: the messages between parent and worker
//! * `worker`: the process: tasks in, replies out
//! * `watcher`: the other process: one long call after the other
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
mod watcher;
mod worker;

pub(crate) use access::Access;
pub(crate) use task::{Done, Job, Reply, Task};
pub(crate) use watcher::run as run_watcher;
pub(crate) use worker::run as run_worker;

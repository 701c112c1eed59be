//! The API worker and the API watcher: only these processes call the backend and use the token. The client's parent
//! forks them. It sends tasks to the worker and reads the replies; the watcher tells it when the configuration changes.
//! They start no thread, and send neither token nor password before the backend's certificate is verified.
//!
//! * `access`: the address of the backend and the secrets for it
//! * `task`: the messages between parent and worker
//! * `worker`: the process that does tasks and sends replies
//! * `watcher`: the process that makes one long call after the other
//! * `agent`: one call: POST, status, answer
//! * `connector`: name lookup, TCP and TLS for ureq
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
pub(crate) use watcher::{WatcherMessage, run as run_watcher};
pub(crate) use worker::run as run_worker;

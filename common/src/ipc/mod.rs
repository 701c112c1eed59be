//! Messages between processes.
//!
//! * `channel`: a parent and its session child, on one host; carries descriptors.
//! * `errand`: session processes may open nothing; what another process opens for them.
//! * `frame`: length-prefixed JSON, on the control connection, on data connections before the session's octets,
//!   and between the client's parent and its API worker.

pub mod channel;
pub mod errand;
pub mod frame;

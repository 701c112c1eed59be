//! The link: all traffic on the internal port (2878). One control connection between the parents, and one data
//! connection for each pair of session children. The wire format is here and nowhere else.
//!
//! * `frame`: length-prefixed JSON, on the control connection, on data connections before the session's octets,
//!   and between the client's parent and its API worker.
//! * `control`: what the two parents say to each other, two enums, one for each direction.
//! * `pair`: pair IDs, tickets, and the preamble of a data connection.
//! * `join`: TLS with the ticket on a data connection, and the few frames that open a session on it.
//! * `tls`: the TLS contexts of the control connection.
//! * `backoff`: when a pair that came to nothing is tried again.
//! * `channel`: a parent and its child, on one host.

pub mod backoff;
pub mod channel;
pub mod control;
pub mod frame;
pub mod join;
pub mod pair;
pub mod tls;

/// Default port of the link.
pub const PORT: u16 = 2878;

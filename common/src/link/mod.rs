//! The link: all traffic on the internal port (2878). One control connection between the parents, and one data
//! connection for each pair of session children. The wire format is here and nowhere else; `man/doc/link.md` describes
//! it.
//!
//! * `control`: the messages between the two parents, one enum for each direction.
//! * `session_id`: the ID of a session and its pair, and the preamble of a data connection.
//! * `ticket`: the secret of a pair.
//! * `join`: TLS with the ticket on a data connection, and the few frames that open a session on it.
//! * `tls`: the TLS contexts of the control connection.
//! * `backoff`: the pause after a pair has failed.
//! * `demand`: how many parked pairs the recent sessions need.

pub mod backoff;
pub mod control;
pub mod demand;
pub mod join;
#[cfg(test)]
mod page_tests;
pub mod session_id;
pub mod ticket;
pub mod tls;

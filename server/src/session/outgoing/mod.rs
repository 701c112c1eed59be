//! An outgoing session, step by step: a station has connected.

mod called;
mod chosen;
pub(super) mod requested;

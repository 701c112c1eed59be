//! An outgoing session, step by step: a station has come.

mod called;
mod chosen;
pub(super) mod requested;

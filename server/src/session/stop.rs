//! Why a session child ends before it relays.

use crate::session::context::Halt;
use crate::session::refusal::Refusal;
use common::process::end_reasons::Status;

/// Why a session child ends before it relays.
pub(super) enum Stop {
    /// It served no partner: there is nothing to log.
    Unused(Status),
    /// A partner was refused.
    Refused(Box<Refusal>),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        Refusal::from(halt).into()
    }
}

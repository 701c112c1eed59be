//! Why a session child ends before it relays.

use common::net::Interrupted;
use common::process::end_reasons::Status;
use std::fmt;

/// Why a session child ends before it relays.
pub(super) enum Stop {
    /// It is not needed any more: nothing is reported.
    Unused(Status),
    /// It could not do its work; a sentence says why.
    Failed(Status, String),
}

impl Stop {
    pub(super) fn internal(e: &dyn fmt::Display) -> Self {
        Self::Failed(Status::Internal, e.to_string())
    }

    /// A parked child that a signal ends has nothing to report.
    pub(super) fn while_parked(e: Interrupted) -> Self {
        match e {
            Interrupted::Failed(e) => Self::internal(&e),
            Interrupted::Late | Interrupted::Ended(_) => Self::Unused(Status::Retired),
        }
    }
}

impl From<Interrupted> for Stop {
    fn from(e: Interrupted) -> Self {
        match e {
            Interrupted::Failed(e) => Self::internal(&e),
            Interrupted::Ended(_) => {
                Self::Failed(Status::Terminated, "the session process was told to end".to_owned())
            }
            Interrupted::Late => {
                Self::Failed(Status::Timeout, "the server's session process was too slow".to_owned())
            }
        }
    }
}

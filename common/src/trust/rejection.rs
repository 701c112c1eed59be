//! Why a partner is refused: its certificate, its address, or because it is disabled.

use crate::process::end_reasons::Status;
use crate::sys;
use crate::trust::faults::fault_status;
use crate::trust::seen::{Fault, Seen};

/// Why a partner is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The status with which its session ends.
    pub status: Status,
    /// What is wrong, and what to do about it: a complete sentence without a full stop.
    pub detail: String,
}

impl Rejection {
    pub(super) fn new(status: Status, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    /// For the fault `code` (X509_V_ERR_*) of the verified chain that `seen` describes.
    pub(super) fn of_fault(code: i32, seen: &Seen) -> Self {
        let text = sys::verify_result(code).error_string();
        match seen.facts().fault {
            Some(Fault { code, subject, remedy }) => {
                Self::new(fault_status(code), format!("{text}: certificate of {subject}; {remedy}"))
            }
            None => Self::new(fault_status(code), text),
        }
    }
}

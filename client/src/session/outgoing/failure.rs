//! Why an outgoing session failed before it began.

use crate::session::stop::Stop;
use common::net::Interrupted;
use common::partner_test::TestStep;
use common::process::end_reasons::Status;

/// Why an outgoing session failed before it began.
pub(super) struct Failure {
    pub(super) status: Status,
    /// A sentence.
    pub(super) detail: String,
    /// Whether the server's child knows it and has reported it.
    pub(super) is_reported: bool,
    /// If it was a test: its steps so far.
    pub(super) steps: Vec<TestStep>,
}

impl Failure {
    /// A failure that this side has found.
    pub(super) fn new(status: Status, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), is_reported: false, steps: Vec::new() }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Unused(_) => Self::new(Status::Terminated, "the session process was told to end"),
            Stop::Failed(status, detail) => Self::new(status, detail),
        }
    }
}

impl From<Interrupted> for Failure {
    fn from(e: Interrupted) -> Self {
        match e {
            Interrupted::Late => Self::new(Status::LinkBroke, "the server did not answer in time"),
            Interrupted::Ended(_) => Self::new(Status::Terminated, "the session process was told to end"),
            Interrupted::Failed(e) => Self::new(Status::Internal, e.to_string()),
        }
    }
}

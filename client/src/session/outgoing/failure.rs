//! Why an outgoing session did not come about.

use crate::session::stop::Stop;
use common::net::Interrupted;
use common::process::status::Status;

/// Why an outgoing session did not come about.
pub(super) struct Failure {
    pub(super) status: Status,
    /// A sentence.
    pub(super) detail: String,
    /// The server's child knows it, and has reported it.
    pub(super) is_reported: bool,
}

impl Failure {
    /// A failure that this side has found.
    pub(super) fn new(status: Status, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), is_reported: false }
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

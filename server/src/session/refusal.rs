//! Refusing a partner: the reason word, the ESID for the partner, and the one log line. The list of reasons is
//! `common::process::end_reasons`.

use crate::session::context::{Halt, SessionContext};
use common::log::{Event, catalogue};
use common::net::{Conn, Interrupted};
use common::oftp::{EsidReason, Violation};
use common::process::end_reasons::Status;
use common::trust::Rejection;
use std::fmt;

/// A refusal while the partner is still connected, because an alert or an ESID is being sent. If a station waits for an
/// answer, tell the station first; then call `part`.
pub(super) struct PendingRefusal {
    pub(super) refusal: Refusal,
    pub(super) conn: Option<Box<Conn>>,
}

impl From<Refusal> for PendingRefusal {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, conn: None }
    }
}

impl PendingRefusal {
    /// Closes once the alert or ESID is sent, which may take some seconds.
    pub(super) fn part(self, context: &mut SessionContext) -> Refusal {
        if let Some(conn) = self.conn {
            context.close(*conn);
        }
        self.refusal
    }
}

/// Why a partner was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: Status,
    /// The ESID for the partner, if the session has reached OFTP2.
    pub(super) esid: Option<EsidReason>,
    /// A complete sentence with the cause.
    pub(super) detail: String,
    /// Whether an operator should look at it.
    pub(super) notify_operator: bool,
}

impl From<Halt> for Refusal {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Garbled(what) => Self::internal(&what),
            Halt::MakeWay => Self::new(
                Status::Capacity,
                "others needed its place before it was verified (proxy_unverified_hard): its source had the most",
            ),
        }
    }
}

impl From<Halt> for PendingRefusal {
    fn from(halt: Halt) -> Self {
        Refusal::from(halt).into()
    }
}

impl From<Rejection> for Refusal {
    fn from(Rejection { status, detail }: Rejection) -> Self {
        let refusal = Self::new(status, detail);
        // The operator has disabled it.
        if status == Status::Disabled { refusal } else { refusal.notify_operator() }
    }
}

impl Refusal {
    pub(super) fn new(status: Status, detail: impl Into<String>) -> Self {
        Self { status, esid: None, detail: detail.into(), notify_operator: false }
    }

    /// A fault of this process.
    pub(super) fn internal(e: &dyn fmt::Display) -> Self {
        Self { notify_operator: true, ..Self::new(Status::Internal, e.to_string()) }
    }

    /// The partner broke the protocol.
    pub(super) fn violation(violation: &Violation) -> Self {
        let esid = Some(violation.reason());
        Self { esid, ..Self::new(Status::PartnerViolation, violation.to_string()).notify_operator() }
    }

    /// A signal has ended the wait, or the wait failed.
    pub(super) fn interrupted(e: Interrupted) -> Self {
        match e {
            Interrupted::Failed(e) => Self::internal(&e),
            Interrupted::Ended(_) => Self::new(Status::Terminated, "the session process was told to end"),
            Interrupted::Late => Self::new(Status::Timeout, "the time limit has passed"),
        }
    }

    /// The same while a partner waits for our next message: it gets an ESID.
    pub(super) fn closing_down(e: Interrupted) -> Self {
        let esid = matches!(e, Interrupted::Ended(_)).then_some(EsidReason::EmergencyCloseDown);
        Self { esid, ..Self::interrupted(e) }
    }

    pub(super) fn notify_operator(self) -> Self {
        Self { notify_operator: true, ..self }
    }

    /// Writes the log line, and a system log entry if an operator should look at it. Writes nothing if the parent
    /// counts this refusal among those without a line. Returns the exit status.
    pub(super) fn report(&self, context: &SessionContext) -> Status {
        let facts = &context.facts;
        if self.status == Status::Probe {
            context.log_end(Some(Event::new(&catalogue::PROBE).field("address", facts.address())));
            return self.status;
        }
        // A test is not the partner's call, and its administrator gets the result directly.
        if !facts.is_test {
            context.count_refusal(self.status);
        }
        let mut event = Event::new(&catalogue::SESSION_REFUSED)
            .field("direction", facts.direction.word())
            .field("reason", self.status.word())
            .field("address", facts.address());
        if let Some(pair) = facts.pair {
            event = event.field_display("session", pair);
        }
        event = event
            .field("subject", &facts.subject)
            .field("serial", &facts.serial)
            .field("ssid", &facts.ssid)
            .field("test", facts.test());
        if !facts.partner.is_empty() {
            event = event.field("partner", &facts.partner);
        }
        if let Some(esid) = self.esid {
            event = event.field("esid", esid.code());
        }
        event = event.field("detail", &self.detail);
        if context.has_line && self.notify_operator && !facts.is_test {
            let text = format!("{} session refused: {}", facts.direction.word(), self.status.word());
            context.send_system_log(event.level(), self.status, &text, &event);
        }
        context.log_end(Some(event).filter(|_| context.has_line));
        self.status
    }
}

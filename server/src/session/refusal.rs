//! Refusing a partner: the reason word, the ESID for the partner, and the one log line.

use crate::session::context::{Halt, SessionContext};
use common::log::{Event, events};
use common::net::{Conn, Interrupted};
use common::oftp::{EsidReason, Violation};
use common::process::status::Status;
use std::fmt;

/// Why a child stops before it relays.
pub(super) enum Stop {
    /// No partner was served: there is nothing to log.
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

/// A refusal while a partner is still connected: an alert or an ESID is on its way to it. A station that
/// waits for an answer is told first; then call `part`.
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
    /// The ESID that the partner was sent, if it got as far as OFTP2.
    pub(super) esid: Option<EsidReason>,
    /// One finished sentence with what was found.
    pub(super) detail: String,
    /// An operator should look at it.
    pub(super) notify_operator: bool,
}

impl From<Halt> for Refusal {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Garbled(what) => Self::internal(&what),
            Halt::MakeWay => Self::new(
                Status::Capacity,
                "it was not verified when others needed its place (proxy_unverified_hard); its source had the most",
            ),
        }
    }
}

impl From<Halt> for PendingRefusal {
    fn from(halt: Halt) -> Self {
        Refusal::from(halt).into()
    }
}

impl Refusal {
    pub(super) fn new(status: Status, detail: impl Into<String>) -> Self {
        Self { status, esid: None, detail: detail.into(), notify_operator: false }
    }

    /// Our own fault.
    pub(super) fn internal(e: &dyn fmt::Display) -> Self {
        Self { notify_operator: true, ..Self::new(Status::Internal, e.to_string()) }
    }

    /// The partner broke the protocol.
    pub(super) fn violation(violation: &Violation) -> Self {
        let esid = Some(violation.reason());
        Self { esid, ..Self::new(Status::PartnerViolation, violation.to_string()).notify_operator() }
    }

    /// Waiting was ended by a signal, or failed.
    pub(super) fn interrupted(e: Interrupted) -> Self {
        match e {
            Interrupted::Failed(e) => Self::internal(&e),
            Interrupted::Ended(_) => Self::new(Status::Terminated, "the session process was told to end"),
            Interrupted::Late => Self::new(Status::Timeout, "the time limit has passed"),
        }
    }

    /// The same where a partner waits for our next message: it gets an ESID.
    pub(super) fn closing_down(e: Interrupted) -> Self {
        let esid = matches!(e, Interrupted::Ended(_)).then_some(EsidReason::EmergencyCloseDown);
        Self { esid, ..Self::interrupted(e) }
    }

    pub(super) fn notify_operator(self) -> Self {
        Self { notify_operator: true, ..self }
    }

    /// Writes the log line, and a system log entry if an operator should look at it, unless the parent counts this one
    /// among those that are left out; gives the exit status.
    pub(super) fn report(&self, context: &SessionContext) -> Status {
        let facts = &context.facts;
        if self.status == Status::Probe {
            context.log_end(Some(Event::new(&events::PROBE).field("address", facts.address())));
            return self.status;
        }
        let mut event = Event::new(&events::SESSION_REFUSED)
            .field("direction", facts.direction.word())
            .field("reason", self.status.word())
            .field("address", facts.address());
        if let Some(pair) = facts.pair {
            event = event.field_display("session", pair);
        }
        event =
            event.field("subject", &facts.subject).field("serial", &facts.serial).field("ssid", &facts.ssid);
        if !facts.partner.is_empty() {
            event = event.field("partner", &facts.partner);
        }
        if let Some(esid) = self.esid {
            event = event.field("esid", esid.code());
        }
        event = event.field("detail", &self.detail);
        if context.has_line && self.notify_operator {
            let text = format!("{} session refused: {}", facts.direction.word(), self.status.word());
            context.send_system_log(event.level(), self.status, &text, &event);
        }
        context.log_end(Some(event).filter(|_| context.has_line));
        self.status
    }
}

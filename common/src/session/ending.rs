//! How a session ended, in the words of the end line and of the exit status. The same on both daemons.

use crate::config::Limits;
use crate::log::{Event, Priority, catalogue};
use crate::oftp::{self, EsidReason, Violation};
use crate::process::end_reasons::Status;
use crate::session::inspector::Inspector;
use crate::session::relay::{Cause, Outcome, Side, Timeouts, Totals};
use std::time::Duration;

/// The ESID that ends a test. The normal reason 00 is not allowed in place of an SSID (RFC 5024 §9).
pub const TEST_OVER: EsidReason = EsidReason::UnspecifiedAbort;

/// A session's end.
#[derive(Debug)]
pub struct Ending {
    /// Why, in one word.
    pub status: Status,
    /// The ESID that ended it, if one did.
    pub esid: Option<EsidReason>,
    /// A complete sentence, if there is more to say.
    pub detail: String,
}

/// A session's time limits from the configuration.
pub fn timeouts(limits: &Limits) -> Timeouts {
    Timeouts {
        silence: Duration::from_secs(u64::from(limits.silence_seconds)),
        unit: Duration::from_secs(u64::from(limits.buffer_seconds)),
        largest_unit: oftp::MAX_STB,
    }
}

impl Ending {
    /// Converts the relay's outcome. A violation is logged here.
    pub fn of(outcome: &Outcome<Violation>, inspector: &Inspector) -> Self {
        let plain = |status, detail: String| Self { status, esid: None, detail };
        // If an ESID had passed before, we sent none.
        let told = |reason| inspector.ended().is_none().then_some(reason);
        match outcome {
            Outcome::Closed(by) => match inspector.ended() {
                Some((_, EsidReason::NormalTermination)) => plain(Status::Normal, String::new()),
                Some((side, reason)) => Self {
                    status: Status::ErrorEsid,
                    esid: Some(reason),
                    detail: format!(
                        "ESID {} by the {}: {}",
                        reason.code(),
                        inspector.name(side),
                        reason.name()
                    ),
                },
                None => {
                    let status = match by {
                        Some(Side::Inner) => Status::StationBroke,
                        _ => Status::PartnerBroke,
                    };
                    plain(status, format!("closed in state {}", inspector.state()))
                }
            },
            Outcome::Broken(side, e) => {
                let status = match side {
                    Side::Outer => Status::PartnerBroke,
                    Side::Inner => Status::StationBroke,
                };
                plain(
                    status,
                    format!("the {side}'s connection broke off in state {}: {e}", inspector.state()),
                )
            }
            Outcome::LinkBroken(e) => plain(
                Status::LinkBroke,
                format!(
                    "the data connection between the daemons broke off in state {}: {e}; if a session process crashed, \
                     the other daemon's log says so",
                    inspector.state()
                ),
            ),
            Outcome::Ended(Cause::Refused(side, violation)) => {
                log_violation(*side, violation);
                let status = match side {
                    Side::Outer if violation.reason() == EsidReason::UserCodeNotKnown => {
                        Status::NotThisPartner
                    }
                    Side::Outer => Status::PartnerViolation,
                    Side::Inner => Status::StationViolation,
                };
                Self { status, esid: told(violation.reason()), detail: violation.to_string() }
            }
            Outcome::Ended(Cause::Silent) => Self {
                status: Status::Timeout,
                esid: told(EsidReason::TimeOut),
                detail: format!("nothing moved for too long in state {}", inspector.state()),
            },
            Outcome::Ended(Cause::Unfinished(side)) => Self {
                status: Status::Timeout,
                esid: told(EsidReason::TimeOut),
                detail: format!("the {side} began an Exchange Buffer and did not finish it in time"),
            },
            Outcome::Ended(Cause::Signal) => Self {
                status: Status::Terminated,
                esid: told(EsidReason::EmergencyCloseDown),
                detail: "the session process was told to end".to_owned(),
            },
            Outcome::Ended(Cause::Administrator(name)) => Self {
                status: Status::Administrator,
                esid: told(EsidReason::EmergencyCloseDown),
                detail: by_administrator(name),
            },
            Outcome::Failed(e) => plain(Status::Internal, e.to_string()),
        }
    }

    /// The same, unless the other daemon ends the session for this administrator: then its ESID is no fault of a peer.
    #[must_use]
    pub fn ended_by(mut self, administrator: Option<&str>) -> Self {
        if let (Some(name), Some(EsidReason::EmergencyCloseDown)) = (administrator, self.esid) {
            self.status = Status::Administrator;
            self.detail = by_administrator(name);
        }
        self
    }

    /// The same for a test: the station's side ends it by an ESID as soon as the partner has answered.
    #[must_use]
    pub fn of_test(self, inspector: &Inspector) -> Self {
        match inspector.ended() {
            Some((oftp::Side::Initiator, TEST_OVER)) if self.status == Status::ErrorEsid => {
                Self { status: Status::Normal, detail: "the partner has answered".to_owned(), ..self }
            }
            _ => self,
        }
    }

    /// Whether an operator should look at it.
    pub fn concerns_operator(&self) -> bool {
        !matches!(
            self.status,
            Status::Normal
                | Status::ErrorEsid
                | Status::PartnerBroke
                | Status::Terminated
                | Status::Administrator
        )
    }

    /// The level of its end line.
    pub fn level(&self) -> Priority {
        if self.concerns_operator() { Priority::Warn } else { Priority::Info }
    }

    /// Adds the fields of every end line.
    pub fn describe(&self, event: Event, totals: Totals, inspector: &Inspector, lasted: Duration) -> Event {
        let mut event = event
            .field("reason", self.status.word())
            .field_display("seconds", format_args!("{:.3}", lasted.as_secs_f64()))
            .field_num("octets_in", totals.from(Side::Outer))
            .field_num("octets_out", totals.from(Side::Inner))
            .field_num("files", inspector.tally.files)
            .field_num("files_refused", inspector.tally.refused)
            .field_num("receipts", inspector.tally.receipts);
        if let Some(esid) = self.esid {
            event = event.field("esid", esid.code());
        }
        if !self.detail.is_empty() {
            event = event.field("detail", &self.detail);
        }
        event
    }
}

fn by_administrator(name: &str) -> String {
    format!("{name} has ended the session")
}

/// Logs a violation: command, field, offset, the value found and the rule.
pub fn log_violation(side: Side, violation: &Violation) {
    let mut event = Event::new(&catalogue::VIOLATION)
        .field_display("side", side)
        .field("esid", violation.reason().code());
    if let Some(command) = violation.command() {
        event = event.field_display("command", command);
    }
    event
        .field_opt("field", violation.field())
        .field_num("offset", violation.offset() as u64)
        .field("found", violation.found())
        .field("expected", violation.expected())
        .field("rule", violation.rule())
        .log();
}

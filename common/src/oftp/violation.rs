//! Why a buffer was refused: the ESID reason, the place of the fault, the value found, and the rule.
//!
//! The checker makes it; the daemons (log, system log) and `oftp2check` show it. Its values are escaped and of limited
//! length from the start, and it never contains a password.

use super::command::CommandCode;
use super::deviation::Deviation;
use super::reason_codes::EsidReason;
use super::side::Side;
use std::borrow::Cow;
use std::fmt;

/// One refused buffer. `Display` is a complete sentence; the accessors are for `key=value` lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub(super) reason: EsidReason,
    pub(super) side: Side,
    pub(super) command: Option<CommandCode>,
    pub(super) field: Option<&'static str>,
    pub(super) offset: usize,
    pub(super) found: String,
    pub(super) expected: Cow<'static, str>,
    pub(super) rule: &'static str,
}

impl Violation {
    /// The SSID of `side` has another SSIDCODE than `expected`: ESID 03.
    pub fn stranger(side: Side, found: &str, expected: &str) -> Self {
        Self {
            reason: EsidReason::UserCodeNotKnown,
            side,
            command: Some(CommandCode::Ssid),
            field: Some("SSIDCODE"),
            offset: 2,
            found: format!("{found:?}"),
            expected: Cow::Owned(format!("{expected:?}, as in the partner table")),
            rule: CommandCode::Ssid.section(),
        }
    }

    /// The ESID reason that answers it (RFC 5024 §5.3.11).
    pub fn reason(&self) -> EsidReason {
        self.reason
    }

    /// Its command; none if the header or the first octet is at fault.
    pub fn command(&self) -> Option<CommandCode> {
        self.command
    }

    /// The field by its name in the RFC; `STH` for the header; none if the whole command is out of place.
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }

    /// Offset of the fault in octets, from the start of the Exchange Buffer, as in the RFC's tables (in the Stream
    /// Transmission Header: from its first octet).
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The value found, escaped, at most 64 octets of it; a password is masked.
    pub fn found(&self) -> &str {
        &self.found
    }

    /// What the rule requires.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// The section with the rule, `RFC 5024 §5.3.2`.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.command {
            Some(command) => write!(f, "{command}")?,
            None => f.write_str("A buffer")?,
        }
        write!(f, " of the {} is refused with ESID {}: found {}", self.side, self.reason, self.found)?;
        if let Some(field) = self.field {
            write!(f, " in {field} at offset {}", self.offset)?;
        }
        write!(f, ", where the rule asks for {} ({}).", self.expected, self.rule)
    }
}

impl std::error::Error for Violation {}

/// A fault inside one message; the checker adds its sender and its command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MessageFault {
    pub(super) reason: EsidReason,
    pub(super) field: Option<&'static str>,
    pub(super) offset: usize,
    pub(super) found: String,
    pub(super) expected: Cow<'static, str>,
    /// The section with the rule, if it is not the command's own section.
    pub(super) rule: Option<&'static str>,
}

impl MessageFault {
    /// Content that the field's format does not allow: ESID 06.
    pub(super) fn content(
        field: &'static str,
        offset: usize,
        found: String,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        let reason = EsidReason::InvalidData;
        Self { reason, field: Some(field), offset, found, expected: expected.into(), rule: None }
    }

    /// A length that does not fit the command: ESID 07.
    pub(super) fn size(
        field: Option<&'static str>,
        offset: usize,
        found: String,
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        let reason = EsidReason::ExchangeBufferSize;
        Self { reason, field, offset, found, expected: expected.into(), rule: None }
    }

    /// A valid command or value where it is not allowed: ESID 02.
    pub(super) fn order(found: String, expected: impl Into<Cow<'static, str>>, rule: &'static str) -> Self {
        let reason = EsidReason::ProtocolViolation;
        Self { reason, field: None, offset: 0, found, expected: expected.into(), rule: Some(rule) }
    }

    /// The same fault, in this field.
    pub(super) fn in_field(mut self, field: &'static str, offset: usize) -> Self {
        self.field = Some(field);
        self.offset = offset;
        self
    }

    /// The same fault, with the deviation as which a more tolerant profile accepts it.
    pub(super) fn bearable(mut self, deviation: Option<Deviation>) -> Self {
        if let Some(deviation) = deviation {
            self.expected = format!("{}; {}", self.expected, deviation.remedy()).into();
        }
        self
    }

    /// The same fault, with this section as its rule.
    pub(super) fn by(mut self, rule: &'static str) -> Self {
        self.rule = Some(rule);
        self
    }

    pub(super) fn of(self, side: Side, command: Option<CommandCode>) -> Violation {
        let rule = self.rule.or(command.map(CommandCode::section)).unwrap_or("RFC 5024 §5.3");
        Violation {
            reason: self.reason,
            side,
            command,
            field: self.field,
            offset: self.offset,
            found: self.found,
            expected: self.expected,
            rule,
        }
    }
}

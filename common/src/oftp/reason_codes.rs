//! Reason codes: ESIDREAS as an enum (the daemons send them), the codes of SFNA, EFNA and NERP as lists.
//!
//! Has the codes that exist at each level (RFC 5024 §5.3.5, §5.3.10, §5.3.11, §5.3.14); does not decide when one is
//! used.

use super::level::{ALL, L4_UP, L5, Levels};
use std::fmt;

/// Why a session ends (ESIDREAS, RFC 5024 §5.3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EsidReason {
    /// 00
    NormalTermination,
    /// 01: the first octet is no command, or no command of this level.
    CommandNotRecognised,
    /// 02: a valid command in the wrong state or from the wrong side.
    ProtocolViolation,
    /// 03
    UserCodeNotKnown,
    /// 04
    InvalidPassword,
    /// 05
    EmergencyCloseDown,
    /// 06: a fault in a field's content.
    InvalidData,
    /// 07: the length does not fit the command.
    ExchangeBufferSize,
    /// 08
    ResourcesNotAvailable,
    /// 09
    TimeOut,
    /// 10
    IncompatibleMode,
    /// 11 (level 5)
    InvalidChallengeResponse,
    /// 12 (level 5)
    AuthenticationIncompatible,
    /// 99
    UnspecifiedAbort,
    /// Another two-digit number, which no RFC defines (deviation C9); we never send it.
    Undefined(u8),
}

/// Every two-digit number, so that a code's text needs no allocation.
const DIGITS: &str = "0001020304050607080910111213141516171819\
                      2021222324252627282930313233343536373839\
                      4041424344454647484950515253545556575859\
                      6061626364656667686970717273747576777879\
                      8081828384858687888990919293949596979899";

use EsidReason as E;

/// Reason, number, name, levels.
const ESID: [(EsidReason, u8, &str, Levels); 14] = [
    (E::NormalTermination, 0, "normal termination", ALL),
    (E::CommandNotRecognised, 1, "command not recognised", ALL),
    (E::ProtocolViolation, 2, "protocol violation", ALL),
    (E::UserCodeNotKnown, 3, "user code not known", ALL),
    (E::InvalidPassword, 4, "invalid password", ALL),
    (E::EmergencyCloseDown, 5, "local site emergency close down", ALL),
    (E::InvalidData, 6, "command contained invalid data", ALL),
    (E::ExchangeBufferSize, 7, "Exchange Buffer size error", ALL),
    (E::ResourcesNotAvailable, 8, "resources not available", ALL),
    (E::TimeOut, 9, "time out", ALL),
    (E::IncompatibleMode, 10, "mode or capabilities incompatible", ALL),
    (E::InvalidChallengeResponse, 11, "invalid challenge response", L5),
    (E::AuthenticationIncompatible, 12, "secure authentication requirements incompatible", L5),
    (E::UnspecifiedAbort, 99, "unspecified abort", ALL),
];

impl EsidReason {
    /// The reason with this number; a number above 99 becomes 99.
    pub fn from_number(number: u8) -> Self {
        ESID.iter()
            .find(|row| row.1 == number)
            .map_or(if number < 100 { Self::Undefined(number) } else { Self::UnspecifiedAbort }, |row| row.0)
    }

    /// 0 to 99.
    pub fn number(self) -> u8 {
        match self {
            Self::Undefined(number) => number,
            known => ESID.iter().find(|row| row.0 == known).map_or(99, |row| row.1),
        }
    }

    /// The two digits on the wire.
    pub fn code(self) -> &'static str {
        let at = usize::from(self.number()).saturating_mul(2);
        DIGITS.get(at..at.saturating_add(2)).unwrap_or("99")
    }

    /// The RFC's words.
    pub fn name(self) -> &'static str {
        ESID.iter().find(|row| row.0 == self).map_or("undefined reason", |row| row.2)
    }
}

impl fmt::Display for EsidReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A list of two-digit codes: from, to, and the levels that define them.
pub(super) type Codes = &'static [(u8, u8, Levels)];

/// ESIDREAS.
pub(super) const ESID_CODES: Codes = &[(0, 10, ALL), (11, 12, L5), (99, 99, ALL)];

/// SFNAREAS (RFC 5024 §5.3.5).
pub(super) const SFNA_CODES: Codes =
    &[(1, 6, ALL), (10, 13, ALL), (14, 14, L4_UP), (15, 20, L5), (99, 99, ALL)];

/// EFNAREAS (RFC 5024 §5.3.10).
pub(super) const EFNA_CODES: Codes =
    &[(1, 6, ALL), (10, 13, ALL), (14, 14, L4_UP), (15, 23, L5), (99, 99, ALL)];

/// NERPREAS (RFC 5024 §5.3.14). Level 4 has no public specification: a code counts as part of it unless it is known to
/// be new in 2.0.
pub(super) const NERP_CODES: Codes = &[
    (3, 4, L4_UP),
    (9, 9, L4_UP),
    (11, 16, L4_UP),
    (20, 24, L4_UP),
    (25, 34, L5),
    (35, 36, L4_UP),
    (50, 50, L4_UP),
    (90, 90, L4_UP),
    (99, 99, L4_UP),
];

#[cfg(test)]
mod tests {
    use super::{DIGITS, ESID, ESID_CODES, EsidReason};

    #[test]
    fn every_reason_has_its_two_digits() {
        assert_eq!(DIGITS.len(), 200);
        for number in 0..100 {
            assert_eq!(EsidReason::from_number(number).code(), format!("{number:02}"));
        }
        assert_eq!(EsidReason::from_number(100), EsidReason::UnspecifiedAbort);
        let listed: Vec<_> = ESID_CODES
            .iter()
            .flat_map(|&(from, to, levels)| (from..=to).map(move |code| (code, levels)))
            .collect();
        let known: Vec<_> = ESID.iter().map(|row| (row.1, row.3)).collect();
        assert_eq!(listed, known, "the field's list and the enum agree");
    }
}

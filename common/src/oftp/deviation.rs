//! The deviations from the RFC that the tolerant profile accepts, by number.
//!
//! `man/doc/deviations.md` says for each who shows it and why it is harmless; a test here holds it against the enum.

use std::fmt;

/// A deviation that the tolerant profile accepts because real stacks show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// EFID at credit 0; then one CDT before the answer.
    C1,
    /// ESID 00 by the Speaker without a Change Direction before it.
    C2,
    /// Embedded or leading spaces, `_` and lower case in X fields.
    C3,
    /// Time counter 0000.
    C4,
    /// Carriage return missing, or the fields that level 5 has added at the end of a command.
    C5,
    /// CDT without its reserved octets.
    C6,
    /// ESID in the form of another level.
    C7,
    /// The Responder's SSID above the offer: the lower value counts.
    C8,
    /// Reason code that the level does not define.
    C9,
    /// End of record missing at the end of a file, or more than one in a text file.
    C10,
    /// Error ESID instead of SSRM.
    C11,
    /// Special logic offered, and declined.
    C12,
    /// Printable octets outside of the set in X fields.
    C13,
    /// Latin-1 where UTF-8 is due.
    C14,
    /// A record length for a file without records.
    C15,
    /// Spaces in place of leading zeros.
    C16,
}

impl Deviation {
    /// What it is, in a few words.
    pub fn text(self) -> &'static str {
        match self {
            Self::C1 => "EFID while the credit is 0",
            Self::C2 => "ESID 00 without a Change Direction before it",
            Self::C3 => "space, underscore or lower case in an alphanumeric field",
            Self::C4 => "time counter 0000",
            Self::C5 => "carriage return or the tail of level 5 missing",
            Self::C6 => "CDT without its reserved octets",
            Self::C7 => "ESID in the form of another level",
            Self::C8 => "Responder's SSID above the offer",
            Self::C9 => "reason code that this level does not define",
            Self::C10 => "end of record missing at the end of the file, or repeated in a text file",
            Self::C11 => "ESID instead of SSRM",
            Self::C12 => "special logic offered on TCP",
            Self::C13 => "printable character outside of the RFC's set in an alphanumeric field",
            Self::C14 => "text that is not UTF-8",
            Self::C15 => "record length for a file without records",
            Self::C16 => "number padded with spaces",
        }
    }

    /// Its bit in a set of deviations.
    pub(super) fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::Deviation;
    use std::collections::HashSet;

    const DOCUMENT: &str = include_str!("../../../man/doc/deviations.md");

    /// The number after this one; a new variant does not compile without its place here.
    fn next(deviation: Deviation) -> Option<Deviation> {
        use Deviation::{C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15, C16};
        match deviation {
            C1 => Some(C2),
            C2 => Some(C3),
            C3 => Some(C4),
            C4 => Some(C5),
            C5 => Some(C6),
            C6 => Some(C7),
            C7 => Some(C8),
            C8 => Some(C9),
            C9 => Some(C10),
            C10 => Some(C11),
            C11 => Some(C12),
            C12 => Some(C13),
            C13 => Some(C14),
            C14 => Some(C15),
            C15 => Some(C16),
            C16 => None,
        }
    }

    #[test]
    fn each_deviation_has_its_row_and_its_section_in_the_document() {
        let all: Vec<Deviation> = std::iter::successors(Some(Deviation::C1), |last| next(*last)).collect();
        for deviation in &all {
            let row = format!("| {deviation} | {} | ", deviation.text());
            assert!(DOCUMENT.lines().any(|line| line.starts_with(&row)), "no row '{row}'");
            let heading = format!("## {deviation}: ");
            assert!(DOCUMENT.lines().any(|line| line.starts_with(&heading)), "no section '{heading}'");
        }
        assert_eq!(DOCUMENT.lines().filter(|line| line.starts_with("| C")).count(), all.len());
        assert_eq!(all.iter().map(|deviation| deviation.bit()).collect::<HashSet<_>>().len(), all.len());
    }
}

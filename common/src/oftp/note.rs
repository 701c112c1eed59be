//! Findings that do not end a session: tolerated deviations, files, receipts, counts that do not agree.
//!
//! The checker collects them, the daemons log them, each a line. They are rare beside buffers; making one is the
//! only allocation a legal session can cause. A `Display` is one line with the peer's values escaped.

use super::command::CommandCode;
use super::escape::{self, trimmed};
use super::side::Side;
use std::fmt::{self, Write};

/// A deviation that the tolerant profile accepts because real stacks show it. `man/doc/deviations.md` says for each who
/// shows it and why it is harmless.
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

/// A value of an X field, at most 26 octets (DSN). `Display` escapes it and drops the padding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Label {
    octets: [u8; 26],
    length: u8,
}

impl Label {
    pub(super) fn new(value: &[u8]) -> Self {
        let mut octets = [0; 26];
        let mut length = 0;
        for (place, octet) in octets.iter_mut().zip(trimmed(value)) {
            *place = *octet;
            length = u8::saturating_add(length, 1);
        }
        Self { octets, length }
    }

    /// The octets without padding.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape::write(f, self.octets())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        escape::write(f, self.octets())?;
        f.write_char('"')
    }
}

/// A rare finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A deviation that the tolerant profile accepts; once a session for each of C1 to C16.
    Tolerated {
        /// Its number.
        deviation: Deviation,
        /// Who showed it.
        side: Side,
        /// In which command.
        command: CommandCode,
        /// In which field, if it is one field's.
        field: Option<&'static str>,
    },
    /// Something that no rule forbids and an operator may want to know; once a session for each text.
    Remark {
        /// Who showed it.
        side: Side,
        /// In which command.
        command: CommandCode,
        /// What it is.
        text: &'static str,
    },
    /// The Listener said EFPA: the file is delivered.
    FileAccepted {
        /// Who sent the file.
        sender: Side,
        /// SFIDDSN.
        name: Label,
        /// Octets of the virtual file that this session carried (before buffer compression).
        octets: u64,
        /// Restart position that the Listener chose, in records (F, V) or 1,024 octets.
        restart: u64,
    },
    /// The Listener said SFNA or EFNA.
    FileRefused {
        /// Who sent the file.
        sender: Side,
        /// SFIDDSN.
        name: Label,
        /// Octets that this session carried.
        octets: u64,
        /// SFNA or EFNA.
        command: CommandCode,
        /// SFNAREAS or EFNAREAS, 0 to 99.
        reason: u8,
    },
    /// The Listener accepted a file whose EFID does not agree with what passed (RFC 5024 §5.3.8).
    CountMismatch {
        /// Who sent the file.
        sender: Side,
        /// SFIDDSN.
        name: Label,
        /// EFIDRCNT, EFIDUCNT.
        told: (u64, u64),
        /// Records and octets as counted here; none where they cannot be known.
        counted: (Option<u64>, Option<u64>),
    },
    /// A receipt was taken (EERP or NERP, then RTR).
    Receipt {
        /// Who sent it.
        sender: Side,
        /// EERP or NERP.
        command: CommandCode,
        /// EERPDSN or NERPDSN.
        name: Label,
        /// NERPREAS, 0 to 99.
        reason: Option<u8>,
    },
}

impl Note {
    /// Whose message it is about; of a file, its sender.
    pub fn side(&self) -> Side {
        match *self {
            Self::Tolerated { side, .. } | Self::Remark { side, .. } => side,
            Self::FileAccepted { sender, .. }
            | Self::FileRefused { sender, .. }
            | Self::CountMismatch { sender, .. }
            | Self::Receipt { sender, .. } => sender,
        }
    }
}

/// A count, or `?` where it cannot be known.
struct Known(Option<u64>);

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => write!(f, "{count}"),
            None => f.write_char('?'),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tolerated { deviation, side, command, field } => {
                write!(f, "tolerated={deviation} role={side} command={command}")?;
                if let Some(field) = field {
                    write!(f, " field={field}")?;
                }
                write!(f, " text=\"{}\"", deviation.text())
            }
            Self::Remark { side, command, text } => {
                write!(f, "remark=\"{text}\" role={side} command={command}")
            }
            Self::FileAccepted { sender, name, octets, restart } => {
                write!(f, "file=accepted role={sender} name=\"{name}\" octets={octets} restart={restart}")
            }
            Self::FileRefused { sender, name, octets, command, reason } => write!(
                f,
                "file=refused role={sender} name=\"{name}\" octets={octets} command={command} reason={reason:02}"
            ),
            Self::CountMismatch { sender, name, told, counted } => write!(
                f,
                "file=miscounted role={sender} name=\"{name}\" records={} octets={} \
                 counted_records={} counted_octets={}",
                told.0,
                told.1,
                Known(counted.0),
                Known(counted.1)
            ),
            Self::Receipt { sender, command, name, reason } => {
                write!(f, "receipt={command} role={sender} name=\"{name}\"")?;
                reason.map_or(Ok(()), |reason| write!(f, " reason={reason:02}"))
            }
        }
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

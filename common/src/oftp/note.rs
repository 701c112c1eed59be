//! Findings that do not end a session: tolerated deviations, files, receipts, counts that do not agree.
//!
//! The checker collects them, and the daemons log each in one line. They are rare compared with buffers, and they are
//! the only allocations that a legal session can cause. `Display` is one line with the peer's values escaped.

use super::command::CommandCode;
use super::deviation::Deviation;
use super::escape::{self, trimmed};
use super::side::Side;
use std::fmt::{self, Write};

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

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A deviation that the tolerant profile accepts; once a session for each number.
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
    /// The Listener accepted a file although its EFID does not agree with the transferred data (RFC 5024 §5.3.8).
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
    /// The sender of the message; for a file, the sender of the file.
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

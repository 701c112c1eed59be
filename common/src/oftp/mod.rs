//! The OFTP2 checker: RFC 5024 (level 5) and RFC 2204 with its successors (levels 1, 2 and 4) on TCP or TLS.
//!
//! Owns what one session may say: framing, fields, the order of commands, credit, counts. Every session child of
//! both daemons runs one `Checker` beside its relay; `oftp2check` runs it on traces. It knows no sockets, no clock
//! and no configuration, changes no octet, and allocates nothing for a buffer that it finds in order.
//!
//! Reading order: `command`, `reason`, `layout` (what the messages look like), `field`, `message` (one message),
//! `order` (RFC 5024's state tables), `ssid`, `data`, `transfer`, `checker`,
//! `effects`; then `violation`, `note`, `describe`.

#![deny(clippy::indexing_slicing)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod checker;
mod command;
mod data;
mod describe;
mod effects;
mod escape;
mod field;
mod layout;
mod message;
mod note;
mod order;
mod reason;
#[cfg(test)]
mod session_tests;
mod ssid;
#[cfg(test)]
mod tests;
mod transfer;
mod violation;

pub use checker::{Checker, Command};
pub use command::CommandCode;
pub use describe::{describe, describe_fields, masked};
pub use message::check_message;
pub use note::{Deviation, Label, Note};
pub use order::{State, order_table};
pub use reason::EsidReason;
pub use ssid::Ssid;
pub use violation::Violation;

use std::fmt;

/// Octets of a Stream Transmission Header (RFC 5024 §8.2).
pub const STH: usize = 4;

/// Largest Stream Transmission Buffer, header included: an Exchange Buffer of 99,999 octets (RFC 5024 §8.2).
pub const MAX_STB: usize = 100_003;

/// Largest Exchange Buffer; the header is not part of it.
pub const MAX_OEB: usize = MAX_STB - STH;

/// The Start Session Ready Message as a whole Stream Transmission Buffer (RFC 5024 §5.3.1).
pub const SSRM: [u8; 23] = *b"\x10\x00\x00\x17IODETTE FTP READY \r";

/// Who sent a buffer: the side that opened the connection, or the one that accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Opened the connection; the first Speaker.
    Initiator,
    /// Accepted the connection; sends SSRM.
    Responder,
}

impl Side {
    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    /// `I` or `R`, as traces write it.
    pub fn letter(self) -> char {
        match self {
            Self::Initiator => 'I',
            Self::Responder => 'R',
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initiator => "Initiator",
            Self::Responder => "Responder",
        })
    }
}

/// How strictly a partner is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Accepts the deviations C1 to C12 (`man/doc/deviations.md`), and notes each once a session.
    #[default]
    Tolerant,
    /// Accepts what the RFC says, nothing else.
    Strict,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tolerant => "tolerant",
            Self::Strict => "strict",
        })
    }
}

/// Protocol release level (SSIDLEV, RFC 5024 §5.3.2), lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Revision 1.2, and every stack written to RFC 2204.
    L1,
    /// Revision 1.3.
    L2,
    /// Revision 1.4.
    L4,
    /// Revision 2.0, RFC 5024.
    L5,
}

impl Level {
    /// The digit that SSIDLEV carries.
    pub fn digit(self) -> char {
        match self {
            Self::L1 => '1',
            Self::L2 => '2',
            Self::L4 => '4',
            Self::L5 => '5',
        }
    }

    /// The level that SSIDLEV names; 3 and everything above 5 are unassigned.
    pub fn from_digit(digit: u8) -> Option<Self> {
        match digit {
            b'1' => Some(Self::L1),
            b'2' => Some(Self::L2),
            b'4' => Some(Self::L4),
            b'5' => Some(Self::L5),
            _ => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.digit())
    }
}

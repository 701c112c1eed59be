//! The two ends of a session, as RFC 5024 names them.

use std::fmt;

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

//! The two connections of a session, named by their direction.

use std::fmt;

/// One of the two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The connection nearer to the partner.
    Outer,
    /// The connection nearer to the station.
    Inner,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Outer => Self::Inner,
            Self::Inner => Self::Outer,
        }
    }

    /// Its index in arrays of both.
    pub(super) fn index(self) -> usize {
        match self {
            Self::Outer => 0,
            Self::Inner => 1,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outer => "partner",
            Self::Inner => "station",
        })
    }
}

//! Protocol release levels, and sets of them for the tables.

use std::fmt;

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

/// A set of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Levels(u8);

impl Levels {
    /// Whether `level` is one of them.
    pub(super) const fn has(self, level: Level) -> bool {
        let bit = match level {
            Level::L1 => 1,
            Level::L2 => 2,
            Level::L4 => 4,
            Level::L5 => 8,
        };
        self.0 & bit != 0
    }
}

/// All levels.
pub(super) const ALL: Levels = Levels(0b1111);
/// Levels 4 and 5.
pub(super) const L4_UP: Levels = Levels(0b1100);
/// Levels 1, 2 and 4.
pub(super) const L4_DOWN: Levels = Levels(0b0111);
/// Levels 1 and 2.
pub(super) const L2_DOWN: Levels = Levels(0b0011);
/// Level 5 alone.
pub(super) const L5: Levels = Levels(0b1000);

//! How strictly a partner is judged: which deviations are accepted.

use super::deviation::{Deviation, Deviations};
use std::fmt;

/// How strictly a partner is judged: the deviations (`man/doc/deviations.md`) that are accepted, each noted once a
/// session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile(Deviations);

impl Profile {
    /// Accepts all deviations.
    pub const TOLERANT: Self = Self(Deviations::ALL);
    /// Accepts only what the RFC allows.
    pub const STRICT: Self = Self(Deviations::NONE);

    /// Strict, except for these deviations.
    pub fn strict_except(allowed: Deviations) -> Self {
        Self(allowed)
    }

    /// Whether it accepts this deviation.
    pub fn accepts(self, deviation: Deviation) -> bool {
        self.0.has(deviation)
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::TOLERANT
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TOLERANT => f.write_str("tolerant"),
            Self::STRICT => f.write_str("strict"),
            Self(allowed) => write!(f, "strict but for {allowed}"),
        }
    }
}

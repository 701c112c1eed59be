//! The two ways of judging a partner.

use std::fmt;

/// How strictly a partner is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Accepts the deviations of `man/doc/deviations.md`, and notes each once a session.
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

//! Acts: what administrators want done at once with running sessions and partners, and the outcome.

use crate::partner_test::TestStep;
use serde::{Deserialize, Serialize};

/// Most acts in one answer: so many fit into a message of the API watcher.
pub const MAX_ACTS: usize = 20;

/// Most octets of the text of an act's outcome.
pub const MAX_OUTCOME: usize = 1000;

/// Something that an administrator wants done at once; each daemon does its part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Its number, which its outcome repeats.
    pub number: u64,
    /// The administrator's name, as in the audit.
    pub administrator: String,
    /// What is wanted.
    #[serde(flatten)]
    pub kind: ActKind,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum ActKind {
    /// Ends a session, with ESID 05 to partner and station.
    EndSession {
        /// The pair's ID in hex.
        session: String,
    },
    /// Calls a partner as a station would, and closes after its SSRM has arrived.
    TestPartner {
        /// Its short name.
        partner: String,
    },
}

impl ActKind {
    /// The words of all kinds that a daemon of this version carries out.
    pub const WORDS: &[&str] = &["end-session", "test-partner"];

    /// The word of this kind: the member `act`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::EndSession { .. } => "end-session",
            Self::TestPartner { .. } => "test-partner",
        }
    }

    /// The words of all kinds, as a daemon announces them.
    pub fn all() -> Vec<String> {
        Self::WORDS.iter().map(|word| (*word).to_owned()).collect()
    }
}

/// The outcome of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActOutcome {
    /// The act's number.
    pub number: u64,
    /// Whether it was carried out.
    pub done: bool,
    /// What was done, or why not: a complete sentence of at most `MAX_OUTCOME` octets.
    pub text: String,
    /// If it was a test: its steps, up to the one that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<TestStep>,
}

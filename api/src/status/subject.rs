//! What the sentences about faults name: a daemon, and something of which it has a limited number.

use crate::language::{Language, said};

/// A daemon, as sentences name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// `client` or `server`.
    pub(crate) kind: &'static str,
    pub(crate) title: String,
}

/// Something of which a daemon has a limited number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    Incoming,
    Outgoing,
    Unverified,
}

impl Named {
    pub(super) fn text(&self, language: Language) -> String {
        let Self { kind, title } = self;
        match (language, *kind) {
            (Language::English, kind) => format!("the {kind} {title}"),
            (Language::German, "client") => format!("der Client {title}"),
            (Language::German, _) => format!("der Server {title}"),
        }
    }
}

impl Limited {
    pub(super) fn text(self, language: Language) -> String {
        match self {
            Self::Incoming => said!(language, "incoming sessions", "eingehende Sitzungen"),
            Self::Outgoing => said!(language, "outgoing sessions", "ausgehende Sitzungen"),
            Self::Unverified => {
                said!(language, "connections that are not verified", "ungeprüfte Verbindungen")
            }
        }
    }

    /// The setting with the limit.
    pub(super) fn setting(self) -> &'static str {
        match self {
            Self::Incoming => "proxy_sessions",
            Self::Outgoing => "proxy_outgoing_sessions",
            Self::Unverified => "proxy_unverified_hard",
        }
    }
}

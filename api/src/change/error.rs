//! Why a change was not made. Prints nothing.

use super::obstacle::Obstacle;
use crate::db::DbError;
use crate::language::Language;
use crate::pki::PkiError;
use crate::settings::SettingError;
use crate::store::client_address::ClientAddress;
use std::fmt;

/// Why a change was not made; the database has nothing of it.
#[derive(Debug)]
pub(crate) enum ChangeError {
    /// The database.
    Db(DbError),
    /// A setting does not take its value.
    Setting(SettingError),
    /// A certificate, a key or a CRL.
    Pki(PkiError),
    /// A partner of this short name cannot be added: there is one already.
    PartnerExists(String),
    /// A member of a document does not take its value.
    Member { member: String, why: String },
    /// The user has to give something more.
    Needs(Need),
    /// Something stands in its way.
    Obstacle(Obstacle),
    /// A document or a table cannot be imported, or a value restored; why.
    Refused(String),
    /// An object was changed by somebody else after it was read.
    Stale {
        /// The object.
        object: String,
        /// The row of the audit with that change.
        version: i64,
        /// The version that was read.
        seen: i64,
    },
    /// The command only asked for the effect of the change: a line for each. Not a failure, but the act ends here.
    DryRun(Vec<String>),
}

/// What the user has to give. The command says with which option, the panel with which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// The private key: this file holds none, and there is no request for a certificate, whose key it could be.
    Key { file: String },
    /// The private key: this file holds none, and its certificate does not answer the request.
    KeyOfOther { file: String },
    /// The subject of a request: there is no certificate towards partners yet, whose subject it could be.
    Subject,
    /// The consent to replace the request for this subject.
    Replacement { subject: String },
    /// A pinned certificate: the partner has the rule 'pinned' and none.
    Pin { partner: String },
    /// The passphrase that opens the key of this object of a document.
    Passphrase { object: String },
    /// Another port or address: a listener of this client has it, which is tied to this partner or takes proxy
    /// requests.
    Place { client: ClientAddress, port: u16, partner: Option<String> },
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { file } | Self::KeyOfOther { file } => {
                write!(f, "the private key is missing: {file} holds none")
            }
            Self::Subject => f.write_str("the subject is missing"),
            Self::Replacement { subject } => write!(f, "there is a request for '{subject}' already"),
            Self::Pin { partner } => {
                write!(f, "partner '{partner}' has the rule 'pinned' and no pinned certificate")
            }
            Self::Passphrase { object } => write!(f, "the key of '{object}' needs its passphrase"),
            Self::Place { client, port, partner } => {
                write!(f, "port {port} is taken by the listener of {client} {}", purpose(partner.as_deref()))
            }
        }
    }
}

/// The purpose of a listener, which may be tied to a partner.
pub(crate) fn purpose(partner: Option<&str>) -> String {
    partner.map_or_else(|| "for proxy requests".to_owned(), |name| format!("tied to {name}"))
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Db(error) => error.fmt(f),
            Self::Setting(error) => error.fmt(f),
            Self::Pki(error) => error.fmt(f),
            Self::PartnerExists(name) => {
                write!(f, "there is a partner '{name}' already: 'os4xapi partner set {name}' changes it")
            }
            Self::Needs(need) => need.fmt(f),
            Self::Obstacle(obstacle) => f.write_str(&obstacle.text(Language::English)),
            Self::Refused(why) | Self::Member { why, .. } => f.write_str(why),
            Self::Stale { object, version, seen } => write!(
                f,
                "'{object}' has version {version} and not {seen}: somebody has changed it meanwhile, so nothing was \
                 changed; 'os4xapi audit show {version}' shows who has changed what"
            ),
            Self::DryRun(lines) if lines.is_empty() => {
                f.write_str("Nothing was changed, and nothing would be.")
            }
            Self::DryRun(lines) => {
                f.write_str("Nothing was changed. This would be:")?;
                lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
        }
    }
}

impl std::error::Error for ChangeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Db(error) => error.source(),
            Self::Setting(error) => error.source(),
            Self::Pki(error) => error.source(),
            Self::PartnerExists(_)
            | Self::Needs(_)
            | Self::Obstacle(_)
            | Self::Refused(_)
            | Self::Member { .. }
            | Self::Stale { .. }
            | Self::DryRun(_) => None,
        }
    }
}

impl From<DbError> for ChangeError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<Need> for ChangeError {
    fn from(need: Need) -> Self {
        Self::Needs(need)
    }
}

impl From<Obstacle> for ChangeError {
    fn from(obstacle: Obstacle) -> Self {
        Self::Obstacle(obstacle)
    }
}

impl From<PkiError> for ChangeError {
    fn from(error: PkiError) -> Self {
        Self::Pki(error)
    }
}

impl From<SettingError> for ChangeError {
    fn from(error: SettingError) -> Self {
        Self::Setting(error)
    }
}

//! Why a change was not made. Prints nothing.

use crate::db::DbError;
use crate::settings::SettingError;
use std::fmt;

/// Why a change was not made; nothing of it is in the database.
#[derive(Debug)]
pub(crate) enum ChangeError {
    /// The database.
    Db(DbError),
    /// A setting does not take its value.
    Setting(SettingError),
    /// It cannot be; why.
    Refused(String),
    /// An object was changed by somebody else since it was looked at.
    Stale {
        /// Which.
        object: String,
        /// The row of the audit that says by whom.
        version: i64,
        /// The version that was looked at.
        seen: i64,
    },
    /// It was only asked what it would change: a line for each thing. No failure, but the act ends here.
    DryRun(Vec<String>),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Db(error) => error.fmt(f),
            Self::Setting(error) => error.fmt(f),
            Self::Refused(why) => f.write_str(why),
            Self::Stale { object, version, seen } => write!(
                f,
                "'{object}' has version {version} and not {seen}: somebody has changed it meanwhile, so nothing was \
                 changed; 'os4xapi audit show {version}' tells who and what"
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
            Self::Refused(_) | Self::Stale { .. } | Self::DryRun(_) => None,
        }
    }
}

impl From<DbError> for ChangeError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<SettingError> for ChangeError {
    fn from(error: SettingError) -> Self {
        Self::Setting(error)
    }
}

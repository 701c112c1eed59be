//! One setting, and why a value is refused.

use super::kind::Kind;
use crate::http::proxy::without_password;
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// One known setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Name of its row.
    pub(crate) name: &'static str,
    /// Value without a row.
    pub(crate) default: Cow<'static, str>,
    /// Its allowed values.
    pub(crate) kind: Kind,
    /// One line for people.
    pub(crate) help: &'static str,
}

/// Why a value is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SettingError {
    /// No such setting.
    Unknown(String),
    /// One server cannot have this setting for itself.
    NotOfServer {
        /// The name that was given.
        name: String,
        /// Those that it may have.
        allowed: String,
    },
    /// The value is not of the setting's kind.
    Value {
        /// Name of the setting.
        name: &'static str,
        /// The value refused.
        value: String,
        /// The allowed values.
        allowed: String,
    },
    /// The setting has a command of its own.
    Elsewhere(&'static str, &'static str),
    /// Two settings contradict each other.
    Order(&'static str, &'static str),
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "there is no setting '{name}': 'os4xapi config list' shows all of them")
            }
            Self::NotOfServer { name, allowed } => {
                write!(f, "a server has no setting '{name}' of its own: it may have {allowed}")
            }
            Self::Value { name, value, allowed } => {
                write!(f, "{name} cannot be '{value}': it takes {allowed}")
            }
            Self::Elsewhere(name, command) => write!(f, "use '{command}' for {name}"),
            Self::Order(least, most) => {
                write!(f, "{least} must not be greater than {most}: change the other one first")
            }
        }
    }
}

impl std::error::Error for SettingError {}

impl Setting {
    /// `value` in its normal spelling, if this setting takes it.
    pub(crate) fn check(&self, value: &str) -> Result<String, SettingError> {
        let text = value.trim();
        if let Kind::Secret(command) = self.kind {
            return Err(SettingError::Elsewhere(self.name, command));
        }
        self.kind.canonical(text).ok_or_else(|| SettingError::Value {
            name: self.name,
            value: self.shown(value),
            allowed: self.kind.to_string(),
        })
    }

    /// `value` as it may be shown: without the password of a proxy.
    pub(crate) fn shown(&self, value: &str) -> String {
        if self.kind == Kind::Proxy { without_password(value) } else { value.to_owned() }
    }

    /// The file that `value` names as `@FILE`: its first line may have a proxy's URL, so that no password is an
    /// argument of a process.
    pub(crate) fn file(&self, value: &str) -> Option<PathBuf> {
        value.strip_prefix('@').filter(|_| self.kind == Kind::Proxy).map(PathBuf::from)
    }

    /// Whether lists may show it.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_))
    }
}

//! Why a command failed. Wraps the errors of the modules below and adds those of the command line itself. Decides which
//! of them are a fault of the command line (exit status 64). Prints nothing.

use crate::change::{ChangeError, Need};
use crate::crl_fetch::RoundError;
use crate::db::{DbError, LocationError};
use crate::http::HttpError;
use crate::pki::PkiError;
use crate::serve::ServeError;
use crate::settings::SettingError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A command's failure.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The command line is wrong; why.
    Usage(String),
    /// The command or the number of its words is wrong; why, and the usage to print.
    Command(String, String),
    /// The request cannot be carried out; why.
    Refused(String),
    /// No database is named.
    Location(LocationError),
    /// The command has printed its verdict; the exit status for it.
    Verdict(u8),
    /// The database.
    Db(DbError),
    /// A change that was not made.
    Change(ChangeError),
    /// A certificate, key or CRL.
    Pki(PkiError),
    /// No HTTP client.
    Http(HttpError),
    /// A setting.
    Setting(SettingError),
    /// The service.
    Serve(ServeError),
    /// Standard output.
    Output(io::Error),
    /// A file that should be written.
    Write(PathBuf, io::Error),
    /// The runtime does not start.
    Runtime(io::Error),
}

impl CliError {
    /// The error for a change that needs something more: which option gives it. An option without which the command
    /// never works here is a fault of the command line.
    fn of_need(need: &Need) -> Self {
        match need {
            Need::Key { file } => {
                Self::Usage(format!("--key FILE is missing: {file} holds no private key"))
            }
            Need::Subject => Self::Usage(
                "--subject is missing: there is no certificate towards partners yet, whose subject it could be".into(),
            ),
            Need::KeyOfOther { file } => Self::Refused(format!(
                "the private key is missing (--key FILE): {file} holds none, and its certificate is not the one that \
                 'os4xapi cert csr' has asked for"
            )),
            Need::Replacement { .. } => Self::Refused(format!(
                "{need}: 'os4xapi cert show request' prints it, and --replace makes a new one, with which a \
                 certificate for the old one is lost"
            )),
            Need::Pin { .. } => Self::Refused(format!("{need}: give one with --pin, or another rule")),
            Need::Passphrase { .. } => Self::Refused(format!("{need}: give it with --passphrase-file FILE")),
            Need::Place { .. } => Self::Refused(format!(
                "{need}: choose another port, or tell them apart with --listen-ip"
            )),
        }
    }

    /// Whether the fault is in the command line itself.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_) | Self::Command(..) | Self::Location(LocationError::Scheme(_)))
    }

    /// The usage text that helps to correct it.
    pub(crate) fn usage(&self) -> Option<&str> {
        match self {
            Self::Command(_, usage) => Some(usage),
            _ => None,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(why) | Self::Command(why, _) | Self::Refused(why) => f.write_str(why.trim_end()),
            Self::Verdict(status) => write!(f, "the verdict is {status}"),
            Self::Location(error) => error.fmt(f),
            Self::Db(error) => error.fmt(f),
            Self::Change(error) => error.fmt(f),
            Self::Pki(error) => error.fmt(f),
            Self::Http(error) => error.fmt(f),
            Self::Setting(error) => error.fmt(f),
            Self::Serve(error) => error.fmt(f),
            Self::Output(_) => f.write_str("standard output cannot be written"),
            Self::Write(path, _) => write!(f, "the file {} cannot be written", path.display()),
            Self::Runtime(_) => f.write_str("the asynchronous runtime cannot be started"),
        }
    }
}

impl std::error::Error for CliError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(_) | Self::Command(..) | Self::Refused(_) | Self::Verdict(_) => None,
            Self::Location(error) => error.source(),
            Self::Db(error) => error.source(),
            Self::Change(error) => error.source(),
            Self::Pki(error) => error.source(),
            Self::Http(error) => error.source(),
            Self::Setting(error) => error.source(),
            Self::Serve(error) => error.source(),
            Self::Output(cause) | Self::Write(_, cause) | Self::Runtime(cause) => Some(cause),
        }
    }
}

impl From<LocationError> for CliError {
    fn from(error: LocationError) -> Self {
        Self::Location(error)
    }
}

impl From<DbError> for CliError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<ChangeError> for CliError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Db(error) => Self::Db(error),
            ChangeError::Needs(need) => Self::of_need(&need),
            other => Self::Change(other),
        }
    }
}

impl From<PkiError> for CliError {
    fn from(error: PkiError) -> Self {
        Self::Pki(error)
    }
}

impl From<RoundError> for CliError {
    fn from(error: RoundError) -> Self {
        match error {
            RoundError::Db(error) => Self::Db(error),
            RoundError::Http(error) => Self::Http(error),
        }
    }
}

impl From<SettingError> for CliError {
    fn from(error: SettingError) -> Self {
        Self::Setting(error)
    }
}

impl From<ServeError> for CliError {
    fn from(error: ServeError) -> Self {
        Self::Serve(error)
    }
}

//! Why the service does not start, or ends. Prints nothing.

use crate::change::ChangeError;
use crate::db::DbError;
use crate::pki::PkiError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Why the service does not start, or ends.
#[derive(Debug)]
pub(crate) enum ServeError {
    /// It cannot listen on this address.
    Bind(SocketAddr, io::Error),
    /// A system call.
    System(&'static str, io::Error),
    /// The database.
    Db(DbError),
    /// A change that the service makes by itself.
    Change(ChangeError),
    /// The certificates.
    Pki(PkiError),
    /// The database has not answered in this time.
    Late(Duration),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(at, _) => {
                write!(f, "the address {at} cannot be listened on: choose another one with --listen")
            }
            Self::System(doing, _) => write!(f, "the system failed while {doing}"),
            Self::Db(error) => error.fmt(f),
            Self::Change(error) => error.fmt(f),
            Self::Pki(error) => error.fmt(f),
            Self::Late(limit) => write!(f, "the database did not answer in {} seconds", limit.as_secs()),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind(_, cause) | Self::System(_, cause) => Some(cause),
            Self::Db(error) => error.source(),
            Self::Change(error) => error.source(),
            Self::Pki(error) => error.source(),
            Self::Late(_) => None,
        }
    }
}

impl From<DbError> for ServeError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<ChangeError> for ServeError {
    fn from(error: ChangeError) -> Self {
        Self::Change(error)
    }
}

impl From<PkiError> for ServeError {
    fn from(error: PkiError) -> Self {
        Self::Pki(error)
    }
}

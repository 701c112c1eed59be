//! The location of the database: a SQLite file or a PostgreSQL server. Parses `--db`, gives the URL for sqlx, and
//! prints the location without its password. Opens only the file that `--db @FILE` names.

use crate::owner;
use common::secret::Secret;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Default name, in the directory of the binary.
const DEFAULT_NAME: &str = "os4xapi.db";

/// The suffixes of SQLite's side files; the first stands for the file itself.
pub(super) const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// The location of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// SQLite file, absolute.
    File(PathBuf),
    /// `postgres://` URL; it may hold a password.
    Postgres(Secret),
}

/// `--db` names no location.
#[derive(Debug)]
pub(crate) enum LocationError {
    /// The location of this program is unknown.
    Binary(io::Error),
    /// A path that cannot be made absolute.
    Path(PathBuf, io::Error),
    /// A `@FILE` that cannot be read.
    UrlFile(PathBuf, io::Error),
    /// A URL of something else; its scheme.
    Scheme(String),
}

impl fmt::Display for LocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary(_) => {
                f.write_str("the directory of os4xapi is unknown: name the database with --db")
            }
            Self::Path(path, _) => write!(f, "{} cannot be the path of a database file", path.display()),
            Self::UrlFile(path, _) => {
                write!(f, "the file {} named by --db @FILE cannot be read", path.display())
            }
            Self::Scheme(scheme) => write!(
                f,
                "--db takes a file or a postgres:// URL, and nothing that begins with '{scheme}://'"
            ),
        }
    }
}

impl std::error::Error for LocationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Binary(cause) | Self::Path(_, cause) | Self::UrlFile(_, cause) => Some(cause),
            Self::Scheme(_) => None,
        }
    }
}

impl Location {
    /// The value of `--db`: a file, a `postgres://` URL, or `@FILE` with one of these in it; none: the file beside the
    /// binary.
    pub(crate) fn parse(argument: Option<&str>) -> Result<Self, LocationError> {
        match argument {
            None => Self::beside_binary(),
            Some(text) => match text.strip_prefix('@') {
                Some(file) => {
                    let file = Path::new(file);
                    let text = std::fs::read_to_string(file)
                        .map_err(|cause| LocationError::UrlFile(file.to_path_buf(), cause))?;
                    Self::from_text(text.trim())
                }
                None => Self::from_text(text),
            },
        }
    }

    fn beside_binary() -> Result<Self, LocationError> {
        let binary = std::env::current_exe().map_err(LocationError::Binary)?;
        Ok(Self::File(binary.with_file_name(DEFAULT_NAME)))
    }

    fn from_text(text: &str) -> Result<Self, LocationError> {
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(Secret::new(text.to_owned()))),
            Some(("sqlite", path)) => Self::file(path),
            Some((scheme, _)) => Err(LocationError::Scheme(scheme.to_owned())),
            None => Self::file(text),
        }
    }

    fn file(path: &str) -> Result<Self, LocationError> {
        let absolute =
            std::path::absolute(path).map_err(|cause| LocationError::Path(PathBuf::from(path), cause))?;
        Ok(Self::File(absolute))
    }

    /// The URL for sqlx.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::File(path) => format!("sqlite://{}?mode=rw", percent_encoded(path)),
            Self::Postgres(url) => url.expose().to_owned(),
        }
    }
}

impl Location {
    /// The same for a file to which nothing may be written, and no side file.
    pub(crate) fn url_unchanged(&self) -> String {
        match self {
            // The contents of a write-ahead log belong to it. SQLite reads them with the help of a side file.
            Self::File(path) if beside(path, "-wal").metadata().is_ok_and(|log| log.len() > 0) => {
                format!("sqlite://{}?mode=ro", percent_encoded(path))
            }
            Self::File(path) => format!("sqlite://{}?mode=ro&immutable=1", percent_encoded(path)),
            Self::Postgres(_) => self.url(),
        }
    }

    /// If root runs this: gives the files to the owner of their folder. SQLite has not opened them yet: otherwise its
    /// locks would be lost when the descriptors are closed here.
    pub(super) fn give_to_owner(&self) {
        self.files().iter().for_each(|file| owner::give_existing(file));
    }

    /// Why this user cannot use the files.
    pub(super) fn obstacle(&self) -> Option<String> {
        owner::obstacle(self.files().iter().map(PathBuf::as_path))
    }

    fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::File(path) => SUFFIXES.iter().map(|suffix| beside(path, suffix)).collect(),
            Self::Postgres(_) => Vec::new(),
        }
    }

    /// The option of a command that names it, after a blank; empty if that is the default.
    pub(crate) fn option(&self) -> String {
        match self {
            _ if Self::beside_binary().is_ok_and(|default| default == *self) => String::new(),
            Self::File(path) => format!(" --db {}", path.display()),
            // Its URL may have a password, which no command line should have.
            Self::Postgres(_) => " --db @FILE".to_owned(),
        }
    }

    /// Whether other users may read the database's file, and so its keys.
    pub(crate) fn is_open_to_others(&self) -> bool {
        use std::os::unix::fs::PermissionsExt;
        match self {
            Self::File(path) => {
                std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
            }
            Self::Postgres(_) => false,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_secrets(url.expose())),
        }
    }
}

/// `path` with `suffix` after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_path_buf().into_os_string();
    name.push(suffix);
    name.into()
}

/// `url` without user, password and parameters (a parameter may be a password too).
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}/{path}")
}

/// A path in the spelling of a URL.
fn percent_encoded(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for &octet in path.as_os_str().as_bytes() {
        if octet.is_ascii_alphanumeric() || b"/._-".contains(&octet) {
            text.push(char::from(octet));
        } else {
            let _ = write!(text, "%{octet:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Location;

    #[test]
    fn a_location_never_shows_its_password() {
        let at = Location::parse(Some("postgres://os4x:p@ss@db.example:5433/os4x?password=x")).unwrap();
        assert_eq!(at.to_string(), "postgres://db.example:5433/os4x");
        assert!(!format!("{at:?}").contains("ss"));
    }

    #[test]
    fn a_file_name_with_odd_characters_becomes_a_url() {
        let at = Location::parse(Some("/tmp/a b?c%.db")).unwrap();
        assert_eq!(at.url(), "sqlite:///tmp/a%20b%3Fc%25.db?mode=rw");
    }

    #[test]
    fn other_schemes_are_refused() {
        assert!(Location::parse(Some("mysql://localhost/x")).is_err());
    }
}

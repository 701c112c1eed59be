//! Errors of the database, in words that say what to do. Contains no password.

use super::{Location, schema};
use std::fmt;
use std::path::PathBuf;

/// An error of the database.
#[derive(Debug)]
pub(crate) enum DbError {
    /// There is no file.
    Missing(Location),
    /// `init` was called for a database that exists.
    Exists(Location),
    /// A database without our tables.
    Empty(Location),
    /// Tables of another version.
    Version(Location, i64),
    /// No copy of it can be made, so it was not upgraded.
    Keep(PathBuf, Box<DbError>),
    /// Its tables cannot be upgraded; their present version.
    Upgrade { at: Location, is: i64, cause: Box<DbError> },
    /// The SQLite file cannot be created.
    Create(PathBuf, std::io::Error),
    /// The file for a backup exists already.
    BackupExists(PathBuf),
    /// There is no backup.
    NoBackup(PathBuf),
    /// A path that SQLite cannot use.
    NotUtf8(PathBuf),
    /// It cannot be reached or opened.
    Open(Location, sqlx::Error),
    /// A statement failed.
    Query(sqlx::Error),
    /// A row contains something that this program never writes; the name of it.
    Corrupt(String),
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(at) => {
                write!(
                    f,
                    "there is no database at {at}: create one with 'os4xapi init', or name another with --db"
                )
            }
            Self::Exists(at) => write!(
                f,
                "there is a database at {at} already, and it was left as it is: name another with --db, \
                 or move it away first"
            ),
            Self::Empty(at @ Location::File(_)) => write!(
                f,
                "the file {at} is not a database of OS4Xapi: name another with --db, or move it away and \
                 run 'os4xapi init'"
            ),
            Self::Empty(at) => {
                write!(f, "the database at {at} has no OS4Xapi tables: create them with 'os4xapi init'")
            }
            Self::Version(at, found) => {
                let known = schema::VERSION;
                write!(
                    f,
                    "the database at {at} has tables of version {found}, this os4xapi knows version {known}: use the \
                     os4xapi that wrote it, or a newer one"
                )?;
                match at {
                    Location::File(_) => write!(
                        f,
                        "; or go back to the copy that was kept before its upgrade, {at}.version-{known}-TIME, with \
                         'os4xapi restore --yes'"
                    ),
                    Location::Postgres(_) => Ok(()),
                }
            }
            Self::Keep(path, _) => write!(
                f,
                "the database is of an older version and was left as it is, since no copy of it could be kept as {}: \
                 make room there, and let os4xapi write in that folder",
                path.display()
            ),
            Self::Upgrade { at, is, .. } => write!(
                f,
                "the tables of the database at {at} cannot be brought from version {is} to version {}: they were left \
                 as they are, and the os4xapi of before works on them",
                is + 1
            ),
            Self::Create(path, _) => write!(
                f,
                "the database file {} cannot be created: check that its directory exists and is writable",
                path.display()
            ),
            Self::BackupExists(path) => write!(
                f,
                "there is a file {} already, and it was left as it is: name another for the backup",
                path.display()
            ),
            Self::NoBackup(path) => {
                write!(f, "there is no file {}: name one that 'os4xapi backup' has written", path.display())
            }
            Self::NotUtf8(path) => {
                write!(f, "the path {} is not UTF-8: name another", path.display())
            }
            Self::Open(at, cause) => {
                let why = at.obstacle().or_else(|| obstacle(cause).map(str::to_owned));
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                write!(f, "the database at {at} cannot be opened{why}")
            }
            Self::Query(cause) => f.write_str(obstacle(cause).unwrap_or("the database refused a statement")),
            Self::Corrupt(what) => {
                write!(f, "the database holds a {what} that os4xapi never writes: correct or remove that row")
            }
        }
    }
}

impl std::error::Error for DbError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Create(_, cause) => Some(cause),
            Self::Open(_, cause) | Self::Query(cause) => Some(cause),
            Self::Keep(_, cause) | Self::Upgrade { cause, .. } => Some(cause.as_ref()),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(cause: sqlx::Error) -> Self {
        Self::Query(cause)
    }
}

/// The cause of a failed statement or connection, if it is known, and what to do about it.
fn obstacle(cause: &sqlx::Error) -> Option<&'static str> {
    match cause {
        sqlx::Error::Database(why) if why.message().contains("readonly database") => {
            Some("the database cannot be written: run os4xapi as the owner of its folder, or as root")
        }
        sqlx::Error::Database(why) => of_code(why.code()?.as_ref()),
        sqlx::Error::PoolTimedOut => Some(
            "the database is out of reach, or busy: it does not answer in time; see that it runs, and try again",
        ),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => {
            Some("the database is out of reach: see that it runs and is to be reached from this host")
        }
        _ => None,
    }
}

/// Codes of SQLite are numbers, the low octet tells the kind; those of PostgreSQL have five characters.
fn of_code(code: &str) -> Option<&'static str> {
    /// SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_FULL.
    const KINDS: [(u32, &str); 4] = [
        (5, LOCKED),
        (6, LOCKED),
        (
            10,
            "the disk of the database fails, or the file has reached the largest size that is allowed: see the log of \
             the system",
        ),
        (13, FULL),
    ];
    const LOCKED: &str = "the database is locked: another program has held it for seconds; end that one, or try again \
                          when it is done";
    const FULL: &str = "the disk of the database is full: make room on it, and try again";
    match code {
        "53100" => Some(FULL),
        "25006" => Some(
            "the database takes no changes, as a standby server does: let --db lead to the server that is primary",
        ),
        "53300" => Some("PostgreSQL has as many connections as it takes: see its max_connections"),
        "57P03" => Some("PostgreSQL is starting or ending: try again when it runs"),
        _ if code.len() < 5 => {
            let kind = code.parse::<u32>().ok()? & 0xff;
            KINDS.iter().find(|(known, _)| *known == kind).map(|(_, words)| *words)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{DbError, of_code};
    use crate::db::scratch::{Scratch, run};

    #[test]
    fn a_full_disk_is_said_so_with_what_to_do() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            // For SQLite, a file that may not grow is like a full disk.
            sqlx::raw_sql("PRAGMA max_page_count = 1").execute(&mut *connection).await.unwrap();
            let fill = "INSERT INTO os4x_configuration (name, value) VALUES ('x', hex(randomblob(1000000)))";
            let failed = sqlx::raw_sql(fill).execute(&mut *connection).await.unwrap_err();
            let said = DbError::from(failed).to_string();
            assert!(said.contains("is full") && said.contains("make room"), "{said}");
        });
    }

    #[test]
    fn codes_of_both_databases_have_words_with_what_to_do() {
        for (code, words) in
            [("5", "locked"), ("517", "locked"), ("778", "disk"), ("13", "full"), ("53100", "full")]
        {
            assert!(of_code(code).is_some_and(|said| said.contains(words)), "{code}");
        }
        assert!(of_code("19").is_none() && of_code("23505").is_none() && of_code("").is_none());
    }
}

//! Upgrades a database of an older version to this version when it is opened: first a copy of a SQLite file is made,
//! then each step is a transaction of its own. If a step fails, the steps before it stay.

use super::backup::beside_dated;
use super::{Db, DbError, Location, schema};
use std::fmt;
use std::path::{Path, PathBuf};

/// The upgrade that was done when a database was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// The old version of its tables.
    pub(crate) from: i64,
    /// The new version.
    pub(crate) to: i64,
    /// The copy of the old database; none on PostgreSQL.
    pub(crate) kept: Option<PathBuf>,
}

impl fmt::Display for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, kept } = self;
        write!(f, "the tables were of version {from}, and are of version {to} now; ")?;
        match kept {
            Some(kept) => write!(f, "the database as it was is kept as {}", kept.display()),
            None => f.write_str("PostgreSQL has no copy of what was before but the backups of your own"),
        }
    }
}

impl Db {
    /// Upgrades the tables, which are of version `from`, to this program's version. A copy of a SQLite file is made.
    pub(super) async fn upgrade(&self, at: &Location, from: i64) -> Result<Upgrade, DbError> {
        let kept = match at {
            Location::File(path) => self.keep(path, from).await?,
            Location::Postgres(_) => None,
        };
        self.step_up(at, from).await?;
        Ok(Upgrade { from, to: schema::VERSION, kept })
    }

    /// The same without a copy.
    pub(super) async fn step_up(&self, at: &Location, from: i64) -> Result<(), DbError> {
        let mut reached = from;
        loop {
            match self.step().await {
                Ok(Some(version)) => reached = version,
                Ok(None) => return Ok(()),
                Err(cause) => {
                    return Err(DbError::Upgrade { at: at.clone(), is: reached, cause: Box::new(cause) });
                }
            }
        }
    }

    async fn step(&self) -> Result<Option<i64>, DbError> {
        let mut transaction = self.pool.begin().await?;
        let reached = schema::step(&mut transaction, self.postgres).await?;
        transaction.commit().await?;
        Ok(reached)
    }

    /// Writes a copy of version `version` beside the database at `path`; none if another program has upgraded it
    /// meanwhile, and so has made a copy.
    async fn keep(&self, path: &Path, version: i64) -> Result<Option<PathBuf>, DbError> {
        let kept = beside_dated(path, &format!("version-{version}"));
        match self.copy_of(version, &kept).await {
            Ok(true) => Ok(Some(kept)),
            Ok(false) => Ok(None),
            Err(cause) => Err(DbError::Keep(kept, Box::new(cause))),
        }
    }

    async fn copy_of(&self, version: i64, kept: &Path) -> Result<bool, DbError> {
        let (file, copy) = self.copy_beside(kept).await?;
        let found = schema::version(&mut *copy.sqlite_connection().await?, false).await;
        copy.close().await;
        if found? != Some(version) {
            return Ok(false);
        }
        file.name(kept)?;
        Ok(true)
    }
}

//! Backups of a SQLite database: written from one state of it while others work on it, and brought back. A backup is a
//! whole database in one file. Bringing it back replaces the rows in one transaction, so that a `serve` that runs goes
//! on with the restored state.

use super::location::{SUFFIXES, beside};
use super::{Change, Db, DbError, Location, NewFile, generation, rows};
use common::text::clock;
use std::path::{Path, PathBuf};

impl Db {
    /// Writes one state of this database into the new file `path`; gives the generation in it.
    pub(crate) async fn back_up(&self, path: &Path) -> Result<u64, DbError> {
        if path.symlink_metadata().is_ok() {
            return Err(DbError::BackupExists(path.to_path_buf()));
        }
        let (file, copy) = self.copy_beside(path).await?;
        let found = generation(&mut *copy.connection().await?).await?;
        copy.close().await;
        file.name(path)?;
        Ok(found)
    }

    /// Writes one state of this database into a file beside `path`, which is to get that name; opens it.
    pub(super) async fn copy_beside(&self, path: &Path) -> Result<(NewFile, Self), DbError> {
        // Under another name until it is whole: nobody takes a half one for a copy.
        let part = beside(path, &format!(".part-{}", std::process::id()));
        let file = NewFile::anew(part.clone())?;
        self.write_into(&part).await?;
        let copy = Self::connect(&Location::File(part)).await?;
        Ok((file, copy))
    }

    async fn write_into(&self, path: &Path) -> Result<(), DbError> {
        let name = path.to_str().ok_or_else(|| DbError::NotUtf8(path.to_path_buf()))?;
        sqlx::query("VACUUM INTO $1").bind(name.to_owned()).execute(&mut *self.connection().await?).await?;
        Ok(())
    }
}

/// A backup, copied to where the database is, with the tables of this version. The backup itself stays as it is.
pub(crate) struct Restoration {
    db: Db,
    path: PathBuf,
    file: NewFile,
    /// The generation in the backup.
    pub(crate) generation: u64,
}

impl Restoration {
    /// Reads `backup`, a file, to be the database at `path`.
    pub(crate) async fn of(backup: &Path, path: &Path) -> Result<Self, DbError> {
        let at = Location::File(backup.to_path_buf());
        if !backup.exists() {
            return Err(DbError::NoBackup(backup.to_path_buf()));
        }
        let source = Db::connect_to(&at, &at.url_unchanged()).await?;
        if source.version(&at).await?.is_none() {
            return Err(DbError::Empty(at));
        }
        let copy = beside(path, ".restoring");
        let file = NewFile::anew(copy.clone())?;
        source.write_into(&copy).await?;
        source.close().await;
        let db = Db::open_copy(&Location::File(copy.clone())).await?;
        let generation = generation(&mut *db.connection().await?).await?;
        Ok(Self { db, path: copy, file, generation })
    }

    /// Puts its rows in the place of those that `change` works on.
    pub(crate) async fn replace(self, change: &mut Change) -> Result<(), DbError> {
        let mut snapshot = self.db.snapshot().await?;
        rows::replace(&mut snapshot, change, false, false).await?;
        change.raise_above(self.generation).await?;
        drop(snapshot);
        self.db.close().await;
        Ok(())
    }

    /// The database in it, which is a copy.
    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// Becomes the database at `path`, where there is none.
    pub(crate) async fn become_database(self, path: &Path) -> Result<(), DbError> {
        sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *self.db.connection().await?).await?;
        self.db.close().await;
        std::fs::rename(&self.path, path).map_err(|cause| DbError::Create(path.to_path_buf(), cause))?;
        self.file.keep();
        Ok(())
    }
}

/// Where the database at `path` is kept when a backup takes its place.
pub(crate) fn kept_name(path: &Path) -> PathBuf {
    beside_dated(path, "before")
}

/// The name of a file that is kept beside the database at `path`: why, and when.
pub(super) fn beside_dated(path: &Path, why: &str) -> PathBuf {
    beside(path, &format!(".{why}-{}", clock::basic(clock::now())))
}

/// Moves the files of a database that cannot be read from `path` to `kept`.
pub(crate) fn move_aside(path: &Path, kept: &Path) -> Result<(), DbError> {
    for suffix in SUFFIXES {
        match std::fs::rename(beside(path, suffix), beside(kept, suffix)) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(DbError::Create(kept.to_path_buf(), cause));
            }
            _ => {}
        }
    }
    Ok(())
}

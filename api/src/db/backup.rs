//! Backups of a SQLite database: written from one state of it while others use it, and restored. A backup is a whole
//! database in one file. A restore replaces the rows in one transaction, so that a running `serve` goes on with the
//! restored state.

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
        let found = generation(&mut *copy.sqlite_connection().await?).await?;
        copy.close().await;
        file.name(path)?;
        Ok(found)
    }

    /// Writes one state of this database into a file beside `path`, which later gets that name; opens it.
    pub(super) async fn copy_beside(&self, path: &Path) -> Result<(NewFile, Self), DbError> {
        // It has another name until it is complete, so that nobody uses an incomplete copy.
        let part = beside(path, &format!(".part-{}", std::process::id()));
        let file = NewFile::anew(part.clone())?;
        self.write_into(&part).await?;
        let copy = Self::connect(&Location::File(part)).await?;
        Ok((file, copy))
    }

    async fn write_into(&self, path: &Path) -> Result<(), DbError> {
        let name = path.to_str().ok_or_else(|| DbError::NotUtf8(path.to_path_buf()))?;
        super::query("VACUUM INTO $1")
            .bind(name.to_owned())
            .execute(&mut *self.sqlite_connection().await?)
            .await?;
        Ok(())
    }
}

/// A copy of a backup in the directory of the database, with the tables of this version. The backup is not changed.
pub(crate) struct Restoration {
    db: Db,
    path: PathBuf,
    file: NewFile,
    /// The generation in the backup.
    pub(crate) generation: u64,
}

impl Restoration {
    /// Copies `backup`, a file, so that it can become the database at `path`.
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
        let generation = generation(&mut *db.sqlite_connection().await?).await?;
        Ok(Self { db, path: copy, file, generation })
    }

    /// Replaces the rows on which `change` works with its rows.
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

    /// Becomes the database at `path`, where there must be none.
    pub(crate) async fn become_database(self, path: &Path) -> Result<(), DbError> {
        sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *self.db.sqlite_connection().await?).await?;
        self.db.close().await;
        std::fs::rename(&self.path, path).map_err(|cause| DbError::Create(path.to_path_buf(), cause))?;
        self.file.keep();
        Ok(())
    }
}

/// The name under which the database at `path` is kept when a backup replaces it.
pub(crate) fn kept_name(path: &Path) -> PathBuf {
    beside_dated(path, "before")
}

/// The name of a file that is kept beside the database at `path`: reason and time.
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

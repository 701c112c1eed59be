//! The database: its location, how it is opened, and the two ways of working on it. `Change` is the only one that
//! alters what the daemons see: it increases the generation in its own transaction. `snapshot` reads one state. One
//! query layer, sqlx `Any`, serves SQLite and PostgreSQL: `$1` placeholders, BIGINT and TEXT columns, no more. Commands
//! and `serve` use it at the same time. It knows no table except the schema's version and the generation.

mod backup;
mod conditions;
mod error;
mod facts;
mod location;
pub(crate) mod rows;
mod schema;
#[cfg(test)]
pub(crate) mod scratch;
mod statement;
mod upgrade;

pub(crate) use backup::{Restoration, kept_name, move_aside};
pub(crate) use conditions::Conditions;
pub(crate) use error::DbError;
pub(crate) use location::{Location, LocationError};
use location::{SUFFIXES, beside};
pub(crate) use statement::{places, query};
pub(crate) use upgrade::Upgrade;

use crate::owner;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions, Connection, Row, Transaction};
use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time;

/// Connections of one process; `serve` answers one small call at a time on each.
const CONNECTIONS: u32 = 4;
/// How long a command waits for a connection before it gives up.
const ACQUIRE: Duration = Duration::from_secs(8);
/// How long PostgreSQL may take to answer on a used connection; without an answer the connection is dropped, and its
/// place is free again.
const RELEASE: Duration = Duration::from_secs(2);
/// How long a connection to PostgreSQL is used: later, another server may have replaced the one to which it leads.
const LIFE: Duration = Duration::from_mins(5);

/// An open database.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    pool: AnyPool,
    at: Location,
    postgres: bool,
    upgrade: Option<Upgrade>,
}

impl Db {
    /// Opens the database at `at`, which must have been initialised. An older version is upgraded to this one.
    pub(crate) async fn open(at: &Location) -> Result<Self, DbError> {
        let (mut db, version) = Self::find(at).await?;
        if version < schema::VERSION {
            db.upgrade = Some(db.upgrade(at, version).await?);
        }
        Ok(db)
    }

    /// The same for a copy that this program has made, which needs no further copy.
    async fn open_copy(at: &Location) -> Result<Self, DbError> {
        let (db, version) = Self::find(at).await?;
        db.step_up(at, version).await?;
        Ok(db)
    }

    /// The database at `at`, and the version of its tables, which is not newer than this program's.
    async fn find(at: &Location) -> Result<(Self, i64), DbError> {
        if let Location::File(path) = at
            && !path.exists()
        {
            return Err(DbError::Missing(at.clone()));
        }
        at.give_to_owner();
        let db = Self::connect(at).await?;
        match db.version(at).await? {
            Some(version @ 1..=schema::VERSION) => Ok((db, version)),
            Some(other) => Err(DbError::Version(at.clone(), other)),
            None => Err(DbError::Empty(at.clone())),
        }
    }

    /// The upgrade that was done when it was opened.
    pub(crate) fn upgraded(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }

    /// Where it is.
    pub(crate) fn location(&self) -> &Location {
        &self.at
    }

    /// The version of its tables; this is the first access, where a file that is not a database is detected.
    async fn version(&self, at: &Location) -> Result<Option<i64>, DbError> {
        let found = async { schema::version(&mut *self.snapshot().await?, self.postgres).await };
        found.await.map_err(|error| match error {
            DbError::Query(cause) => DbError::Open(at.clone(), cause),
            other => other,
        })
    }

    async fn connect(at: &Location) -> Result<Self, DbError> {
        Self::connect_to(at, &at.url()).await
    }

    async fn connect_to(at: &Location, url: &str) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        let failed = |cause| DbError::Open(at.clone(), cause);
        let options: AnyConnectOptions = url.parse().map_err(failed)?;
        let postgres = matches!(at, Location::Postgres(_));
        let mut pool = AnyPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE);
        if postgres {
            pool = pool.max_lifetime(LIFE).after_release(|connection, _| Box::pin(is_alive(connection)));
        }
        let pool = pool.connect_with(options.disable_statement_logging()).await.map_err(failed)?;
        Ok(Self { pool, at: at.clone(), postgres, upgrade: None })
    }

    /// A connection to a SQLite file for statements that cannot be in a transaction. On PostgreSQL everything is in a
    /// transaction: a pooler may give each transaction another connection, and a statement is prepared and run later.
    pub(crate) async fn sqlite_connection(&self) -> Result<PoolConnection<Any>, DbError> {
        Ok(self.pool.acquire().await?)
    }

    /// A transaction that reads one state of the whole database, and writes nothing.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Any>, DbError> {
        let begin = if self.postgres { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" } else { "BEGIN" };
        Ok(self.pool.begin_with(begin).await?)
    }

    /// A transaction for reports, which the daemons do not see; its first statement must write (see `change`).
    pub(crate) async fn batch(&self) -> Result<Batch, DbError> {
        Ok(Batch(self.pool.begin().await?))
    }

    /// A transaction that alters what the daemons see.
    pub(crate) async fn change(&self) -> Result<Change, DbError> {
        let mut transaction = self.pool.begin().await?;
        // The first statement writes: SQLite then waits for its turn here instead of failing at a later write,
        // and PostgreSQL's row lock puts changes in a row.
        count_up(&mut transaction).await?;
        Ok(Change(transaction))
    }

    /// A change that only the backend sees. It waits for its turn like the others: a change does not see a part of
    /// another one.
    pub(crate) async fn unseen_change(&self) -> Result<Change, DbError> {
        let mut transaction = self.pool.begin().await?;
        query("UPDATE os4x_generation SET value = value").execute(&mut *transaction).await?;
        Ok(Change(transaction))
    }

    /// Closes all connections. Before that, SQLite's write-ahead log is copied into the file, also while other
    /// processes have the file open, so that a plain copy of the file is not old. If one of them is reading at that
    /// moment, its part stays in the log, and nothing is lost.
    pub(crate) async fn close(self) {
        if !self.postgres {
            let _ = self.fold_log().await;
        }
        self.pool.close().await;
    }

    /// Copies SQLite's write-ahead log into the file; gives whether all of it was copied.
    async fn fold_log(&self) -> Result<bool, DbError> {
        let mut connection = self.sqlite_connection().await?;
        // A connection that has switched the log on and has read nothing since would open the log within the next
        // statement, and then wait for itself as for another reader, until SQLite's timeout (5 s).
        sqlx::raw_sql("SELECT COUNT(*) FROM sqlite_master").execute(&mut *connection).await?;
        let folded = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await?;
        let is_busy: i64 = folded.try_get(0)?;
        Ok(is_busy == 0)
    }
}

/// A transaction that alters what the daemons see. The generation is increased; it is never less than the clock's
/// seconds, so that a database restored from a backup does not use an old number for a new state.
pub(crate) struct Change(Transaction<'static, Any>);

impl Change {
    /// Increases the generation nevertheless.
    pub(crate) async fn make_seen(&mut self) -> Result<(), DbError> {
        count_up(self).await
    }

    /// Makes the generation larger than `other`.
    pub(crate) async fn raise_above(&mut self, other: u64) -> Result<(), DbError> {
        let least = i64::try_from(other).unwrap_or(i64::MAX).saturating_add(1);
        query("UPDATE os4x_generation SET value = $1 WHERE value < $1")
            .bind(least)
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Commits the change; gives the new generation.
    pub(crate) async fn commit(mut self) -> Result<u64, DbError> {
        let now = generation(&mut self).await?;
        self.0.commit().await?;
        Ok(now)
    }
}

/// Reports that are not committed yet.
pub(crate) struct Batch(Transaction<'static, Any>);

impl Batch {
    /// Commits them.
    pub(crate) async fn commit(self) -> Result<(), DbError> {
        Ok(self.0.commit().await?)
    }
}

impl Deref for Batch {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.0
    }
}

impl DerefMut for Batch {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.0
    }
}

/// Whether PostgreSQL still answers on a used connection. An unfinished transaction on it is rolled back first.
async fn is_alive(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    match time::timeout(RELEASE, connection.ping()).await {
        Ok(answered) => answered.map(|()| true),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

async fn count_up(connection: &mut AnyConnection) -> Result<(), DbError> {
    query("UPDATE os4x_generation SET value = CASE WHEN value >= $1 THEN value + 1 ELSE $1 END")
        .bind(common::text::clock::now())
        .execute(connection)
        .await?;
    Ok(())
}

impl Deref for Change {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.0
    }
}

impl DerefMut for Change {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.0
    }
}

/// The generation of the configuration.
pub(crate) async fn generation(connection: &mut AnyConnection) -> Result<u64, DbError> {
    let value: i64 = query("SELECT value FROM os4x_generation").fetch_one(connection).await?.try_get(0)?;
    u64::try_from(value).map_err(|_| DbError::Corrupt("negative generation".into()))
}

/// A new database: everything that `init` writes is one transaction. If it is dropped before `finish`, nothing is left.
pub(crate) struct Creation {
    db: Db,
    change: Change,
    file: NewFile,
}

impl Creation {
    /// Creates the tables at `at`, where there must be none.
    pub(crate) async fn begin(at: &Location) -> Result<Self, DbError> {
        let file = NewFile::create(at)?;
        let db = Db::connect(at).await?;
        if db.version(at).await?.is_some() {
            return Err(DbError::Exists(at.clone()));
        }
        if !db.postgres {
            sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *db.sqlite_connection().await?).await?;
        }
        let mut transaction = db.pool.begin().await?;
        schema::create(&mut transaction, db.postgres).await?;
        query("INSERT INTO os4x_generation (value) VALUES ($1)")
            .bind(common::text::clock::now())
            .execute(&mut *transaction)
            .await?;
        Ok(Self { db, change: Change(transaction), file })
    }

    /// The transaction to fill.
    pub(crate) fn change(&mut self) -> &mut Change {
        &mut self.change
    }

    /// Commits it.
    pub(crate) async fn finish(self) -> Result<(), DbError> {
        self.change.commit().await?;
        self.db.close().await;
        self.file.keep();
        Ok(())
    }
}

/// A SQLite file that this process has created, and removes again if a later step fails.
struct NewFile(Option<PathBuf>);

impl NewFile {
    fn create(at: &Location) -> Result<Self, DbError> {
        let Location::File(path) = at else { return Ok(Self(None)) };
        match Self::make(path) {
            Ok(()) => Ok(Self(Some(path.clone()))),
            Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(DbError::Exists(at.clone()))
            }
            Err(cause) => Err(DbError::Create(path.clone(), cause)),
        }
    }

    /// Removes a file that an earlier run may have left incomplete.
    fn anew(path: PathBuf) -> Result<Self, DbError> {
        let _ = std::fs::remove_file(&path);
        match Self::make(&path) {
            Ok(()) => Ok(Self(Some(path))),
            Err(cause) => Err(DbError::Create(path, cause)),
        }
    }

    fn make(path: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;
        // SQLite gives its side files (-wal, -shm) the mode of this one.
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // SQLite gives its side files to the owner of this one.
        owner::give(&file, path)
    }

    fn keep(mut self) {
        self.0 = None;
    }

    /// Gives the file, which is complete now, its name, and keeps it.
    fn name(self, path: &Path) -> Result<(), DbError> {
        let Some(from) = &self.0 else { return Ok(()) };
        let written = File::open(from).and_then(|file| file.sync_all());
        let named = written.and_then(|()| std::fs::rename(from, path));
        named.map_err(|cause| DbError::Create(path.to_path_buf(), cause))?;
        self.keep();
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let Some(path) = self.0.take() else { return };
        for suffix in SUFFIXES {
            // The user sees the reason for the removal, not a failure of it.
            let _ = std::fs::remove_file(beside(&path, suffix));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::scratch::{Scratch, run};
    use super::{Creation, Db, DbError, generation, query};
    use common::text::clock;

    #[test]
    fn every_change_counts_up_and_a_dropped_one_never_was() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let first = db.change().await.unwrap().commit().await.unwrap();
            assert_eq!(db.change().await.unwrap().commit().await.unwrap(), first + 1);
            drop(db.change().await.unwrap());
            assert_eq!(generation(&mut db.sqlite_connection().await.unwrap()).await.unwrap(), first + 1);
        });
    }

    #[test]
    fn the_generation_of_an_old_backup_rises_above_the_clock() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let restored = query("UPDATE os4x_generation SET value = 5");
            restored.execute(&mut *db.sqlite_connection().await.unwrap()).await.unwrap();
            let before = u64::try_from(clock::now()).unwrap();
            assert!(db.change().await.unwrap().commit().await.unwrap() >= before);
        });
    }

    #[test]
    fn an_init_that_fails_leaves_nothing_behind() {
        let scratch = Scratch::new();
        run(async {
            drop(Creation::begin(&scratch.location()).await.unwrap());
            assert_eq!(scratch.files(), Vec::<String>::new());
            assert!(matches!(Db::open(&scratch.location()).await, Err(DbError::Missing(_))));
        });
    }

    #[test]
    fn the_log_of_a_new_database_is_folded_into_its_file_without_a_wait() {
        let scratch = Scratch::new();
        run(async {
            let Creation { db, change, file } = Creation::begin(&scratch.location()).await.unwrap();
            change.commit().await.unwrap();
            assert!(
                db.fold_log().await.unwrap(),
                "SQLite has waited for a reader, and there was none but itself"
            );
            file.keep();
        });
    }

    #[test]
    fn tables_of_another_version_are_left_alone() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let newer = query("UPDATE os4x_schema SET version = 99");
            newer.execute(&mut *db.sqlite_connection().await.unwrap()).await.unwrap();
            assert!(matches!(Db::open(&scratch.location()).await, Err(DbError::Version(_, 99))));
        });
    }
}

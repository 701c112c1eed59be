//! The database: where it is, how it is opened, and the two ways of working on it. `Change` is the only one that
//! alters what the daemons see: it counts the generation up in its own transaction. `snapshot` reads one state.
//! One query layer, sqlx `Any`, serves SQLite and PostgreSQL: `$1` placeholders, BIGINT and TEXT columns, no more.
//! Commands and `serve` use it side by side. It knows no table but the schema's version and the generation.

mod backup;
mod location;
pub(crate) mod rows;
mod schema;
#[cfg(test)]
pub(crate) mod scratch;
mod upgrade;

pub(crate) use backup::{Restoration, kept_name, move_aside};
pub(crate) use location::{Location, LocationError};
use location::{SUFFIXES, beside};
pub(crate) use upgrade::Upgrade;

use crate::owner;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions, Row, Transaction};
use std::fmt;
use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Connections of one process; `serve` answers one small call at a time on each.
const CONNECTIONS: u32 = 4;
/// How long a command waits for a connection before it gives up.
const ACQUIRE: Duration = Duration::from_secs(10);

/// What went wrong with the database.
#[derive(Debug)]
pub(crate) enum DbError {
    /// No file there.
    Missing(Location),
    /// `init` on something that exists.
    Exists(Location),
    /// A database without our tables.
    Empty(Location),
    /// Tables of another version.
    Version(Location, i64),
    /// No copy of it can be kept, so that it was not upgraded.
    Keep(PathBuf, Box<DbError>),
    /// Its tables cannot be brought up to date; the version that they have now.
    Upgrade { at: Location, is: i64, cause: Box<DbError> },
    /// The SQLite file cannot be created.
    Create(PathBuf, std::io::Error),
    /// A backup is to be written where something is.
    BackupExists(PathBuf),
    /// There is no backup.
    NoBackup(PathBuf),
    /// A path that SQLite cannot be told.
    NotUtf8(PathBuf),
    /// It cannot be reached or opened.
    Open(Location, sqlx::Error),
    /// A statement failed.
    Query(sqlx::Error),
    /// A row holds what this program never writes; the name of the thing.
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
                "the file {at} is no database of OS4Xapi: name another with --db, or move it away and \
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
            Self::Open(at, _) => match at.obstacle() {
                Some(why) => write!(f, "the database at {at} cannot be opened: {why}"),
                None => write!(f, "the database at {at} cannot be opened"),
            },
            Self::Query(sqlx::Error::Database(why)) if why.message().contains("readonly database") => f
                .write_str(
                    "the database cannot be written: run os4xapi as the owner of its folder, or as root",
                ),
            Self::Query(
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed,
            ) => f.write_str("the database is out of reach"),
            Self::Query(_) => f.write_str("the database refused a statement"),
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

/// An open database.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    pool: AnyPool,
    postgres: bool,
    upgrade: Option<Upgrade>,
}

impl Db {
    /// Opens the database at `at`, which must have been initialised. One of an older version is brought up to this one.
    pub(crate) async fn open(at: &Location) -> Result<Self, DbError> {
        let (mut db, version) = Self::find(at).await?;
        if version < schema::VERSION {
            db.upgrade = Some(db.upgrade(at, version).await?);
        }
        Ok(db)
    }

    /// The same for a copy that this program has made, and of which it needs no other.
    async fn open_copy(at: &Location) -> Result<Self, DbError> {
        let (db, version) = Self::find(at).await?;
        db.step_up(at, version).await?;
        Ok(db)
    }

    /// The database at `at`, and the version of its tables, which this program's is not below.
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

    /// What was done to it when it was opened.
    pub(crate) fn upgraded(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }

    /// The version of its tables; the first look into it, where a file that is no database shows.
    async fn version(&self, at: &Location) -> Result<Option<i64>, DbError> {
        let found = schema::version(&mut *self.connection().await?, self.postgres).await;
        found.map_err(|error| match error {
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
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .connect_with(options.disable_statement_logging())
            .await
            .map_err(failed)?;
        Ok(Self { pool, postgres: matches!(at, Location::Postgres(_)), upgrade: None })
    }

    /// A connection for statements that stand alone.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Any>, DbError> {
        Ok(self.pool.acquire().await?)
    }

    /// A transaction that reads one state of the whole database.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Any>, DbError> {
        let begin = if self.postgres { "BEGIN ISOLATION LEVEL REPEATABLE READ" } else { "BEGIN" };
        Ok(self.pool.begin_with(begin).await?)
    }

    /// A transaction for reports, which the daemons do not see; its first statement must write (see `change`).
    pub(crate) async fn batch(&self) -> Result<Transaction<'static, Any>, DbError> {
        Ok(self.pool.begin().await?)
    }

    /// A transaction that alters what the daemons see.
    pub(crate) async fn change(&self) -> Result<Change, DbError> {
        let mut transaction = self.pool.begin().await?;
        // The first statement writes: SQLite then waits for its turn here instead of failing at a later write,
        // and PostgreSQL's row lock puts changes in a row.
        count_up(&mut transaction).await?;
        Ok(Change(transaction))
    }

    /// One that alters what the backend alone sees. It waits for its turn among the others all the same: a change sees
    /// nothing of another one.
    pub(crate) async fn unseen_change(&self) -> Result<Change, DbError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("UPDATE os4x_generation SET value = value").execute(&mut *transaction).await?;
        Ok(Change(transaction))
    }

    /// Ends all connections. SQLite's write-ahead log is folded into the file before, also while other processes have
    /// the file open, so that a plain copy of the file is not an old one. Where one of them reads just now, what it
    /// reads stays in the log: nothing is lost by that.
    pub(crate) async fn close(self) {
        if !self.postgres
            && let Ok(mut connection) = self.connection().await
        {
            let _ = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await;
        }
        self.pool.close().await;
    }
}

/// A transaction that alters what the daemons see. The generation is counted up; it never falls below the clock's
/// seconds, so that a database restored from a backup does not hand out an old number for a new state.
pub(crate) struct Change(Transaction<'static, Any>);

impl Change {
    /// Lets the daemons see it after all.
    pub(crate) async fn make_seen(&mut self) -> Result<(), DbError> {
        count_up(self).await
    }

    /// Lets the generation be above `other`.
    pub(crate) async fn raise_above(&mut self, other: u64) -> Result<(), DbError> {
        let least = i64::try_from(other).unwrap_or(i64::MAX).saturating_add(1);
        sqlx::query("UPDATE os4x_generation SET value = $1 WHERE value < $1")
            .bind(least)
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Makes the change last; gives the new generation.
    pub(crate) async fn commit(mut self) -> Result<u64, DbError> {
        let now = generation(&mut self).await?;
        self.0.commit().await?;
        Ok(now)
    }
}

async fn count_up(connection: &mut AnyConnection) -> Result<(), DbError> {
    sqlx::query("UPDATE os4x_generation SET value = CASE WHEN value >= $1 THEN value + 1 ELSE $1 END")
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
    let value: i64 =
        sqlx::query("SELECT value FROM os4x_generation").fetch_one(connection).await?.try_get(0)?;
    u64::try_from(value).map_err(|_| DbError::Corrupt("negative generation".into()))
}

/// A database in the making: everything `init` writes is one transaction. Dropped before `finish`, it leaves nothing.
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
            sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *db.connection().await?).await?;
        }
        let mut transaction = db.pool.begin().await?;
        schema::create(&mut transaction, db.postgres).await?;
        sqlx::query("INSERT INTO os4x_generation (value) VALUES ($1)")
            .bind(common::text::clock::now())
            .execute(&mut *transaction)
            .await?;
        Ok(Self { db, change: Change(transaction), file })
    }

    /// The transaction to fill.
    pub(crate) fn change(&mut self) -> &mut Change {
        &mut self.change
    }

    /// Makes it last.
    pub(crate) async fn finish(self) -> Result<(), DbError> {
        self.change.commit().await?;
        self.db.close().await;
        self.file.keep();
        Ok(())
    }
}

/// A SQLite file that this process created, and removes again if what it is for fails.
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

    /// One that an earlier run may have left half done.
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

    /// Gives the file, which is whole now, its name; keeps it.
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
    use super::{Creation, Db, DbError, generation};
    use common::text::clock;

    #[test]
    fn every_change_counts_up_and_a_dropped_one_never_was() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let first = db.change().await.unwrap().commit().await.unwrap();
            assert_eq!(db.change().await.unwrap().commit().await.unwrap(), first + 1);
            drop(db.change().await.unwrap());
            assert_eq!(generation(&mut db.connection().await.unwrap()).await.unwrap(), first + 1);
        });
    }

    #[test]
    fn the_generation_of_an_old_backup_rises_above_the_clock() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let restored = sqlx::query("UPDATE os4x_generation SET value = 5");
            restored.execute(&mut *db.connection().await.unwrap()).await.unwrap();
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
    fn tables_of_another_version_are_left_alone() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let newer = sqlx::query("UPDATE os4x_schema SET version = 99");
            newer.execute(&mut *db.connection().await.unwrap()).await.unwrap();
            assert!(matches!(Db::open(&scratch.location()).await, Err(DbError::Version(_, 99))));
        });
    }
}

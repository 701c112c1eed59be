//! What a database is: the program that keeps it, its size, and the version of its tables. For people; only reads.

use super::{Db, DbError, query, schema};
use sqlx::Row;

/// The facts of a database.
pub(crate) struct DbFacts {
    /// The program with its version.
    pub(crate) program: String,
    /// Octets.
    pub(crate) size: i64,
    /// The version of its tables.
    pub(crate) version: i64,
}

impl Db {
    /// Reads the facts.
    pub(crate) async fn facts(&self) -> Result<DbFacts, DbError> {
        let (name, statement) = if self.postgres {
            ("PostgreSQL", "SELECT current_setting('server_version'), pg_database_size(current_database())")
        } else {
            (
                "SQLite",
                "SELECT sqlite_version(), page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            )
        };
        let mut snapshot = self.snapshot().await?;
        let row = query(statement).fetch_one(&mut *snapshot).await?;
        let program = format!("{name} {}", row.try_get::<String, _>(0)?);
        Ok(DbFacts { program, size: row.try_get(1)?, version: schema::VERSION })
    }
}

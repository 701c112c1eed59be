//! Copies the rows of a whole SQLite database to another database, which may be on PostgreSQL, and replaces its rows.
//! Both have the tables of this version. Does not change the version and the generation: they belong to each database.

use super::DbError;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// Rows that are read, and written by one statement, at a time.
const PAGE: i64 = 100;

/// The name for a row's number; no column has this name.
const NUMBER: &str = "os4x_row_number";

/// Tables that are not replaced when old rows are restored, so that no recorded act is lost.
const AUDIT: [&str; 3] = ["os4x_audit", "os4x_audit_head", "os4x_versions"];

/// A table and its columns; a column is a text or a number.
struct Table {
    name: String,
    columns: Vec<(String, bool)>,
}

/// Empties the tables of `into`, except the audit unless it is copied, too, and fills them with the rows of `from`,
/// inside the caller's transactions. Gives the number of rows.
pub(crate) async fn replace(
    from: &mut AnyConnection,
    into: &mut AnyConnection,
    into_postgres: bool,
    with_audit: bool,
) -> Result<u64, DbError> {
    let mut tables = tables(from).await?;
    tables.retain(|table| with_audit || !AUDIT.contains(&table.name.as_str()));
    for table in tables.iter().rev() {
        let empty = format!("DELETE FROM {}", table.name);
        sqlx::raw_sql(AssertSqlSafe(empty)).execute(&mut *into).await?;
    }
    let mut rows = 0;
    for table in &tables {
        rows += table.copy(from, into).await?;
        if into_postgres && table.columns.iter().any(|(name, _)| name == "id") {
            table.set_next_id(into).await?;
        }
    }
    Ok(rows)
}

/// The tables in the order of their creation: a table comes before those that refer to it.
async fn tables(from: &mut AnyConnection) -> Result<Vec<Table>, DbError> {
    let names = super::query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'os4x@_%' ESCAPE '@' \
         AND name NOT IN ('os4x_schema', 'os4x_generation') ORDER BY rowid",
    )
    .fetch_all(&mut *from)
    .await?;
    let mut tables = Vec::with_capacity(names.len());
    for name in &names {
        let name: String = name.try_get(0)?;
        let rows = super::query("SELECT name, type FROM pragma_table_info($1)").bind(name.clone());
        let columns = rows.fetch_all(&mut *from).await?;
        let columns = columns.iter().map(|row| {
            let (name, kind): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            Ok((name, kind == "TEXT"))
        });
        tables.push(Table { name, columns: columns.collect::<Result<_, sqlx::Error>>()? });
    }
    Ok(tables)
}

impl Table {
    async fn copy(&self, from: &mut AnyConnection, into: &mut AnyConnection) -> Result<u64, DbError> {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(", ");
        let select = format!(
            "SELECT rowid AS {NUMBER}, {names} FROM {} WHERE rowid > $1 ORDER BY rowid LIMIT {PAGE}",
            self.name
        );
        let (mut last, mut copied) = (i64::MIN, 0);
        loop {
            let page = super::query(AssertSqlSafe(select.clone())).bind(last).fetch_all(&mut *from).await?;
            let Some(end) = page.last() else { return Ok(copied) };
            last = end.try_get(NUMBER)?;
            self.insert(&names, &page, into).await?;
            copied += page.len() as u64;
        }
    }

    async fn insert(&self, names: &str, page: &[AnyRow], into: &mut AnyConnection) -> Result<(), DbError> {
        let places = super::places(page.len(), self.columns.len());
        let statement = format!("INSERT INTO {} ({names}) VALUES {places}", self.name);
        let mut insert = super::query(AssertSqlSafe(statement));
        for row in page {
            for (name, is_text) in &self.columns {
                insert = if *is_text {
                    insert.bind(row.try_get::<Option<String>, _>(name.as_str())?)
                } else {
                    insert.bind(row.try_get::<Option<i64>, _>(name.as_str())?)
                };
            }
        }
        insert.execute(into).await?;
        Ok(())
    }

    /// Lets PostgreSQL count from the last row on. (SQLite does so by itself.)
    async fn set_next_id(&self, into: &mut AnyConnection) -> Result<(), DbError> {
        let name = &self.name;
        let set = format!(
            "SELECT setval(pg_get_serial_sequence('{name}', 'id'), \
             (SELECT COALESCE(MAX(id), 0) + 1 FROM {name}), false)"
        );
        sqlx::raw_sql(AssertSqlSafe(set)).execute(into).await?;
        Ok(())
    }
}

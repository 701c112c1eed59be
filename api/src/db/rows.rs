//! The rows of a whole SQLite database, put in the place of those of another database, which may be on PostgreSQL. Both
//! have the tables of this version. Leaves the version and the generation alone: they belong to their own database.

use super::DbError;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::fmt::Write as _;

/// Rows that are read, and written by one statement, at a time.
const PAGE: i64 = 100;

/// The name that a row's number gets; no column is called so.
const NUMBER: &str = "os4x_row_number";

/// What goes on when the rows of before come back: nobody's acts are forgotten by that.
const AUDIT: [&str; 3] = ["os4x_audit", "os4x_audit_head", "os4x_versions"];

/// A table and its columns; a column is a text or a number.
struct Table {
    name: String,
    columns: Vec<(String, bool)>,
}

/// Empties the tables of `into`, but for the audit unless that comes along, and fills them with the rows of `from`,
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

/// The tables in the order of their making: one that is referred to comes before those that refer to it.
async fn tables(from: &mut AnyConnection) -> Result<Vec<Table>, DbError> {
    let names = sqlx::query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'os4x@_%' ESCAPE '@' \
         AND name NOT IN ('os4x_schema', 'os4x_generation') ORDER BY rowid",
    )
    .fetch_all(&mut *from)
    .await?;
    let mut tables = Vec::with_capacity(names.len());
    for name in &names {
        let name: String = name.try_get(0)?;
        let rows = sqlx::query("SELECT name, type FROM pragma_table_info($1)").bind(name.clone());
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
            let page = sqlx::query(AssertSqlSafe(select.clone())).bind(last).fetch_all(&mut *from).await?;
            let Some(end) = page.last() else { return Ok(copied) };
            last = end.try_get(NUMBER)?;
            self.insert(&names, &page, into).await?;
            copied += page.len() as u64;
        }
    }

    async fn insert(&self, names: &str, page: &[AnyRow], into: &mut AnyConnection) -> Result<(), DbError> {
        let mut statement = format!("INSERT INTO {} ({names}) VALUES ", self.name);
        let width = self.columns.len();
        for row in 0..page.len() {
            statement.push_str(if row == 0 { "(" } else { ", (" });
            for column in 1..=width {
                let comma = if column == 1 { "" } else { ", " };
                let _ = write!(statement, "{comma}${}", row * width + column);
            }
            statement.push(')');
        }
        let mut insert = sqlx::query(AssertSqlSafe(statement));
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

    /// PostgreSQL counts from where its rows end. (SQLite does it by itself.)
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

//! The version of each object: the number of the row of the audit that has changed it last. An object that was not
//! changed since versions are counted has version 0. A removed object keeps its version.

use crate::db::{self, Change, DbError};
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

/// The versions of the objects whose names begin with `start`.
pub(crate) async fn of(
    connection: &mut AnyConnection,
    start: &str,
) -> Result<BTreeMap<String, i64>, DbError> {
    let rows =
        db::query("SELECT object, version FROM os4x_versions WHERE SUBSTR(object, 1, LENGTH($1)) = $1")
            .bind(start)
            .fetch_all(connection)
            .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// The version of an object.
pub(crate) async fn get(connection: &mut AnyConnection, object: &str) -> Result<i64, DbError> {
    let row = db::query("SELECT version FROM os4x_versions WHERE object = $1").bind(object);
    Ok(row.fetch_optional(connection).await?.map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
}

/// Gives an object its version.
pub(crate) async fn set(change: &mut Change, object: &str, version: i64) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_versions (object, version) VALUES ($1, $2) \
         ON CONFLICT (object) DO UPDATE SET version = excluded.version",
    )
    .bind(object)
    .bind(version)
    .execute(&mut **change)
    .await?;
    Ok(())
}

//! The acts that are reverted automatically unless a user confirms them: for each its row of the audit, and the time.
//! They are not objects of the state: a confirmation is written to the audit as an act of its own.

use crate::db::{self, Change, DbError};
use sqlx::{AnyConnection, Row};

/// An act that is waiting for its confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rollback {
    /// The number of its row in the audit.
    pub(crate) number: i64,
    /// When it is reverted, seconds since 1970-01-01 UTC.
    pub(crate) due: i64,
}

/// Schedules the revert of this act.
pub(crate) async fn add(change: &mut Change, number: i64, due: i64) -> Result<(), DbError> {
    let insert = db::query("INSERT INTO os4x_rollbacks (number, due) VALUES ($1, $2)");
    insert.bind(number).bind(due).execute(&mut **change).await?;
    Ok(())
}

/// All pending acts, the earliest first.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Rollback>, DbError> {
    let rows = db::query("SELECT number, due FROM os4x_rollbacks ORDER BY due, number");
    let rows = rows.fetch_all(connection).await?;
    rows.iter().map(|row| Ok(Rollback { number: row.try_get(0)?, due: row.try_get(1)? })).collect()
}

/// Changes the time at which a pending act is reverted.
pub(crate) async fn postpone(change: &mut Change, number: i64, due: i64) -> Result<(), DbError> {
    let update = db::query("UPDATE os4x_rollbacks SET due = $1 WHERE number = $2");
    update.bind(due).bind(number).execute(&mut **change).await?;
    Ok(())
}

/// Removes all pending acts.
pub(crate) async fn clear(change: &mut Change) -> Result<(), DbError> {
    db::query("DELETE FROM os4x_rollbacks").execute(&mut **change).await?;
    Ok(())
}

/// Removes a pending act; false if it is not pending any more.
pub(crate) async fn remove(change: &mut Change, number: i64) -> Result<bool, DbError> {
    let delete = db::query("DELETE FROM os4x_rollbacks WHERE number = $1").bind(number);
    Ok(delete.execute(&mut **change).await?.rows_affected() > 0)
}

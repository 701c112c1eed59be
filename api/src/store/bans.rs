//! The bans: networks that the server refuses before it does any work for them, and until when. They are part of the
//! configuration, so a change of them increases its generation.

use crate::db::{self, Change, DbError};
use common::config;
use common::text::clock;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// Its columns.
const COLUMNS: &str = "network, until, description, created";

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ban {
    /// In CIDR notation, as `Network` writes it.
    pub(crate) network: String,
    /// Its last second, since 1970-01-01 UTC; none: it has no end.
    pub(crate) until: Option<i64>,
    /// The reason for it.
    pub(crate) description: String,
    /// When it was added, seconds since 1970-01-01 UTC.
    pub(crate) created: i64,
}

impl Ban {
    fn of(row: &AnyRow) -> Result<Self, DbError> {
        Ok(Self {
            network: row.try_get("network")?,
            until: row.try_get("until")?,
            description: row.try_get("description")?,
            created: row.try_get("created")?,
        })
    }
}

impl From<Ban> for config::Ban {
    fn from(ban: Ban) -> Self {
        Self { network: ban.network, until: ban.until }
    }
}

/// All bans, also expired ones that were not removed yet.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Ban>, DbError> {
    db::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM os4x_bans ORDER BY network")))
        .fetch_all(connection)
        .await?
        .iter()
        .map(Ban::of)
        .collect()
}

/// Adds `ban`, or replaces the ban of the same network, which keeps its beginning.
pub(crate) async fn put(change: &mut Change, ban: &Ban) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_bans (network, until, description, created) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (network) DO UPDATE SET until = excluded.until, description = excluded.description",
    )
    .bind(ban.network.as_str())
    .bind(ban.until)
    .bind(ban.description.as_str())
    .bind(ban.created)
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Removes the ban of a network; false if there is none.
pub(crate) async fn remove(change: &mut Change, network: &str) -> Result<bool, DbError> {
    let done =
        db::query("DELETE FROM os4x_bans WHERE network = $1").bind(network).execute(&mut **change).await?;
    Ok(done.rows_affected() > 0)
}

/// Whether a ban has expired.
pub(crate) async fn is_any_over(connection: &mut AnyConnection) -> Result<bool, DbError> {
    let over = db::query("SELECT network FROM os4x_bans WHERE until < $1 LIMIT 1").bind(clock::now());
    Ok(over.fetch_optional(connection).await?.is_some())
}

/// Removes the expired bans; gives them.
pub(crate) async fn expire(change: &mut Change) -> Result<Vec<Ban>, DbError> {
    let rows =
        db::query(AssertSqlSafe(format!("DELETE FROM os4x_bans WHERE until < $1 RETURNING {COLUMNS}")))
            .bind(clock::now())
            .fetch_all(&mut **change)
            .await?;
    let mut gone = rows.iter().map(Ban::of).collect::<Result<Vec<_>, _>>()?;
    gone.sort_by(|a, b| a.network.cmp(&b.network));
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::{Ban, all, expire, is_any_over, put, remove};
    use crate::db::scratch::{Scratch, run};
    use common::text::clock;

    fn ban(network: &str, until: Option<i64>) -> Ban {
        Ban { network: network.to_owned(), until, description: String::new(), created: 7 }
    }

    #[test]
    fn a_ban_ends_when_its_time_is_over() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let now = clock::now();
            let mut change = db.change().await.unwrap();
            for (network, until) in [("10.0.0.0/8", None), ("10.1.0.0/16", Some(now + 600))] {
                put(&mut change, &ban(network, until)).await.unwrap();
            }
            assert!(!is_any_over(&mut change).await.unwrap());
            assert!(expire(&mut change).await.unwrap().is_empty());
            // It takes the place of the one that is there, which keeps its beginning.
            let over = Ban { created: 8, ..ban("10.1.0.0/16", Some(now - 1)) };
            put(&mut change, &over).await.unwrap();
            assert!(is_any_over(&mut change).await.unwrap());
            assert_eq!(expire(&mut change).await.unwrap(), [Ban { created: 7, ..over }]);
            assert_eq!(all(&mut change).await.unwrap(), [ban("10.0.0.0/8", None)]);
            assert!(remove(&mut change, "10.0.0.0/8").await.unwrap());
            assert!(!remove(&mut change, "10.0.0.0/8").await.unwrap());
        });
    }
}

//! The bans: networks that the server refuses before anything is done for them, and until when. They travel with the
//! configuration, so a change of them counts its generation up.

use crate::db::{Change, Db, DbError};
use common::config;
use common::text::clock;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// Its columns.
const COLUMNS: &str = "network, until, description, created";

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Ban {
    /// In CIDR notation, as `Network` writes it.
    pub(crate) network: String,
    /// Its last second, since 1970-01-01 UTC; none: it has no end.
    pub(crate) until: Option<i64>,
    /// Why it is there.
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

/// All bans, the ones that are over and still there included.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Ban>, DbError> {
    sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM os4x_bans ORDER BY network")))
        .fetch_all(connection)
        .await?
        .iter()
        .map(Ban::of)
        .collect()
}

/// Adds `ban`, or takes the place of the one of its network, which keeps its beginning.
pub(crate) async fn put(change: &mut Change, ban: &Ban) -> Result<(), DbError> {
    sqlx::query(
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
        sqlx::query("DELETE FROM os4x_bans WHERE network = $1").bind(network).execute(&mut **change).await?;
    Ok(done.rows_affected() > 0)
}

/// Removes the bans whose time is over; gives them.
pub(crate) async fn expire(db: &Db) -> Result<Vec<Ban>, DbError> {
    let now = clock::now();
    // Where nothing is over the generation stays as it is.
    let over = sqlx::query("SELECT network FROM os4x_bans WHERE until < $1 LIMIT 1").bind(now);
    if over.fetch_optional(&mut *db.connection().await?).await?.is_none() {
        return Ok(Vec::new());
    }
    let mut change = db.change().await?;
    let rows =
        sqlx::query(AssertSqlSafe(format!("DELETE FROM os4x_bans WHERE until < $1 RETURNING {COLUMNS}")))
            .bind(now)
            .fetch_all(&mut *change)
            .await?;
    let mut gone = rows.iter().map(Ban::of).collect::<Result<Vec<_>, _>>()?;
    change.commit().await?;
    gone.sort_by(|a, b| a.network.cmp(&b.network));
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::{Ban, all, expire, put, remove};
    use crate::db::generation;
    use crate::db::scratch::{Scratch, run};
    use common::text::clock;

    fn ban(network: &str, until: Option<i64>) -> Ban {
        Ban { network: network.to_owned(), until, description: String::new(), created: 7 }
    }

    #[test]
    fn a_ban_ends_by_itself_and_only_then_the_generation_rises() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let now = clock::now();
            let mut change = db.change().await.unwrap();
            for (network, until) in [("10.0.0.0/8", None), ("10.1.0.0/16", Some(now + 600))] {
                put(&mut change, &ban(network, until)).await.unwrap();
            }
            let before = change.commit().await.unwrap();
            assert!(expire(&db).await.unwrap().is_empty());
            assert_eq!(generation(&mut db.connection().await.unwrap()).await.unwrap(), before);
            // It takes the place of the one that is there, which keeps its beginning.
            let mut change = db.change().await.unwrap();
            let over = Ban { created: 8, ..ban("10.1.0.0/16", Some(now - 1)) };
            put(&mut change, &over).await.unwrap();
            change.commit().await.unwrap();
            assert_eq!(expire(&db).await.unwrap(), [Ban { created: 7, ..over }]);
            assert_eq!(generation(&mut db.connection().await.unwrap()).await.unwrap(), before + 2);
            let mut change = db.change().await.unwrap();
            assert_eq!(all(&mut change).await.unwrap(), [ban("10.0.0.0/8", None)]);
            assert!(remove(&mut change, "10.0.0.0/8").await.unwrap());
            assert!(!remove(&mut change, "10.0.0.0/8").await.unwrap());
        });
    }
}

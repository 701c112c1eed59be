//! Claims: which `serve` does a job that must be done once, if several of them use one database. A claim is a row that
//! one of them writes, and it ends by itself. So there is no leader, and no `serve` waits for one that has ended. The
//! daemons do not see claims, so the generation does not change.

use crate::db::{self, Db, DbError};
use common::text::clock::{self, DAY};
use sqlx::AnyConnection;

/// How long a job belongs to the `serve` that does it, seconds. If it fails, another one does it afterwards.
const AT_IT: i64 = 60;
/// How long a job counts as done.
const DONE: i64 = 30 * DAY;

/// Does the job `name`, which is `work`, unless another `serve` has done it or is doing it. False if it may still have
/// to be done: ask again later.
pub(crate) async fn once(
    db: &Db,
    name: &str,
    work: impl Future<Output = Result<(), DbError>>,
) -> Result<bool, DbError> {
    if !take(db, name, AT_IT).await? {
        return is_done(db, name).await;
    }
    work.await?;
    let mut batch = db.batch().await?;
    let done = db::query("UPDATE os4x_claims SET until = $1 WHERE name = $2");
    done.bind(clock::now() + DONE).bind(name).execute(&mut *batch).await?;
    batch.commit().await?;
    Ok(true)
}

async fn is_done(db: &Db, name: &str) -> Result<bool, DbError> {
    let claim = db::query("SELECT 1 FROM os4x_claims WHERE name = $1 AND until > $2");
    let claim = claim.bind(name).bind(clock::now() + AT_IT);
    Ok(claim.fetch_optional(&mut *db.snapshot().await?).await?.is_some())
}

/// Claims the job `name` for `seconds`; false if another one has it, or has done it.
async fn take(db: &Db, name: &str, seconds: i64) -> Result<bool, DbError> {
    let now = clock::now();
    let mut batch = db.batch().await?;
    let done = db::query(
        "INSERT INTO os4x_claims (name, until) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET until = excluded.until WHERE os4x_claims.until < $3",
    )
    .bind(name)
    .bind(now + seconds)
    .bind(now)
    .execute(&mut *batch)
    .await?;
    batch.commit().await?;
    Ok(done.rows_affected() > 0)
}

/// Removes expired claims.
pub(crate) async fn forget(connection: &mut AnyConnection) -> Result<(), DbError> {
    let over = db::query("DELETE FROM os4x_claims WHERE until < $1");
    over.bind(clock::now()).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{AT_IT, DONE, forget, once, take};
    use crate::db::scratch::{Scratch, run};
    use crate::db::{self, DbError};

    #[test]
    fn a_job_that_failed_is_done_by_the_next_one_and_then_by_nobody() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let later = async |seconds: i64| {
                let update = db::query("UPDATE os4x_claims SET until = until - $1").bind(seconds);
                update.execute(&mut *db.sqlite_connection().await.unwrap()).await.unwrap();
            };
            let failure = async { Err(DbError::Corrupt("test".to_owned())) };
            assert!(once(&db, "one", failure).await.is_err());
            let never = async || -> Result<(), DbError> { panic!("it is done, or somebody is at it") };
            assert!(!once(&db, "one", never()).await.unwrap(), "the other one may still do it");
            later(AT_IT + 1).await;
            assert!(once(&db, "one", async { Ok(()) }).await.unwrap());
            assert!(once(&db, "one", never()).await.unwrap());
            later(DONE + 1).await;
            assert!(once(&db, "one", async { Ok(()) }).await.unwrap());
        });
    }

    #[test]
    fn a_job_is_claimed_once_until_the_claim_is_over() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            assert!(take(&db, "one", 60).await.unwrap() && !take(&db, "one", 60).await.unwrap());
            assert!(take(&db, "two", -1).await.unwrap() && take(&db, "two", -1).await.unwrap());
            take(&db, "three", -1).await.unwrap();
            forget(&mut db.sqlite_connection().await.unwrap()).await.unwrap();
            assert!(!take(&db, "one", 60).await.unwrap());
        });
    }
}

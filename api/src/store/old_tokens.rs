//! Tokens that were replaced: their hashes, and until when each still works. An old token is known for a while after
//! its end, so that a client that was not restarted is distinguished from a stranger.

use crate::db::{self, Change, DbError};
use common::text::{clock, hex};
use sqlx::{AnyConnection, Row};

/// How long an old token is known after its end, seconds.
const KNOWN: i64 = 90 * clock::DAY;

/// Notes that `secret` is replaced, and works until `until`. If that is now, older tokens do not work any more either.
pub(crate) async fn add(change: &mut Change, secret: &str, until: i64) -> Result<(), DbError> {
    let now = clock::now();
    db::query("DELETE FROM os4x_old_tokens WHERE valid_until < $1")
        .bind(now - KNOWN)
        .execute(&mut **change)
        .await?;
    if until <= now {
        let end = db::query("UPDATE os4x_old_tokens SET valid_until = $1 WHERE valid_until > $1").bind(now);
        end.execute(&mut **change).await?;
    }
    db::query(
        "INSERT INTO os4x_old_tokens (hash, valid_until) VALUES ($1, $2) \
         ON CONFLICT (hash) DO UPDATE SET valid_until = excluded.valid_until",
    )
    .bind(hash(secret))
    .bind(until)
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Until when this old token works, or has worked; none if it is no old token.
pub(crate) async fn valid_until(
    connection: &mut AnyConnection,
    secret: &str,
) -> Result<Option<i64>, DbError> {
    // Looked up by its hash: the duration reveals nothing about a token.
    let row = db::query("SELECT valid_until FROM os4x_old_tokens WHERE hash = $1").bind(hash(secret));
    Ok(row.fetch_optional(connection).await?.map(|row| row.try_get(0)).transpose()?)
}

/// All old tokens that are still known: their hashes, and until when they work.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<(String, i64)>, DbError> {
    let rows = db::query("SELECT hash, valid_until FROM os4x_old_tokens ORDER BY valid_until, hash")
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

fn hash(secret: &str) -> String {
    hex::encode(&openssl::sha::sha256(secret.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{add, valid_until};
    use crate::db::scratch::{Scratch, run};
    use common::text::clock;

    #[test]
    fn a_rotation_at_once_ends_the_overlap_of_an_older_one() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let (now, later) = (clock::now(), clock::now() + 3_600);
            let mut change = db.change().await.unwrap();
            add(&mut change, "one", later).await.unwrap();
            add(&mut change, "two", later).await.unwrap();
            assert_eq!(valid_until(&mut change, "one").await.unwrap(), Some(later));
            add(&mut change, "three", now).await.unwrap();
            for secret in ["one", "two", "three"] {
                assert!(valid_until(&mut change, secret).await.unwrap().unwrap() <= clock::now(), "{secret}");
            }
            assert_eq!(valid_until(&mut change, "four").await.unwrap(), None);
        });
    }
}

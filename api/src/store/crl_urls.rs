//! CRL distribution URLs that servers found in certificates of partners, and how downloading from each went. Bounded in
//! length, number and rate: whoever took a DMZ host over cannot fill the database with them.

use crate::clock::{self, DAY};
use crate::db::{Db, DbError};
use common::rpc::MAX_CRL_URL;
use sqlx::{AnyConnection, Row};

/// URLs that are kept.
const MOST: i64 = 200;
/// New ones in an hour.
const RATE: i64 = 50;
const HOUR: i64 = 3_600;
/// A URL that never had a CRL is forgotten after this time, seconds.
const PATIENCE: i64 = 30 * DAY;

/// What became of a reported URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It is kept from now on.
    New,
    /// It was there.
    Known,
    /// There were too many new ones within the hour.
    TooFast,
    /// Too many are kept, and each of them has had a CRL.
    Full,
}

/// Whether `url` may be a CRL distribution URL: http or https with a host, no user, bounded length, printable ASCII.
pub(crate) fn is_fetchable(url: &str) -> bool {
    let Ok(uri) = url.parse::<axum::http::Uri>() else { return false };
    let web = uri.scheme_str().is_some_and(|scheme| ["http", "https"].contains(&scheme));
    let host = uri.authority().is_some_and(|authority| {
        !authority.host().is_empty() && !authority.as_str().contains('@') && authority.port_u16() != Some(0)
    });
    web && host && url.len() <= MAX_CRL_URL && url.bytes().all(|octet| octet.is_ascii_graphic())
}

/// Keeps a URL that `is_fetchable`. The daemons see it with the next change; a report alone makes no new generation.
pub(crate) async fn note(db: &Db, url: &str) -> Result<Noted, DbError> {
    let now = clock::now();
    let mut batch = db.batch().await?;
    sqlx::query("DELETE FROM os4x_crl_urls WHERE fetched IS NULL AND reported < $1")
        .bind(now - PATIENCE)
        .execute(&mut *batch)
        .await?;
    let known = sqlx::query("SELECT 1 FROM os4x_crl_urls WHERE url = $1").bind(url);
    if known.fetch_optional(&mut *batch).await?.is_some() {
        return Ok(Noted::Known);
    }
    if count(&mut batch, "reported > $1", now - HOUR).await? >= RATE {
        return Ok(Noted::TooFast);
    }
    if count(&mut batch, "reported >= $1", 0).await? >= MOST && !make_room(&mut batch).await? {
        return Ok(Noted::Full);
    }
    sqlx::query("INSERT INTO os4x_crl_urls (url, reported, due, failures) VALUES ($1, $2, $2, 0)")
        .bind(url)
        .bind(now)
        .execute(&mut *batch)
        .await?;
    batch.commit().await?;
    Ok(Noted::New)
}

async fn count(connection: &mut AnyConnection, condition: &'static str, value: i64) -> Result<i64, DbError> {
    // Safe: the condition is a constant of this file.
    let query = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM os4x_crl_urls WHERE {condition}");
    let row = sqlx::query(sqlx::AssertSqlSafe(query)).bind(value).fetch_one(connection).await?;
    Ok(row.try_get(0)?)
}

/// Forgets the oldest URL that never had a CRL; false if there is none.
async fn make_room(connection: &mut AnyConnection) -> Result<bool, DbError> {
    let done = sqlx::query(
        "DELETE FROM os4x_crl_urls WHERE url = (SELECT url FROM os4x_crl_urls WHERE fetched IS NULL \
         ORDER BY reported, url LIMIT 1)",
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// All URLs, in the order of their text.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<String>, DbError> {
    let rows = sqlx::query("SELECT url FROM os4x_crl_urls ORDER BY url").fetch_all(connection).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::{HOUR, MOST, Noted, PATIENCE, RATE, all, is_fetchable, note};
    use crate::clock;
    use crate::db::Db;
    use crate::db::scratch::{Scratch, run};

    async fn sql(db: &Db, statement: &'static str, value: i64) {
        let query = sqlx::query(statement).bind(value);
        query.execute(&mut *db.connection().await.unwrap()).await.unwrap();
    }

    async fn urls(db: &Db) -> Vec<String> {
        all(&mut db.connection().await.unwrap()).await.unwrap()
    }

    #[test]
    fn only_web_addresses_are_kept() {
        for good in ["http://crl.example/a.crl", "HTTPS://crl.example:8080/?x=1", "http://[2001:db8::1]/a"] {
            assert!(is_fetchable(good), "{good}");
        }
        let long = format!("http://crl.example/{}", "a".repeat(1024));
        for bad in [
            "",
            "crl.example",
            "http://",
            "http:///a",
            "ldap://crl.example/a",
            "file:///etc/passwd",
            "http://user:secret@crl.example/",
            "http://crl.example:0/",
            "http://crl.example/a b",
            "http://crl.example/\u{fc}",
            &long,
        ] {
            assert!(!is_fetchable(bad), "{bad}");
        }
    }

    #[test]
    fn a_flood_of_urls_is_bounded_and_known_ones_are_no_flood() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            for number in 0..RATE {
                assert_eq!(note(&db, &format!("http://a/{number}")).await.unwrap(), Noted::New);
            }
            assert_eq!(note(&db, "http://b/").await.unwrap(), Noted::TooFast);
            assert_eq!(note(&db, "http://a/0").await.unwrap(), Noted::Known);
            sql(&db, "UPDATE os4x_crl_urls SET reported = $1", clock::now() - HOUR).await;
            assert_eq!(note(&db, "http://b/").await.unwrap(), Noted::New);
            sql(&db, "UPDATE os4x_crl_urls SET reported = $1", clock::now() - PATIENCE - 1).await;
            assert_eq!(note(&db, "http://c/").await.unwrap(), Noted::New);
            assert_eq!(urls(&db).await, ["http://c/"]);
        });
    }

    #[test]
    fn a_full_table_gives_up_what_never_had_a_crl() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let fill = sqlx::query(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
                 INSERT INTO os4x_crl_urls (url, reported, due, failures, fetched) \
                 SELECT 'http://old/' || i, $2, 0, 0, 1 FROM n",
            );
            let yesterday = clock::now() - clock::DAY;
            let mut connection = db.connection().await.unwrap();
            fill.bind(MOST).bind(yesterday).execute(&mut *connection).await.unwrap();
            drop(connection);
            assert_eq!(note(&db, "http://new/").await.unwrap(), Noted::Full);
            sql(&db, "UPDATE os4x_crl_urls SET fetched = NULL WHERE url = 'http://old/' || $1", 7).await;
            assert_eq!(note(&db, "http://new/").await.unwrap(), Noted::New);
            let kept = urls(&db).await;
            assert_eq!(i64::try_from(kept.len()).unwrap(), MOST);
            assert!(!kept.contains(&"http://old/7".to_owned()));
        });
    }
}

//! CRL distribution URLs that servers found in certificates of partners, and the result of the last download from each.
//! Length, number and rate have limits, so that a hostile DMZ host cannot fill the database with them.

use crate::db::{self, Change, Db, DbError};
use crate::http::Target;
use common::rpc::{BY_HAND, MAX_CRL_URL};
use common::text::clock::{self, DAY};
use common::text::url::is_web;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// Most URLs that are kept.
const MOST: i64 = 200;
/// Most new URLs in an hour.
const RATE: i64 = 50;
const HOUR: i64 = 3_600;
/// URLs of one round of downloads: silent hosts of strangers must not delay the others for long.
const ROUND: i64 = 40;
/// The due time of a URL that cannot be downloaded from: never.
const NEVER: i64 = i64::MAX;
/// A URL that never had a CRL is forgotten after this time, seconds.
const PATIENCE: i64 = 30 * DAY;

/// The result of a reported URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It is kept from now on.
    New,
    /// It was kept already.
    Known,
    /// There were too many new URLs within the hour.
    TooFast,
    /// Too many are kept, and each of them has had a CRL.
    Full,
}

/// Whether `url`, as `escaped` gives it, can be downloaded from: http or https with a host, no user, bounded length,
/// printable ASCII.
pub(crate) fn is_fetchable(url: &str) -> bool {
    is_printable(url) && is_web(url) && Target::parse(url).is_ok()
}

/// Whether `url` has a scheme, a bounded length and printable ASCII characters alone.
pub(crate) fn is_printable(url: &str) -> bool {
    url.contains(':') && url.len() <= MAX_CRL_URL && url.bytes().all(|octet| octet.is_ascii_graphic())
}

/// Keeps a URL that `is_printable`, even if it is not `is_fetchable`, so that it is reported once. The daemons see it
/// with the next change; a report alone does not make a new generation.
pub(crate) async fn note(db: &Db, url: &str) -> Result<Noted, DbError> {
    let mut change = db.unseen_change().await?;
    let noted = note_in(&mut change, url).await?;
    if noted == Noted::New {
        change.commit().await?;
    }
    Ok(noted)
}

/// The same within a change.
pub(crate) async fn note_in(change: &mut Change, url: &str) -> Result<Noted, DbError> {
    let now = clock::now();
    db::query("DELETE FROM os4x_crl_urls WHERE fetched IS NULL AND reported < $1 AND due < $2")
        .bind(now - PATIENCE)
        .bind(NEVER)
        .execute(&mut **change)
        .await?;
    let known = db::query("SELECT 1 FROM os4x_crl_urls WHERE url = $1").bind(url);
    if known.fetch_optional(&mut **change).await?.is_some() {
        return Ok(Noted::Known);
    }
    if count(change, "reported > $1", now - HOUR).await? >= RATE {
        return Ok(Noted::TooFast);
    }
    if count(change, "reported >= $1", 0).await? >= MOST && !make_room(change).await? {
        return Ok(Noted::Full);
    }
    put(change, url).await?;
    Ok(Noted::New)
}

/// Stores a new URL.
pub(crate) async fn put(change: &mut Change, url: &str) -> Result<(), DbError> {
    let now = clock::now();
    let (due, error) = if is_fetchable(url) { (now, None) } else { (NEVER, Some(BY_HAND.to_owned())) };
    db::query("INSERT INTO os4x_crl_urls (url, reported, due, failures, error) VALUES ($1, $2, $3, 0, $4)")
        .bind(url)
        .bind(now)
        .bind(due)
        .bind(error)
        .execute(&mut **change)
        .await?;
    Ok(())
}

async fn count(connection: &mut AnyConnection, condition: &'static str, value: i64) -> Result<i64, DbError> {
    // Safe: the condition is a constant of this file.
    let query = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM os4x_crl_urls WHERE {condition}");
    let row = db::query(AssertSqlSafe(query)).bind(value).fetch_one(connection).await?;
    Ok(row.try_get(0)?)
}

/// Removes the oldest URL that never had a CRL; false if there is none.
async fn make_room(connection: &mut AnyConnection) -> Result<bool, DbError> {
    let done = db::query(
        "DELETE FROM os4x_crl_urls WHERE url = (SELECT url FROM os4x_crl_urls WHERE fetched IS NULL \
         ORDER BY reported, url LIMIT 1)",
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// All URLs, in the order of their text.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<String>, DbError> {
    let rows = db::query("SELECT url FROM os4x_crl_urls ORDER BY url").fetch_all(connection).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// A URL, and the result of its downloads.
#[derive(Debug)]
pub(crate) struct Source {
    /// The URL.
    pub(crate) url: String,
    /// When it is tried next, seconds since 1970-01-01 UTC.
    pub(crate) due: i64,
    /// Failures in a row.
    pub(crate) failures: i64,
    /// Time of the last attempt.
    pub(crate) tried: Option<i64>,
    /// Time of the last CRL from it.
    pub(crate) fetched: Option<i64>,
    /// The fault of the last attempt.
    pub(crate) error: Option<String>,
}

const COLUMNS: &str = "SELECT url, due, failures, tried, fetched, error FROM os4x_crl_urls";

fn source(row: &AnyRow) -> Result<Source, DbError> {
    Ok(Source {
        url: row.try_get("url")?,
        due: row.try_get("due")?,
        failures: row.try_get("failures")?,
        tried: row.try_get("tried")?,
        fetched: row.try_get("fetched")?,
        error: row.try_get("error")?,
    })
}

/// All URLs, with the results of their downloads.
pub(crate) async fn sources(connection: &mut AnyConnection) -> Result<Vec<Source>, DbError> {
    let query = AssertSqlSafe(format!("{COLUMNS} ORDER BY url"));
    db::query(query).fetch_all(connection).await?.iter().map(source).collect()
}

/// One of them.
pub(crate) async fn get(connection: &mut AnyConnection, url: &str) -> Result<Option<Source>, DbError> {
    let query = AssertSqlSafe(format!("{COLUMNS} WHERE url = $1"));
    db::query(query).bind(url).fetch_optional(connection).await?.as_ref().map(source).transpose()
}

/// A URL that is due.
#[derive(Debug)]
pub(crate) struct Due {
    /// The URL.
    pub(crate) url: String,
    /// Time since which it is due, seconds since 1970-01-01 UTC.
    pub(crate) since: i64,
}

/// URLs that are due, at most `ROUND`: those that have had a CRL before those that never had one.
pub(crate) async fn due(connection: &mut AnyConnection) -> Result<Vec<Due>, DbError> {
    let rows = db::query(
        "SELECT url, due FROM os4x_crl_urls WHERE due <= $1 \
         ORDER BY CASE WHEN fetched IS NULL THEN 1 ELSE 0 END, due, url LIMIT $2",
    )
    .bind(clock::now())
    .bind(ROUND)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok(Due { url: row.try_get(0)?, since: row.try_get(1)? })).collect()
}

/// Claims the download from a URL that is due: it is not due again for `seconds`, or until its end is noted. False if
/// another one has done so since.
pub(crate) async fn claim(db: &Db, Due { url, since }: &Due, seconds: i64) -> Result<bool, DbError> {
    let mut batch = db.batch().await?;
    let done = db::query("UPDATE os4x_crl_urls SET due = $1 WHERE url = $2 AND due = $3")
        .bind(clock::now() + seconds)
        .bind(url.as_str())
        .bind(*since)
        .execute(&mut *batch)
        .await?;
    batch.commit().await?;
    Ok(done.rows_affected() > 0)
}

/// Tries what failed, or never had its turn, as soon as may be: what stood in its way may be gone.
pub(crate) async fn try_again(change: &mut Change) -> Result<(), DbError> {
    db::query(
        "UPDATE os4x_crl_urls SET due = $1, failures = 0 WHERE due > $1 AND due < $2 AND error IS NOT NULL",
    )
    .bind(clock::now())
    .bind(NEVER)
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Has each that can be downloaded from be due at once.
pub(crate) async fn all_are_due(connection: &mut AnyConnection) -> Result<(), DbError> {
    let update = db::query("UPDATE os4x_crl_urls SET due = $1, failures = 0 WHERE due < $2");
    update.bind(clock::now()).bind(NEVER).execute(connection).await?;
    Ok(())
}

/// Tries this one as soon as may be, if it failed: its issuer has become known.
pub(crate) async fn try_one_again(db: &Db, url: &str) -> Result<(), DbError> {
    let query = "UPDATE os4x_crl_urls SET due = $1, failures = 0 WHERE url = $2 AND error IS NOT NULL";
    let mut batch = db.batch().await?;
    db::query(query).bind(clock::now()).bind(url).execute(&mut *batch).await?;
    batch.commit().await
}

/// Notes how a download went, and when the next one is due.
pub(crate) async fn tried(
    connection: &mut AnyConnection,
    url: &str,
    due: i64,
    is_good: bool,
    error: Option<&str>,
) -> Result<(), DbError> {
    let statement = if is_good {
        "UPDATE os4x_crl_urls SET due = $1, error = $2, tried = $3, fetched = $3, failures = 0 WHERE url = $4"
    } else {
        "UPDATE os4x_crl_urls SET due = $1, error = $2, tried = $3, failures = failures + 1 WHERE url = $4"
    };
    db::query(statement)
        .bind(due)
        .bind(error.map(str::to_owned))
        .bind(clock::now())
        .bind(url)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets a URL; false if there is none.
pub(crate) async fn remove(change: &mut Change, url: &str) -> Result<bool, DbError> {
    let done = db::query("DELETE FROM os4x_crl_urls WHERE url = $1").bind(url).execute(&mut **change).await?;
    Ok(done.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use super::{
        HOUR, MOST, Noted, PATIENCE, RATE, all, claim, due, get, is_fetchable, note, tried, try_again,
    };
    use crate::db::scratch::{Scratch, run};
    use crate::db::{self, Db};
    use common::text::clock;
    use sqlx::AnyConnection;

    async fn sql(db: &Db, statement: &'static str, value: i64) {
        let query = db::query(statement).bind(value);
        query.execute(&mut *db.sqlite_connection().await.unwrap()).await.unwrap();
    }

    async fn due_urls(connection: &mut AnyConnection) -> Vec<String> {
        due(connection).await.unwrap().into_iter().map(|due| due.url).collect()
    }

    async fn urls(db: &Db) -> Vec<String> {
        all(&mut db.sqlite_connection().await.unwrap()).await.unwrap()
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
    fn what_worked_comes_first_and_what_failed_waits_until_trust_changes() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            for url in ["http://a/", "http://b/", "http://c/"] {
                note(&db, url).await.unwrap();
            }
            let (now, mut connection) = (clock::now(), db.sqlite_connection().await.unwrap());
            tried(&mut connection, "http://c/", now - 1, true, None).await.unwrap();
            assert_eq!(due_urls(&mut connection).await, ["http://c/", "http://a/", "http://b/"]);
            tried(&mut connection, "http://a/", now + 1_000, false, Some("why")).await.unwrap();
            tried(&mut connection, "http://b/", now + 1_000, true, None).await.unwrap();
            assert_eq!(due_urls(&mut connection).await, ["http://c/"]);
            assert_eq!(get(&mut connection, "http://a/").await.unwrap().unwrap().failures, 1);
            drop(connection);
            let mut change = db.change().await.unwrap();
            try_again(&mut change).await.unwrap();
            change.commit().await.unwrap();
            let mut connection = db.sqlite_connection().await.unwrap();
            assert_eq!(due_urls(&mut connection).await, ["http://c/", "http://a/"]);
        });
    }

    #[test]
    fn a_download_is_claimed_once_and_the_claim_ends() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            note(&db, "http://a/").await.unwrap();
            let seen = due(&mut db.sqlite_connection().await.unwrap()).await.unwrap();
            assert!(claim(&db, &seen[0], 60).await.unwrap() && !claim(&db, &seen[0], 60).await.unwrap());
            assert!(due_urls(&mut db.sqlite_connection().await.unwrap()).await.is_empty());
            sql(&db, "UPDATE os4x_crl_urls SET due = $1", clock::now() - 1).await;
            assert_eq!(due_urls(&mut db.sqlite_connection().await.unwrap()).await, ["http://a/"]);
        });
    }

    #[test]
    fn a_full_table_gives_up_what_never_had_a_crl() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let fill = db::query(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
                 INSERT INTO os4x_crl_urls (url, reported, due, failures, fetched) \
                 SELECT 'http://old/' || i, $2, 0, 0, 1 FROM n",
            );
            let yesterday = clock::now() - clock::DAY;
            let mut connection = db.sqlite_connection().await.unwrap();
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

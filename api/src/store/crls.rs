//! CRLs: the newest of each issuer, key and scope, in PEM, with the times that lists show. An older one never replaces
//! a newer one. Checks no signature: the caller has done that.

use crate::db::{Change, DbError};
use crate::pki::read::CrlFacts;
use common::config::NamedPem;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// A CRL in the database.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Issuer and scope: there is one CRL of each.
    pub(crate) issuer_key: String,
    /// Issuer on one line.
    pub(crate) name: String,
    /// thisUpdate, seconds since 1970-01-01 UTC.
    pub(crate) last_update: i64,
    /// nextUpdate, if any.
    pub(crate) next_update: Option<i64>,
    /// URL that it was downloaded from; none: an operator brought it.
    pub(crate) source: Option<String>,
    /// The CRL.
    pub(crate) pem: String,
}

/// Octets of all CRLs in PEM: the daemons take no configuration of more than 64 MiB.
pub(crate) const LARGEST_IN_ALL: usize = 40 << 20;

impl From<Stored> for NamedPem {
    fn from(crl: Stored) -> Self {
        Self { name: crl.name, pem: crl.pem }
    }
}

/// What became of a CRL that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The first of its issuer.
    First,
    /// It took the place of an older one.
    Newer,
    /// The very same one is there.
    Same,
    /// One at least as new is there, of this time.
    Older(i64),
    /// All CRLs together would be larger than `LARGEST_IN_ALL`.
    NoRoom,
}

const COLUMNS: &str = "SELECT issuer_key, name, last_update, next_update, source, pem FROM os4x_crls";

fn stored(row: &AnyRow) -> Result<Stored, DbError> {
    Ok(Stored {
        issuer_key: row.try_get("issuer_key")?,
        name: row.try_get("name")?,
        last_update: row.try_get("last_update")?,
        next_update: row.try_get("next_update")?,
        source: row.try_get("source")?,
        pem: row.try_get("pem")?,
    })
}

/// All CRLs.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Stored>, DbError> {
    let query = AssertSqlSafe(format!("{COLUMNS} ORDER BY name, issuer_key"));
    sqlx::query(query).fetch_all(connection).await?.iter().map(stored).collect()
}

/// Those whose nextUpdate has passed at `now`, seconds since 1970-01-01 UTC.
pub(crate) async fn expired(connection: &mut AnyConnection, now: i64) -> Result<Vec<Stored>, DbError> {
    let query = AssertSqlSafe(format!("{COLUMNS} WHERE next_update < $1 ORDER BY name, issuer_key"));
    sqlx::query(query).bind(now).fetch_all(connection).await?.iter().map(stored).collect()
}

/// Keeps `crl`, which came from `source`, unless a newer one of its issuer is there.
pub(crate) async fn offer(
    change: &mut Change,
    crl: &CrlFacts,
    source: Option<&str>,
) -> Result<Kept, DbError> {
    let row = sqlx::query("SELECT pem FROM os4x_crls WHERE issuer_key = $1")
        .bind(crl.issuer_key.as_str())
        .fetch_optional(&mut **change)
        .await?;
    let outcome = match row.map(|row| row.try_get::<String, _>(0)).transpose()? {
        None => Kept::First,
        Some(pem) if pem == crl.pem => return Ok(Kept::Same),
        Some(pem) => match CrlFacts::of_pem(&pem) {
            Ok(held) if !crl.is_newer_than(&held) => return Ok(Kept::Older(held.last_update)),
            // What cannot be read any more is no loss.
            _ => Kept::Newer,
        },
    };
    if size_beside(change, &crl.issuer_key).await? + crl.pem.len() > LARGEST_IN_ALL {
        return Ok(Kept::NoRoom);
    }
    sqlx::query(
        "INSERT INTO os4x_crls (issuer_key, name, last_update, next_update, source, pem) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (issuer_key) DO UPDATE SET name = excluded.name, last_update = excluded.last_update, \
         next_update = excluded.next_update, source = excluded.source, pem = excluded.pem",
    )
    .bind(crl.issuer_key.as_str())
    .bind(crl.issuer.as_str())
    .bind(crl.last_update)
    .bind(crl.next_update)
    .bind(source.map(str::to_owned))
    .bind(crl.pem.as_str())
    .execute(&mut **change)
    .await?;
    Ok(outcome)
}

/// Octets of all CRLs but the one of `issuer_key`.
async fn size_beside(connection: &mut AnyConnection, issuer_key: &str) -> Result<usize, DbError> {
    let row = sqlx::query(
        "SELECT CAST(COALESCE(SUM(LENGTH(pem)), 0) AS BIGINT) FROM os4x_crls WHERE issuer_key <> $1",
    )
    .bind(issuer_key)
    .fetch_one(connection)
    .await?;
    Ok(usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX))
}

/// Removes the CRL of an issuer; false if there is none.
pub(crate) async fn remove(change: &mut Change, issuer: &str) -> Result<bool, DbError> {
    let done = sqlx::query("DELETE FROM os4x_crls WHERE name = $1 OR issuer_key = $1")
        .bind(issuer)
        .execute(&mut **change)
        .await?;
    Ok(done.rows_affected() > 0)
}

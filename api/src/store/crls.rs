//! CRLs: the newest of each issuer, key and scope, in PEM, with the times that lists show. An older one never replaces
//! a newer one. Checks no signature: the caller has done that.

use crate::db::{self, Change, DbError};
use crate::pki::facts::CrlFacts;
use common::config::{MAX_CRLS, NamedPem};
use common::text::clock;
use common::x509::subject;
use common::x509::times::CLOCK_SKEW;
use openssl::x509::X509;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// A CRL in the database.
#[derive(Debug)]
pub(crate) struct Stored {
    /// `CrlFacts::issuer_key`.
    pub(crate) issuer_key: String,
    /// Issuer on one line.
    pub(crate) name: String,
    /// thisUpdate, seconds since 1970-01-01 UTC.
    pub(crate) last_update: i64,
    /// nextUpdate, if any.
    pub(crate) next_update: Option<i64>,
    /// URL from which it was downloaded; none: an operator has added it.
    pub(crate) source: Option<String>,
    /// The CRL.
    pub(crate) pem: String,
}

impl From<Stored> for NamedPem {
    fn from(crl: Stored) -> Self {
        Self { name: crl.name, pem: crl.pem }
    }
}

impl Stored {
    /// How its time stands.
    pub(crate) fn state(&self, now: i64) -> &'static str {
        match self.last_update > now + CLOCK_SKEW {
            true => "not yet valid",
            false if self.next_update.is_some_and(|next| next < now) => "expired",
            false => "current",
        }
    }
}

/// What became of a CRL that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The first of its issuer.
    First,
    /// It has replaced an older one.
    Newer,
    /// The same CRL is there already.
    Same,
    /// A CRL that is at least as new is there, of this time.
    Older(i64),
    /// All CRLs together would be larger than `MAX_CRLS`.
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

/// A CRL of the future has a row beside the previous one, which is in force until then; its key ends with this.
const NEXT: &str = "-next";
/// Rows that were replaced by a CRL whose time has come by `$1`.
const SUPERSEDED: &str = "EXISTS (SELECT 1 FROM os4x_crls next \
                          WHERE next.issuer_key = os4x_crls.issuer_key || '-next' AND next.last_update <= $1)";

/// The time from which a CRL counts as one of the future, seconds since 1970-01-01 UTC.
fn future() -> i64 {
    clock::now() + CLOCK_SKEW
}

/// All CRLs that are in force or will be.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Stored>, DbError> {
    let query = AssertSqlSafe(format!("{COLUMNS} WHERE NOT {SUPERSEDED} ORDER BY name, issuer_key"));
    db::query(query).bind(future()).fetch_all(connection).await?.iter().map(stored).collect()
}

/// All rows, without the CRLs themselves, which may be large.
pub(crate) async fn heads(connection: &mut AnyConnection) -> Result<Vec<Stored>, DbError> {
    let rows = db::query(
        "SELECT issuer_key, name, last_update, next_update, source, '' AS pem FROM os4x_crls ORDER BY issuer_key",
    );
    rows.fetch_all(connection).await?.iter().map(stored).collect()
}

/// CRLs that an operator has added, and downloaded CRLs of these issuers: they are still trusted, or lead to a trusted
/// certificate.
pub(crate) fn needed(mut all: Vec<Stored>, issuers: &[X509]) -> Vec<Stored> {
    let folded = |certificate: &X509| subject::folded(&subject::text(certificate.subject_name()));
    let issuers: Vec<String> = issuers.iter().map(folded).collect();
    all.retain(|crl| crl.source.is_none() || issuers.contains(&subject::folded(&crl.name)));
    all
}

/// Makes CRLs whose time has come the ones in force.
async fn settle(change: &mut Change) -> Result<(), DbError> {
    let gone = AssertSqlSafe(format!("DELETE FROM os4x_crls WHERE {SUPERSEDED}"));
    db::query(gone).bind(future()).execute(&mut **change).await?;
    db::query(
        "UPDATE os4x_crls SET issuer_key = SUBSTR(issuer_key, 1, LENGTH(issuer_key) - 5) \
         WHERE issuer_key LIKE '%-next' AND last_update <= $1",
    )
    .bind(future())
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Those whose nextUpdate has passed at `now`, seconds since 1970-01-01 UTC.
pub(crate) async fn expired(connection: &mut AnyConnection, now: i64) -> Result<Vec<Stored>, DbError> {
    let query = format!("{COLUMNS} WHERE next_update < $2 AND NOT {SUPERSEDED} ORDER BY name, issuer_key");
    let query = db::query(AssertSqlSafe(query)).bind(future()).bind(now);
    query.fetch_all(connection).await?.iter().map(stored).collect()
}

/// Stores `crl`, which came from `source`, unless a newer one of its issuer is there. A CRL of the future replaces only
/// another one of the future.
pub(crate) async fn offer(
    change: &mut Change,
    crl: &CrlFacts,
    source: Option<&str>,
) -> Result<Kept, DbError> {
    settle(change).await?;
    let mut held = held(change, crl).await?;
    if held.iter().any(|row| row.pem == crl.pem) {
        return Ok(Kept::Same);
    }
    let is_future = crl.last_update > future();
    held.retain(|row| row.issuer_key.ends_with(NEXT) == is_future);
    // A CRL that cannot be read any more is no loss.
    let read = held.iter().filter_map(|row| CrlFacts::of_pem(&row.pem).ok());
    if let Some(newest) = read.filter(|one| !crl.is_newer_than(one)).map(|one| one.last_update).max() {
        return Ok(Kept::Older(newest));
    }
    let goes: usize = held.iter().map(|row| row.pem.len()).sum();
    if (size(change).await? + crl.pem.len()).saturating_sub(goes) > MAX_CRLS {
        return Ok(Kept::NoRoom);
    }
    let outcome = if held.is_empty() { Kept::First } else { Kept::Newer };
    for row in held {
        let gone = db::query("DELETE FROM os4x_crls WHERE issuer_key = $1").bind(row.issuer_key);
        gone.execute(&mut **change).await?;
    }
    db::query(
        "INSERT INTO os4x_crls (issuer_key, name, last_update, next_update, source, pem) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(format!("{}{}", crl.issuer_key, if is_future { NEXT } else { "" }))
    .bind(crl.issuer.as_str())
    .bind(crl.last_update)
    .bind(crl.next_update)
    .bind(source.map(str::to_owned))
    .bind(crl.pem.as_str())
    .execute(&mut **change)
    .await?;
    Ok(outcome)
}

/// The rows that `crl` replaces: of the same issuer, scope and key. There is more than one if they were stored under
/// two spellings of the issuer's name.
async fn held(connection: &mut AnyConnection, crl: &CrlFacts) -> Result<Vec<Stored>, DbError> {
    let names = db::query("SELECT issuer_key, name FROM os4x_crls").fetch_all(&mut *connection).await?;
    let (wanted, mut held) = (subject::folded(&crl.issuer), Vec::new());
    for row in names {
        let (key, name): (String, String) = (row.try_get("issuer_key")?, row.try_get("name")?);
        if key != crl.issuer_key && subject::folded(&name) != wanted {
            continue;
        }
        let query = AssertSqlSafe(format!("{COLUMNS} WHERE issuer_key = $1"));
        let row = stored(&db::query(query).bind(key).fetch_one(&mut *connection).await?)?;
        let is_same = || CrlFacts::of_pem(&row.pem).is_ok_and(|one| crl.is_of_one_row(&one));
        if row.issuer_key == crl.issuer_key || is_same() {
            held.push(row);
        }
    }
    Ok(held)
}

/// Octets of all CRLs.
async fn size(connection: &mut AnyConnection) -> Result<usize, DbError> {
    let query = db::query("SELECT CAST(COALESCE(SUM(LENGTH(pem)), 0) AS BIGINT) FROM os4x_crls");
    Ok(usize::try_from(query.fetch_one(connection).await?.try_get::<i64, _>(0)?).unwrap_or(usize::MAX))
}

/// Removes the CRL of an issuer; false if there is none.
pub(crate) async fn remove(change: &mut Change, issuer: &str) -> Result<bool, DbError> {
    let done = db::query("DELETE FROM os4x_crls WHERE name = $1 OR issuer_key = $1")
        .bind(issuer)
        .execute(&mut **change)
        .await?;
    Ok(done.rows_affected() > 0)
}

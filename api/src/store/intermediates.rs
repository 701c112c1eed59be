//! Certificates of CAs that partners sent in a chain to a trusted one. They are used only to check signatures of CRLs:
//! they are no trust anchors, and count as long as they lead to a trusted certificate. Number and rate have limits, so
//! that a hostile DMZ host cannot fill the database with them.

use crate::db::{self, Db, DbError};
use crate::pki::PkiError;
use crate::pki::ca::pem;
use crate::pki::facts::Facts;
use crate::pki::issuers::{leading_to, of_database};
use crate::store::certificates;
use common::config::Trusted;
use common::text::clock;
use openssl::x509::X509;
use sqlx::{AnyConnection, Row};

/// Most certificates that are kept; the oldest is removed first.
const MOST: i64 = 200;
/// Most new ones in an hour.
const RATE: i64 = 50;
const HOUR: i64 = 3_600;

/// All of them.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<X509>, DbError> {
    let rows = db::query("SELECT pem FROM os4x_intermediates ORDER BY reported, fingerprint");
    let rows = rows.fetch_all(connection).await?;
    // A certificate that cannot be read any more is reported again.
    let read = |pem: String| X509::from_pem(pem.as_bytes()).ok();
    rows.iter().map(|row| Ok(row.try_get(0).map(read)?)).filter_map(Result::transpose).collect()
}

/// Their fingerprints: SHA-256, hex.
pub(crate) async fn fingerprints(connection: &mut AnyConnection) -> Result<Vec<String>, DbError> {
    let rows = db::query("SELECT fingerprint FROM os4x_intermediates ORDER BY fingerprint");
    rows.fetch_all(connection).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The certificates that may sign a CRL: the `trusted` ones, and the kept ones that lead to them. Also the names of the
/// trusted ones that cannot be read.
pub(crate) async fn issuers<'a>(
    connection: &mut AnyConnection,
    trusted: &'a [Trusted],
) -> Result<(Vec<X509>, Vec<&'a str>), DbError> {
    let (mut issuers, unreadable) = of_database(trusted);
    let leading = leading_to(&issuers, &all(connection).await?);
    issuers.extend(leading);
    Ok((issuers, unreadable))
}

/// Keeps those of `found` that are new and lead to a trusted certificate; gives their names.
pub(crate) async fn note(db: &Db, found: &[X509]) -> Result<Vec<String>, DbError> {
    let mut connection = db.snapshot().await?;
    let trusted = certificates::trusted(&mut connection).await?;
    let (trusted, _) = of_database(&trusted);
    let known = fingerprints(&mut connection).await?;
    drop(connection);
    let now = clock::now();
    let mut names = Vec::new();
    let mut batch = db.batch().await?;
    // The first statement writes (see `batch`), and removes rows that a restored database may contain.
    db::query("DELETE FROM os4x_intermediates WHERE reported > $1").bind(now).execute(&mut *batch).await?;
    for certificate in leading_to(&trusted, found) {
        let Ok((facts, pem)) = facts_and_pem(&certificate) else { continue };
        if known.contains(&facts.fingerprint) || recent(&mut batch, now - HOUR).await? >= RATE {
            continue;
        }
        db::query(
            "INSERT INTO os4x_intermediates (fingerprint, name, reported, pem) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (fingerprint) DO NOTHING",
        )
        .bind(facts.fingerprint)
        .bind(facts.subject.as_str())
        .bind(now)
        .bind(pem)
        .execute(&mut *batch)
        .await?;
        names.push(facts.subject);
    }
    db::query(
        "DELETE FROM os4x_intermediates WHERE fingerprint NOT IN \
         (SELECT fingerprint FROM os4x_intermediates ORDER BY reported DESC, fingerprint LIMIT $1)",
    )
    .bind(MOST)
    .execute(&mut *batch)
    .await?;
    batch.commit().await?;
    Ok(names)
}

async fn recent(connection: &mut AnyConnection, since: i64) -> Result<i64, DbError> {
    let query = "SELECT CAST(COUNT(*) AS BIGINT) FROM os4x_intermediates WHERE reported > $1";
    Ok(db::query(query).bind(since).fetch_one(connection).await?.try_get(0)?)
}

fn facts_and_pem(certificate: &X509) -> Result<(Facts, String), PkiError> {
    Ok((Facts::of(certificate)?, pem(certificate)?))
}

#[cfg(test)]
mod tests {
    use super::{all, issuers, note};
    use crate::db::scratch::{Scratch, run};

    #[test]
    fn what_leads_to_no_trusted_certificate_is_not_kept() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let ca = crate::pki::ca::Ca::create().unwrap().certificate_pem().unwrap();
            let stranger = openssl::x509::X509::from_pem(ca.as_bytes()).unwrap();
            assert!(note(&db, &[stranger]).await.unwrap().is_empty());
            let mut connection = db.sqlite_connection().await.unwrap();
            assert!(all(&mut connection).await.unwrap().is_empty());
            assert!(issuers(&mut connection, &[]).await.unwrap().0.is_empty());
        });
    }
}

//! Certificates: the CA, the https certificate, the one towards partners (each with its key), and the trusted ones. The
//! only place that reads or writes private keys; they leave it as `Secret`.

use crate::db::{self, Change, DbError};
use crate::pki::ca::Issued;
use common::config::{NamedPem, Trusted};
use common::secret::Secret;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// The purpose of a certificate with a key. One row each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    /// The backend's own CA.
    Ca,
    /// The backend's https.
    Https,
    /// The panel's https; without it, the panel has that of the backend.
    Panel,
    /// Our certificate towards partners: a chain, leaf first.
    Own,
    /// Our next certificate, which has the time from which it is used.
    Next,
    /// A request for one, which waits for its certificate.
    Request,
}

impl Usage {
    /// All, in the order of lists.
    pub(crate) const ALL: [Self; 6] =
        [Self::Own, Self::Next, Self::Request, Self::Ca, Self::Https, Self::Panel];

    /// The one with this word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|usage| usage.word() == word)
    }

    /// Its word in the table and on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Https => "https",
            Self::Panel => "panel",
            Self::Own => "own",
            Self::Next => "next",
            Self::Request => "request",
        }
    }
}

const TRUSTED: &str = "trusted";

/// The certificate for `usage` and its key.
pub(crate) async fn get(connection: &mut AnyConnection, usage: Usage) -> Result<Option<Issued>, DbError> {
    let row = db::query("SELECT pem, private_key FROM os4x_certificates WHERE usage = $1")
        .bind(usage.word())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let key: Option<String> = row.try_get(1)?;
    let key = key.ok_or_else(|| DbError::Corrupt(format!("certificate '{}' without a key", usage.word())))?;
    Ok(Some(Issued { certificate: row.try_get(0)?, key: Secret::new(key) }))
}

/// The certificate for `usage`, which `init` made.
pub(crate) async fn need(connection: &mut AnyConnection, usage: Usage) -> Result<Issued, DbError> {
    let found = get(connection, usage).await?;
    found.ok_or_else(|| DbError::Corrupt(format!("state without the certificate '{}'", usage.word())))
}

/// Stores a certificate and its key for `usage`.
pub(crate) async fn put(change: &mut Change, usage: Usage, issued: &Issued) -> Result<(), DbError> {
    remove(change, usage).await?;
    db::query(
        "INSERT INTO os4x_certificates (usage, name, fingerprint, pem, private_key) VALUES ($1, \
        $1, $1, $2, $3)",
    )
    .bind(usage.word())
    .bind(issued.certificate.as_str())
    .bind(issued.key.expose())
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Our next certificate, and the time from which it is used.
pub(crate) async fn next(connection: &mut AnyConnection) -> Result<Option<(Issued, i64)>, DbError> {
    let Some(issued) = get(connection, Usage::Next).await? else { return Ok(None) };
    let row = db::query("SELECT COALESCE(used_from, 0) FROM os4x_certificates WHERE usage = $1");
    let from = row.bind(Usage::Next.word()).fetch_one(connection).await?.try_get(0)?;
    Ok(Some((issued, from)))
}

/// Stores our next certificate, to be used from that time on.
pub(crate) async fn put_next(change: &mut Change, issued: &Issued, from: i64) -> Result<(), DbError> {
    put(change, Usage::Next, issued).await?;
    db::query("UPDATE os4x_certificates SET used_from = $1 WHERE usage = $2")
        .bind(from)
        .bind(Usage::Next.word())
        .execute(&mut **change)
        .await?;
    Ok(())
}

/// Removes the certificate for `usage` and its key; false if there is none.
pub(crate) async fn remove(change: &mut Change, usage: Usage) -> Result<bool, DbError> {
    let done = db::query("DELETE FROM os4x_certificates WHERE usage = $1")
        .bind(usage.word())
        .execute(&mut **change)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// All certificates, without keys: the word of the usage, the name of a trusted one, and the certificate in PEM.
pub(crate) async fn pems(
    connection: &mut AnyConnection,
) -> Result<Vec<(String, Option<String>, String)>, DbError> {
    let rows = db::query("SELECT usage, name, pem FROM os4x_certificates").fetch_all(connection).await?;
    let one = |row: &AnyRow| {
        let (usage, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let name = Some(name).filter(|_| usage == TRUSTED);
        Ok((usage, name, row.try_get(2)?))
    };
    rows.iter().map(one).collect()
}

/// All trusted certificates.
pub(crate) async fn trusted(connection: &mut AnyConnection) -> Result<Vec<Trusted>, DbError> {
    let rows = db::query("SELECT name, pem, no_crl FROM os4x_certificates WHERE usage = $1 ORDER BY name")
        .bind(TRUSTED)
        .fetch_all(connection)
        .await?;
    let trusted = |row: &AnyRow| {
        let certificate = NamedPem { name: row.try_get(0)?, pem: row.try_get(1)? };
        Ok(Trusted { certificate, no_crl: row.try_get::<i64, _>(2)? != 0 })
    };
    rows.iter().map(trusted).collect()
}

/// Notes whether a trusted CA publishes no CRL; by name or fingerprint; false if there is none.
pub(crate) async fn set_no_crl(change: &mut Change, which: &str, no_crl: bool) -> Result<bool, DbError> {
    let done = db::query(
        "UPDATE os4x_certificates SET no_crl = $1 WHERE usage = $2 AND (name = $3 OR fingerprint = $3)",
    )
    .bind(i64::from(no_crl))
    .bind(TRUSTED)
    .bind(which)
    .execute(&mut **change)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The name under which a certificate is trusted already.
pub(crate) async fn trusted_as(
    connection: &mut AnyConnection,
    fingerprint: &str,
) -> Result<Option<String>, DbError> {
    let row = db::query("SELECT name FROM os4x_certificates WHERE usage = $1 AND fingerprint = $2")
        .bind(TRUSTED)
        .bind(fingerprint)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Trusts a certificate under a name that is not taken yet.
pub(crate) async fn trust(change: &mut Change, named: &NamedPem, fingerprint: &str) -> Result<(), DbError> {
    db::query("INSERT INTO os4x_certificates (usage, name, fingerprint, pem) VALUES ($1, $2, $3, $4)")
        .bind(TRUSTED)
        .bind(named.name.as_str())
        .bind(fingerprint)
        .bind(named.pem.as_str())
        .execute(&mut **change)
        .await?;
    Ok(())
}

/// Removes a certificate from the trusted ones; by name or fingerprint; false if there is none.
pub(crate) async fn distrust(change: &mut Change, which: &str) -> Result<bool, DbError> {
    let done =
        db::query("DELETE FROM os4x_certificates WHERE usage = $1 AND (name = $2 OR fingerprint = $2)")
            .bind(TRUSTED)
            .bind(which)
            .execute(&mut **change)
            .await?;
    Ok(done.rows_affected() > 0)
}

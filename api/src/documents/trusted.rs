//! The trusted certificates.

use super::Versions;
use crate::db::DbError;
use crate::pki::facts::Facts;
use crate::store::certificates;
use common::config::Trusted;
use serde_json::{Value, json};
use sqlx::AnyConnection;

/// All of them. One that cannot be read has no subject.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Value>, DbError> {
    let versions = Versions::of(connection, "trust").await?;
    let document = |Trusted { certificate: one, no_crl }: &Trusted| match Facts::of_pem(&one.pem) {
        Err(_) => json!({"name": one.name, "subject": null, "pem": one.pem}),
        Ok(facts) => json!({
            "name": one.name,
            "subject": facts.subject,
            "issuer": facts.issuer,
            "not_before": facts.from,
            "not_after": facts.until,
            "no_crl": no_crl,
            "sha256": facts.fingerprint,
            "pem": one.pem,
            "version": versions.get(&one.name),
        }),
    };
    Ok(certificates::trusted(connection).await?.iter().map(document).collect())
}

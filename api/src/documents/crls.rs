//! The CRLs, and the URLs that they are downloaded from.

use crate::db::DbError;
use crate::pki::facts::CrlFacts;
use crate::store::crl_urls::{self, Source};
use crate::store::crls::{self, Stored};
use common::text::clock;
use openssl::x509::X509Crl;
use serde_json::{Value, json};
use sqlx::AnyConnection;

/// All CRLs, then the URLs from which no CRL came, or only one that another URL has given before.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Value>, DbError> {
    let all = crls::all(connection).await?;
    let sources = crl_urls::sources(connection).await?;
    let mut rows = Vec::new();
    for crl in &all {
        let source = sources.iter().find(|source| crl.source.as_ref() == Some(&source.url));
        let row = of_crl(crl);
        rows.push(match source {
            Some(source) => with_source(row, source),
            None => row,
        });
    }
    let is_used = |source: &&Source| all.iter().any(|crl| crl.source.as_ref() == Some(&source.url));
    for source in sources.iter().filter(|source| !is_used(source)) {
        let state = match source.fetched {
            Some(_) => "double",
            None if crl_urls::is_fetchable(&source.url) => "missing",
            None => "by-hand",
        };
        rows.push(with_source(json!({"issuer": null, "state": state}), source));
    }
    Ok(rows)
}

/// A CRL. `scope`: the certificates of its issuer for which it is; null: all.
fn of_crl(crl: &Stored) -> Value {
    let parsed = X509Crl::from_pem(crl.pem.as_bytes()).ok();
    let number = parsed.as_ref().and_then(|parsed| CrlFacts::of(parsed).ok()?.number());
    let revoked = parsed.as_ref().map(|parsed| parsed.get_revoked().map_or(0, openssl::stack::StackRef::len));
    let state = if parsed.is_some() { crl.state(clock::now()) } else { "unreadable" };
    json!({
        "issuer": crl.name,
        "number": number,
        "last_update": crl.last_update,
        "next_update": crl.next_update,
        "state": state,
        "scope": parsed.as_ref().and_then(|parsed| CrlFacts::scope(parsed)),
        "revoked": revoked,
        "url": null,
        "pem": crl.pem,
    })
}

fn with_source(mut row: Value, source: &Source) -> Value {
    if let Some(members) = row.as_object_mut() {
        members.insert("url".to_owned(), source.url.as_str().into());
        members.insert("tried".to_owned(), source.tried.into());
        members.insert("fetched".to_owned(), source.fetched.into());
        members.insert("due".to_owned(), source.due.into());
        members.insert("error".to_owned(), source.error.as_deref().into());
    }
    row
}

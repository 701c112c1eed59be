//! Adds CRLs from an operator, and removes CRLs or the URLs from which they are fetched.

use super::{Act, ChangeError, Obstacle};
use crate::pki::facts::CrlFacts;
use crate::pki::issuers::crl_issuer_is_trusted;
use crate::store::crls::{self, Kept};
use crate::store::{certificates, crl_urls, intermediates};
use common::text::url::escaped;
use openssl::x509::X509Crl;
use serde_json::json;

/// The result for CRLs that an operator has uploaded or given to a command.
pub(crate) struct Brought {
    pub(crate) taken: Vec<(CrlFacts, Kept)>,
    /// The issuers that are not trusted. The signatures of their CRLs were not checked.
    pub(crate) unchecked: Vec<String>,
    /// The names of trusted certificates that cannot be read.
    pub(crate) unreadable: Vec<String>,
}

/// Adds CRLs. If the issuer of a CRL is trusted, the issuer's signature must be valid, otherwise no CRL is added.
pub(crate) async fn add(act: &mut Act, found: &[X509Crl]) -> Result<Brought, ChangeError> {
    let trusted = certificates::trusted(act).await?;
    let (issuers, unreadable) = intermediates::issuers(act, &trusted).await?;
    let unreadable = unreadable.into_iter().map(str::to_owned).collect();
    let mut brought = Brought { taken: Vec::new(), unchecked: Vec::new(), unreadable };
    for crl in found {
        let facts = CrlFacts::of(crl)?;
        if !crl_issuer_is_trusted(crl, &issuers)? {
            brought.unchecked.push(facts.issuer.clone());
        }
        let kept = crls::offer(act, &facts, None).await?;
        brought.taken.push((facts, kept));
    }
    Ok(brought)
}

/// Marks all CRLs for a new download, which `serve` makes in its next time slice.
pub(crate) async fn order_fetch(act: &mut Act) -> Result<(), ChangeError> {
    crl_urls::all_are_due(act).await?;
    act.note("crl".to_owned(), json!({"downloads": "ordered"}));
    Ok(())
}

/// Removes the CRLs of an issuer, or a URL; true if CRLs were removed.
pub(crate) async fn remove(act: &mut Act, which: &str) -> Result<bool, ChangeError> {
    let crl_is_gone = crls::remove(act, which).await?;
    let url_is_gone = crl_urls::remove(act, which).await? || crl_urls::remove(act, &escaped(which)).await?;
    if !crl_is_gone && !url_is_gone {
        return Err(Obstacle::NoCrl(which.to_owned()).into());
    }
    Ok(crl_is_gone)
}

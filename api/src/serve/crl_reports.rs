//! CRL distribution URLs that servers report, and the CAs that sign the lists there, as partners' chains show them.
//! They come from the DMZ, which may be hostile: what is kept of them is bounded, and nothing of it is trusted.

use super::app::App;
use super::refusal::Refusal;
use super::reports;
use crate::settings::Values;
use crate::store::crl_urls::{self, Noted};
use crate::store::intermediates;
use common::rpc::{BY_HAND, CrlUrl, Level, MAX_CRL_URL, MAX_ISSUERS};
use common::text::escape::escape;
use common::text::url::escaped;
use openssl::x509::X509;
use std::net::IpAddr;

/// Takes a report. A URL that is not kept is answered like one that is: the daemon can do nothing about it.
pub(super) async fn take(app: &App, client: IpAddr, values: &Values, found: &CrlUrl) -> Result<(), Refusal> {
    let url = &escaped(&found.url);
    if !crl_urls::is_printable(url) {
        return Err(Refusal::BadRequest(format!(
            "A CRL distribution URL has a scheme and at most {MAX_CRL_URL} printable ASCII characters."
        )));
    }
    if !found.issuers.is_empty() {
        note_issuers(app, client, url, &found.issuers).await?;
    }
    let why = match crl_urls::note(&app.db, url).await? {
        Noted::New if !crl_urls::is_fetchable(url) => {
            let (text, cause) = ("a CRL distribution URL cannot be downloaded from", BY_HAND);
            let detail = format!("crl_url_not_fetchable url={} cause={}", escape(url), escape(cause));
            reports::report(app, values, Level::Warn, text, &detail).await?;
            return Ok(());
        }
        Noted::New => {
            log::info!("crl_url_new client={client} url={}", escape(url));
            return Ok(());
        }
        Noted::Known => return Ok(()),
        Noted::TooFast => "too-many-in-an-hour",
        Noted::Full => "too-many",
    };
    log::warn!("crl_url_not_kept client={client} reason={why} url={}", escape(url));
    Ok(())
}

/// Keeps the CAs that a list's signature is checked with. What leads to no trusted certificate is passed over.
async fn note_issuers(app: &App, client: IpAddr, url: &str, issuers: &[String]) -> Result<(), Refusal> {
    let refused = |what: &str| Refusal::BadRequest(format!("The issuers of a CRL are {what}."));
    if issuers.iter().map(String::len).sum::<usize>() > MAX_ISSUERS {
        return Err(refused(&format!("at most {MAX_ISSUERS} octets")));
    }
    let read = |pem: &String| X509::from_pem(pem.as_bytes());
    let issuers: Result<Vec<X509>, _> = issuers.iter().map(read).collect();
    let issuers = issuers.map_err(|_| refused("certificates in PEM"))?;
    let new = intermediates::note(&app.db, &issuers).await?;
    for name in &new {
        log::info!("crl_issuer_new client={client} issuer={} url={}", escape(name), escape(url));
    }
    if !new.is_empty() {
        crl_urls::try_one_again(&app.db, url).await?;
    }
    Ok(())
}

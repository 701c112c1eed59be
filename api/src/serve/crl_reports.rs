//! CRL distribution URLs that servers report, and the CAs that have signed these lists, as partners' chains show them.
//! The reports come from the DMZ, which may be hostile: their number and size are limited, and nothing of them is
//! trusted.

use super::app::App;
use super::call_refusal::CallRefusal;
use super::reports;
use crate::settings::Values;
use crate::store::crl_urls::{self, Noted};
use crate::store::intermediates;
use common::rpc::{BY_HAND, CrlUrl, Level, MAX_CRL_URL, MAX_ISSUERS};
use common::text::escape::escape;
use common::text::url::escaped;
use openssl::x509::X509;
use std::net::IpAddr;

/// Takes a report. If the URL is not kept, the answer is the same: the daemon can do nothing about it.
pub(super) async fn take(
    app: &App,
    client: IpAddr,
    values: &Values,
    found: &CrlUrl,
) -> Result<(), CallRefusal> {
    let url = &escaped(&found.url);
    if !crl_urls::is_printable(url) {
        return Err(CallRefusal::BadRequest(format!(
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

/// Keeps the CAs with which a list's signature is checked. Certificates that lead to no trusted one are ignored.
async fn note_issuers(app: &App, client: IpAddr, url: &str, issuers: &[String]) -> Result<(), CallRefusal> {
    let refused = |what: &str| CallRefusal::BadRequest(format!("The issuers of a CRL are {what}."));
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

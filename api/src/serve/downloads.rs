//! The time slice worker: every few time slices it looks for CRLs that are due and downloads them, one round at a time,
//! beside the calls of the daemons. It reports CRLs that expire without a newer one. Run by `serve`. Downloads nothing
//! if the settings say so; `crl_fetch` checks each download.

use super::app::App;
use super::error::ServeError;
use super::reports;
use crate::crl_fetch::{self, FetchError, Fetched, RoundError, Taken};
use crate::error_text::on_one_line;
use crate::settings::Values;
use crate::store::crl_urls::Source;
use crate::store::crls::{Kept, Stored};
use crate::store::{certificates, claims, crl_urls, crls, intermediates};
use common::rpc::Level;
use common::text::clock;
use common::text::escape::escape;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The worker; when it is dropped, it stops its downloads.
#[derive(Default)]
pub(super) struct Downloads {
    /// When the last round began.
    last: Option<Instant>,
    round: JoinSet<()>,
    /// Expired CRLs that were reported, by their key in the table.
    reported: HashSet<String>,
}

impl Downloads {
    /// Begins a round if it is time and no round is running.
    pub(super) fn time_slice(&mut self, app: &Arc<App>, values: Values) {
        while self.round.try_join_next().is_some() {}
        let slices = values.number("proxy_crl_check_slices");
        let pause = Duration::from_secs(values.number("proxy_crl_slice_seconds").into()) * slices;
        let is_time = self.last.is_none_or(|last| last.elapsed() >= pause);
        if !is_time || !self.round.is_empty() || !values.yes("proxy_crl_automatic") {
            return;
        }
        self.last = Some(Instant::now());
        let app = Arc::clone(app);
        self.round.spawn(async move {
            if let Err(why) = download(&app, &values).await {
                log::error!("crl_round_failed cause={}", escape(&on_one_line(&why)));
            }
        });
    }

    /// Reports to the system log which CRLs have expired and could not be renewed: once each, and again if there was a
    /// valid one in between. Partners of their issuers are refused.
    pub(super) async fn report_expired(&mut self, app: &App, values: &Values) -> Result<(), ServeError> {
        let mut connection = app.db.snapshot().await?;
        let mut expired = crls::expired(&mut connection, clock::now()).await?;
        if !expired.is_empty() {
            let trusted = certificates::trusted(&mut connection).await?;
            let (issuers, _) = intermediates::issuers(&mut connection, &trusted).await?;
            expired = crls::needed(expired, &issuers);
        }
        self.reported.retain(|key| expired.iter().any(|crl| crl.issuer_key == *key));
        expired.retain(|crl| !self.reported.contains(&crl.issuer_key));
        let sources =
            if expired.is_empty() { Vec::new() } else { crl_urls::sources(&mut connection).await? };
        drop(connection);
        for crl in expired {
            let source = sources.iter().find(|source| crl.source.as_ref() == Some(&source.url));
            let Some(cause) = cause(&crl, source, values.yes("proxy_crl_automatic")) else { continue };
            let detail = format!(
                "crl_expired issuer={} until={} url={} cause={}",
                escape(&crl.name),
                escape(&crl.next_update.map(clock::rfc3339).unwrap_or_default()),
                escape(crl.source.as_deref().unwrap_or_default()),
                escape(cause)
            );
            // If there are several `serve`, one reports it. A newer CRL that expires is another case.
            let claim = format!("crl_expired {} {}", crl.issuer_key, crl.next_update.unwrap_or_default());
            let text = "a CRL has expired and could not be renewed";
            let report = reports::report(app, values, Level::Error, text, &detail);
            if claims::once(&app.db, &claim, report).await? {
                self.reported.insert(crl.issuer_key);
            }
        }
        Ok(())
    }
}

/// Why an expired CRL is still there; none while its next download has not been tried.
fn cause<'a>(crl: &Stored, source: Option<&'a Source>, automatic: bool) -> Option<&'a str> {
    let Some(source) = source else { return Some("an operator brought it: add a newer one") };
    if let Some(error) = &source.error {
        return Some(error);
    }
    let was_tried = source.tried.is_some_and(|tried| crl.next_update.is_some_and(|until| tried > until));
    match (automatic, was_tried) {
        (true, false) => None,
        (true, true) => Some("no newer one is at its URL"),
        (false, _) => Some("automatic downloads are off: see proxy_crl_automatic"),
    }
}

async fn download(app: &App, values: &Values) -> Result<(), RoundError> {
    let due = crl_urls::due(&mut *app.db.snapshot().await?).await?;
    if due.is_empty() {
        return Ok(());
    }
    let mut details = Vec::new();
    let outcome = crl_fetch::fetch(&app.db, values, due, |fetched| {
        details.extend(untrusted_issuer(&fetched));
        log_outcome(fetched);
    })
    .await;
    for detail in details {
        let text = "a CA that partners' certificates come from has to be trusted for its CRL to be taken";
        reports::report(app, values, Level::Error, text, &detail).await?;
    }
    outcome
}

/// The entry for the system log about a CRL whose issuer is not trusted, if this was not known yet. Partners have sent
/// a CA's certificate in a chain to a trusted one; only the operator can add it here.
fn untrusted_issuer(fetched: &Fetched) -> Option<String> {
    match &fetched.outcome {
        Err(why @ FetchError::UnknownIssuer(issuer)) if !fetched.is_old_news => Some(format!(
            "crl_fetch_failed url={} issuer={} cause={}",
            escape(&fetched.url),
            escape(issuer),
            escape(&why.to_string())
        )),
        _ => None,
    }
}

/// Logs the result; if the same failure comes again, at DEBUG.
fn log_outcome(fetched: Fetched) {
    let url = escape(&fetched.url);
    match fetched.outcome {
        Ok(Taken { crl, kept: Kept::First | Kept::Newer }) => {
            log::info!(
                "crl_taken url={url} issuer={} number={}",
                escape(&crl.issuer),
                crl.number().unwrap_or_default()
            );
        }
        Ok(Taken { crl, .. }) => log::debug!("crl_unchanged url={url} issuer={}", escape(&crl.issuer)),
        Err(why) if fetched.is_old_news => {
            log::debug!("crl_fetch_failed url={url} cause={}", escape(&on_one_line(&why)));
        }
        Err(why) => log::warn!("crl_fetch_failed url={url} cause={}", escape(&on_one_line(&why))),
    }
}

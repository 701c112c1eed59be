//! The time slice worker: looks every x time slices which CRLs are due and downloads them, one round
//! at a time, beside the calls of the daemons. Run by `serve`. Downloads nothing when the settings
//! say so; what a download must fulfil is the business of `crl_fetch`.

use crate::causes::on_one_line;
use crate::crl_fetch::{self, Fetched, RoundError, Taken};
use crate::db::Db;
use crate::settings::Values;
use crate::store::crl_urls;
use crate::store::crls::Kept;
use common::log::escape;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The worker; dropped, it gives up what it is doing.
#[derive(Default)]
pub(super) struct Downloads {
    /// When the last round began.
    last: Option<Instant>,
    round: JoinSet<()>,
}

impl Downloads {
    /// Begins a round if it is time and none is under way.
    pub(super) fn time_slice(&mut self, db: &Db, values: Values) {
        while self.round.try_join_next().is_some() {}
        let slices = values.number("proxy_crl_check_slices");
        let pause = Duration::from_secs(values.number("proxy_crl_slice_seconds").into()) * slices;
        let is_time = self.last.is_none_or(|last| last.elapsed() >= pause);
        if !is_time || !self.round.is_empty() || !values.yes("proxy_crl_automatic") {
            return;
        }
        self.last = Some(Instant::now());
        let db = db.clone();
        self.round.spawn(async move {
            if let Err(why) = download(&db, &values).await {
                log::error!("crl-round-failed cause={}", escape(&on_one_line(&why)));
            }
        });
    }
}

async fn download(db: &Db, values: &Values) -> Result<(), RoundError> {
    let due = crl_urls::due(&mut *db.connection().await?).await?;
    if due.is_empty() { Ok(()) } else { crl_fetch::fetch(db, values, due, tell).await }
}

/// What goes on as before is told at DEBUG alone.
fn tell(fetched: Fetched) {
    let url = escape(&fetched.url);
    match fetched.outcome {
        Ok(Taken { crl, kept: Kept::First | Kept::Newer }) => {
            log::info!(
                "crl-taken url={url} issuer={} number={}",
                escape(&crl.issuer),
                crl.number().unwrap_or_default()
            );
        }
        Ok(Taken { crl, .. }) => log::debug!("crl-unchanged url={url} issuer={}", escape(&crl.issuer)),
        Err(why) if fetched.is_old_news => {
            log::debug!("crl-fetch-failed url={url} cause={}", escape(&on_one_line(&why)));
        }
        Err(why) => log::warn!("crl-fetch-failed url={url} cause={}", escape(&on_one_line(&why))),
    }
}

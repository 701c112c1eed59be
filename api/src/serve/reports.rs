//! An entry on its way into the system log: through the ignore list, into the table and the API's log, and to the event
//! script. Run by `serve`, for reports of the daemons and for its own.

use super::app::App;
use super::clocks;
use super::error::ServeError;
use crate::change::{Act, Order};
use crate::db::DbError;
use crate::settings::Values;
use crate::store::certificates::Usage;
use crate::store::partners::word;
use crate::store::{bans, ignores, journal};
use common::rpc::{Level, Origin, SystemLog};
use common::text::clock;
use common::text::escape::escape;
use sqlx::AnyConnection;
use std::net::IpAddr;

/// Takes an entry; `from` is the address of the client that sent it, or `api`.
pub(super) async fn take(app: &App, values: &Values, from: &str, entry: SystemLog) -> Result<(), DbError> {
    let fields = format!(
        "from={from} level={} text={} detail={}",
        word(&entry.level),
        escape(&entry.text),
        escape(&entry.detail)
    );
    let mut snapshot = app.db.snapshot().await?;
    let ignore = ignores::matching(&mut snapshot, &entry).await?;
    let is_repeated = ignore.is_none() && is_repeated(&mut snapshot, &entry).await?;
    drop(snapshot);
    if let Some(ignore) = ignore {
        log::info!("system_log_ignored ignore={} {fields}", ignore.id);
        return Ok(());
    }
    if is_repeated {
        log::info!("system_log_repeated session={} {fields}", escape(&entry.about.session));
        return Ok(());
    }
    let mut batch = app.db.batch().await?;
    journal::add_entry(&mut batch, &entry).await?;
    batch.commit().await?;
    log::info!("system_log {fields}");
    app.events.offer(values, &entry);
    Ok(())
}

/// Whether the other daemon has already reported the end of the same session, with this level or a more severe one:
/// there is one entry for one event. A report with a less severe level hides nothing.
async fn is_repeated(connection: &mut AnyConnection, entry: &SystemLog) -> Result<bool, DbError> {
    let session = &entry.about.session;
    if session.is_empty() {
        return Ok(false);
    }
    let reported = journal::levels_of_session(connection, session, entry.origin).await?;
    Ok(reported.into_iter().any(|level| level <= entry.level))
}

/// Removes expired texts from the ignore list, and reports that.
pub(super) async fn expire_ignores(app: &App, values: &Values) -> Result<(), ServeError> {
    if !ignores::is_any_over(&mut *app.db.snapshot().await?).await? {
        return Ok(());
    }
    let mut act = Act::begin_unseen(&app.db, Order::system("ignore remove")).await?;
    // If several `serve` see it, only the first one finds it here.
    let gone = ignores::expire(&mut act).await?;
    if gone.is_empty() {
        return Ok(());
    }
    act.commit().await?;
    for ignore in gone {
        let detail = format!(
            "ignore_expired ignore={} text={} description={}",
            ignore.id,
            escape(&ignore.text),
            escape(&ignore.description)
        );
        report(app, values, Level::Info, "an entry of the ignore list has expired and was removed", &detail)
            .await?;
    }
    Ok(())
}

/// Removes expired bans, and reports that.
pub(super) async fn expire_bans(app: &App, values: &Values) -> Result<(), ServeError> {
    // If no ban has expired, the generation does not change.
    if !bans::is_any_over(&mut *app.db.snapshot().await?).await? {
        return Ok(());
    }
    let mut act = Act::begin(&app.db, Order::system("ban remove")).await?;
    let gone = bans::expire(&mut act).await?;
    if gone.is_empty() {
        return Ok(());
    }
    act.commit().await?;
    for ban in gone {
        let detail = format!("ban_expired network={} description={}", ban.network, escape(&ban.description));
        report(app, values, Level::Info, "a ban has ended and was removed", &detail).await?;
    }
    Ok(())
}

/// Compares the clock of a client, or of the server that it has joined, with this host's clock.
pub(super) async fn compare_clock(
    app: &App,
    values: &Values,
    client: IpAddr,
    origin: Origin,
    time: i64,
) -> Result<(), DbError> {
    let difference = time.saturating_sub(clock::now());
    if !app.clocks.is_news(client, origin, difference) {
        return Ok(());
    }
    let (text, detail) = clocks::entry(client, origin, difference);
    report(app, values, Level::Warn, &text, &detail).await
}

/// Reports an address that is locked because it has called too often without the token.
pub(super) async fn report_locked(
    app: &App,
    values: &Values,
    address: IpAddr,
    code: &str,
) -> Result<(), DbError> {
    let detail = format!(
        "call_refused address={address} code={code} cause=\"too many calls without the right token: it is somebody who \
         tries, or a client to be started again with the token\""
    );
    let text = "an address is locked after too many calls without the token";
    let entry =
        SystemLog { address: Some(address), ..SystemLog::new(Origin::Api, Level::Warn, text, &detail) };
    take(app, values, "api", entry).await
}

/// Reports that a company's own https certificate expires soon: this service does not renew it.
pub(super) async fn report_https_expiry(
    app: &App,
    values: &Values,
    usage: Usage,
    until: i64,
) -> Result<(), DbError> {
    let word = usage.word();
    let who = if usage == Usage::Panel { "browser" } else { "client" };
    let detail = format!(
        "{word}_certificate_expires valid_until={} cause=\"no {who} gets through afterwards: bring a new one with \
         'os4xapi cert set {word}'\"",
        clock::rfc3339(until)
    );
    report(app, values, Level::Warn, &format!("the {word} certificate expires soon"), &detail).await
}

/// Reports a client that was not restarted with the new token.
pub(super) async fn report_old_token(
    app: &App,
    values: &Values,
    client: IpAddr,
    works: bool,
    until: i64,
) -> Result<(), DbError> {
    let (level, text) = if works {
        (Level::Warn, "a client still uses the old token")
    } else {
        (Level::Error, "a client with the old token was refused")
    };
    let detail = format!(
        "old_token client={client} valid_until={} cause=\"start it again with the token of 'os4xapi token show'\"",
        clock::rfc3339(until)
    );
    report(app, values, level, text, &detail).await
}

/// Reports something that this process has found itself.
pub(crate) async fn report(
    app: &App,
    values: &Values,
    level: Level,
    text: &str,
    detail: &str,
) -> Result<(), DbError> {
    let entry = SystemLog::new(Origin::Api, level, text, detail);
    take(app, values, "api", entry).await
}

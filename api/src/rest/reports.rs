//! What the daemons report, and what follows from it: state, faults, sessions, refusals, the system log, and everything
//! that expires. The documents are those of the commands with `--json`.

use super::act::Terms;
use super::query::{self, Query};
use super::refusal::Refusal;
use super::visitor::Caller;
use crate::change::{Act, Reach, Right, requests};
use crate::expiry::{self, Listed};
use crate::serve::app::App;
use crate::status::{self, Finding, SiteStatus};
use crate::store::api_keys::Scope;
use crate::store::journal_search;
use crate::store::refusals::{self, Group};
use crate::store::session_search::{self, Place, Search};
use crate::store::sessions::{self, Session};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use common::rpc::SystemLog;
use common::text::clock::{self, DAY};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

/// The hours that refusals cover without a filter.
const HOURS: u32 = 24;

type Answer<T> = Result<Json<T>, Refusal>;

/// The whole state.
pub(super) async fn status(State(app): State<Arc<App>>, caller: Caller, query: Query) -> Answer<SiteStatus> {
    caller.need(Scope::Read)?;
    query.only(&[])?;
    Ok(Json(status::read(&mut *app.db.snapshot().await?).await?))
}

/// The faults alone.
pub(super) async fn findings(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query,
) -> Answer<Vec<Finding>> {
    caller.need(Scope::Read)?;
    query.only(&[])?;
    Ok(Json(status::read(&mut *app.db.snapshot().await?).await?.findings))
}

/// A page of a list, the newest row first.
#[derive(Serialize)]
pub(super) struct Page<T> {
    rows: Vec<T>,
    /// The value of `behind` for the next page; none: there is no further row.
    behind: Option<String>,
}

impl<T> Page<T> {
    fn of(found: Vec<(String, T)>, limit: u32) -> Self {
        let is_full = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let behind = found.last().map(|(place, _)| place.clone()).filter(|_| is_full);
        Self { rows: found.into_iter().map(|(_, row)| row).collect(), behind }
    }
}

/// The sessions.
pub(super) async fn list_sessions(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query,
) -> Answer<Page<Session>> {
    caller.need(Scope::Read)?;
    let query = query.only(&[
        "state",
        "partner",
        "direction",
        "server",
        "address",
        "reason",
        "file",
        "since",
        "until",
        "behind",
        "limit",
    ])?;
    let behind = match query.text("behind") {
        "" => None,
        text => {
            Some(place_of(text).ok_or_else(|| query::wrong("behind", text, "send that of the page before"))?)
        }
    };
    let what = Search {
        state: query.text("state"),
        partner: query.text("partner"),
        direction: query.text("direction"),
        server: query.text("server"),
        address: query.text("address"),
        reason: query.text("reason"),
        file: query.text("file"),
        since: query.since()?,
        until: query.until()?,
        behind,
    };
    let limit = query.limit()?;
    let found = session_search::search(&mut *app.db.snapshot().await?, &what, limit).await?.into_iter();
    let placed = found.map(|(Place { received, id }, session)| (format!("{received}.{id}"), session));
    Ok(Json(Page::of(placed.collect(), limit)))
}

fn place_of(text: &str) -> Option<Place> {
    let (received, id) = text.split_once('.')?;
    Some(Place { received: received.parse().ok()?, id: id.to_owned() })
}

/// One session.
pub(super) async fn show_session(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Session> {
    caller.need(Scope::Read)?;
    let found = session_search::get(&mut *app.db.snapshot().await?, &id).await?;
    Ok(Json(found.ok_or_else(|| Refusal::missing("session", &id, "GET /api/v1/sessions lists them"))?))
}

/// Orders the end of a session; its client carries it out.
pub(super) async fn end_session(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    terms: Terms,
) -> Result<Response, Refusal> {
    caller.may(Scope::Sessions, Right::Operate)?;
    let open = sessions::open(&mut *app.db.snapshot().await?).await?;
    let session = open.into_iter().find(|session| session.id == id);
    let session = session.ok_or_else(|| {
        Refusal::missing("running session", &id, "GET /api/v1/sessions?state=running lists them")
    })?;
    let end = async |act: &mut Act| requests::order_end(act, &session).await;
    let answer = |ordered: Vec<requests::Ordered>| {
        let clients: Vec<String> = ordered.into_iter().map(|one| one.caller).collect();
        (StatusCode::ACCEPTED, Json(json!({"session": id, "clients": clients}))).into_response()
    };
    terms.carry_out(&app, &caller, (Reach::Backend, "session end"), end, answer).await
}

/// The refusals, equal ones counted together.
pub(super) async fn list_refusals(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query,
) -> Answer<Vec<Group>> {
    caller.need(Scope::Read)?;
    let query = query.only(&["hours", "limit"])?;
    let hours: u32 = query.number("hours")?.unwrap_or(HOURS);
    let since = clock::now() - i64::from(hours) * 3_600;
    Ok(Json(refusals::grouped(&mut *app.db.snapshot().await?, since, query.limit()?).await?))
}

/// The system log.
pub(super) async fn log(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query,
) -> Answer<Page<SystemLog>> {
    caller.need(Scope::Read)?;
    let query = query
        .only(&["level", "origin", "partner", "text", "session", "since", "until", "behind", "limit"])?;
    let what = journal_search::Search {
        level: query.text("level"),
        origin: query.text("origin"),
        partner: query.text("partner"),
        text: query.text("text"),
        session: query.text("session"),
        since: query.since()?,
        until: query.until()?,
        behind: query.number("behind")?,
    };
    let limit = query.limit()?;
    let found = journal_search::search(&mut *app.db.snapshot().await?, &what, limit).await?.into_iter();
    Ok(Json(Page::of(found.map(|(number, entry)| (number.to_string(), entry)).collect(), limit)))
}

/// Everything that expires.
pub(super) async fn list_ends(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query,
) -> Answer<Vec<Listed>> {
    caller.need(Scope::Read)?;
    let within: Option<u32> = query.only(&["days"])?.number("days")?;
    let mut all = expiry::ends(&mut *app.db.snapshot().await?).await?;
    let now = clock::now();
    if let Some(days) = within {
        all.retain(|end| end.ends.is_none_or(|ends| ends <= now + i64::from(days) * DAY));
    }
    Ok(Json(all.into_iter().map(|end| Listed::of(end, now)).collect()))
}

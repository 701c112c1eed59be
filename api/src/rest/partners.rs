//! The partners: list, get, add, change, remove, pin certificates, and test calls. The document of a partner is that of
//! `partner show --json`; a change is a part of it, as in a JSON merge patch (RFC 7396).

use super::act::{Terms, done};
use super::body::{Document, certificates};
use super::query::Query;
use super::refusal::Refusal;
use super::visitor::Caller;
use crate::change::pins::{self, PinChange};
use crate::change::{Act, Reach, Right, partners as change, requests, rules};
use crate::documents::partners::{self as documents, Known};
use crate::serve::app::App;
use crate::store::acts::{self, Progress};
use crate::store::api_keys::Scope;
use crate::store::partners;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use common::config::Partner;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The members that an operator may change.
const DAILY: [&str; 3] = ["enabled", "host", "port"];
const SET: (Reach, &str) = (Reach::Daemons, "partner set");

type Shared = State<Arc<App>>;

/// Certificates in PEM.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pem {
    pem: String,
}

/// All partners.
pub(super) async fn list(State(app): Shared, caller: Caller, query: Query) -> Result<Response, Refusal> {
    caller.need(Scope::Read)?;
    query.only(&[])?;
    Ok(Json(documents::all(&mut *app.db.snapshot().await?).await?).into_response())
}

/// The partner of this name.
async fn need(app: &App, name: &str) -> Result<Partner, Refusal> {
    let mut all = partners::all(&mut *app.db.snapshot().await?).await?.into_iter();
    let found = all.find(|partner| partner.short_name == name);
    found.ok_or_else(|| Refusal::missing("partner", name, "GET /api/v1/partners lists them"))
}

/// One partner; its version is also the `ETag`.
pub(super) async fn show(
    State(app): Shared,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    caller.need(Scope::Read)?;
    let partner = need(&app, &name).await?;
    let known = Known::of(&mut *app.db.snapshot().await?, partner).await?;
    let tag = [(header::ETAG, format!("\"{}\"", known.version))];
    Ok((tag, Json(known)).into_response())
}

/// Adds a partner.
pub(super) async fn add(
    State(app): Shared,
    caller: Caller,
    terms: Terms,
    Document(members): Document<Map<String, Value>>,
) -> Result<Response, Refusal> {
    caller.may(Scope::Partners, Right::Administer)?;
    let partner = change::of_members(&members)?;
    let add = async |act: &mut Act| change::add(act, &partner).await;
    let at = format!("/api/v1/partners/{}", partner.short_name);
    let answer = |()| (StatusCode::CREATED, [(header::LOCATION, at)]).into_response();
    terms.carry_out(&app, &caller, (Reach::Daemons, "partner add"), add, answer).await
}

/// Changes the members that the document has.
pub(super) async fn change(
    State(app): Shared,
    caller: Caller,
    Path(name): Path<String>,
    terms: Terms,
    Document(members): Document<Map<String, Value>>,
) -> Result<Response, Refusal> {
    let is_daily = members.keys().all(|member| DAILY.contains(&member.as_str()));
    caller.may(Scope::Partners, if is_daily { Right::Operate } else { Right::Administer })?;
    need(&app, &name).await?;
    let set = async |act: &mut Act| {
        let partner = change::patched(&rules::need_partner(act, &name).await?, &members)?;
        change::put(act, &partner).await
    };
    terms.carry_out(&app, &caller, SET, set, done).await
}

/// Removes a partner, and the listeners tied to it.
pub(super) async fn remove(
    State(app): Shared,
    caller: Caller,
    Path(name): Path<String>,
    terms: Terms,
) -> Result<Response, Refusal> {
    caller.may(Scope::Partners, Right::Administer)?;
    need(&app, &name).await?;
    let remove = async |act: &mut Act| change::remove(act, &name).await;
    terms.carry_out(&app, &caller, (Reach::Daemons, "partner remove"), remove, done).await
}

/// Pins certificates beside the present ones.
pub(super) async fn pin(
    state: Shared,
    caller: Caller,
    path: Path<String>,
    terms: Terms,
    Document(Pem { pem }): Document<Pem>,
) -> Result<Response, Refusal> {
    add_pins(state, caller, path, terms, (&pem, false)).await
}

/// Pins certificates instead of the present ones.
pub(super) async fn pin_instead(
    state: Shared,
    caller: Caller,
    path: Path<String>,
    terms: Terms,
    Document(Pem { pem }): Document<Pem>,
) -> Result<Response, Refusal> {
    add_pins(state, caller, path, terms, (&pem, true)).await
}

async fn add_pins(
    state: Shared,
    caller: Caller,
    path: Path<String>,
    terms: Terms,
    (pem, is_instead): (&str, bool),
) -> Result<Response, Refusal> {
    caller.may(Scope::Partners, Right::Administer)?;
    let pins = pins::named(&certificates(pem)?)?;
    change_pins(state, caller, path, terms, PinChange::Add { pins, is_instead }).await
}

/// Removes the pin with this hash.
pub(super) async fn unpin(
    state: Shared,
    caller: Caller,
    Path((name, sha256)): Path<(String, String)>,
    terms: Terms,
) -> Result<Response, Refusal> {
    change_pins(state, caller, Path(name), terms, PinChange::Remove(sha256)).await
}

async fn change_pins(
    State(app): Shared,
    caller: Caller,
    Path(name): Path<String>,
    terms: Terms,
    change: PinChange,
) -> Result<Response, Refusal> {
    caller.may(Scope::Partners, Right::Administer)?;
    let partner = need(&app, &name).await?;
    if let PinChange::Remove(sha256) = &change
        && !pins::has(&partner, sha256)
    {
        let remedy = format!("GET /api/v1/partners/{name} lists them");
        return Err(Refusal::missing("pinned certificate", sha256, &remedy));
    }
    let make = async |act: &mut Act| change.make(act, &name).await;
    terms.carry_out(&app, &caller, SET, make, done).await
}

/// Orders a test call; a client carries it out.
pub(super) async fn test(
    State(app): Shared,
    caller: Caller,
    Path(name): Path<String>,
    terms: Terms,
) -> Result<Response, Refusal> {
    caller.may(Scope::Partners, Right::Operate)?;
    need(&app, &name).await?;
    let test = async |act: &mut Act| requests::order_test(act, &name).await;
    let answer = |(ordered, patience): (requests::Ordered, requests::Patience)| {
        let at = format!("/api/v1/partners/{name}/tests/{}", ordered.number);
        let seconds = patience.to_take + patience.to_do;
        let document = json!({"number": ordered.number, "client": ordered.caller, "result": at,
                              "seconds": seconds});
        (StatusCode::ACCEPTED, [(header::LOCATION, at)], Json(document)).into_response()
    };
    terms.carry_out(&app, &caller, (Reach::Backend, "partner test"), test, answer).await
}

/// The progress of a test, and its result.
pub(super) async fn show_test(
    State(app): Shared,
    caller: Caller,
    Path((name, number)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    caller.need(Scope::Read)?;
    need(&app, &name).await?;
    let remedy = "POST /api/v1/partners/NAME/tests orders one";
    let number = number.parse().map_err(|_| Refusal::missing("test", &number, remedy))?;
    let progress = acts::progress(&mut *app.db.snapshot().await?, number).await?;
    let (state, text, steps) = match progress {
        Progress::Waiting => ("waiting", String::new(), Vec::new()),
        Progress::Taken => ("taken", String::new(), Vec::new()),
        Progress::Over { done: true, text, steps } => ("done", text, steps),
        Progress::Over { done: false, text, steps } => ("failed", text, steps),
    };
    let good = steps.len() >= common::partner_test::STEPS.len() && steps.iter().all(|step| step.good);
    let document = json!({"partner": name, "state": state, "good": good, "text": text, "steps": steps});
    Ok(Json(document).into_response())
}

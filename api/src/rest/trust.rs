//! The trusted certificates, and the CRLs.

use super::act::{Terms, done};
use super::body::{Document, certificates};
use super::query::Query;
use super::refusal::Refusal;
use super::visitor::Caller;
use crate::change::trust::{self, Trusting};
use crate::change::{Act, Reach, Right, crls};
use crate::documents;
use crate::serve::app::App;
use crate::store::api_keys::Scope;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Certificates that are to be trusted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    pem: String,
    name: Option<String>,
    #[serde(default)]
    no_crl: bool,
}

/// All trusted certificates.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query,
) -> Result<Json<Vec<Value>>, Refusal> {
    caller.need(Scope::Read)?;
    query.only(&[])?;
    Ok(Json(documents::trusted::all(&mut *app.db.snapshot().await?).await?))
}

/// Trusts certificates.
pub(super) async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    Document(New { pem, name, no_crl }): Document<New>,
) -> Result<Response, Refusal> {
    caller.may(Scope::Trust, Right::Administer)?;
    let all = certificates(&pem)?;
    let add = async |act: &mut Act| trust::add(act, &all, name.as_deref(), no_crl).await;
    let answer = |added: Vec<Trusting>| {
        let one = |one: Trusting| {
            json!({"name": one.name, "subject": one.subject, "was_there": one.was_there,
                   "warnings": one.warnings})
        };
        let added: Vec<Value> = added.into_iter().map(one).collect();
        (StatusCode::CREATED, Json(added)).into_response()
    };
    terms.carry_out(&app, &caller, (Reach::Daemons, "trust add"), add, answer).await
}

/// Stops to trust a certificate, by name or hash.
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(which): Path<String>,
    terms: Terms,
) -> Result<Response, Refusal> {
    caller.may(Scope::Trust, Right::Administer)?;
    let remedy = "GET /api/v1/trusted lists them";
    let all = documents::trusted::all(&mut *app.db.snapshot().await?).await?;
    if !all.iter().any(|one| one["name"] == which.as_str() || one["sha256"] == which.as_str()) {
        return Err(Refusal::missing("trusted certificate", &which, remedy));
    }
    let remove = async |act: &mut Act| trust::remove(act, &which).await;
    terms.carry_out(&app, &caller, (Reach::Daemons, "trust remove"), remove, done).await
}

/// All CRLs, and the URLs without one.
pub(super) async fn list_crls(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query,
) -> Result<Json<Vec<Value>>, Refusal> {
    caller.need(Scope::Read)?;
    query.only(&[])?;
    Ok(Json(documents::crls::all(&mut *app.db.snapshot().await?).await?))
}

/// Has all CRLs downloaded anew, in the next time slice of `serve`.
pub(super) async fn fetch_crls(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
) -> Result<Response, Refusal> {
    caller.may(Scope::Trust, Right::Operate)?;
    let answer = |()| StatusCode::ACCEPTED.into_response();
    let fetch = async |act: &mut Act| crls::order_fetch(act).await;
    terms.carry_out(&app, &caller, (Reach::Backend, "crl fetch"), fetch, answer).await
}

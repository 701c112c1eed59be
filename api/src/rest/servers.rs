//! The servers: what each has for itself of the settings, and whether it takes new sessions.

use super::act::{Terms, done};
use super::body::Document;
use super::query::Query;
use super::refusal::Refusal;
use super::visitor::Caller;
use crate::change::{Act, Reach, Right, servers as change};
use crate::documents;
use crate::serve::app::App;
use crate::settings::of_server;
use crate::store::api_keys::Scope;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use common::identity::ProxyId;
use serde_json::{Map, Value};
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// All of them.
pub(super) async fn list(
    State(app): Shared,
    caller: Caller,
    query: Query,
) -> Result<Json<Vec<Value>>, Refusal> {
    caller.need(Scope::Read)?;
    query.only(&[])?;
    Ok(Json(documents::proxies::servers(&mut *app.db.snapshot().await?).await?))
}

/// One of them.
pub(super) async fn show(
    State(app): Shared,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    caller.need(Scope::Read)?;
    let id = need(&app, &id).await?;
    let mut snapshot = app.db.snapshot().await?;
    let proxy = change::need(&mut snapshot, &id).await?;
    Ok(Json(documents::proxies::server(&mut snapshot, &proxy).await?))
}

/// Gives a server the values that the document has, all or none of them; with null the global value holds again.
pub(super) async fn set(
    State(app): Shared,
    caller: Caller,
    Path(id): Path<String>,
    terms: Terms,
    Document(given): Document<Map<String, Value>>,
) -> Result<Response, Refusal> {
    caller.may(Scope::Settings, Right::Administer)?;
    let id = need(&app, &id).await?;
    let mut values = Vec::new();
    for (name, value) in &given {
        let text = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
            other => Some(other.to_string()),
        };
        let good = of_server::find(name)
            .and_then(|setting| Ok((setting, text.map(|text| setting.check(&text)).transpose()?)));
        values.push(good.map_err(|why| Refusal::from_setting(&why).of_field(name))?);
    }
    let set = async |act: &mut Act| change::set(act, &id, &values).await;
    terms.carry_out(&app, &caller, (Reach::Daemons, "proxy set"), set, done).await
}

/// Lets a server take no new sessions.
pub(super) async fn drain(
    State(app): Shared,
    caller: Caller,
    Path(id): Path<String>,
    terms: Terms,
) -> Result<Response, Refusal> {
    change_drain(&app, &caller, &id, terms, ("proxy drain", true)).await
}

/// Lets it take new ones again.
pub(super) async fn undrain(
    State(app): Shared,
    caller: Caller,
    Path(id): Path<String>,
    terms: Terms,
) -> Result<Response, Refusal> {
    change_drain(&app, &caller, &id, terms, ("proxy undrain", false)).await
}

async fn change_drain(
    app: &App,
    caller: &Caller,
    id: &str,
    terms: Terms,
    (act, is_drained): (&'static str, bool),
) -> Result<Response, Refusal> {
    caller.may(Scope::Settings, Right::Administer)?;
    let id = need(app, id).await?;
    let drain = async |act: &mut Act| change::drain(act, &id, is_drained).await;
    terms.carry_out(app, caller, (Reach::Daemons, act), drain, done).await
}

/// The Proxy ID of a listed server.
async fn need(app: &App, text: &str) -> Result<ProxyId, Refusal> {
    let missing = || Refusal::missing("server", text, "GET /api/v1/proxies lists them");
    let id: ProxyId = text.parse().map_err(|_| missing())?;
    change::need(&mut *app.db.snapshot().await?, &id).await.map_err(|_| missing())?;
    Ok(id)
}

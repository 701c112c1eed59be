//! The settings, and the listeners of clients.

use super::act::{Terms, done};
use super::body::Document;
use super::query::Query;
use super::refusal::Refusal;
use super::visitor::Caller;
use crate::change::{Act, Reach, Right, settings as change};
use crate::documents;
use crate::serve::app::App;
use crate::settings;
use crate::store::api_keys::Scope;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};
use std::sync::Arc;

type Rows = Result<Json<Vec<Value>>, Refusal>;

/// All settings.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, query: Query) -> Rows {
    caller.need(Scope::Read)?;
    query.only(&[])?;
    Ok(Json(documents::settings::all(&mut *app.db.snapshot().await?).await?))
}

/// Sets the settings that the document has, all or none of them.
pub(super) async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    terms: Terms,
    Document(given): Document<Map<String, Value>>,
) -> Result<Response, Refusal> {
    caller.may(Scope::Settings, Right::Administer)?;
    let mut checked = Vec::new();
    for (name, value) in &given {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            other => other.to_string(),
        };
        let good = settings::find(name).and_then(|setting| Ok((setting, setting.check(&text)?)));
        checked.push(good.map_err(|why| Refusal::from_setting(&why).of_field(name))?);
    }
    let put = async |act: &mut Act| change::put(act, &checked).await;
    terms.carry_out(&app, &caller, (Reach::Daemons, "config set"), put, done).await
}

/// The listeners of clients.
pub(super) async fn list_clients(State(app): State<Arc<App>>, caller: Caller, query: Query) -> Rows {
    caller.need(Scope::Read)?;
    query.only(&[])?;
    Ok(Json(documents::proxies::listeners(&mut *app.db.snapshot().await?).await?))
}

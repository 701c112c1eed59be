//! The audit: who has changed what, and how an act is reverted. The role operator does not see it.

use super::act::{Terms, done};
use super::query::Query;
use super::refusal::Refusal;
use super::visitor::Caller;
use crate::change::{Act, Reach, Right, recorded_as_json, revert as change};
use crate::serve::app::App;
use crate::store::api_keys::Scope;
use crate::store::audit::{self, Filter, Recorded};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;
use std::sync::Arc;

/// The newest acts, the oldest of them first, as the command lists them.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query,
) -> Result<Json<Vec<Value>>, Refusal> {
    caller.need_audit()?;
    let query = query.only(&["actor", "act", "object", "since", "before", "limit"])?;
    let text = |name: &str| query.text(name).to_owned();
    let filter = Filter {
        actor: text("actor"),
        act: text("act"),
        object: text("object"),
        since: query.since()?,
        before: query.number("before")?,
    };
    let rows = audit::list(&mut *app.db.snapshot().await?, &filter, query.limit()?).await?;
    Ok(Json(rows.iter().map(recorded_as_json).collect::<Result<_, _>>()?))
}

async fn need(app: &App, number: &str) -> Result<Recorded, Refusal> {
    let found = match number.parse() {
        Ok(number) => audit::get(&mut *app.db.snapshot().await?, number).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| Refusal::missing("row of the audit", number, "GET /api/v1/audit lists them"))
}

/// One act, with its old and new values.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<Json<Value>, Refusal> {
    caller.need_audit()?;
    Ok(Json(recorded_as_json(&need(&app, &number).await?)?))
}

/// Reverts an act.
pub(super) async fn revert(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(number): Path<String>,
    terms: Terms,
) -> Result<Response, Refusal> {
    caller.may(Scope::Revert, Right::Administer)?;
    let row = need(&app, &number).await?;
    let revert = async |act: &mut Act| change::revert(act, &row).await;
    terms.carry_out(&app, &caller, (Reach::Daemons, "audit revert"), revert, done).await
}

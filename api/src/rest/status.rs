//! The state of the site.

use super::refusal::Refusal;
use super::visitor::Caller;
use crate::serve::app::App;
use crate::status::{self, SiteStatus};
use crate::store::api_keys::Scope;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

/// The document of `os4xapi status --json`.
pub(super) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<SiteStatus>, Refusal> {
    caller.need(Scope::Read)?;
    Ok(Json(status::read(&mut *app.db.snapshot().await?).await?))
}

//! `/expiry.ics`: everything that somebody has to renew, as a calendar, for a key with the scope `calendar`. A user of
//! the panel gets the same with a cookie.

use super::refusal::Refusal;
use super::visitor::Caller;
use crate::expiry::calendar;
use crate::serve::app::App;
use crate::store::api_keys::Scope;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

/// The path.
pub(super) const PATH: &str = "/expiry.ics";

/// The calendar.
pub(super) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Refusal> {
    caller.need(Scope::Calendar)?;
    Ok(calendar::answer(&mut *app.db.snapshot().await?).await?)
}

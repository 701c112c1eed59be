//! `/metrics`: the state of the site as numbers, in the text format of OpenMetrics, for a key with the scope `metrics`,
//! and without a key for addresses in the setting `metrics_networks`. The numbers are read at each scrape (`facts`).

mod facts;

use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::serve::app::App;
use crate::store::api_keys::Scope;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// The path.
pub(super) const PATH: &str = "/metrics";
/// The content type of OpenMetrics.
const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<impl IntoResponse, Refusal> {
    let networks = visitor.values.networks("metrics_networks");
    if !networks.iter().any(|network| network.contains(visitor.address)) {
        visitor.caller()?.need(Scope::Metrics)?;
    }
    let facts = facts::read(&mut *app.db.snapshot().await?, &visitor.values).await?;
    let mut registry = Registry::default();
    registry.register_collector(Box::new(facts));
    app.counters.register(&mut registry);
    let mut body = String::new();
    text::encode(&mut body, &registry).map_err(|cause| Refusal::internal(&cause))?;
    Ok(([(header::CONTENT_TYPE, KIND)], body))
}

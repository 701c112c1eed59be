//! `/healthz` and `/readyz`, for monitoring: whether the service answers, and whether it can do its work. They need no
//! token and contain no secret: only one word, or the name of the part that is not ready.

use super::app::App;
use crate::pki::facts::Facts;
use crate::store::certificates::{self, Usage};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Router, routing};
use std::sync::Arc;
use std::time::Duration;
use tokio::time;

/// The paths.
pub(super) const PATHS: [&str; 2] = ["/healthz", "/readyz"];
/// How long the database may take.
const LONGEST: Duration = Duration::from_secs(1);

/// Both pages.
pub(super) fn router(app: Arc<App>) -> Router {
    let [health, ready] = PATHS;
    Router::new()
        .route(health, routing::get(|| async { plain(None) }))
        .route(ready, routing::get(ready_page))
        .with_state(app)
}

async fn ready_page(State(app): State<Arc<App>>) -> impl IntoResponse {
    plain(obstacle(&app).await)
}

/// The part that is not ready.
async fn obstacle(app: &App) -> Option<&'static str> {
    if *app.stop.borrow() {
        return Some("stopping");
    }
    let looked = async {
        let mut snapshot = app.db.snapshot().await?;
        let https = certificates::need(&mut snapshot, Usage::Https).await?;
        let ca = certificates::need(&mut snapshot, Usage::Ca).await?;
        Ok::<_, crate::db::DbError>([https, ca])
    };
    match time::timeout(LONGEST, looked).await {
        Ok(Ok(found)) if found.iter().all(|one| Facts::of_pem(&one.certificate).is_ok()) => None,
        Ok(Ok(_) | Err(crate::db::DbError::Corrupt(_))) => Some("certificates"),
        Ok(Err(_)) | Err(_) => Some("database"),
    }
}

fn plain(obstacle: Option<&str>) -> impl IntoResponse {
    let (status, text) = match obstacle {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("unavailable: {what}\n")),
    };
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, headers, text)
}

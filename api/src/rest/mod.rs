//! The interfaces for programs, on the panel's listener: metrics, and JSON below `/api/v1`. A program shows a key
//! (`gate`), whose role and scopes decide what it may do. The functions are those of the commands and of the panel, and
//! so are the documents.

mod gate;
mod metrics;
mod refusal;
mod status;
mod visitor;

use crate::serve::app::App;
use axum::extract::Request;
use axum::response::Response;
use axum::{Router, middleware, routing};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use refusal::Refusal;
use std::sync::Arc;

/// The paths of the interfaces for programs.
pub(crate) fn router(app: Arc<App>) -> Router {
    let gate = middleware::from_fn_with_state(Arc::clone(&app), gate::pass);
    Router::new()
        .route(metrics::PATH, routing::get(metrics::show))
        .route("/api/v1/status", routing::get(status::show))
        .fallback(async || Refusal::no_path())
        .method_not_allowed_fallback(async || Refusal::no_method())
        .layer(gate)
        .with_state(app)
}

/// Gives the requests of programs to one router, and those of browsers to the other.
pub(crate) fn split(programs: Router, browsers: Router) -> Router {
    let [programs, browsers] = [programs, browsers].map(TowerToHyperService::new);
    Router::new().fallback(move |request: Request| {
        let service = if gate::is_of_program(&request) { programs.clone() } else { browsers.clone() };
        async move { service.call(request).await as Result<Response, std::convert::Infallible> }
    })
}

//! The interfaces for programs, on the panel's listener: metrics, a calendar, and JSON below `/api/v1`. A program shows
//! a key (`gate`), whose role and scopes decide what it may do. The functions are those of the commands and of the
//! panel, and so are the documents. `openapi.json` describes all paths; a test compares it with the paths here.

mod act;
mod audit;
mod body;
mod calendar;
mod configuration;
mod gate;
mod metrics;
mod partners;
mod query;
mod refusal;
mod reports;
mod servers;
mod trust;
mod visitor;

use crate::serve::app::App;
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Router, middleware, routing};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use refusal::Refusal;
use std::convert::Infallible;
use std::sync::Arc;

/// The description of all paths, in the format of OpenAPI.
const OPENAPI: &str = include_str!("openapi.json");

/// Makes the routes below `/api/v1`, and for the test a list of their paths and methods.
macro_rules! routes {
    ($($path:literal: $($method:ident $handler:path),+;)*) => {
        fn routes() -> Router<Arc<App>> {
            Router::new()$(.route($path, MethodRouter::new()$(.$method($handler))+))*
        }
        #[cfg(test)]
        static PATHS: &[(&str, &[&str])] = &[$(($path, &[$(stringify!($method)),+])),*];
    };
}

routes! {
    "/openapi.json": get describe;
    "/status": get reports::status;
    "/findings": get reports::findings;
    "/sessions": get reports::list_sessions;
    "/sessions/{id}": get reports::show_session;
    "/sessions/{id}/end": post reports::end_session;
    "/refusals": get reports::list_refusals;
    "/log": get reports::log;
    "/expiry": get reports::list_ends;
    "/partners": get partners::list, post partners::add;
    "/partners/{name}": get partners::show, patch partners::change, delete partners::remove;
    "/partners/{name}/pins": post partners::pin, put partners::pin_instead;
    "/partners/{name}/pins/{sha256}": delete partners::unpin;
    "/partners/{name}/tests": post partners::test;
    "/partners/{name}/tests/{number}": get partners::show_test;
    "/trusted": get trust::list, post trust::add;
    "/trusted/{name}": delete trust::remove;
    "/crls": get trust::list_crls;
    "/crls/fetch": post trust::fetch_crls;
    "/settings": get configuration::list, patch configuration::set;
    "/proxies": get servers::list;
    "/proxies/{id}": get servers::show, patch servers::set;
    "/proxies/{id}/drain": post servers::drain;
    "/proxies/{id}/undrain": post servers::undrain;
    "/clients": get configuration::list_clients;
    "/audit": get audit::list;
    "/audit/{number}": get audit::show;
    "/audit/{number}/revert": post audit::revert;
}

/// The paths of the interfaces for programs.
pub(crate) fn router(app: Arc<App>) -> Router {
    let gate = middleware::from_fn_with_state(Arc::clone(&app), gate::pass);
    Router::new()
        .route(metrics::PATH, routing::get(metrics::show))
        .route(calendar::PATH, routing::get(calendar::show))
        .nest("/api/v1", routes())
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
        async move { service.call(request).await as Result<Response, Infallible> }
    })
}

/// The description, which needs no key: it says how to get one.
async fn describe() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

#[cfg(test)]
mod tests {
    use super::{OPENAPI, PATHS};
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn the_description_has_each_path_and_method_and_no_other() {
        const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["servers"][0]["url"], "/api/v1");
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys().filter(|key| METHODS.contains(&key.as_str())) {
                described.insert((path.as_str(), method.as_str()));
            }
        }
        let all = PATHS.iter().flat_map(|(path, methods)| methods.iter().map(|method| (*path, *method)));
        assert_eq!(described, all.collect());
    }
}

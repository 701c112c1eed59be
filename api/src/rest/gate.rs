//! Checks the key of each request before any function gets it. A key works until its end and from its networks. A wrong
//! key is counted like a bad login, and logged like one; a right one always works, because nobody can find one by
//! trying.

use super::metrics;
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::credentials::hash_of;
use crate::db::DbError;
use crate::serve::app::App;
use crate::serve::connection::Peer;
use crate::serve::failed_logins;
use crate::serve::guard::Verdict;
use crate::serve::source;
use crate::settings::Values;
use crate::store::api_keys::{self, ApiKey};
use crate::store::configuration;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use common::net::Network;
use common::text::clock;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time;

/// How long the database may take to find the key of a request.
const LOOK: Duration = Duration::from_secs(3);
/// How long an answer may take in all, with the arrival of the request's body.
const ANSWER: Duration = Duration::from_secs(30);
/// How long an address with too many wrong keys waits for its answer.
const SLOW: Duration = Duration::from_secs(1);
/// The use of a key is recorded if the last recorded use was at least so many seconds ago, or from another address.
const NOTED: i64 = 60;

/// Whether a program has sent the request: it shows a key, or asks for a path of programs.
pub(super) fn is_of_program(request: &Request) -> bool {
    let path = request.uri().path();
    path.starts_with("/api/") || path == metrics::PATH || bearer(request.headers()).is_some()
}

/// The key in the headers.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Passes a request on to its function, or refuses it.
pub(super) async fn pass(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let looked = time::timeout(LOOK, visitor(&app, peer, request.headers())).await;
    let found = looked.map_err(|_| Refusal::late()).and_then(|found| found.map_err(Refusal::from));
    let mut response = match found {
        Err(refusal) => refusal.into_response(),
        Ok(Err(bad)) => bad.refuse(&app).await.into_response(),
        Ok(Ok(visitor)) => {
            request.extensions_mut().insert(visitor);
            let answer = time::timeout(ANSWER, next.run(request)).await;
            answer.map_or_else(|_| Refusal::late().into_response(), Refusal::or_document)
        }
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    response
}

/// A key that does not work.
struct BadKey {
    address: IpAddr,
    /// Its name; empty: there is no such key.
    name: String,
    refusal: Refusal,
}

impl BadKey {
    /// Counts it, logs it, and gives the answer.
    async fn refuse(self, app: &App) -> Refusal {
        match failed_logins::note(app, self.address, "key", &self.name) {
            Verdict::Log => self.refusal,
            Verdict::LogLast(_) | Verdict::Quiet => {
                time::sleep(SLOW).await;
                Refusal::too_many()
            }
        }
    }
}

/// Who has sent the request: with a key that works, or without a key.
async fn visitor(app: &App, peer: IpAddr, headers: &HeaderMap) -> Result<Result<Visitor, BadKey>, DbError> {
    let mut snapshot = app.db.snapshot().await?;
    let values = configuration::values(&mut snapshot).await?;
    let address = source::address(peer, headers, &values.networks("api_trusted_proxies"));
    let bad = |name: &str, refusal| Ok(Err(BadKey { address, name: name.to_owned(), refusal }));
    let Some(text) = bearer(headers) else {
        return Ok(Ok(Visitor { address, key: None, values: Arc::new(values) }));
    };
    let found = api_keys::with_hash(&mut snapshot, &hash_of(text)).await?;
    drop(snapshot);
    let Some(key) = found else { return bad("", Refusal::unknown("there is no such key")) };
    if key.condition(clock::now()) != "good" {
        let error = format!("the key '{}' has ended at {}", key.name, clock::rfc3339(key.until));
        return bad(&key.name, Refusal::unknown(error));
    }
    if !may_come_from(&key, address, &values) {
        let error = format!("the key '{}' does not work from the address {address}", key.name);
        let remedy = "use it in its networks, or make another key, with the network of this address";
        return bad(&key.name, Refusal::forbidden(error, remedy));
    }
    note_use(app, &key, address).await?;
    Ok(Ok(Visitor { address, key: Some(Arc::new(key)), values: Arc::new(values) }))
}

/// Whether a key works from this address.
fn may_come_from(key: &ApiKey, address: IpAddr, values: &Values) -> bool {
    let is_in = |networks: &[Network]| networks.iter().any(|network| network.contains(address));
    if key.networks.is_empty() {
        return address.is_loopback() || is_in(&values.networks("panel_networks"));
    }
    is_in(&key.networks)
}

async fn note_use(app: &App, key: &ApiKey, address: IpAddr) -> Result<(), DbError> {
    let is_noted = key
        .used
        .as_ref()
        .is_some_and(|(time, from)| *time > clock::now() - NOTED && *from == address.to_string());
    if is_noted {
        return Ok(());
    }
    let mut batch = app.db.batch().await?;
    api_keys::note_use(&mut batch, &key.name, address).await?;
    batch.commit().await
}

#[cfg(test)]
mod tests {
    use super::{HeaderMap, bearer};

    #[test]
    fn a_key_stands_behind_its_scheme() {
        let of = |value: &str| -> HeaderMap {
            [("authorization".parse().unwrap(), value.parse().unwrap())].into_iter().collect()
        };
        assert_eq!(bearer(&of("Bearer os4x_1")), Some("os4x_1"));
        assert_eq!(bearer(&of("bearer  os4x_1 ")), Some("os4x_1"));
        for other in ["os4x_1", "Basic b3M0eA==", ""] {
            assert_eq!(bearer(&of(other)), None, "{other}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}

//! The HTTP side of the API. It checks path, method, size, JSON, token and function name, in this order. A caller
//! without the right token is logged with its address. `functions` answers the calls; `call_refusal` has the errors.

use super::app::App;
use super::call_refusal::CallRefusal;
use super::caller::Caller;
use super::connection::Peer;
use super::deadline::{CALL, LOOK, in_time};
use super::guard::{Place, Verdict};
use super::{functions, health, reports, source};
use crate::error_text::on_one_line;
use crate::http::is_too_large;
use crate::settings::{TOKEN, Values};
use crate::store::{claims, configuration, journal, old_tokens};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use common::rpc::{Call, Origin};
use common::text::clock;
use common::text::escape::escape;
use serde_json::{Map, Value};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time;

/// Largest body of a call, octets.
const LARGEST: usize = 1 << 20;
/// The time in which a body must arrive.
const BODY: Duration = Duration::from_secs(30);

/// How long a caller waits for its answer when it has had too many refusals.
const SLOW: Duration = Duration::from_secs(1);

/// The API at `paths`, which are separated by commas; all other paths are unknown. No answer may be kept by a cache:
/// some contain keys.
pub(super) fn router(app: Arc<App>, paths: &str) -> Router {
    // If the API was put at another path, the operator has its own monitoring.
    let health = if paths.split(',').any(|path| health::PATHS.contains(&path)) {
        Router::new()
    } else {
        health::router(Arc::clone(&app))
    };
    let routes = paths.split(',').fold(Router::new(), |routes, path| routes.route(path, routing::any(call)));
    routes.fallback(no_page).with_state(app).merge(health)
}

async fn call(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(place): Extension<Arc<Place>>,
    request: Request,
) -> Response {
    let answer = answer(&app, peer, &place, request).await;
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn no_page(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> CallRefusal {
    match in_time(LOOK, settings(&app)).await {
        Ok(values) => stranger(&app, &values, caller(peer, &request, &values), CallRefusal::NoPage).await,
        Err(refusal) => refusal,
    }
}

async fn settings(app: &App) -> Result<Values, CallRefusal> {
    Ok(configuration::values(&mut *app.db.snapshot().await?).await?)
}

/// The address from which a request comes.
fn caller(peer: IpAddr, request: &Request, values: &Values) -> IpAddr {
    source::address(peer, request.headers(), &values.networks("api_trusted_proxies"))
}

async fn answer(app: &App, peer: IpAddr, place: &Place, request: Request) -> Result<Response, CallRefusal> {
    let values = in_time(LOOK, settings(app)).await?;
    let client = caller(peer, &request, &values);
    let mut members = match known_caller(app, client, request, &values).await {
        Ok(members) => members,
        Err(refusal) => return Err(stranger(app, &values, client, refusal).await),
    };
    place.keep();
    if let Some(time) = members.remove("client_time").and_then(|time| time.as_i64()) {
        in_time(LOOK, compare_clock(app, &values, client, time)).await?;
    }
    let name = members.remove("client_name");
    let caller = Caller::new(client, name.as_ref().and_then(Value::as_str));
    let call = of_members(members).inspect_err(|refusal| app.counters.call("", refusal.code()))?;
    in_time(LOOK, note_call(app, &caller)).await?;
    log::debug!("call function={} client={client}", call.name());
    let function = call.name();
    let answered = match call {
        // This function looks again and again, and each look has its own time limit.
        Call::ProxyWait { .. } => functions::answer(app, &caller, &values, call).await,
        call => in_time(CALL, functions::answer(app, &caller, &values, call)).await,
    };
    app.counters.call(function, answered.as_ref().map_or_else(CallRefusal::code, |_| "ok"));
    answered
}

async fn note_call(app: &App, caller: &Caller) -> Result<(), CallRefusal> {
    let mut batch = app.db.batch().await?;
    journal::seen(&mut batch, caller.key()).await?;
    Ok(batch.commit().await?)
}

async fn compare_clock(app: &App, values: &Values, client: IpAddr, time: i64) -> Result<(), CallRefusal> {
    Ok(reports::compare_clock(app, values, client, Origin::Client, time).await?)
}

/// The members of a call without its token, if the token is right.
async fn known_caller(
    app: &App,
    client: IpAddr,
    request: Request,
    values: &Values,
) -> Result<Map<String, Value>, CallRefusal> {
    if request.method() != Method::POST {
        return Err(CallRefusal::Method);
    }
    let (head, body) = request.into_parts();
    let announced =
        head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > LARGEST) {
        return Err(CallRefusal::TooLarge);
    }
    let mut members: Map<String, Value> = serde_json::from_slice(&read(body).await?)
        .map_err(|why| CallRefusal::BadRequest(format!("The body is no JSON object: {why}.")))?;
    let given = members.remove("token");
    let given = given.as_ref().and_then(Value::as_str).unwrap_or_default();
    if is_token(given, values.text(TOKEN)) || in_time(LOOK, is_old_token(app, client, given, values)).await? {
        Ok(members)
    } else {
        Err(CallRefusal::BadToken)
    }
}

/// Whether `given` is an old token that still works. If a client uses an old one, the system log says so.
async fn is_old_token(app: &App, client: IpAddr, given: &str, values: &Values) -> Result<bool, CallRefusal> {
    let until = old_tokens::valid_until(&mut *app.db.snapshot().await?, secret_half(given)).await?;
    let Some(until) = until else { return Ok(false) };
    let works = clock::now() < until;
    if app.is_new_old_token(client, works, until) {
        let report = reports::report_old_token(app, values, client, works, until);
        claims::once(&app.db, &format!("old_token {client} {works} {until}"), report).await?;
    }
    Ok(works)
}

/// A token may contain the hash of the CA after a dot; that half is only for the client.
fn secret_half(token: &str) -> &str {
    token.split_once('.').map_or(token, |(secret, _)| secret)
}

/// Logs a call without the right token; gives the refusal. Only a few calls of one address are answered and logged;
/// after that it has to wait for each answer.
async fn stranger(app: &App, values: &Values, address: IpAddr, refusal: CallRefusal) -> CallRefusal {
    let code = refusal.code();
    app.counters.call("", code);
    match app.guard.bad_call(address, Instant::now()) {
        Verdict::Log => {
            log::error!("call_refused address={address} code={code}");
            return refusal;
        }
        Verdict::LogLast(alert) => {
            log::error!(
                "call_refused address={address} code={code} further=\"counted until there was none for a minute\""
            );
            if alert && let Err(fault) = in_time(LOOK, report_locked(app, values, address, code)).await {
                return fault;
            }
        }
        Verdict::Quiet => {}
    }
    time::sleep(SLOW).await;
    CallRefusal::TooMany
}

async fn report_locked(app: &App, values: &Values, address: IpAddr, code: &str) -> Result<(), CallRefusal> {
    Ok(reports::report_locked(app, values, address, code).await?)
}

async fn read(body: Body) -> Result<Bytes, CallRefusal> {
    match time::timeout(BODY, to_bytes(body, LARGEST)).await {
        Err(_) => Err(CallRefusal::Slow),
        Ok(Ok(body)) => Ok(body),
        Ok(Err(cause)) => {
            if is_too_large(&cause) {
                Err(CallRefusal::TooLarge)
            } else {
                let why = on_one_line(&cause);
                Err(CallRefusal::BadRequest(format!("The body did not arrive whole: {why}.")))
            }
        }
    }
}

/// Whether `given` is the token; the hashes are compared in constant time.
fn is_token(given: &str, expected: &str) -> bool {
    let [left, right] = [secret_half(given), expected].map(|text| openssl::sha::sha256(text.as_bytes()));
    !expected.is_empty() && openssl::memcmp::eq(&left, &right)
}

fn of_members(members: Map<String, Value>) -> Result<Call, CallRefusal> {
    let name = match members.get("function") {
        Some(Value::String(name)) => name.clone(),
        _ => return Err(CallRefusal::BadRequest("The member 'function' is missing.".into())),
    };
    if !Call::NAMES.contains(&name.as_str()) {
        log::error!("unknown_function function={}", escape(&name));
        return Err(CallRefusal::UnknownFunction);
    }
    serde_json::from_value(Value::Object(members))
        .map_err(|why| CallRefusal::BadRequest(format!("{name} does not take that: {why}.")))
}

#[cfg(test)]
mod tests {
    use super::{CallRefusal, is_token, of_members};
    use common::rpc::Call;
    use serde_json::{Value, json};

    fn of(value: Value) -> Result<Call, CallRefusal> {
        match value {
            Value::Object(members) => of_members(members),
            _ => unreachable!("the tests give objects"),
        }
    }

    #[test]
    fn every_function_is_a_call_and_carries_its_name() {
        let log = json!({"level": "ERROR", "text": "", "detail": "", "origin": "server", "host": "",
         "pid": 1, "time": 1});
        for &name in Call::NAMES {
            let mut members = json!({
                "function": name, "public_key": "", "proxy_id": format!("{}px", "0".repeat(64)), "events": [],
                "url": "", "generation": 1, "seconds": 1, "client": {}, "refusals": [], "number": 1, "done": true,
            });
            members.as_object_mut().unwrap().extend(log.as_object().unwrap().clone());
            assert_eq!(of(members).unwrap().name(), name);
        }
    }

    #[test]
    fn what_is_no_function_is_told_apart_from_what_is_wrong_in_one() {
        assert!(matches!(of(json!({"function": "proxy_crash"})), Err(CallRefusal::UnknownFunction)));
        assert!(matches!(of(json!({"function": 7})), Err(CallRefusal::BadRequest(_))));
        assert!(matches!(of(json!({"function": "proxy_enrol"})), Err(CallRefusal::BadRequest(_))));
    }

    #[test]
    fn the_man_page_has_every_function_and_no_other() {
        let page = crate::man::read("os4xapi-protocol.5");
        let (_, functions) = page.split_once(".Sh FUNCTIONS\n").unwrap();
        let named: Vec<&str> = functions.lines().filter_map(|line| line.strip_prefix(".Ss ")).collect();
        assert_eq!(named, Call::NAMES);
    }

    #[test]
    fn only_the_token_is_the_token() {
        assert!(is_token("abc", "abc") && is_token("abc.hash", "abc"));
        for given in ["", ".", "ab", "abcd", "ABC", ".abc"] {
            assert!(!is_token(given, "abc"), "{given}");
        }
        // If the database has no token, every caller is refused.
        assert!(!is_token("", "") && !is_token(".x", ""));
    }
}

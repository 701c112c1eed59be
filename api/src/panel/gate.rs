//! Checks each request before any page gets it. Its address must be in `panel_networks` or be a loopback address, its
//! host must be one of ours, and a form must come from one of our own pages. The cookie identifies the user. Each
//! response gets headers that restrict what a browser may do with it.

use super::page::{self, Fault};
use super::words::{self, Words};
use super::{Panel, assets, fields, host, login};
use crate::credentials::hash_of;
use crate::db::DbError;
use crate::serve::connection::{Called, Peer};
use crate::serve::source;
use crate::settings::Values;
use crate::store::configuration;
use crate::store::panel_sessions::{self, PanelSession};
use crate::store::rollbacks::{self, Rollback};
use crate::store::users::{self, User};
use axum::extract::{Extension, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use common::net::Network;
use common::text::clock;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time;

/// The name of a session's cookie. Because of the prefix `__Host-`, a browser accepts the cookie from this host only,
/// over https only, and for all paths.
pub(super) const COOKIE: &str = "__Host-os4x_panel";
/// The header of a request that the script of a live page sends by itself. Such a request does not prolong the session.
const POLL: &str = "os4x-poll";
/// How long the database may take to find the user of a request.
const LOOK: Duration = Duration::from_secs(3);
/// How long a page may take in all, with the arrival of its form, which may be slow.
const ANSWER: Duration = Duration::from_secs(30);
/// The use of a session is recorded if the last recorded use was more than so many seconds ago.
const NOTED: i64 = 30;
/// A refused address is logged at most once in this time.
const QUIET: Duration = Duration::from_mins(1);
/// Most refused addresses that are remembered. If there are more, all are forgotten.
const MOST: usize = 1_000;

/// With the panel's own certificate, browsers use only https for this host and accept no certificate that they do not
/// trust; for 30 days, so that the way back to our own CA does not shut anybody out for long. Our own CA is one that
/// browsers do not trust, so there is no such header with it.
const ONLY_HTTPS: &str = "max-age=2592000";

/// The headers of each response. A page of another origin cannot show the response in a frame and cannot read it, and
/// our pages send no requests to another origin.
const HEADERS: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action \
         'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("x-robots-tag", "noindex"),
];

/// The sender of a request.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) address: IpAddr,
    pub(super) agent: String,
    pub(super) values: Arc<Values>,
    pub(super) words: &'static Words,
    /// The path and the query of the page.
    pub(super) at: String,
    /// The user and the session; none: the visitor is not logged in.
    pub(super) known: Option<Arc<Known>>,
    /// The acts that are reverted unless a user confirms them; empty if the visitor is not logged in.
    pub(super) pending: Vec<Rollback>,
}

/// A user who is logged in.
pub(super) struct Known {
    pub(super) user: User,
    pub(super) session: PanelSession,
    /// The token that the forms of this session contain.
    pub(super) form_token: String,
}

impl Known {
    /// Whether `given` is the token of this session's forms.
    pub(super) fn is_token(&self, given: &str) -> bool {
        let [left, right] = [given, &self.form_token].map(|text| openssl::sha::sha256(text.as_bytes()));
        openssl::memcmp::eq(&left, &right)
    }
}

/// A visitor who is logged in. Other visitors are redirected to the login.
pub(super) struct SignedIn(pub(super) Visitor, pub(super) Arc<Known>);

impl FromRequestParts<Arc<Panel>> for Visitor {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Panel>) -> Result<Self, Fault> {
        parts.extensions.get::<Self>().cloned().ok_or(Fault::Form)
    }
}

impl FromRequestParts<Arc<Panel>> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, panel: &Arc<Panel>) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, panel).await.map_err(IntoResponse::into_response)?;
        match &visitor.known {
            Some(known) => Ok(Self(visitor.clone(), Arc::clone(known))),
            None if parts.headers.contains_key(POLL) => Err(Fault::SignedOut.into_response()),
            None if is_from_elsewhere(&parts.headers) => Err(page::again(&visitor)),
            None => Err(Redirect::to(&login::path_for(&parts.method, &visitor.at)).into_response()),
        }
    }
}

/// Whether the user has followed a link on another site, for example in a mail. The cookie is `SameSite=Strict`: the
/// browser does not send it with this request, but with the next one, which a page of ours causes.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    ["cross-site", "same-site"].contains(&text(headers, "sec-fetch-site"))
}

/// Passes a request on to its page, or refuses it.
pub(super) async fn pass(
    State(panel): State<Arc<Panel>>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(Called(called)): Extension<Called>,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, body) = request.into_parts();
    let found = time::timeout(LOOK, visitor(&panel, peer, &head)).await;
    let mut response = match found.map_err(|_| Fault::Late).and_then(|found| found.map_err(Fault::from)) {
        Err(fault) => page::of_fault(fault, words::of_headers(&head.headers), None),
        Ok(visitor) => {
            if let Some(fault) = refusal(&panel, &visitor, called, &head) {
                page::of_fault(fault, visitor.words, None)
            } else {
                head.extensions.insert(visitor.clone());
                let answer = time::timeout(ANSWER, next.run(Request::from_parts(head, body))).await;
                page::with_fault(answer.unwrap_or_else(|_| Fault::Late.into_response()), &visitor)
            }
        }
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if panel.sides.iter().any(|side| side.borrow().is_panels_own) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ONLY_HTTPS));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The reason why a request is refused; none: it is not refused.
fn refusal(panel: &Panel, visitor: &Visitor, called: IpAddr, head: &Parts) -> Option<Fault> {
    let Visitor { address, values, .. } = visitor;
    let networks = values.networks("panel_networks");
    if !address.is_loopback() && !networks.iter().any(|network: &Network| network.contains(*address)) {
        if panel.refused.is_news(*address) {
            log::warn!("panel_refused address={address} cause=\"it is not in panel_networks\"");
        }
        return Some(Fault::Network);
    }
    let authority = authority(&head.uri, &head.headers);
    let host = host::of_authority(authority);
    if !host::is_ours(host, called, values.text("panel_url"), &panel.sides) {
        return Some(Fault::Host);
    }
    let is_reading = [Method::GET, Method::HEAD].contains(&head.method);
    (!is_reading && !is_own_form(&head.headers, authority)).then_some(Fault::Form)
}

/// Whether a form comes from a page of this host. A browser says so in `Sec-Fetch-Site` or in `Origin`. A request
/// with neither of them does not come from a browser, so no other site can have sent it with the cookie of a user: such
/// a request is accepted.
fn is_own_form(headers: &HeaderMap, authority: &str) -> bool {
    match (text(headers, "sec-fetch-site"), text(headers, "origin")) {
        ("same-origin" | "none", _) | ("", "") => true,
        ("", origin) => host::authority_of(origin) == authority,
        _ => false,
    }
}

fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    uri.authority().map_or_else(|| text(headers, "host"), |authority| authority.as_str())
}

/// The text of a header; empty if there is no such header.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn visitor(panel: &Panel, peer: IpAddr, head: &Parts) -> Result<Visitor, DbError> {
    let headers = &head.headers;
    let mut snapshot = panel.app.db.snapshot().await?;
    let values = configuration::values(&mut snapshot).await?;
    let known = match cookie(headers) {
        // The files that pages load are the same for all visitors, so the user is not looked up for them.
        Some(cookie) if !head.uri.path().starts_with(assets::ROOT) => {
            known(&mut snapshot, cookie, &values).await?
        }
        _ => None,
    };
    let pending = if known.is_some() { rollbacks::all(&mut snapshot).await? } else { Vec::new() };
    drop(snapshot);
    if let Some(known) = &known
        && known.session.seen < clock::now() - NOTED
        && !headers.contains_key(POLL)
    {
        let mut batch = panel.app.db.batch().await?;
        panel_sessions::seen(&mut batch, &known.session.hash, clock::now()).await?;
        batch.commit().await?;
    }
    let language = known.as_ref().map(|known| known.user.language.as_str()).unwrap_or_default();
    Ok(Visitor {
        address: source::address(peer, headers, &values.networks("api_trusted_proxies")),
        agent: text(headers, "user-agent").to_owned(),
        words: words::of_language(language).unwrap_or_else(|| words::of_headers(headers)),
        values: Arc::new(values),
        at: head.uri.path_and_query().map_or("/", |at| at.as_str()).to_owned(),
        known: known.map(Arc::new),
        pending,
    })
}

/// The value of the session's cookie, if the request has one.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// The user with this cookie, if the session has not ended and the user is enabled.
async fn known(
    connection: &mut sqlx::AnyConnection,
    cookie: &str,
    values: &Values,
) -> Result<Option<Known>, DbError> {
    let Some(session) = panel_sessions::get(connection, &hash_of(cookie)).await? else { return Ok(None) };
    if is_over(&session, values, clock::now()) {
        return Ok(None);
    }
    let user = users::get(connection, &session.user).await?;
    // The database contains a different hash, of the cookie alone. Neither hash can be computed from the other.
    let form_token = hash_of(&format!("{} {cookie}", fields::TOKEN));
    Ok(user.filter(|user| user.enabled).map(|user| Known { user, session, form_token }))
}

/// Whether a session has ended, because it was not used for too long or because it began too long ago.
pub(super) fn is_over(session: &PanelSession, values: &Values, now: i64) -> bool {
    let idle = i64::from(values.number("panel_idle_minutes")) * 60;
    let longest = i64::from(values.number("panel_session_hours")) * 3_600;
    now >= session.seen + idle || now >= session.created + longest
}

/// The addresses that were refused, and for each the time when that was last logged.
#[derive(Default)]
pub(super) struct Refused(Mutex<HashMap<IpAddr, Instant>>);

impl Refused {
    fn is_news(&self, address: IpAddr) -> bool {
        let Ok(mut logged) = self.0.lock() else { return true };
        let now = Instant::now();
        if logged.get(&address).is_some_and(|then| now.duration_since(*then) < QUIET) {
            return false;
        }
        if logged.len() >= MOST {
            logged.clear();
        }
        logged.insert(address, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{HeaderMap, Refused, cookie, is_own_form};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_form_of_another_site_is_told_from_one_of_ours() {
        for (good, pairs) in [
            (true, &[("sec-fetch-site", "same-origin")][..]),
            (true, &[]),
            (true, &[("origin", "https://h:1")]),
            (false, &[("sec-fetch-site", "same-site")]),
            (false, &[("sec-fetch-site", "cross-site"), ("origin", "https://h:1")]),
            (false, &[("origin", "https://h:2")]),
            (false, &[("origin", "null")]),
        ] {
            assert_eq!(is_own_form(&headers(pairs), "h:1"), good, "{pairs:?}");
        }
    }

    #[test]
    fn our_cookie_is_found_among_others() {
        assert_eq!(cookie(&headers(&[("cookie", "a=b; __Host-os4x_panel=xyz; c=d")])), Some("xyz"));
        assert_eq!(cookie(&headers(&[("cookie", "os4x_panel=xyz; __Host-os4x_panel2=1")])), None);
    }

    #[test]
    fn a_refused_address_is_news_once() {
        let refused = Refused::default();
        assert!(refused.is_news([192, 0, 2, 1].into()) && !refused.is_news([192, 0, 2, 1].into()));
        assert!(refused.is_news([192, 0, 2, 2].into()));
    }
}

//! Login and logout. Each login begins a session with a new cookie of 256 random bits. No part of the cookie is ever in
//! an address.

use super::Panel;
use super::fields::{Fields, Form, OpenForm};
use super::gate::{COOKIE, Known, Visitor};
use super::page::{self, Fault, Frame};
use super::proof::{self, Given};
use crate::credentials::{hash_of, random_text};
use crate::store::panel_sessions::{self, PanelSession};
use crate::store::users::{self, User};
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use common::text::clock;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/login";

#[derive(Template)]
#[template(path = "login.html")]
struct Page {
    f: Frame,
    /// The page that the user gets after the login.
    next: String,
    name: String,
    has_failed: bool,
}

/// The address of the login page for a visitor who has requested the page `at`. After the login, the user gets that
/// page, but only if the request was a GET: a form is not sent again.
pub(super) fn path_for(method: &Method, at: &str) -> String {
    if method != Method::GET || at == "/" {
        return PATH.to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", at);
    format!("{PATH}?{}", query.finish())
}

/// The path in the field `next`; `/` if it is not a path on this host, so nobody can make a link that leads elsewhere.
fn next_of(fields: &Fields) -> String {
    let next = fields.text("next");
    let is_path = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if is_path { next } else { "/" }.to_owned()
}

/// The page.
pub(super) async fn show(visitor: Visitor, fields: Fields) -> Result<Response, Fault> {
    if visitor.known.is_some() {
        return Ok(Redirect::to(&next_of(&fields)).into_response());
    }
    let f = Frame::new(visitor.words, visitor.words.log_in);
    page::html(&Page { f, next: next_of(&fields), name: String::new(), has_failed: false })
}

/// Begins a session, or shows the page again if the login fails.
pub(super) async fn log_in(
    State(panel): State<Arc<Panel>>,
    visitor: Visitor,
    OpenForm(fields): OpenForm,
) -> Result<Response, Fault> {
    let given =
        Given { name: fields.text("name"), password: fields.exact("password"), code: fields.text("code") };
    let Some(user) = proof::prove(&panel, &visitor, &given).await? else {
        let f = Frame::new(visitor.words, visitor.words.log_in);
        let name = given.name.to_owned();
        let page = page::html(&Page { f, next: next_of(&fields), name, has_failed: true })?;
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    };
    let cookie = begin(&panel, &visitor, &user).await?;
    panel.app.counters.login("good", "login");
    log::info!("panel_login address={} user={}", visitor.address, user.name);
    let mut response = Redirect::to(&next_of(&fields)).into_response();
    set_cookie(&mut response, &cookie, "")?;
    Ok(response)
}

/// Begins a new session of this user; gives its cookie.
async fn begin(panel: &Panel, visitor: &Visitor, user: &User) -> Result<String, Fault> {
    let cookie = random_text()?;
    let now = clock::now();
    let session = PanelSession {
        hash: hash_of(&cookie),
        user: user.name.clone(),
        created: now,
        seen: now,
        address: visitor.address.to_string(),
        agent: visitor.agent.clone(),
        failed_before: user.failed,
        login_before: user.last_login,
        address_before: user.last_address.clone(),
        proven_until: 0,
    };
    panel
        .note(async |connection| {
            users::note_login(connection, &session.user, &session.address).await?;
            panel_sessions::add(connection, &session).await
        })
        .await?;
    Ok(cookie)
}

/// Ends the session.
pub(super) async fn log_out(
    State(panel): State<Arc<Panel>>,
    visitor: Visitor,
    Form(_): Form,
) -> Result<Response, Fault> {
    if let Some(known) = &visitor.known {
        let Known { user, session, .. } = Arc::as_ref(known);
        panel
            .note(async |connection| panel_sessions::end(connection, &user.name, &session.hash).await)
            .await?;
        log::info!("panel_logout address={} user={}", visitor.address, user.name);
    }
    let mut response = Redirect::to(PATH).into_response();
    set_cookie(&mut response, "", "; Max-Age=0")?;
    Ok(response)
}

fn set_cookie(response: &mut Response, value: &str, more: &str) -> Result<(), Fault> {
    let cookie = format!("{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{more}");
    let cookie = HeaderValue::from_str(&cookie).map_err(|_| Fault::Inner)?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::path_for;
    use axum::http::Method;

    #[test]
    fn a_page_is_come_back_to_and_a_form_is_not() {
        assert_eq!(path_for(&Method::GET, "/sessions?a=1&b=2"), "/login?next=%2Fsessions%3Fa%3D1%26b%3D2");
        assert_eq!(path_for(&Method::POST, "/account/end"), "/login");
        assert_eq!(path_for(&Method::GET, "/"), "/login");
    }
}

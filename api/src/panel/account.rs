//! The page of a user's own account: the language and the colours, the password, and the open sessions.

use super::Panel;
use super::fields::{Fields, Form};
use super::gate::{SignedIn, is_over};
use super::page::{self, Fault, Frame, Notice};
use super::proof::{self, Given};
use super::setup::check_new;
use super::words;
use crate::change::{Act, Author, Order};
use crate::credentials::recovery;
use crate::store::panel_sessions::{self, PanelSession};
use crate::store::users::{self, Proof};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use common::text::clock;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/account";
const THEMES: [&str; 3] = ["", "light", "dark"];

#[derive(Template)]
#[template(path = "account.html")]
struct Page {
    f: Frame,
    token: String,
    name: String,
    language: String,
    theme: String,
    codes_left: usize,
    sessions: Vec<Row>,
}

struct Row {
    began: String,
    seen: String,
    address: String,
    agent: String,
    hash: String,
    is_this: bool,
}

/// The page. After a change, it says what was changed.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    visitor: SignedIn,
    fields: Fields,
) -> Result<Response, Fault> {
    let words = visitor.0.words;
    let notice = match fields.text("done") {
        "saved" => Some(Notice::good(words.saved)),
        "password" => Some(Notice::good(words.password_changed)),
        _ => None,
    };
    page_with(&panel, &visitor, notice).await
}

async fn page_with(
    panel: &Panel,
    SignedIn(visitor, known): &SignedIn,
    notice: Option<Notice>,
) -> Result<Response, Fault> {
    let mut snapshot = panel.app.db.snapshot().await?;
    let all = panel_sessions::of_user(&mut snapshot, &known.user.name).await?;
    let now = clock::now();
    let open = all.into_iter().filter(|session| !is_over(session, &visitor.values, now));
    let row = |session: PanelSession| Row {
        began: page::time(session.created),
        seen: page::time(session.seen),
        address: session.address,
        agent: session.agent,
        is_this: session.hash == known.session.hash,
        hash: session.hash,
    };
    let mut f = Frame::for_user(visitor, known, visitor.words.account);
    f.notices.push(notice.unwrap_or_else(|| page::logins_before(visitor, known)));
    page::html(&Page {
        f,
        token: known.form_token.clone(),
        name: known.user.name.clone(),
        language: known.user.language.clone(),
        theme: known.user.theme.clone(),
        codes_left: known.user.proof.as_ref().map_or(0, |proof| recovery::left(&proof.recovery)),
        sessions: open.map(row).collect(),
    })
}

/// Stores the language and the colours that the user has chosen.
pub(super) async fn prefer(
    State(panel): State<Arc<Panel>>,
    SignedIn(_, known): SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    let (language, theme) = (fields.text("language"), fields.text("theme"));
    if !THEMES.contains(&theme) || !(language.is_empty() || words::of_language(language).is_some()) {
        return Err(Fault::Form);
    }
    let name = &known.user.name;
    panel.note(async |connection| users::prefer(connection, name, language, theme).await).await?;
    Ok(Redirect::to(&format!("{PATH}?done=saved")).into_response())
}

/// Changes the password if the user enters the old one and a valid code; ends the user's other sessions.
pub(super) async fn change_password(
    State(panel): State<Arc<Panel>>,
    visitor: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    let SignedIn(who, known) = &visitor;
    let name = &known.user.name;
    let (chosen, again) = (fields.exact("new"), fields.exact("again"));
    let given = Given { name, password: fields.exact("password"), code: fields.text("code") };
    let wrong = match check_new(who.words, &who.values, name, chosen, again) {
        Err(why) => Some(why),
        Ok(()) if proof::prove(&panel, who, &given).await?.is_none() => Some(who.words.wrong_proof),
        Ok(()) => None,
    };
    if let Some(why) = wrong {
        let page = page_with(&panel, &visitor, Some(Notice::bad(why))).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let password = proof::hash(&panel, chosen).await?;
    let author = Author::of_user(&known.user, who.address);
    let mut act = Act::begin_unseen(&panel.app.db, Order::of(author, "panel password")).await?;
    // Read the user's row again: `proof::prove` has just recorded in it that the code was used. If the older values
    // were written back, the code would be valid again.
    let Some(now) = users::get(&mut act, name).await?.and_then(|user| user.proof) else {
        return Err(Fault::Form);
    };
    users::prove(&mut act, name, Some(&Proof { password, set: clock::now(), ..now })).await?;
    panel_sessions::end_others(&mut act, name, &known.session.hash).await?;
    act.commit().await?;
    log::info!("panel_password_changed address={} user={name}", who.address);
    Ok(Redirect::to(&format!("{PATH}?done=password")).into_response())
}

/// Ends one of the user's sessions.
pub(super) async fn end_session(
    State(panel): State<Arc<Panel>>,
    SignedIn(_, known): SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    let (name, hash) = (&known.user.name, fields.text("session"));
    panel.note(async |connection| panel_sessions::end(connection, name, hash).await).await?;
    Ok(Redirect::to(&format!("{PATH}?done=saved")).into_response())
}

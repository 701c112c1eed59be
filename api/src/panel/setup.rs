//! The page of a one-time link: a user chooses a password, adds the key to an authenticator app, proves that with a
//! code, and gets the recovery codes. This does not log the user in. A link works only once.

use super::Panel;
use super::fields::OpenForm;
use super::gate::Visitor;
use super::page::{self, Fault, Frame, Notice};
use super::words::Words;
use super::{proof, qr};
use crate::change::{Act, Author, Order};
use crate::credentials::password::{self, Weakness};
use crate::credentials::{hash_of, recovery, totp};
use crate::serve::failed_logins;
use crate::settings::Values;
use crate::store::setup_links::{self, SetupLink};
use crate::store::users::{self, Proof};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use common::text::clock;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "setup.html")]
struct Page {
    f: Frame,
    name: String,
    picture: String,
    /// The key in groups of four characters, for users who type it.
    key: String,
}

#[derive(Template)]
#[template(path = "codes.html")]
struct Codes {
    f: Frame,
    codes: Vec<String>,
}

/// The page.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    visitor: Visitor,
    Path(text): Path<String>,
) -> Result<Response, Fault> {
    match link(&panel, &visitor, &text).await? {
        Some(link) => form(&visitor, &link, None),
        None => over(&visitor),
    }
}

/// The valid link with this text; `None` if there is none.
async fn link(panel: &Panel, visitor: &Visitor, text: &str) -> Result<Option<SetupLink>, Fault> {
    if panel.app.logins.is_locked(visitor.address, std::time::Instant::now()) {
        return Err(Fault::TooMany);
    }
    let found = setup_links::get(&mut *panel.app.db.snapshot().await?, &hash_of(text)).await?;
    if found.is_none() {
        failed_logins::note(&panel.app, visitor.address, "link", "");
    }
    Ok(found)
}

fn over(visitor: &Visitor) -> Result<Response, Fault> {
    let mut f = Frame::new(visitor.words, visitor.words.set_up);
    f.notices.push(Notice::bad(visitor.words.link_over));
    let page = page::html(&Codes { f, codes: Vec::new() })?;
    Ok((StatusCode::NOT_FOUND, page).into_response())
}

fn form(visitor: &Visitor, link: &SetupLink, wrong: Option<&str>) -> Result<Response, Fault> {
    let mut f = Frame::new(visitor.words, visitor.words.set_up);
    f.notices.extend(wrong.map(Notice::bad));
    let site = page::site(visitor.values.text("panel_url"));
    let uri = totp::uri(&link.totp_secret, &site, &link.user);
    let picture = qr::svg(&uri, visitor.words.qr_name).unwrap_or_default();
    let letters: Vec<char> = link.totp_secret.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    let page = page::html(&Page { f, name: link.user.clone(), picture, key: groups.join(" ") })?;
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, page).into_response())
}

/// Stores what the user has chosen, and shows the recovery codes.
pub(super) async fn set_up(
    State(panel): State<Arc<Panel>>,
    visitor: Visitor,
    Path(text): Path<String>,
    OpenForm(fields): OpenForm,
) -> Result<Response, Fault> {
    let Some(link) = link(&panel, &visitor, &text).await? else { return over(&visitor) };
    let (chosen, again) = (fields.exact("password"), fields.exact("again"));
    if let Err(why) = check_new(visitor.words, &visitor.values, &link.user, chosen, again) {
        return form(&visitor, &link, Some(why));
    }
    let Some(step) = totp::step_of(&link.totp_secret, fields.text("code"), clock::unix_time()) else {
        failed_logins::note(&panel.app, visitor.address, "code", &link.user);
        return form(&visitor, &link, Some(visitor.words.wrong_code));
    };
    let (codes, recovery) = recovery::new_codes()?;
    let proof = Proof {
        password: proof::hash(&panel, chosen).await?,
        set: clock::now(),
        totp_secret: link.totp_secret.clone(),
        totp_last_step: step,
        recovery,
    };
    if !take(&panel, &visitor, &text, &proof).await? {
        return over(&visitor);
    }
    log::info!("panel_user_set_up address={} user={}", visitor.address, link.user);
    page::html(&Codes { f: Frame::new(visitor.words, visitor.words.codes), codes })
}

/// Stores the user's password and keys, if the link is still valid.
async fn take(panel: &Panel, visitor: &Visitor, text: &str, proof: &Proof) -> Result<bool, Fault> {
    let db = &panel.app.db;
    let Some(link) = setup_links::get(&mut *db.snapshot().await?, &hash_of(text)).await? else {
        return Ok(false);
    };
    let Some(user) = users::get(&mut *db.snapshot().await?, &link.user).await? else { return Ok(false) };
    let author = Author::of_user(&user, visitor.address);
    let mut act = Act::begin_unseen(db, Order::of(author, "panel set-up")).await?;
    // Acts run one at a time. If two requests use the same link, the second one does not find it any more.
    if setup_links::get(&mut act, &hash_of(text)).await?.is_none() {
        return Ok(false);
    }
    users::prove(&mut act, &link.user, Some(proof)).await?;
    users::unlock(&mut act, &link.user).await?;
    setup_links::remove(&mut act, &link.user).await?;
    act.commit().await?;
    Ok(true)
}

/// The reason why a new password is rejected.
pub(super) fn check_new(
    words: &'static Words,
    values: &Values,
    user: &str,
    chosen: &str,
    again: &str,
) -> Result<(), &'static str> {
    let site = page::site(values.text("panel_url"));
    password::check(chosen, user, &[&site, "os4x", "smartproxy"]).map_err(|why| match why {
        Weakness::Length => words.weak_length,
        Weakness::Name => words.weak_name,
        Weakness::Common => words.weak_common,
    })?;
    if chosen == again { Ok(()) } else { Err(words.not_the_same) }
}

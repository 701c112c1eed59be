//! The confirmation page before a dangerous action. It says what the action would do. If the action cannot be undone,
//! the user has to type a word; and the user has to enter password and code, unless that was done a short time ago.
//! The page carries the fields of the original form along and sends them to the same address again.

use super::Panel;
use super::fields::{Fields, TOKEN};
use super::form::{Field, FormBlock, Shape};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame};
use super::proof::{self, Given};
use crate::store::panel_sessions;
use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use common::text::clock;

/// Seconds for which a user who has entered password and code is not asked again.
const PROVEN: i64 = 600;

const CONFIRMED: &str = "confirmed";
const TYPED: &str = "typed";
pub(super) const PASSWORD: &str = "present_password";
const CODE: &str = "present_code";

/// An action that the user has to confirm.
#[derive(Default)]
pub(super) struct Look<'a> {
    /// The name of the action.
    pub(super) title: String,
    /// What the action means.
    pub(super) meanings: Vec<String>,
    /// Whether the page shows what the action would change.
    pub(super) shows_effect: bool,
    /// That, in the lines that a command prints with `--dry-run`.
    pub(super) lines: Vec<String>,
    /// The word that the user has to type.
    pub(super) typed: Option<&'a str>,
    /// Whether the user has to enter password and code, unless that was done a short time ago.
    pub(super) needs_proof: bool,
    /// The page to go back to without doing it.
    pub(super) back: &'a str,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Page<'a> {
    f: Frame,
    look: &'a Look<'a>,
    action: String,
    token: String,
    user: String,
    hidden: Vec<(String, String)>,
    asks_proof: bool,
    wrong_word: bool,
    wrong_proof: bool,
}

impl Page<'_> {
    fn typed_label(&self) -> String {
        let Self { f, look, .. } = self;
        format!("{} {}", f.w.type_to_confirm, look.typed.unwrap_or_default())
    }
}

/// Lets the form of a page that already shows everything count as the confirmation. Returns the fields that the form
/// needs for that.
pub(super) fn fields(who: &SignedIn, form: &mut FormBlock) -> Vec<Field> {
    let w = who.0.words;
    form.hidden.push((CONFIRMED, "yes".to_owned()));
    if who.1.session.proven_until > clock::now() {
        return Vec::new();
    }
    vec![
        Field::of(Shape::Password, PASSWORD, w.present_password, "").with(w.prove_again),
        Field::text(CODE, w.code, "").with(w.code_hint),
    ]
}

/// Whether the user has proven who it is: with password and code in this form, or a short time ago.
pub(super) async fn is_proven(panel: &Panel, who: &SignedIn, fields: &Fields) -> Result<bool, Fault> {
    let SignedIn(visitor, known) = who;
    if known.session.proven_until > clock::now() {
        return Ok(true);
    }
    let given = Given { name: &known.user.name, password: fields.exact(PASSWORD), code: fields.text(CODE) };
    let is_proven = proof::prove(panel, visitor, &given).await?.is_some();
    if is_proven {
        let (hash, until) = (&known.session.hash, clock::now() + PROVEN);
        panel.note(async |connection| panel_sessions::prove(connection, hash, until).await).await?;
    }
    Ok(is_proven)
}

/// `None` if the user has confirmed the action, so it may be done. Otherwise the confirmation page.
pub(super) async fn pass(
    panel: &Panel,
    who: &SignedIn,
    fields: &Fields,
    look: &Look<'_>,
) -> Result<Option<Response>, Fault> {
    let SignedIn(visitor, known) = who;
    let is_asked = fields.text(CONFIRMED) == "yes";
    let is_typed = look.typed.is_none_or(|word| fields.text(TYPED) == word);
    let is_fresh = !look.needs_proof || known.session.proven_until > clock::now();
    // Check the word first: a wrong word must not use up a code of the app.
    let is_proven = is_fresh || (is_asked && is_typed && is_proven(panel, who, fields).await?);
    if is_asked && is_typed && is_proven {
        return Ok(None);
    }
    let page = page::html(&Page {
        f: Frame::for_user(visitor, known, &look.title),
        look,
        action: visitor.at.clone(),
        token: known.form_token.clone(),
        user: known.user.name.clone(),
        hidden: fields.without(&[CONFIRMED, TYPED, PASSWORD, CODE, TOKEN]),
        asks_proof: !is_fresh,
        wrong_word: is_asked && !is_typed,
        wrong_proof: is_asked && is_typed && !is_proven,
    })?;
    let status = if is_asked { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(Some((status, page).into_response()))
}

//! The keys of programs: a list with their limits and their last use, and a form that makes one, which is shown only
//! once. Operators do not see this page.

use super::act::{Outcome, Reach, refusal};
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Shape, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice, role_word};
use super::parts::{Part, PartsPage};
use super::rights::Right;
use super::second_look::Look;
use super::table::{Button, Cell, Column, Table};
use super::words::Words;
use super::{Panel, audit};
use crate::change::Act;
use crate::change::api_keys::{self as change, NewKey};
use crate::date;
use crate::store::api_keys::{self, ApiKey, Scope};
use crate::store::users::Role;
use axum::extract::State;
use axum::response::Response;
use common::text::clock;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/keys";
/// The path of the form that removes a key.
pub(super) const REMOVE: &str = "/keys/remove";

/// The page.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    fields: Fields,
) -> Result<Response, Fault> {
    page_with(&panel, &who, &fields, None).await
}

async fn page_with(
    panel: &Panel,
    who: &SignedIn,
    fields: &Fields,
    rejected: Option<&Rejected>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    if !audit::is_for(known.user.role) {
        return Err(Fault::Role);
    }
    let w = visitor.words;
    let all = api_keys::all(&mut *panel.app.db.snapshot().await?).await?;
    let mut f = Frame::for_user(visitor, known, w.api_keys);
    f.notices.extend(page::done(w, fields));
    let table = Table {
        part: "keys",
        caption: w.api_keys.to_owned(),
        columns: vec![
            Column::text(w.name),
            Column::text(w.role),
            Column::wide(w.scopes),
            Column::text(w.networks),
            Column::time(w.valid_until),
            Column::text(w.state),
            Column::time(w.last_used),
            Column::text(w.created_by),
            Column::text(w.what_can_be_done),
        ],
        rows: all.iter().map(|key| row(who, key)).collect(),
        empty: w.no_api_keys,
    };
    let mut parts = vec![Part::table(w.api_keys, table)];
    if who.may(Right::Administer) {
        let mut form = FormBlock::new(known, w, PATH, w.add).with("", form_fields(w)).rejected(rejected);
        form.id = "add-";
        parts.push(Part::form("add", w.add_api_key, form));
    }
    PartsPage { f, parts }.respond(rejected.is_some())
}

fn form_fields(w: &'static Words) -> Vec<Field> {
    let roles = Role::ALL.map(|role| (role.word().to_owned(), role_word(w, role).to_owned()));
    let scopes = Scope::ALL.map(|scope| (scope.word().to_owned(), scope_words(w, scope)));
    vec![
        Field::text("name", w.name, "").with(w.api_key_name_hint),
        Field::of(Shape::Choice(roles.into()), "role", w.role, "auditor").with(w.role_hint),
        Field::of(Shape::Boxes(scopes.into()), "scope", w.scopes, ""),
        Field::of(Shape::Lines, "networks", w.networks, "").with(w.api_key_networks_hint),
        Field::of(Shape::Day, "until", w.valid_until, "").with(w.api_key_until_hint),
    ]
}

/// The word of a scope, as the commands use it, and its meaning.
fn scope_words(w: &'static Words, scope: Scope) -> String {
    let meaning = match scope {
        Scope::Read => w.scope_read,
        Scope::Partners => w.scope_partners,
        Scope::Trust => w.scope_trust,
        Scope::Settings => w.scope_settings,
        Scope::Sessions => w.scope_sessions,
        Scope::Revert => w.scope_revert,
        Scope::Metrics => w.scope_metrics,
        Scope::Calendar => w.scope_calendar,
    };
    format!("{}: {meaning}", scope.word())
}

fn row(who: &SignedIn, key: &ApiKey) -> Vec<Cell> {
    let w = who.0.words;
    let state = if key.condition(clock::now()) == "good" {
        Cell::state(w.good, "good")
    } else {
        Cell::state(w.over, "bad")
    };
    let (used, from) = key.used.clone().unzip();
    let remove = || Button::new(&who.1, REMOVE, w.remove, &key.name).with("name", &key.name);
    vec![
        Cell::text(&key.name),
        Cell::text(role_word(w, key.role)),
        Cell::text(key.scope_words().join(", ")),
        Cell::maybe(Some(key.network_texts().join(", "))),
        Cell::text(page::time(key.until)),
        state,
        Cell::maybe(used.map(page::time)).with(from.unwrap_or_default()),
        Cell::text(&key.created_by),
        Cell::buttons(who.may(Right::Administer).then(remove)),
    ]
}

/// Makes a key after a confirmation, and shows it once.
pub(super) async fn add(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let name = fields.text("name");
    let role = Role::of_word(fields.text("role")).ok_or(Fault::Form)?;
    let (scopes, networks, until) = match limits(w, &fields) {
        Ok(limits) => limits,
        Err(wrong) => {
            let rejected = Rejected::wrong(&fields, wrong);
            return page_with(&panel, &who, &Fields::default(), Some(&rejected)).await;
        }
    };
    let title = format!("{}: {name}, {}", w.add_api_key, role_word(w, role));
    let look = Look { title, needs_proof: true, back: PATH, ..Look::default() };
    let act = (Reach::Backend, who.order("key add", &Fields::default()));
    let (scopes, networks) = (&scopes, &networks);
    let add = async |act: &mut Act| {
        let new = NewKey { name, role, scopes: scopes.clone(), networks: networks.clone(), until };
        change::add(act, new).await
    };
    match panel.act_confirmed(&who, &fields, act, look, add).await? {
        Outcome::Done((text, key)) => shown(&who, &text, &key),
        Outcome::Confirm(page) => Ok(page),
        Outcome::Refused(why) => {
            let rejected = Rejected::refused(&fields, refusal(w, &why));
            page_with(&panel, &who, &Fields::default(), Some(&rejected)).await
        }
    }
}

/// Scopes, networks and end of a key.
type Limits = (Vec<Scope>, Vec<common::net::Network>, Option<i64>);

/// The limits in the form, or what is wrong with them.
fn limits(w: &'static Words, fields: &Fields) -> Result<Limits, Vec<Wrong>> {
    let mut wrong = Vec::new();
    if change::name_of(fields.text("name")).is_err() {
        wrong.push(Wrong::new("name", w.api_key_name_hint));
    }
    let scopes = change::scopes_of(&fields.all("scope").join(" ")).unwrap_or_default();
    if scopes.is_empty() {
        wrong.push(Wrong::new("scope", w.needs_scope));
    }
    let networks =
        change::networks_of(&fields.text("networks").split_whitespace().collect::<Vec<_>>().join(" "));
    if networks.is_err() {
        wrong.push(Wrong::new("networks", w.api_key_networks_hint));
    }
    let day = fields.text("until");
    let until = date::end(day);
    if !day.is_empty() && until.is_none_or(|until| until < clock::now()) {
        wrong.push(Wrong::new("until", w.api_key_until_hint));
    }
    if wrong.is_empty() { Ok((scopes, networks.unwrap_or_default(), until)) } else { Err(wrong) }
}

/// The page with the new key.
fn shown(who: &SignedIn, text: &str, key: &ApiKey) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let mut f = Frame::for_user(visitor, known, w.new_api_key);
    f.notices.push(Notice::good(w.api_key_shown_once));
    let facts = vec![
        (w.name, Cell::text(&key.name)),
        (w.new_api_key, Cell::text(text)),
        (w.valid_until, Cell::text(page::time(key.until))),
    ];
    let url = visitor.values.text("panel_url").trim_end_matches('/');
    let lines = vec![format!("curl -H 'Authorization: Bearer {text}' {url}/api/v1/status")];
    page::html(&PartsPage {
        f,
        parts: vec![Part::facts("key", w.facts, facts), Part::lines("lines", w.for_programs, lines)],
    })
}

/// Removes a key after a confirmation.
pub(super) async fn remove(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let name = fields.text("name");
    let look = Look {
        title: format!("{}: {name}", w.remove),
        meanings: vec![w.remove_api_key_meaning.to_owned()],
        needs_proof: true,
        back: PATH,
        ..Look::default()
    };
    let act = (Reach::Backend, who.order("key remove", &fields));
    let remove = async |act: &mut Act| change::remove(act, name).await;
    panel.act_confirmed(&who, &fields, act, look, remove).await?.respond(&who, PATH, "removed")
}

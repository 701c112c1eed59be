//! The users of the panel: a list with their states, and forms that add users, change roles, and help users who
//! cannot log in. A one-time link is shown only once. Operators do not see this page.

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
use crate::change::users::{self as change, NewLink};
use crate::change::{Act, ChangeError};
use crate::settings::yes_no;
use crate::store::setup_links;
use crate::store::users::{self, Role, User};
use axum::extract::State;
use axum::response::Response;
use common::text::clock;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/users";
/// The path of the form that changes a role, and enables or disables a user.
pub(super) const SET: &str = "/users/set";
/// The path of the form that requests a new link.
pub(super) const RESET: &str = "/users/reset";
/// The path of the form that unlocks a user.
pub(super) const UNLOCK: &str = "/users/unlock";
/// The path of the form that removes a user.
pub(super) const REMOVE: &str = "/users/remove";

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
    let mut snapshot = panel.app.db.snapshot().await?;
    let all = users::all(&mut snapshot).await?;
    let links = setup_links::all(&mut snapshot).await?.into_iter();
    let links: BTreeMap<String, i64> = links.map(|link| (link.user, link.until)).collect();
    drop(snapshot);
    let mut f = Frame::for_user(visitor, known, w.users);
    f.notices.extend(page::done(w, fields));
    let table = Table {
        part: "users",
        caption: w.users.to_owned(),
        columns: vec![
            Column::text(w.name),
            Column::text(w.role),
            Column::text(w.state),
            Column::time(w.last_login_at),
            Column::number(w.failed_logins),
            Column::text(w.what_can_be_done),
        ],
        rows: all.iter().map(|user| row(who, user, links.get(&user.name).copied())).collect(),
        empty: "",
    };
    let mut parts = vec![Part::table(w.users, table)];
    if who.may(Right::Administer) {
        let mut form = FormBlock::new(known, w, PATH, w.add).with("", form_fields(w)).rejected(rejected);
        form.id = "add-";
        parts.push(Part::form("add", w.add_user, form));
        let names = all.iter().map(|user| (user.name.clone(), user.name.clone())).collect();
        let fields = vec![
            Field::of(Shape::Choice(names), "name", w.user_name, ""),
            Field::of(Shape::Choice(roles(w)), "role", w.role, "auditor").with(w.role_hint),
        ];
        let mut form = FormBlock::new(known, w, SET, w.save).with("", fields);
        form.id = "set-";
        parts.push(Part::form("set", w.change_role, form));
    }
    PartsPage { f, parts }.respond(rejected.is_some())
}

fn form_fields(w: &'static Words) -> Vec<Field> {
    vec![
        Field::text("name", w.user_name, "").with(w.user_name_hint),
        Field::of(Shape::Choice(roles(w)), "role", w.role, "auditor").with(w.role_hint),
    ]
}

fn roles(w: &'static Words) -> Vec<(String, String)> {
    Role::ALL.iter().map(|role| (role.word().to_owned(), role_word(w, *role).to_owned())).collect()
}

fn row(who: &SignedIn, user: &User, link: Option<i64>) -> Vec<Cell> {
    let w = who.0.words;
    let button = |action, word| Button::new(&who.1, action, word, &user.name).with("name", &user.name);
    let (word, is_enabled) = if user.enabled { (w.disable, "no") } else { (w.enable, "yes") };
    let state = match user.condition(link, clock::now()) {
        "good" => Cell::state(w.good, "good"),
        "disabled" => Cell::state(w.disabled, "warn"),
        "locked" => Cell::state(w.locked, "bad"),
        "invited" => Cell::state(w.invited, "warn"),
        _ => Cell::state(w.not_set_up, "warn"),
    };
    let mut buttons = Vec::new();
    if who.may(Right::Administer) {
        buttons.push(button(RESET, w.new_link));
        buttons.extend((user.failed > 0).then(|| button(UNLOCK, w.unlock)));
        buttons.push(button(SET, word).with("enabled", is_enabled));
        buttons.push(button(REMOVE, w.remove));
    }
    vec![
        Cell::text(&user.name),
        Cell::text(role_word(w, user.role)),
        state,
        Cell::maybe(user.last_login.map(page::time)).with(user.last_address.as_deref().unwrap_or_default()),
        Cell::text(user.failed),
        Cell::buttons(buttons),
    ]
}

/// Adds a user, and shows the one-time link once.
pub(super) async fn add(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let name = fields.text("name");
    let role = Role::of_word(fields.text("role")).ok_or(Fault::Form)?;
    if change::name_of(name).is_err() {
        let rejected = Rejected::wrong(&fields, vec![Wrong::new("name", w.user_name_hint)]);
        return page_with(&panel, &who, &Fields::default(), Some(&rejected)).await;
    }
    let title = format!("{}: {name}, {}", w.add_user, role_word(w, role));
    let add = async |act: &mut Act| change::add(act, name, role).await;
    let made = confirmed(&panel, &who, &fields, ("user add", title, ""), add).await?;
    link_or_refusal(&panel, &who, &fields, made).await
}

/// Replaces the user's password, keys and codes with a new one-time link, and shows the link once.
pub(super) async fn reset(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let name = fields.text("name");
    let reset = async |act: &mut Act| change::reset(act, name).await;
    let title = format!("{}: {name}", w.new_link);
    let made = confirmed(&panel, &who, &fields, ("user reset", title, w.reset_meaning), reset).await?;
    link_or_refusal(&panel, &who, &fields, made).await
}

/// Shows the new link once.
async fn link_or_refusal(
    panel: &Panel,
    who: &SignedIn,
    fields: &Fields,
    made: Outcome<NewLink>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let link = match made {
        Outcome::Done(link) => link,
        Outcome::Confirm(page) => return Ok(page),
        Outcome::Refused(why) => {
            let rejected = Rejected::refused(fields, refusal(who.0.words, &why));
            return page_with(panel, who, &Fields::default(), Some(&rejected)).await;
        }
    };
    let mut f = Frame::for_user(visitor, known, w.link_made);
    f.notices.push(Notice::good(w.link_intro));
    let url = visitor.values.text("panel_url").trim_end_matches('/');
    let facts = vec![
        (w.user_name, Cell::text(fields.text("name"))),
        (w.link_made, Cell::text(format!("{url}/setup/{}", link.text))),
        (w.valid_until, Cell::text(page::time(link.until))),
    ];
    page::html(&PartsPage { f, parts: vec![Part::facts("link", w.facts, facts)] })
}

/// Changes the role of a user, or enables or disables the user.
pub(super) async fn set(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    let (role, enabled) = (Role::of_word(fields.text("role")), yes_no(fields.text("enabled")));
    let name = fields.text("name");
    let set = async |act: &mut Act| change::set(act, name, role, enabled).await;
    do_it(&panel, &who, &fields, ("user set", who.0.words.change_role, ""), set).await
}

/// Unlocks a user at once.
pub(super) async fn unlock(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    let name = fields.text("name");
    let unlock = async |act: &mut Act| change::unlock(act, name).await;
    do_it(&panel, &who, &fields, ("user unlock", who.0.words.unlock, ""), unlock).await
}

/// Removes a user.
pub(super) async fn remove(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    let w = who.0.words;
    let name = fields.text("name");
    let remove = async |act: &mut Act| change::remove(act, name).await;
    do_it(&panel, &who, &fields, ("user remove", w.remove, w.remove_user_meaning), remove).await
}

/// Changes the user of the form, after a confirmation.
async fn do_it(
    panel: &Panel,
    who: &SignedIn,
    fields: &Fields,
    (act, word, meaning): (&'static str, &'static str, &'static str),
    change: impl AsyncFnOnce(&mut Act) -> Result<User, ChangeError> + Copy,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let title = format!("{word}: {}", fields.text("name"));
    confirmed(panel, who, fields, (act, title, meaning), change).await?.respond(who, PATH, "saved")
}

/// Makes a change of the users, after a confirmation with this title.
async fn confirmed<T>(
    panel: &Panel,
    who: &SignedIn,
    fields: &Fields,
    (act, title, meaning): (&'static str, String, &'static str),
    change: impl AsyncFnOnce(&mut Act) -> Result<T, ChangeError> + Copy,
) -> Result<Outcome<T>, Fault> {
    let meanings = Some(meaning.to_owned()).filter(|text| !text.is_empty()).into_iter().collect();
    let look = Look { title, meanings, needs_proof: true, back: PATH, ..Look::default() };
    panel.act_confirmed(who, fields, (Reach::Backend, who.order(act, fields)), look, change).await
}

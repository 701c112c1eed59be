//! The block 'Log message ignore configuration' of the page Proxy: the entries that the system log ignores, and until
//! when.

use super::Panel;
use super::act::{Outcome, Reach, refusal};
use super::configuration::{PROXY, again};
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Shape, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault, saved};
use super::parts::{self, Part};
use super::rights::Right;
use super::second_look::Look;
use super::table::{Button, Cell, Column, Table};
use super::words::Words;
use crate::change::{ignores as change, values};
use crate::date;
use crate::store::ignores::{self, Ignore};
use axum::extract::State;
use axum::response::Response;
use common::net::Network;
use common::process::end_reasons::Status;
use common::rpc::SystemLog;
use common::text::clock::{self, DAY};
use std::sync::Arc;

/// The path of the form that adds an entry.
pub(super) const ADD: &str = "/configuration/proxy/ignores";
/// The path of the form that removes an entry.
pub(super) const REMOVE: &str = "/configuration/proxy/ignores/remove";
/// The prefix of the fields of this form, which distinguishes them from other fields of the page.
pub(super) const FORM: &str = "ignore-";

/// The fields of the page's address that fill in the form.
const LIKE_TEXT: &str = "ignore_text";
const LIKE_REASON: &str = "ignore_reason";

/// The address of the page with the form filled in to ignore entries like this: by our own words and the reason, never
/// by a value of a peer.
pub(super) fn like(entry: &SystemLog) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(LIKE_TEXT, &entry.text).append_pair(LIKE_REASON, &entry.about.reason);
    format!("{PROXY}?{}#ignore-add", query.finish())
}

/// Days that a new entry is valid by default.
const DAYS: i64 = 30;

/// The parts of the page about these entries.
pub(super) async fn parts(
    connection: &mut sqlx::AnyConnection,
    who: &SignedIn,
    like: &Fields,
    rejected: Option<&Rejected>,
) -> Result<Vec<Part>, Fault> {
    let w = who.0.words;
    let all = ignores::all(connection).await?;
    let may = who.may(Right::Operate);
    let table = Table {
        part: "ignores",
        caption: w.block_ignores.to_owned(),
        columns: vec![
            Column::number(w.number),
            Column::text(w.description),
            Column::text(w.text),
            Column::text(w.partner),
            Column::text(w.address),
            Column::text(w.reason),
            Column::time(w.valid_until),
            Column::text(w.what_can_be_done),
        ],
        rows: all.iter().map(|ignore| row(who, ignore, may)).collect(),
        empty: w.no_ignores,
    };
    let mut parts = vec![Part::table(w.block_ignores, table)];
    if may {
        let mut form = FormBlock::new(&who.1, w, ADD, w.add);
        form.id = FORM;
        parts.push(Part::form("ignore-add", w.add_ignore, form.with("", fields(w, like)).rejected(rejected)));
    }
    Ok(parts)
}

/// The fields, filled in with what the address of the page says: an entry of the system log leads here.
fn fields(w: &'static Words, like: &Fields) -> Vec<Field> {
    let reasons = Status::ALL.iter().map(|status| (status.word().to_owned(), status.word().to_owned()));
    let reasons = [(String::new(), w.all.to_owned())].into_iter().chain(reasons).collect();
    let until: String = clock::rfc3339(clock::now() + DAYS * DAY).chars().take(10).collect();
    vec![
        Field::text("description", w.description, "").with(w.description_hint),
        Field::text("text", w.text, like.text(LIKE_TEXT)).with(w.ignore_text_hint),
        Field::text("partner", w.partner, "").with(w.ignore_partner_hint),
        Field::text("address", w.address, "").with(w.ignore_address_hint),
        Field::of(Shape::Choice(reasons), "reason", w.reason, like.text(LIKE_REASON)),
        Field::of(Shape::Day, "until", w.valid_until, until).with(w.until_hint),
    ]
}

fn row(who: &SignedIn, ignore: &Ignore, may: bool) -> Vec<Cell> {
    let remove = || {
        Button::new(&who.1, REMOVE, who.0.words.remove, ignore.id.to_string())
            .with("id", ignore.id.to_string())
    };
    vec![
        Cell::text(ignore.id),
        Cell::maybe(Some(&ignore.description)),
        Cell::maybe(Some(&ignore.text)),
        Cell::maybe(ignore.partner.as_deref()),
        Cell::maybe(ignore.address.as_deref()),
        Cell::maybe(ignore.reason.as_deref()),
        Cell::text(page::time(ignore.valid_until)),
        Cell::buttons(may.then(remove)),
    ]
}

/// The entry of the submitted form, or the errors of its fields.
fn ignore(w: &'static Words, fields: &Fields) -> Result<Ignore, Vec<Wrong>> {
    let some = |name| Some(fields.text(name).to_owned()).filter(|text| !text.is_empty());
    let network = some("address").map(|text| text.parse::<Network>());
    let valid_until = date::end(fields.text("until")).filter(|until| *until > clock::now());
    let ignore = Ignore {
        id: 0,
        description: fields.text("description").to_owned(),
        text: fields.text("text").to_owned(),
        partner: some("partner"),
        address: network.as_ref().and_then(|network| Some(network.as_ref().ok()?.to_string())),
        reason: some("reason"),
        valid_until: valid_until.unwrap_or_default(),
    };
    let mut wrong = Vec::new();
    if values::is_too_wide(&ignore) {
        wrong.push(Wrong::new("text", w.ignore_text_hint));
    }
    if network.is_some_and(|network| network.is_err()) {
        wrong.push(Wrong::new("address", w.ignore_address_hint));
    }
    if valid_until.is_none() {
        wrong.push(Wrong::new("until", w.needs_day_to_come));
    }
    if wrong.is_empty() { Ok(ignore) } else { Err(wrong) }
}

/// Adds an entry.
pub(super) async fn add(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Operate)?;
    let ignore = match ignore(who.0.words, &fields) {
        Ok(ignore) => ignore,
        Err(wrong) => return again(&panel, &who, FORM, &Rejected::wrong(&fields, wrong)).await,
    };
    let w = who.0.words;
    let effect = change::effect(&mut *panel.app.db.snapshot().await?, &ignore).await?;
    let look = Look {
        title: w.add_ignore.to_owned(),
        meanings: vec![format!("{} {} {} {}.", w.would_have_hidden, effect.hit, w.out_of, effect.of)],
        back: PROXY,
        ..Look::default()
    };
    let act = (Reach::Backend, who.order("ignore add", &fields));
    match panel.act_confirmed(&who, &fields, act, look, async |act| change::add(act, &ignore).await).await? {
        Outcome::Refused(why) => {
            again(&panel, &who, FORM, &Rejected::refused(&fields, refusal(w, &why))).await
        }
        outcome => outcome.respond(&who, PROXY, "added"),
    }
}

/// Removes an entry.
pub(super) async fn remove(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Operate)?;
    let id = fields.text("id").parse().map_err(|_| Fault::Form)?;
    let order = who.order("ignore remove", &fields);
    match panel.act(Reach::Backend, order, async |act| Ok(ignores::remove(act, id).await?)).await? {
        Ok(_) => Ok(saved(PROXY, "removed")),
        Err(why) => parts::refused(&who, &refusal(who.0.words, &why), PROXY),
    }
}

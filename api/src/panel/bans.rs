//! The bans, on the page Proxy: networks whose connections the servers refuse, the form that adds a ban after a look at
//! whom it hits, and the button that lifts a ban.

use super::Panel;
use super::act::{Outcome, Reach, refusal};
use super::configuration::{PROXY, again};
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Shape, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault};
use super::parts::Part;
use super::rights::Right;
use super::second_look::Look;
use super::table::{Button, Cell, Column, Table};
use super::words::Words;
use crate::change::Act;
use crate::change::bans::{self as change, Effect, LONGEST};
use crate::change::network::{self, NetworkFault};
use crate::date;
use crate::store::bans::{self, Ban};
use axum::extract::State;
use axum::response::Response;
use common::net::Network;
use common::text::clock;
use std::sync::Arc;

/// The path of the form that adds a ban.
pub(super) const ADD: &str = "/configuration/proxy/bans";
/// The prefix of the fields of this form, which distinguishes them from other fields of the page.
pub(super) const FORM: &str = "ban-";
/// The path of the form that lifts a ban.
pub(super) const REMOVE: &str = "/configuration/proxy/bans/remove";

/// The parts of the page about the bans.
pub(super) async fn parts(
    connection: &mut sqlx::AnyConnection,
    who: &SignedIn,
    rejected: Option<&Rejected>,
) -> Result<Vec<Part>, Fault> {
    let w = who.0.words;
    let may = who.may(Right::Administer);
    let table = Table {
        part: "bans",
        caption: w.bans.to_owned(),
        columns: vec![
            Column::text(w.banned_network),
            Column::time(w.valid_until),
            Column::time(w.added),
            Column::wide(w.description),
            Column::text(w.what_can_be_done),
        ],
        rows: bans::all(connection).await?.iter().map(|ban| row(who, ban, may)).collect(),
        empty: w.no_bans,
    };
    let mut parts = vec![Part::table(w.bans, table)];
    if may {
        let mut form = FormBlock::new(&who.1, w, ADD, w.add);
        form.id = FORM;
        let fields = vec![
            Field::text("network", w.banned_network, "").with(w.ban_network_hint),
            Field::of(Shape::Day, "until", w.valid_until, "").with(w.ban_until_hint),
            Field::text("description", w.description, "").with(w.ban_description_hint),
        ];
        parts.push(Part::form("ban-add", w.add_ban, form.with("", fields).rejected(rejected)));
    }
    Ok(parts)
}

/// The ban of the submitted form, or the errors of its fields.
fn ban(w: &'static Words, fields: &Fields) -> Result<(Network, Ban), Vec<Wrong>> {
    let network = network::parse(fields.text("network"));
    let (day, description) = (fields.text("until"), fields.text("description"));
    let until = date::end(day).filter(|until| *until > clock::now());
    let mut wrong = Vec::new();
    match &network {
        Err(NetworkFault::HostBits { host, network }) => {
            let text = format!("{} {network}. {} {host}.", w.has_host_bits, w.only_this_host);
            wrong.push(Wrong::new("network", text));
        }
        Err(_) => wrong.push(Wrong::new("network", w.ban_network_hint)),
        Ok(_) => {}
    }
    if !day.is_empty() && until.is_none() {
        wrong.push(Wrong::new("until", w.needs_day_to_come));
    }
    if description.chars().count() > LONGEST {
        wrong.push(Wrong::new("description", w.ban_description_hint));
    }
    match network {
        Ok(network) if wrong.is_empty() => {
            let (description, created) = (description.to_owned(), clock::now());
            Ok((network, Ban { network: network.to_string(), until, description, created }))
        }
        _ => Err(wrong),
    }
}

/// What a ban means, and whom it hits.
fn meanings(w: &'static Words, effect: &Effect) -> Vec<String> {
    let names = |words: &str, names: Vec<String>| format!("{words} {}.", names.join(", "));
    let mut all = vec![w.ban_meaning.to_owned()];
    for (words, partners) in [(w.ban_listed, &effect.listed), (w.ban_came, &effect.came)] {
        if !partners.is_empty() {
            all.push(names(words, partners.iter().cloned().collect()));
        }
    }
    if all.len() == 1 {
        all.push(w.ban_hits_nobody.to_owned());
    }
    if effect.running > 0 {
        all.push(format!("{} {}.", w.ban_running, effect.running));
    }
    if !effect.clients.is_empty() {
        all.push(names(w.ban_clients, effect.clients.iter().map(ToString::to_string).collect()));
    }
    all
}

/// Adds a ban, after a look at whom it hits.
pub(super) async fn add(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let (network, ban) = match ban(w, &fields) {
        Ok(found) => found,
        Err(wrong) => return again(&panel, &who, FORM, &Rejected::wrong(&fields, wrong)).await,
    };
    let effect = change::effect(&mut *panel.app.db.snapshot().await?, &network).await?;
    let look = Look {
        title: format!("{}: {}", w.add_ban, ban.network),
        meanings: meanings(w, &effect),
        back: PROXY,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("ban add", &fields));
    match panel.act_confirmed(&who, &fields, act, look, async |act| change::add(act, &ban).await).await? {
        Outcome::Refused(why) => {
            again(&panel, &who, FORM, &Rejected::refused(&fields, refusal(w, &why))).await
        }
        outcome => outcome.respond(&who, PROXY, "added"),
    }
}

fn row(who: &SignedIn, ban: &Ban, may: bool) -> Vec<Cell> {
    let remove =
        || Button::new(&who.1, REMOVE, who.0.words.lift_ban, &ban.network).with("network", &ban.network);
    vec![
        Cell::text(&ban.network),
        Cell::maybe(ban.until.map(page::time)),
        Cell::text(page::time(ban.created)),
        Cell::maybe(Some(&ban.description)),
        Cell::buttons(may.then(remove)),
    ]
}

/// Lifts a ban, after a confirmation.
pub(super) async fn remove(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let network = fields.text("network");
    let look = Look {
        title: format!("{}: {network}", w.lift_ban),
        meanings: vec![w.lift_ban_meaning.to_owned()],
        shows_effect: true,
        back: PROXY,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("ban remove", &fields));
    let remove = async |act: &mut Act| Ok(bans::remove(act, network).await?);
    panel.act_confirmed(&who, &fields, act, look, remove).await?.respond(&who, PROXY, "removed")
}

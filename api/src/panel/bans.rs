//! The bans, on the page Proxy: networks whose connections the servers refuse, and the button that lifts a ban.

use super::Panel;
use super::act::Reach;
use super::configuration::PROXY;
use super::fields::Form;
use super::gate::SignedIn;
use super::page::{self, Fault};
use super::parts::Part;
use super::rights::Right;
use super::second_look::Look;
use super::table::{Button, Cell, Column, Table};
use crate::change::Act;
use crate::store::bans::{self, Ban};
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

/// The path of the form that lifts a ban.
pub(super) const REMOVE: &str = "/configuration/proxy/bans/remove";

/// The part of the page about the bans.
pub(super) async fn part(connection: &mut sqlx::AnyConnection, who: &SignedIn) -> Result<Part, Fault> {
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
    Ok(Part::table(w.bans, table))
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

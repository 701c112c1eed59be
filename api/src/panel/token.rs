//! The field 'OS4X Proxy client security token' of the page Proxy. The page never shows the present token. It shows
//! only a new one, once, with the lines that a client needs.

use super::Panel;
use super::act::{Outcome, Reach};
use super::configuration::PROXY;
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Shape};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice};
use super::parts::{Part, PartsPage};
use super::rights::Right;
use super::second_look::Look;
use super::table::Cell;
use crate::change::Act;
use crate::change::token::{self, Rotated};
use crate::store::{audit, journal, versions};
use axum::extract::State;
use axum::response::Response;
use common::text::clock::{self, DAY};
use std::sync::Arc;

/// The path of the form that requests a new token.
pub(super) const ROTATE: &str = "/configuration/proxy/token";
/// The word that the user has to type for that.
const WORD: &str = "rotate";
/// Days for which the old token may still work together with the new one.
const OVERLAPS: [i64; 5] = [0, 1, 2, 7, 30];

/// The parts of the page about the token.
pub(super) async fn parts(connection: &mut sqlx::AnyConnection, who: &SignedIn) -> Result<Vec<Part>, Fault> {
    let w = who.0.words;
    let version = versions::get(&mut *connection, "token").await?;
    let row = audit::get(connection, version).await?;
    let set = match &row {
        Some(row) => Cell::text(page::time(row.entry.time)).with(&row.entry.actor),
        None => Cell::text(w.set_by_init),
    };
    let facts = vec![(w.state, Cell::state(w.token_is_set, "good")), (w.last_set, set)];
    let mut parts = vec![Part::facts("token", w.token, facts)];
    if who.may(Right::Administer) {
        let choices = OVERLAPS.map(|days| {
            (days.to_string(), format!("{days} {}", if days == 1 { w.unit_day } else { w.unit_days }))
        });
        let overlap =
            Field::of(Shape::Choice(choices.into()), "overlap", w.overlap, "1").with(w.overlap_hint);
        let mut form = FormBlock::new(&who.1, w, ROTATE, w.new_token).with("", vec![overlap]);
        form.id = "token-";
        parts.push(Part::form("token-rotate", w.rotate_token, form));
    }
    Ok(parts)
}

/// Makes a new token after a confirmation, and shows it once.
pub(super) async fn rotate(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let days = overlap(&fields)?;
    let w = who.0.words;
    let callers = journal::callers(&mut *panel.app.db.snapshot().await?, clock::now() - DAY).await?;
    let meaning = format!("{} {}", w.token_meaning, callers.join(", "));
    let look = Look {
        title: w.rotate_token.to_owned(),
        meanings: vec![meaning],
        typed: Some(WORD),
        needs_proof: true,
        back: PROXY,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("token rotate", &Fields::default()));
    let rotate = async |act: &mut Act| token::rotate(act, days * DAY).await;
    match panel.act_confirmed(&who, &fields, act, look, rotate).await? {
        Outcome::Done(made) => shown(&who, &made),
        outcome => outcome.respond(&who, PROXY, ""),
    }
}

fn overlap(fields: &Fields) -> Result<i64, Fault> {
    let days = fields.text("overlap").parse().map_err(|_| Fault::Form)?;
    if OVERLAPS.contains(&days) { Ok(days) } else { Err(Fault::Form) }
}

/// The page with the new token.
fn shown(who: &SignedIn, made: &Rotated) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let text = made.text.trim_end();
    let mut f = Frame::for_user(visitor, known, w.new_token);
    f.notices.push(Notice::good(w.token_shown_once));
    let facts = vec![
        (w.token, Cell::text(text)),
        (w.old_token_until, Cell::text(page::time(made.until))),
        (w.clients_to_start, Cell::maybe(Some(made.callers.join(", ")))),
    ];
    let lines = vec![
        "install -m 600 /dev/stdin token".to_owned(),
        text.to_owned(),
        "systemctl restart os4x_proxyclient2".to_owned(),
    ];
    page::html(&PartsPage {
        f,
        parts: vec![Part::facts("token", w.facts, facts), Part::lines("lines", w.for_clients, lines)],
    })
}

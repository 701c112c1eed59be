//! Who has changed what: the list, and one act with its old and new values. Operators do not see it.

use super::Panel;
use super::act::Reach;
use super::fields::{Fields, Form};
use super::gate::{Known, SignedIn};
use super::list::{Format, Input, List, PLACE};
use super::page::{self, Fault, Frame};
use super::parts::{Part, PartsPage};
use super::rights::Right;
use super::second_look::Look;
use super::table::{Button, Cell, Column, Table};
use super::words::Words;
use crate::change::{Act, Difference, revert};
use crate::date;
use crate::store::audit::{self, Filter, Recorded};
use crate::store::users::Role;
use axum::extract::{Path, State};
use axum::response::Response;
use std::sync::Arc;

/// Its page.
pub(super) const PATH: &str = "/audit";
const REVERT: &str = "audit revert";

/// Whether a role sees it.
pub(super) fn is_for(role: Role) -> bool {
    role.sees_audit()
}

fn check_role(known: &Known) -> Result<(), Fault> {
    if is_for(known.user.role) { Ok(()) } else { Err(Fault::Role) }
}

/// The list.
pub(super) async fn list(
    State(panel): State<Arc<Panel>>,
    SignedIn(visitor, known): SignedIn,
    fields: Fields,
    format: Format,
) -> Result<Response, Fault> {
    check_role(&known)?;
    let w = visitor.words;
    let before = fields.text(PLACE).parse().ok();
    let filter = Filter {
        actor: fields.text("actor").to_owned(),
        act: fields.text("act").to_owned(),
        object: fields.text("object").to_owned(),
        since: date::beginning(fields.text("since")),
        before,
    };
    let limit = format.limit();
    let mut rows = audit::list(&mut *panel.app.db.snapshot().await?, &filter, limit).await?;
    rows.reverse();
    let lowest = rows.last().map(|row| row.number.to_string());
    let table = Table {
        part: "audit",
        caption: w.audit.to_owned(),
        columns: columns(w),
        rows: rows.iter().map(row).collect(),
        empty: w.nothing_changed,
    };
    let mut list = List::new(Frame::for_user(&visitor, &known, w.audit), PATH, &fields, format, table);
    list.intro = w.audit_intro;
    list.inputs = vec![
        Input::text(&fields, "actor", w.actor),
        Input::text(&fields, "act", w.act),
        Input::text(&fields, "object", w.object),
        Input::day(&fields, "since", w.since_day),
    ];
    list.goes_on(lowest);
    let shown = rows.iter().map(crate::change::recorded_as_json).collect::<Result<Vec<_>, _>>()?;
    list.respond(&shown)
}

fn columns(w: &'static Words) -> Vec<Column> {
    vec![
        Column::number(w.number),
        Column::time(w.time),
        Column::text(w.actor),
        Column::text(w.way),
        Column::text(w.address),
        Column::text(w.act),
        Column::wide(w.object),
    ]
}

fn row(row: &Recorded) -> Vec<Cell> {
    let Recorded { number, entry, .. } = row;
    vec![
        Cell::link(number, format!("{PATH}/{number}")),
        Cell::text(page::time(entry.time)),
        Cell::text(&entry.actor),
        Cell::text(&entry.way),
        Cell::maybe(entry.address.as_deref()),
        Cell::text(&entry.act),
        Cell::text(&entry.object),
    ]
}

/// One act.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(number): Path<String>,
    fields: Fields,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = &who;

    check_role(known)?;
    let w = visitor.words;
    let row = need(&panel, &number).await?;
    let difference = Difference::of(&row)?;
    let Recorded { number, entry, previous, hash } = row;
    let facts = vec![
        (w.number, Cell::text(number)),
        (w.time, Cell::text(page::time(entry.time))),
        (w.actor, Cell::text(entry.actor)),
        (w.role, Cell::text(entry.role)),
        (w.way, Cell::text(entry.way)),
        (w.address, Cell::maybe(entry.address)),
        (w.act, Cell::text(entry.act)),
        (w.generation, Cell::text(entry.generation)),
        (w.previous_hash, Cell::text(previous)),
        (w.hash, Cell::text(hash)),
    ];
    let mut f = Frame::for_user(visitor, known, w.audit);
    f.notices.extend(page::done(w, &fields));
    let mut parts =
        vec![Part::facts("facts", w.facts, facts), Part::lines("changes", w.changes, difference.lines())];
    if who.may(Right::Administer) && !difference.old.is_empty() {
        let revert = Button::new(known, &format!("{PATH}/{number}/revert"), w.revert, number.to_string());
        parts.push(Part::acts("acts", w.what_can_be_done, vec![revert]));
    }
    page::html(&PartsPage { f, parts })
}

/// The row of this number.
async fn need(panel: &Panel, number: &str) -> Result<Recorded, Fault> {
    let number = number.parse().map_err(|_| Fault::None)?;
    audit::get(&mut *panel.app.db.snapshot().await?, number).await?.ok_or(Fault::None)
}

/// Reverts an act, after a confirmation.
pub(super) async fn revert(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(number): Path<String>,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let row = need(&panel, &number).await?;
    let back = format!("{PATH}/{number}");
    let title = format!("{}: {number}", w.revert);
    let look = Look { title, shows_effect: true, needs_proof: true, back: &back, ..Look::default() };
    let act = (Reach::Daemons, who.order(REVERT, &fields));
    let revert = async |act: &mut Act| revert::revert(act, &row).await;
    panel.act_confirmed(&who, &fields, act, look, revert).await?.respond(&who, &back, "reverted")
}

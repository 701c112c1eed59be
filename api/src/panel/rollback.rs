//! A change that is reverted automatically unless a user confirms it: what was changed, which servers have applied
//! it, and buttons to confirm or revert it. While it is pending, each page has a notice with a link to this page.

use super::Panel;
use super::act::{Reach, refusal};
use super::fields::{Fields, Form};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice};
use super::parts::{self, Part, PartsPage};
use super::rights::Right;
use super::table::{Button, Cell};
use super::words::Words;
use crate::change::{Act, Difference, revert, rollback};
use crate::store::rollbacks::Rollback;
use crate::store::{audit, rollbacks};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use common::text::clock;
use std::sync::Arc;

/// The notice of a pending change.
pub(super) fn notice(w: &'static Words, one: Rollback) -> Notice {
    let seconds = (one.due - clock::now()).max(0);
    Notice::warn(&format!("{} {} {}", w.goes_back_in, seconds, w.unit_seconds), path(one.number))
}

/// The path of the page for a pending change.
pub(super) fn path(number: i64) -> String {
    format!("/rollback/{number}")
}

/// The page.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(number): Path<i64>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = &who;
    let w = visitor.words;
    let mut snapshot = panel.app.db.snapshot().await?;
    let Some((pending, row)) = rollback::get(&mut snapshot, number).await? else {
        return Ok(Redirect::to("/").into_response());
    };
    let behind = rollback::behind(&mut snapshot).await?;
    drop(snapshot);
    let in_force = if behind.is_empty() {
        Cell::state(w.in_force_everywhere, "good")
    } else {
        Cell::state(w.not_in_force_yet, "warn").with(behind.join(", "))
    };
    let left = (pending.due - clock::now()).max(0);
    let facts = vec![
        (w.actor, Cell::text(&row.entry.actor)),
        (w.time, Cell::text(page::time(row.entry.time))),
        (w.goes_back_at, Cell::text(page::time(pending.due)).with(format!("{left} {}", w.unit_seconds))),
        (w.in_force, in_force),
    ];
    let mut f = Frame::for_user(visitor, known, w.stays_or_goes);
    f.is_live = true;
    let lines = Difference::of(&row)?.lines();
    let mut parts = vec![Part::facts("facts", w.facts, facts), Part::lines("changes", w.changes, lines)];
    if who.may(Right::Administer) {
        let button = |word, what| Button::new(known, &path(number), word, "").with("what", what);
        let acts = vec![button(w.keep, "keep"), button(w.take_back_now, "back")];
        parts.push(Part::acts("acts", w.what_can_be_done, acts));
    }
    page::html(&PartsPage { f, parts })
}

/// Confirms the change, or reverts it at once.
pub(super) async fn decide(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(number): Path<i64>,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let (done, outcome) = match fields.text("what") {
        "keep" => {
            let author = who.order("audit keep", &Fields::default()).author;
            ("kept", rollback::keep(&panel.app.db, author, number).await.map(|_| ()))
        }
        "back" => {
            let Some(row) = audit::get(&mut *panel.app.db.snapshot().await?, number).await? else {
                return Err(Fault::None);
            };
            let order = who.order("audit revert", &Fields::default());
            let revert = async |act: &mut Act| revert::revert(act, &row).await;
            ("reverted", panel.act(Reach::Daemons, order, revert).await?)
        }
        _ => return Err(Fault::Form),
    };
    match outcome {
        Ok(()) => Ok(page::saved("/", done)),
        Err(why) => parts::refused(&who, &refusal(who.0.words, &why), &path(number)),
    }
}

/// The address of the next page after a change: one that is reverted automatically has a page where it is confirmed.
pub(super) async fn after(panel: &Panel, path: &str, is_reach: bool) -> Result<String, Fault> {
    let saved = format!("{path}?done=saved");
    if !is_reach {
        return Ok(saved);
    }
    let all = rollbacks::all(&mut *panel.app.db.snapshot().await?).await?;
    Ok(all.iter().map(|one| one.number).max().map_or(saved, self::path))
}

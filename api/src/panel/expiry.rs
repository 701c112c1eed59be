//! The page of everything that expires: a picture of the next twelve months, and a table.

use super::Panel;
use super::fields::Fields;
use super::gate::SignedIn;
use super::list::{Format, List};
use super::page::{self, Fault, Frame};
use super::table::{Cell, Column, Table};
use super::timeline;
use super::words::Words;
use crate::expiry::{self, Listed, calendar};
use axum::extract::State;
use axum::response::Response;
use common::text::clock;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/expiry";
/// The path of the calendar.
pub(super) const CALENDAR: &str = "/expiry.ics";

/// The columns of a table of things that expire.
pub(super) const END_COLUMNS: [fn(&'static Words) -> Column; 6] = [
    |w| Column::time(w.ends),
    |w| Column::number(w.days_left),
    |w| Column::text(w.state),
    |w| Column::text(w.what),
    |w| Column::wide(w.name),
    |w| Column::wide(w.what_to_do),
];

/// A row with these columns.
pub(super) fn end_row(w: &'static Words, one: &Listed) -> Vec<Cell> {
    let Listed { end, days, state } = one;
    let (word, state) = match *state {
        "good" => (w.good, "good"),
        "soon" if end.ending.by_itself() => (w.soon, "good"),
        "soon" => (w.soon, "warn"),
        "ended" => (w.over, "bad"),
        _ => (w.unreadable, "bad"),
    };
    vec![
        Cell::maybe(end.ends.map(page::time)),
        Cell::maybe(*days),
        Cell::state(word, state),
        Cell::text(end.ending.what(w.language())),
        Cell::text(&end.name),
        Cell::text(end.ending.renewal(w.language())),
    ]
}

/// The list as a calendar.
pub(super) async fn calendar(State(panel): State<Arc<Panel>>, _: SignedIn) -> Result<Response, Fault> {
    Ok(calendar::answer(&mut *panel.app.db.snapshot().await?).await?)
}

/// The page with the list, or the list as a file.
pub(super) async fn list(
    State(panel): State<Arc<Panel>>,
    SignedIn(visitor, known): SignedIn,
    fields: Fields,
    format: Format,
) -> Result<Response, Fault> {
    let w = visitor.words;
    let now = clock::now();
    let ends = expiry::ends(&mut *panel.app.db.snapshot().await?).await?.into_iter();
    let all: Vec<Listed> = ends.map(|end| Listed::of(end, now)).collect();
    let table = Table {
        part: "expiry",
        caption: w.expiry.to_owned(),
        columns: END_COLUMNS.map(|column| column(w)).into(),
        rows: all.iter().map(|one| end_row(w, one)).collect(),
        empty: w.nothing_ends,
    };
    let mut list = List::new(Frame::for_user(&visitor, &known, w.expiry), PATH, &fields, format, table);
    list.intro = w.expiry_intro;
    list.link = Some((CALENDAR, w.as_calendar));
    list.picture = timeline::svg(&all, now, w.language(), w.timeline);
    list.respond(&all)
}

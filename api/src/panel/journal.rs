//! The page of the system log: the reports of the daemons and of the backend.

use super::Panel;
use super::fields::Fields;
use super::gate::SignedIn;
use super::ignores;
use super::list::{Format, Input, List, PLACE, days};
use super::page::{self, Fault, Frame};
use super::rights::Right;
use super::table::{Cell, Column, Table};
use super::words::Words;
use crate::store::journal_search::{self, Search};
use crate::store::partners::word;
use axum::extract::State;
use axum::response::Response;
use common::rpc::{Level, SystemLog};
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/log";

/// The page with the list, or the list as a file.
pub(super) async fn list(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    fields: Fields,
    format: Format,
) -> Result<Response, Fault> {
    let may = who.may(Right::Operate) && format == Format::Page;
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let (since, until) = days(&fields, "since", "until");
    let behind = fields.text(PLACE).parse().ok();
    let what = Search {
        level: fields.text("level"),
        origin: fields.text("origin"),
        partner: fields.text("partner"),
        text: fields.text("text"),
        session: fields.text("session"),
        since,
        until,
        behind,
    };
    let limit = format.limit();
    let found = journal_search::search(&mut *panel.app.db.snapshot().await?, &what, limit).await?;
    let lowest = found.last().map(|(number, _)| number.to_string());
    let entries: Vec<SystemLog> = found.into_iter().map(|(_, entry)| entry).collect();
    let mut f = Frame::for_user(&visitor, &known, w.system_log);
    f.is_live = behind.is_none();
    let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect();
    let table = Table {
        part: "log",
        caption: w.system_log.to_owned(),
        columns: columns(w, may),
        rows: entries.iter().map(|entry| row(w, entry, may)).collect(),
        empty: w.log_empty,
    };
    let mut list = List::new(f, PATH, &fields, format, table);
    list.inputs = vec![
        Input::choice(&fields, "level", w.level, words(&["ERROR", "WARN", "INFO"])),
        Input::choice(&fields, "origin", w.origin, words(&["server", "client", "api"])),
        Input::text(&fields, "partner", w.partner),
        Input::text(&fields, "text", w.text),
        Input::day(&fields, "since", w.since_day),
        Input::day(&fields, "until", w.until_day),
    ];
    list.goes_on(lowest);
    list.respond(&entries)
}

fn columns(w: &'static Words, may: bool) -> Vec<Column> {
    let act = may.then(|| Column::text(w.what_can_be_done));
    let columns = [
        Column::time(w.time),
        Column::text(w.level),
        Column::text(w.origin),
        Column::text(w.partner),
        Column::text(w.address),
        Column::wide(w.text),
    ];
    columns.into_iter().chain(act).collect()
}

fn row(w: &'static Words, entry: &SystemLog, may: bool) -> Vec<Cell> {
    let state = match entry.level {
        Level::Error => "bad",
        Level::Warn => "warn",
        _ => "",
    };
    let host = if entry.host.is_empty() { String::new() } else { format!("{}[{}]", entry.host, entry.pid) };
    let act = may.then(|| Cell::link(w.ignore_like, ignores::like(entry)));
    let cells = [
        Cell::text(page::time(i64::try_from(entry.time).unwrap_or(i64::MAX))),
        Cell::state(word(&entry.level), state),
        Cell::text(word(&entry.origin)).with(host),
        Cell::maybe(entry.partner.as_deref()),
        Cell::maybe(entry.address),
        Cell::english(&entry.text).with(&entry.detail),
    ];
    cells.into_iter().chain(act).collect()
}

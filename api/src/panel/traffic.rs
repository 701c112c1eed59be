//! Sessions, refusals and octets of each of the last 24 hours, as charts and as a table. The overview shows them, and
//! its script asks for it every few seconds: the sums are kept by the hour, so that a read does not depend on the
//! number of sessions.

use super::Panel;
use super::chart::{Chart, Look, Series};
use super::fields::Fields;
use super::gate::SignedIn;
use super::list::{Format, List};
use super::page::{self, Fault, Frame};
use super::parts::{Charts, Part};
use super::sessions::grouped;
use super::table::{Cell, Column, Table};
use super::words::Words;
use crate::db::DbError;
use crate::store::traffic::{self, Periods, Traffic};
use axum::extract::State;
use axum::response::Response;
use common::text::clock::{self, DAY};
use sqlx::AnyConnection;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/traffic";
const HOUR: i64 = 3_600;

/// The sums of the last 24 hours.
pub(super) async fn of_last_day(connection: &mut AnyConnection) -> Result<Vec<Traffic>, DbError> {
    traffic::of_all(connection, Periods { length: HOUR, count: 24, now: clock::now() }).await
}

/// The page with the charts, or the table as a file.
pub(super) async fn list(
    State(panel): State<Arc<Panel>>,
    SignedIn(visitor, known): SignedIn,
    fields: Fields,
    format: Format,
) -> Result<Response, Fault> {
    let w = visitor.words;
    let sums = of_last_day(&mut *panel.app.db.snapshot().await?).await?;
    let f = Frame::for_user(&visitor, &known, w.last_day);
    let mut list = List::new(f, PATH, &fields, format, table(w, &sums));
    list.picture = format!("<div class=\"charts\">{}</div>", charts(w, &sums).concat());
    list.respond(&sums)
}

/// The part of the overview.
pub(super) fn part(w: &'static Words, sums: &[Traffic]) -> Part {
    Part::charts(
        "traffic",
        w.last_day,
        Charts { pictures: charts(w, sums), table: table(w, sums), path: PATH },
    )
}

/// The part of a partner's page: its sessions of each of the last 30 days.
pub(super) async fn of_partner(
    connection: &mut AnyConnection,
    w: &'static Words,
    name: &str,
) -> Result<Part, DbError> {
    let periods = Periods { length: DAY, count: 30, now: clock::now() };
    let sums = traffic::of_partner(connection, periods, name).await?;
    let labels = sums.iter().map(|one| page::time(one.time).chars().take(10).collect());
    let shown = Chart {
        id: "sessions-by-day",
        title: w.sessions_by_day,
        description: w.sessions_by_day_meaning,
        labels: labels.collect(),
        every: 7,
        series: both(w, &sums),
    };
    let row = |one: &Traffic| {
        let numbers = [one.incoming, one.outgoing, one.octets_in, one.octets_out];
        row(w, page::time(one.time).chars().take(10).collect(), numbers)
    };
    let numbers = [w.incoming, w.outgoing, w.octets_in, w.octets_out];
    let rows = sums.iter().rev().map(row).collect();
    let table = figures(w, "days", w.last_month, (w.day, &numbers), rows);
    let charts = Charts { pictures: vec![shown.svg()], table, path: "" };
    Ok(Part::charts("days-charts", w.last_month, charts))
}

fn charts(w: &'static Words, sums: &[Traffic]) -> Vec<String> {
    let labels: Vec<String> =
        sums.iter().map(|one| page::time(one.time).chars().skip(11).take(5).collect()).collect();
    let mut sessions = both(w, sums);
    sessions.push(series(sums, w.refused, Look::Refused, |one| one.refused));
    let sessions = Chart {
        id: "sessions-by-hour",
        title: w.sessions_by_hour,
        description: w.sessions_by_hour_meaning,
        labels: labels.clone(),
        every: 4,
        series: sessions,
    };
    let octets = Chart {
        id: "octets-by-hour",
        title: w.octets_by_hour,
        description: w.octets_by_hour_meaning,
        labels,
        every: 4,
        series: vec![
            series(sums, w.octets_in, Look::Incoming, |one| one.octets_in),
            series(sums, w.octets_out, Look::Outgoing, |one| one.octets_out),
        ],
    };
    vec![sessions.svg(), octets.svg()]
}

fn series(sums: &[Traffic], name: &'static str, look: Look, value: fn(&Traffic) -> i64) -> Series {
    Series { name, look, values: sums.iter().map(value).collect() }
}

/// The sessions of both directions.
fn both(w: &'static Words, sums: &[Traffic]) -> Vec<Series> {
    vec![
        series(sums, w.incoming, Look::Incoming, |one| one.incoming),
        series(sums, w.outgoing, Look::Outgoing, |one| one.outgoing),
    ]
}

/// The table with the figures of charts.
fn figures(
    w: &'static Words,
    part: &'static str,
    caption: &str,
    (time, numbers): (&'static str, &[&'static str]),
    rows: Vec<Vec<Cell>>,
) -> Table {
    let columns = numbers.iter().copied().map(Column::number);
    let columns = [Column::time(time)].into_iter().chain(columns).collect();
    Table { part, caption: caption.to_owned(), columns, rows, empty: w.no_sessions }
}

fn row(w: &'static Words, time: String, numbers: impl IntoIterator<Item = i64>) -> Vec<Cell> {
    let numbers = numbers.into_iter().map(|number| Cell::text(grouped(w, number)));
    [Cell::text(time)].into_iter().chain(numbers).collect()
}

fn table(w: &'static Words, sums: &[Traffic]) -> Table {
    let row = |one: &Traffic| {
        let numbers = [one.incoming, one.outgoing, one.refused, one.octets_in, one.octets_out];
        row(w, page::time(one.time), numbers)
    };
    let numbers = [w.incoming, w.outgoing, w.refused, w.octets_in, w.octets_out];
    let rows = sums.iter().rev().map(row).collect();
    figures(w, "traffic-figures", w.last_day, (w.hour_from, &numbers), rows)
}

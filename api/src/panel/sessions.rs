//! The session list, and one session with its files.

use super::Panel;
use super::fields::Fields;
use super::gate::SignedIn;
use super::list::{Format, Input, List, PLACE, Tab, days};
use super::page::{self, Fault, Frame, Notice};
use super::partner_page;
use super::parts::{Part, PartsPage};
use super::rights::Right;
use super::table::{Button, Cell, Column, Table};
use super::words::Words;
use crate::status::{self, Daemon};
use crate::store::partners::word;
use crate::store::session_search::{self, Place, Search};
use crate::store::sessions::Session;
use axum::extract::{Path, State};
use axum::response::Response;
use common::process::end_reasons::Status;
use common::rpc::{Transfer, TransferResult};
use common::text::clock;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/sessions";

/// The list.
pub(super) async fn list(
    State(panel): State<Arc<Panel>>,
    SignedIn(visitor, known): SignedIn,
    fields: Fields,
    format: Format,
) -> Result<Response, Fault> {
    let w = visitor.words;
    let (since, until) = days(&fields, "since", "until");
    let behind = place_of(fields.text(PLACE));
    let what = Search {
        state: fields.text("state"),
        partner: fields.text("partner"),
        direction: fields.text("direction"),
        server: fields.text("server"),
        address: fields.text("address"),
        reason: fields.text("reason"),
        file: fields.text("file"),
        since,
        until,
        behind: behind.clone(),
    };
    let limit = format.limit();
    let mut snapshot = panel.app.db.snapshot().await?;
    let found = session_search::search(&mut snapshot, &what, limit).await?;
    let daemons = status::daemons(&mut snapshot).await?;
    drop(snapshot);
    let lowest = found.last().map(|(Place { received, id }, _)| format!("{received}.{id}"));
    let sessions: Vec<Session> = found.into_iter().map(|(_, session)| session).collect();
    let mut f = Frame::for_user(&visitor, &known, w.sessions);
    f.is_live = behind.is_none();
    let table = table(w, &sessions, &daemons);
    let mut list = List::new(f, PATH, &fields, format, table);
    list.tabs = tabs(w, &fields);
    list.inputs = inputs(w, &fields, &daemons);
    list.goes_on(lowest);
    list.respond(&sessions)
}

/// The table of sessions.
pub(super) fn table(w: &'static Words, sessions: &[Session], daemons: &[Daemon]) -> Table {
    Table {
        part: "sessions",
        caption: w.sessions.to_owned(),
        columns: columns(w),
        rows: sessions.iter().map(|session| row(w, session, daemons)).collect(),
        empty: w.no_sessions,
    }
}

/// The position in the list, from the address of a page.
fn place_of(text: &str) -> Option<Place> {
    let (received, id) = text.split_once('.')?;
    Some(Place { received: received.parse().ok()?, id: id.to_owned() })
}

fn tabs(w: &'static Words, fields: &Fields) -> Vec<Tab> {
    let first = fields.with(PLACE, "");
    let tab = |name, state: &str| Tab {
        name,
        query: Fields::parse(first.as_bytes()).with("state", state),
        is_here: fields.text("state") == state,
    };
    vec![tab(w.all, ""), tab(w.running_ones, "running"), tab(w.ended_ones, "ended")]
}

fn inputs(w: &'static Words, fields: &Fields, daemons: &[Daemon]) -> Vec<Input> {
    let servers = daemons.iter().filter(|daemon| daemon.kind == "server");
    let reasons = Status::ALL.iter().map(|status| status.word().to_owned()).collect();
    vec![
        Input { kind: "hidden", ..Input::text(fields, "state", "") },
        Input::text(fields, "partner", w.partner),
        Input::choice_of(
            fields,
            "direction",
            w.direction,
            [("incoming", w.incoming), ("outgoing", w.outgoing)],
        ),
        Input::choice_of(
            fields,
            "server",
            w.server_of_session,
            servers.map(|daemon| (daemon.name.as_str(), daemon.title.as_str())),
        ),
        Input::choice(fields, "reason", w.reason, reasons),
        Input::text(fields, "address", w.address),
        Input::text(fields, "file", w.file_name),
        Input::day(fields, "since", w.since_day),
        Input::day(fields, "until", w.until_day),
    ]
}

fn columns(w: &'static Words) -> Vec<Column> {
    vec![
        Column::time(w.began),
        Column::number(w.duration),
        Column::text(w.direction),
        Column::text(w.partner),
        Column::text(w.address),
        Column::text(w.server_of_session),
        Column::number(w.files),
        Column::number(w.octets_in),
        Column::number(w.octets_out),
        Column::text(w.state),
    ]
}

fn row(w: &'static Words, session: &Session, daemons: &[Daemon]) -> Vec<Cell> {
    let until = session.ended.or_else(|| (session.state == "running").then(clock::now));
    let duration = session.began.zip(until).map(|(began, until)| format!("{} s", (until - began).max(0)));
    let files = session.files.map(|files| match session.files_refused.unwrap_or_default() {
        0 => files.to_string(),
        refused => format!("{files} ({refused} {})", w.refused_of_them),
    });
    let began = session.began.map_or_else(|| session.id.clone(), page::time);
    vec![
        Cell::link(began, format!("{PATH}/{}", session.id)),
        Cell::maybe(duration),
        Cell::maybe(session.direction.as_deref().map(|direction| w.direction_word(direction))),
        Cell::maybe(session.partner.as_deref()).with(session.ssid.as_deref().unwrap_or_default()),
        Cell::maybe(session.address.as_deref()),
        Cell::maybe(session.server.as_deref().map(|id| status::server_title(daemons, id))),
        Cell::maybe(files),
        Cell::maybe(session.octets_in.map(|octets| grouped(w, octets))),
        Cell::maybe(session.octets_out.map(|octets| grouped(w, octets))),
        state(w, session),
    ]
}

/// The state of a session: how it is now, or how it has ended.
fn state(w: &'static Words, session: &Session) -> Cell {
    let file = session.current_file.as_ref().map(|file| file.name.clone()).unwrap_or_default();
    match (session.state, session.reason.as_deref()) {
        ("running", _) => Cell::state(w.running, "good").with(file),
        ("orphaned", _) => Cell::state(w.orphaned, "warn"),
        (_, Some(reason)) => {
            let is_good = [Status::Normal.word(), Status::Administrator.word()].contains(&reason);
            Cell::state(reason, if is_good { "good" } else { "bad" })
        }
        _ => Cell::text(w.ended),
    }
}

/// A number with its digits in groups of three.
pub(super) fn grouped(w: &'static Words, number: i64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (start, rest) = digits.split_at(first);
    let groups: Vec<&str> =
        rest.as_bytes().chunks(3).filter_map(|group| str::from_utf8(group).ok()).collect();
    [start].into_iter().filter(|start| !start.is_empty()).chain(groups).collect::<Vec<_>>().join(w.thousands)
}

/// The page of one session.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Fault> {
    page_with(&panel, &who, &id, page::done(who.0.words, &fields)).await
}

/// The page of one session, with a notice at the top.
pub(super) async fn page_with(
    panel: &Panel,
    who: &SignedIn,
    id: &str,
    notice: Option<Notice>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let mut snapshot = panel.app.db.snapshot().await?;
    let session = session_search::get(&mut snapshot, id).await?.ok_or(Fault::None)?;
    let servers = status::daemons(&mut snapshot).await?;
    drop(snapshot);
    let server = servers.iter().find(|daemon| session.server.as_ref() == Some(&daemon.name));
    let host = server.and_then(|server| server.state.as_ref()).map(|state| state.host.as_str());
    let title = session.server.as_deref().map(|id| status::server_title(&servers, id));
    let mut f = Frame::for_user(visitor, known, w.session);
    f.notices.extend(notice);
    f.is_live = session.state == "running";
    let files = Table {
        part: "files",
        caption: w.files.to_owned(),
        columns: vec![
            Column::text(w.sender),
            Column::wide(w.file_name),
            Column::number(w.octets),
            Column::text(w.result),
            Column::text(w.reason),
        ],
        rows: session.transfers.iter().map(|file| file_row(w, file)).collect(),
        empty: w.no_files,
    };
    let mut parts = vec![
        Part::facts("facts", w.facts, facts(w, &session, title)),
        Part::table(w.last_files, files),
        Part::lines("hints", w.more_about_it, hints(&session, host)),
    ];
    if session.state == "running" && who.may(Right::Operate) {
        let end = Button::new(known, &format!("{PATH}/{id}/end"), w.end_session, "");
        let partner = session.partner.as_deref().filter(|name| !name.is_empty());
        let debug = partner.map(|name| {
            Button::new(known, &format!("{}/debug", partner_page::path(name)), w.debug_begin, name)
                .with("debug", "yes")
        });
        let acts = [Some(end), debug].into_iter().flatten().collect();
        parts.insert(1, Part::acts("acts", w.what_can_be_done, acts));
    }
    page::html(&PartsPage { f, parts })
}

fn facts(w: &'static Words, session: &Session, server: Option<String>) -> Vec<(&'static str, Cell)> {
    let maybe = |text: &Option<String>| Cell::maybe(text.as_deref());
    let number = |number: Option<i64>| Cell::maybe(number.map(|number| grouped(w, number)));
    let mut end = state(w, session);
    if let Some(reason) = &session.reason {
        end = end.with(w.meaning(reason));
    }
    vec![
        (w.identifier, Cell::text(&session.id)),
        (w.state, end),
        (w.detail, Cell { is_english: true, ..maybe(&session.detail) }),
        (w.began, Cell::maybe(session.began.map(page::time))),
        (w.ended_at, Cell::maybe(session.ended.map(page::time))),
        (w.direction, Cell::maybe(session.direction.as_deref().map(|direction| w.direction_word(direction)))),
        (w.partner, maybe(&session.partner)),
        (w.ssid, maybe(&session.ssid)),
        (w.address, maybe(&session.address)),
        (w.station, maybe(&session.station)),
        (w.server_of_session, Cell::maybe(server).with(session.server.as_deref().unwrap_or_default())),
        (w.certificate, maybe(&session.subject)),
        (w.serial, maybe(&session.serial)),
        ("TLS", maybe(&session.tls)),
        (w.octets_in, number(session.octets_in)),
        (w.octets_out, number(session.octets_out)),
        (w.files, number(session.files)),
        (w.files_refused, number(session.files_refused)),
        (w.receipts, number(session.receipts)),
        (w.process, Cell::maybe(session.pid)),
    ]
}

fn file_row(w: &'static Words, file: &Transfer) -> Vec<Cell> {
    let state = match file.result {
        TransferResult::Accepted => "good",
        TransferResult::Refused | TransferResult::Broken => "bad",
    };
    vec![
        Cell::text(&file.sender),
        Cell::text(&file.name),
        Cell::text(grouped(w, i64::try_from(file.octets).unwrap_or(i64::MAX))),
        Cell::state(word(&file.result), state),
        Cell::maybe(file.reason),
    ]
}

/// The commands that find the log lines of the session or end it.
fn hints(session: &Session, host: Option<&str>) -> Vec<String> {
    let mut lines = vec![format!("grep {} os4x_proxyserver.log* os4x_proxyclient.log*", session.id)];
    if session.state == "running" {
        if let Some(pid) = session.pid {
            let place = host.map(|host| format!(", on {host}")).unwrap_or_default();
            lines.push(format!("kill -21 {pid}  # DEBUG for this session{place}"));
        }
        lines.push(format!("os4xapi session end {}", session.id));
    }
    lines
}

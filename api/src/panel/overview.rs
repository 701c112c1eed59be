//! The first page: what is wrong and what to do about it, the daemons, who was refused lately, and what ends soon. It
//! is what `os4xapi status` tells.

use super::Panel;
use super::expiry::{END_COLUMNS, end_row};
use super::fields::Fields;
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice, logins_before};
use super::parts::{Part, PartsPage};
use super::refused::reasons;
use super::rights::Right;
use super::setting_pages::{PAGES, Risk, SettingPage, risk};
use super::table::{Cell, Column, Table};
use super::traffic;
use super::words::Words;
use super::{assistant, setting_words};
use crate::error_text::sentence;
use crate::expiry::Listed;
use crate::settings::{Setting, Values};
use crate::status::steps;
use crate::status::{self, Condition, Daemon, Finding, Severity, SiteStatus, Sums};
use crate::store::traffic::Traffic;
use axum::extract::State;
use axum::response::Response;
use common::state::DaemonState;
use common::text::clock;
use std::sync::Arc;

/// A session that is younger, seconds, is told of the logins before it.
const NEW: i64 = 120;

/// The page.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    fields: Fields,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = &who;
    let w = visitor.words;
    let mut snapshot = panel.app.db.snapshot().await?;
    let status = status::read(&mut snapshot).await?;
    let is_complete = steps::is_complete(&mut snapshot).await?;
    let sums = traffic::of_last_day(&mut snapshot).await?;
    drop(snapshot);
    let mut f = Frame::for_user(visitor, known, w.overview);
    f.is_live = true;
    f.notices.extend(page::done(w, &fields));
    if known.session.created > clock::now() - NEW {
        f.notices.push(logins_before(visitor, known));
    }
    if status.findings.is_empty() {
        f.notices.push(Notice::good(w.all_well));
    }
    if !is_complete && who.may(Right::Administer) {
        f.notices.push(Notice::warn(w.not_complete, assistant::PATH.to_owned()));
    }
    f.notices.extend(weaker(w, &visitor.values));
    page::html(&PartsPage { f, parts: parts(w, status, &sums) })
}

/// The settings that protect less than they could, for as long as they do.
fn weaker(w: &'static Words, values: &Values) -> Vec<Notice> {
    let sections = PAGES.iter().flat_map(|page| page.sections.iter().map(move |section| (page, section)));
    let settings =
        sections.flat_map(|(page, section)| section.settings().into_iter().map(move |one| (page, one)));
    let weak = settings.filter(|(_, setting)| risk(setting.name, values.text(setting.name)) == Risk::Weaker);
    let notice = |(page, setting): (&SettingPage, &Setting)| {
        let label = setting_words::of(setting.name).map_or(setting.name, |words| words.label(w));
        Notice::warn(&format!("{} '{label}'", w.protects_less), page.path.to_owned())
    };
    weak.map(notice).collect()
}

fn parts(w: &'static Words, status: SiteStatus, sums: &[Traffic]) -> Vec<Part> {
    let SiteStatus { time, generation, last_backup, findings, daemons, sums: all, refusals, ends } = status;
    let listed = ends.into_iter().map(|end| Listed::of(end, time));
    let backup = last_backup.map_or_else(|| w.never.to_owned(), page::time);
    let facts = vec![
        (w.generation, Cell::text(generation)),
        (w.as_of, Cell::text(page::time(time))),
        (w.last_backup, Cell::text(backup)),
    ];
    let wrong = (!findings.is_empty()).then(|| Part::table(w.checks, checks(w, &findings)));
    let ends = Table {
        part: "ends",
        caption: w.ends_soon.to_owned(),
        columns: END_COLUMNS.map(|column| column(w)).into(),
        rows: listed.map(|one| end_row(w, &one)).collect(),
        empty: w.nothing_ends,
    };
    let others = [
        Part::table(w.now_running, in_use(w, &daemons, &all)),
        traffic::part(w, sums),
        Part::table(w.daemons, of_daemons(w, &daemons, time)),
        Part::facts("configuration", w.configuration_now, facts),
        Part::table(w.refused_lately, reasons(w, &refusals)),
        Part::table(w.ends_soon, ends),
    ];
    wrong.into_iter().chain(others).collect()
}

fn checks(w: &'static Words, findings: &[Finding]) -> Table {
    let row = |finding: &Finding| {
        let Finding { severity, fault } = finding;
        let (word, state) = match severity {
            Severity::Bad => (w.wrong, "bad"),
            Severity::Warning => (w.warning, "warn"),
        };
        vec![
            Cell::state(word, state),
            Cell::text(sentence(&fault.what(w.language()))),
            Cell::text(remedy(&fault.remedy(w.language()))),
        ]
    };
    Table {
        part: "checks",
        caption: w.checks.to_owned(),
        columns: vec![Column::text(w.state), Column::wide(w.what), Column::wide(w.what_to_do)],
        rows: findings.iter().map(row).collect(),
        empty: w.all_well,
    }
}

/// A remedy as a sentence, unless it is a command.
fn remedy(text: &str) -> String {
    if text.starts_with("os4xapi ") { text.to_owned() } else { sentence(text) }
}

fn of_daemons(w: &'static Words, daemons: &[Daemon], now: i64) -> Table {
    let unknown = DaemonState::default();
    let row = |daemon: &Daemon| {
        let state = daemon.state.as_ref().unwrap_or(&unknown);
        let told = |text: String| Cell::maybe(daemon.state.as_ref().map(|_| text));
        // The name of a client begins with its address.
        let address = daemon.address.as_deref().filter(|address| !daemon.title.starts_with(address));
        let heard = daemon.heard.map(|heard| format!("{} s", (now - heard).max(0)));
        let started = daemon.state.as_ref().map(|state| page::time(state.started)).unwrap_or_default();
        let listeners: Vec<String> =
            state.listeners.iter().map(|one| format!("{} {}", one.purpose, one.address)).collect();
        vec![
            Cell::text(kind(w, daemon)),
            Cell::text(&daemon.title).with(address.unwrap_or_default()),
            condition(w, daemon.condition).with(drain(w, daemon)),
            Cell::maybe(heard),
            told(format!("{} ({})", state.version, state.build)),
            told(format!("{} [{}]", state.host, state.pid)).with(started),
            Cell::maybe(state.generation),
            told(listeners.join(", ")),
        ]
    };
    Table {
        part: "daemons",
        caption: w.daemons.to_owned(),
        columns: vec![
            Column::text(w.daemon),
            Column::text(w.name),
            Column::text(w.state),
            Column::number(w.heard_ago),
            Column::text(w.version),
            Column::text(w.host_and_start),
            Column::number(w.in_force),
            Column::text(w.listeners),
        ],
        rows: daemons.iter().map(row).collect(),
        empty: w.no_daemons,
    }
}

/// The condition of a daemon, in a word.
pub(super) fn condition(w: &'static Words, condition: Condition) -> Cell {
    match condition {
        Condition::Running => Cell::state(w.is_running, "good"),
        Condition::Standby => Cell::state(w.stands_by, "good"),
        Condition::Joined => Cell::state(w.is_joined, "good"),
        Condition::Older => Cell::state(w.is_older, "warn"),
        Condition::Ended => Cell::state(w.has_ended, "bad"),
        Condition::Silent => Cell::state(w.is_silent, "bad"),
        Condition::Lost => Cell::state(w.is_lost, "bad"),
        Condition::NeverJoined => Cell::state(w.never_joined, "bad"),
    }
}

/// Whether a daemon takes new sessions, in words; nothing if it does.
pub(super) fn drain(w: &'static Words, daemon: &Daemon) -> String {
    let off = (!daemon.is_enabled).then(|| w.not_enabled.to_owned());
    let left = daemon.draining().map(|left| format!("{}: {left}", w.draining));
    [off, left].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What of the limits of each daemon is used.
fn in_use(w: &'static Words, daemons: &[Daemon], sums: &Sums) -> Table {
    let row = |daemon: &Daemon| {
        let DaemonState { incoming, outgoing, unverified, .. } = *daemon.state.as_ref()?;
        let name = Cell::text(&daemon.title).with(kind(w, daemon));
        Some([name].into_iter().chain([incoming, outgoing, unverified].map(Cell::used)).collect())
    };
    let all = (sums.servers > 1).then(|| {
        let name = Cell::text(w.all_servers).with(w.limits_add_up);
        [name].into_iter().chain([sums.incoming, sums.outgoing, sums.unverified].map(Cell::used)).collect()
    });
    Table {
        part: "in-use",
        caption: w.now_running.to_owned(),
        columns: vec![
            Column::text(w.daemon),
            Column::text(w.incoming),
            Column::text(w.outgoing),
            Column::text(w.unverified),
        ],
        rows: daemons.iter().filter_map(row).chain(all).collect(),
        empty: w.no_daemons,
    }
}

fn kind(w: &'static Words, daemon: &Daemon) -> &'static str {
    if daemon.kind == "client" { w.client } else { w.server }
}

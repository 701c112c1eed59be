//! About: versions, the database, how long the service runs, and what helps to find a fault.

use super::Panel;
use super::components;
use super::gate::SignedIn;
use super::page::{self, Fault, Frame};
use super::parts::{Part, PartsPage};
use super::rights::Right;
use super::table::Cell;
use super::words::Words;
use crate::{status, support};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use common::text::clock::{self, DAY};
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/about";
/// The path of the archive for support.
pub(super) const SUPPORT: &str = "/about/support.tar";
/// The path of the state of the site, for programs.
pub(super) const STATUS: &str = "/about/status.json";

/// The page.
pub(super) async fn show(State(panel): State<Arc<Panel>>, who: SignedIn) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = &who;
    let w = visitor.words;
    let db = &panel.app.db;
    let facts = db.facts().await?;
    let program = vec![
        (
            w.version,
            Cell::text(env!("CARGO_PKG_VERSION")).with(format!("{} {}", w.build, env!("OS4X_BUILD"))),
        ),
        (w.licence, Cell::text(env!("CARGO_PKG_LICENSE"))),
        (w.components, Cell::link(w.show, components::PATH.to_owned())),
        (w.tls_library, Cell::text(openssl::version::version())),
        (w.this_host, Cell::text(common::host_name()).with(std::env::consts::ARCH)),
        (w.running_since, Cell::text(page::time(panel.app.started)).with(uptime(w, panel.app.started))),
    ];
    let database = vec![
        (w.database, Cell::text(&facts.program).with(db.location().to_string())),
        (w.size, Cell::text(mebibytes(facts.size))),
        (w.version_of_tables, Cell::text(facts.version)),
    ];
    let mut help = vec![
        (w.state_of_site, Cell::link("status.json", STATUS.to_owned()).with(w.state_of_site_hint)),
        (w.readiness, Cell::link("readyz", "/readyz".to_owned()).with(w.readiness_hint)),
    ];
    if who.may(Right::Administer) {
        help.push((w.support, Cell::link("os4xapi-support.tar", SUPPORT.to_owned()).with(w.support_hint)));
    }
    let parts = vec![
        Part::facts("program", w.program, program),
        Part::facts("database", w.database, database),
        Part::facts("help", w.diagnosis, help),
    ];
    PartsPage { f: Frame::for_user(visitor, known, w.about), parts }.respond(false)
}

/// The time since the start.
fn uptime(w: &'static Words, started: i64) -> String {
    let seconds = (clock::now() - started).max(0);
    let (days, hours, minutes) = (seconds / DAY, seconds % DAY / 3_600, seconds % 3_600 / 60);
    format!("{days} {}, {hours} h {minutes} min", w.unit_days)
}

/// A number of octets, with one decimal.
fn mebibytes(octets: i64) -> String {
    let tenths = octets * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// The state of the site, as `os4xapi status --json` prints it.
pub(super) async fn status(
    State(panel): State<Arc<Panel>>,
    SignedIn(..): SignedIn,
) -> Result<Response, Fault> {
    Ok(Json(status::read(&mut *panel.app.db.snapshot().await?).await?).into_response())
}

/// The archive for support, as `os4xapi support` writes it.
pub(super) async fn support(State(panel): State<Arc<Panel>>, who: SignedIn) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let place = panel.app.db.location().to_string();
    let files = support::files(&mut *panel.app.db.snapshot().await?, &place).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"os4xapi-support.tar\""),
    ];
    Ok((headers, support::archive(&files)).into_response())
}

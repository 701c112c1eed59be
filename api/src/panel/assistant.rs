//! The set-up assistant: the steps from an empty database to the first file, what each is for, and how it is done. What
//! is done is read from the database each time, so that a user can leave the page and come back at any time.

use super::Panel;
use super::act::{Reach, refusal};
use super::fields::{Fields, Form};
use super::form::{Rejected, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice, saved};
use super::parts::{Content, Part};
use super::rights::Right;
use super::setting_field;
use super::start_commands::{Place, StartCommands};
use super::step_parts::{self, Basis};
use super::table::{Cell, Column, Table};
use super::words::Words;
use crate::change::{Act, settings};
use crate::pki::ca::hosts_of;
use crate::settings::find;
use crate::status::steps::{self, Progress, Step};
use crate::status::{self, Daemon};
use crate::store::certificates::{self, Usage};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use openssl::x509::X509;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/assistant";
/// The path of the form with the address of the station.
pub(super) const STATION: &str = "/assistant/station";
/// The settings of that form.
pub(super) const STATION_SETTINGS: [&str; 2] = ["proxy_station_host", "tcp_port"];

#[derive(Template)]
#[template(path = "assistant.html")]
struct Page {
    f: Frame,
    progress: Table,
    steps: Vec<Shown>,
}

/// A step as the page shows it.
struct Shown {
    id: &'static str,
    title: &'static str,
    why: &'static str,
    state: Cell,
    /// Pages on which it is done.
    links: Vec<(&'static str, &'static str)>,
    parts: Vec<Part>,
}

/// The page.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    fields: Fields,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    page_with(&panel, &who, &fields, None).await
}

async fn page_with(
    panel: &Panel,
    who: &SignedIn,
    fields: &Fields,
    rejected: Option<&Rejected>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let mut snapshot = panel.app.db.snapshot().await?;
    let all = steps::read(&mut snapshot).await?;
    let daemons = status::daemons(&mut snapshot).await?;
    let https = certificates::need(&mut snapshot, Usage::Https).await?;
    drop(snapshot);
    let mut f = Frame::for_user(visitor, known, w.assistant);
    // The page of a rejected form has the address of the form, where nothing can be fetched.
    f.is_live = rejected.is_none();
    f.notices.extend(page::done(w, fields));
    if all.iter().all(|step| step.progress != Progress::Open) {
        f.notices.push(Notice::good(w.assistant_complete));
    }
    let (commands, places) = commands(panel, who, fields, &daemons, &https.certificate);
    let basis =
        Basis { who, commands: &commands, places, database: panel.app.db.location().option(), rejected };
    let steps = all.iter().map(|step| shown(w, step, &basis)).collect();
    let status = if rejected.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = Page { f, progress: progress(w, &all), steps };
    Ok((status, page::html(&page)?).into_response())
}

/// The commands that start the daemons, for the places in the address of the page or, without them, for those that
/// are known; and these places as texts.
fn commands(
    panel: &Panel,
    who: &SignedIn,
    fields: &Fields,
    daemons: &[Daemon],
    https: &str,
) -> (StartCommands, [String; 2]) {
    let address = |daemon: &Daemon| daemon.address.clone().filter(|_| daemon.kind == "server");
    let joined = daemons.iter().find_map(address).unwrap_or_default();
    let server = if fields.has("server") { fields.text("server").to_owned() } else { joined };
    let names = X509::from_pem(https.as_bytes()).map(|found| hosts_of(&found)).unwrap_or_default();
    let first = names.into_iter().next().unwrap_or_else(|| "localhost".to_owned());
    let backend = Some(fields.text("backend").to_owned()).filter(|text| !text.is_empty());
    let backend = backend.unwrap_or_else(|| first.clone());
    let path = who.0.values.text("api_path").split(',').next().unwrap_or_default().to_owned();
    let commands = StartCommands {
        server: Place::parse(&server),
        backend: Place::parse(&backend).or_else(|| Place::parse(&first)).unwrap_or_else(Place::local),
        port: panel.app.address.port(),
        path,
    };
    (commands, [server, backend])
}

/// The word and the symbol for the state of a step.
fn state(w: &'static Words, step: &Step) -> Cell {
    let cell = match step.progress {
        Progress::Done => Cell::state(w.step_done, "good"),
        Progress::Open => Cell::state(w.step_open, "bad"),
        Progress::Optional => Cell::state(w.step_optional, "warn"),
    };
    cell.with(&step.found)
}

/// All steps at a glance.
fn progress(w: &'static Words, all: &[Step]) -> Table {
    let row = |(number, step): (usize, &Step)| {
        let (id, title, _) = step_parts::words(w, step.task);
        vec![Cell::link(format!("{}. {title}", number + 1), format!("#step-{id}")), state(w, step)]
    };
    Table {
        part: "steps",
        caption: w.steps.to_owned(),
        columns: vec![Column::text(w.step), Column::wide(w.state)],
        rows: all.iter().enumerate().map(row).collect(),
        empty: "",
    }
}

fn shown(w: &'static Words, step: &Step, basis: &Basis<'_>) -> Shown {
    let (id, title, why) = step_parts::words(w, step.task);
    let links = step_parts::links(w, step.task);
    Shown { id, title, why, state: state(w, step), links, parts: step_parts::parts(basis, step.task) }
}

/// Saves the address of the station, also if it is the default.
pub(super) async fn set_station(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let again = async |rejected| page_with(&panel, &who, &Fields::default(), Some(&rejected)).await;
    let given = STATION_SETTINGS.iter().filter_map(|name| Some((find(name).ok()?, fields.text(name))));
    let checked = match settings::check(&given.collect::<Vec<_>>()) {
        Ok(checked) => checked,
        Err(wrong) => {
            let wrong: Vec<Wrong> = wrong.iter().map(|why| setting_field::wrong(w, why)).collect();
            return again(Rejected::wrong(&fields, wrong)).await;
        }
    };
    let put = async |act: &mut Act| settings::put(act, &checked).await;
    match panel.act(Reach::Daemons, who.order("config set", &fields), put).await? {
        Ok(()) => Ok(saved(PATH, "saved")),
        Err(why) => again(Rejected::refused(&fields, refusal(w, &why))).await,
    }
}

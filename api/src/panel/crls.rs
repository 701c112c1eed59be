//! The certificate revocation lists and the URLs that they come from, with forms that upload CRLs, download all of them
//! at once, and remove one.

use super::Panel;
use super::act::{Reach, refusal};
use super::fields::{Fields, Form};
use super::form::{FormBlock, Rejected, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, saved};
use super::parts::{Part, PartsPage};
use super::rights::Right;
use super::second_look::Look;
use super::table::{Button, Cell, Column, Table};
use super::upload::{self, CrlUpload};
use crate::change::{Act, crls as change};
use crate::pki::facts::CrlFacts;
use crate::store::crl_urls::{self, Source};
use crate::store::crls::{self, Stored};
use axum::extract::State;
use axum::response::Response;
use common::text::clock;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/crls";

/// The page.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    fields: Fields,
) -> Result<Response, Fault> {
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
    let all = crls::all(&mut snapshot).await?;
    let sources = crl_urls::sources(&mut snapshot).await?;
    drop(snapshot);
    let mut f = Frame::for_user(visitor, known, w.crls);
    f.is_live = rejected.is_none();
    f.notices.extend(page::done(w, fields));
    let mut parts =
        vec![Part::table(w.crls, of_crls(who, &all)), Part::table(w.crl_sources, of_sources(who, &sources))];
    if who.may(Right::Operate) {
        let fetch = Button::new(known, &format!("{PATH}/fetch"), w.fetch_all, "");
        parts.push(Part::acts("fetch", w.what_can_be_done, vec![fetch]));
    }
    if who.may(Right::Administer) {
        let form = FormBlock::new(known, w, PATH, w.add).with("", upload::crl_fields(w));
        parts.push(Part::form("add", w.bring_crl, upload::form(form).rejected(rejected)));
    }
    PartsPage { f, parts }.respond(rejected.is_some())
}

fn of_crls(who: &SignedIn, all: &[Stored]) -> Table {
    let w = who.0.words;
    let now = clock::now();
    let row = |crl: &Stored| {
        let is_readable = CrlFacts::of_pem(&crl.pem).is_ok();
        let state = match crl.state(now) {
            _ if !is_readable => Cell::state(w.unreadable, "bad"),
            "current" => Cell::state(w.crl_current, "good"),
            "expired" => Cell::state(w.over, "bad"),
            _ => Cell::state(w.crl_to_come, "warn"),
        };
        vec![
            Cell::text(&crl.name),
            Cell::text(page::time(crl.last_update)),
            Cell::maybe(crl.next_update.map(page::time)),
            state,
            Cell::maybe(crl.source.as_deref()),
            remove(who, &crl.issuer_key, &crl.name),
        ]
    };
    Table {
        part: "crls",
        caption: w.crls.to_owned(),
        columns: vec![
            Column::wide(w.issuer),
            Column::time(w.crl_of),
            Column::time(w.crl_next),
            Column::text(w.state),
            Column::wide(w.crl_source),
            Column::text(w.what_can_be_done),
        ],
        rows: all.iter().map(row).collect(),
        empty: w.no_crls,
    }
}

fn of_sources(who: &SignedIn, all: &[Source]) -> Table {
    let w = who.0.words;
    let row = |source: &Source| {
        let outcome = match (&source.error, source.fetched) {
            (Some(error), _) => Cell { is_english: true, ..Cell::state(error, "bad") },
            (None, Some(_)) => Cell::state(w.good, "good"),
            (None, None) => Cell::text("-"),
        };
        vec![
            Cell::text(&source.url),
            Cell::maybe(source.tried.map(page::time)),
            Cell::maybe(source.fetched.map(page::time)),
            outcome,
            remove(who, &source.url, &source.url),
        ]
    };
    Table {
        part: "sources",
        caption: w.crl_sources.to_owned(),
        columns: vec![
            Column::wide(w.crl_source),
            Column::time(w.last_tried),
            Column::time(w.last_fetched),
            Column::wide(w.result),
            Column::text(w.what_can_be_done),
        ],
        rows: all.iter().map(row).collect(),
        empty: w.no_crl_sources,
    }
}

fn remove(who: &SignedIn, which: &str, name: &str) -> Cell {
    let button = || Button::new(&who.1, &format!("{PATH}/remove"), who.0.words.remove, name);
    Cell::buttons(who.may(Right::Administer).then(|| button().with("which", which).with("shown", name)))
}

/// Adds the uploaded CRLs.
pub(super) async fn add(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    CrlUpload(upload): CrlUpload,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let outcome = match upload.crls() {
        None => Err(w.no_file.to_owned()),
        Some(Err(why)) => Err(w.of_file(&why)),
        Some(Ok(found)) => {
            let order = who.order("crl add", &upload.fields);
            let added = panel.act(Reach::Daemons, order, async |act| change::add(act, &found).await).await?;
            added.map(|_| ()).map_err(|why| refusal(w, &why))
        }
    };
    match outcome {
        Ok(()) => Ok(saved(PATH, "added")),
        Err(why) => {
            let rejected = Rejected::wrong(&Fields::default(), vec![Wrong::new("file", why)]);
            page_with(&panel, &who, &Fields::default(), Some(&rejected)).await
        }
    }
}

/// Marks all CRLs for a new download, which `serve` makes in its next time slice.
pub(super) async fn fetch(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(_): Form,
) -> Result<Response, Fault> {
    who.need(Right::Operate)?;
    panel.note(async |connection| crl_urls::all_are_due(connection).await).await?;
    log::info!("panel_crl_fetch address={} user={}", who.0.address, who.1.user.name);
    Ok(saved(PATH, "fetching"))
}

/// Removes the CRLs of an issuer, or a URL, after a confirmation.
pub(super) async fn take_away(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let which = fields.text("which");
    let look = Look {
        title: format!("{}: {}", w.remove, fields.text("shown")),
        shows_effect: true,
        needs_proof: true,
        back: PATH,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("crl remove", &fields));
    let remove = async |act: &mut Act| change::remove(act, which).await;
    panel.act_confirmed(&who, &fields, act, look, remove).await?.respond(&who, PATH, "removed")
}

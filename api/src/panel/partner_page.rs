//! The page of one partner: what is known about it, whether it would be accepted, and all actions on it.

use super::Panel;
use super::certificate_facts;
use super::fields::Fields;
use super::form::{FormBlock, Rejected};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice};
use super::parts::{Part, PartsPage};
use super::rights::{Right, VERSION};
use super::table::{Button, Cell, Column, Table};
use super::words::Words;
use super::{partner_form, partners, refused, sessions, traffic, upload};
use crate::change::judgement::{self, Verdict};
use crate::change::{self, partner_members, rules};
use crate::db::DbError;
use crate::pki::facts::Facts;
use crate::status;
use crate::store::partners::word;
use crate::store::session_search::{self, Search};
use crate::store::sessions::Session;
use crate::store::{audit, partner_debug, refusals};
use axum::extract::{Path, State};
use axum::response::Response;
use common::config::{NamedPem, Partner};
use common::text::clock::{self, DAY};
use std::sync::Arc;

/// The form of this page that was rejected: its prefix, and what was wrong.
pub(super) type Again<'a> = Option<(&'a str, &'a Rejected)>;
/// The prefix of the form with the members.
pub(super) const MEMBERS: &str = "";
/// The prefix of the form that uploads a certificate to pin.
pub(super) const PIN: &str = "pin-";

/// Sessions and refusals that the page shows.
const LATEST: u32 = 10;
/// Days for which it shows refusals.
const REFUSED_DAYS: i64 = 30;

/// The path of a partner's page.
pub(super) fn path(name: &str) -> String {
    format!("{}/{name}", partners::PATH)
}

/// The page.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(name): Path<String>,
    fields: Fields,
) -> Result<Response, Fault> {
    page_with(&panel, &who, &name, &fields, None).await
}

/// The partner of this name.
pub(super) async fn need(connection: &mut sqlx::AnyConnection, name: &str) -> Result<Partner, Fault> {
    rules::need_partner(connection, name).await.map_err(|_| Fault::None)
}

/// The page, with the errors of a form that was rejected.
pub(super) async fn page_with(
    panel: &Panel,
    who: &SignedIn,
    name: &str,
    fields: &Fields,
    again: Again<'_>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let mut snapshot = panel.app.db.snapshot().await?;
    let partner = need(&mut snapshot, name).await?;
    let version = audit::head(&mut snapshot).await?.number;
    let verdicts = judgement::verdicts(&mut snapshot, name).await?;
    let mut warnings = partner_members::warnings(&partner);
    warnings.extend(change::partners::warnings(&mut snapshot, &partner).await?);
    let debugged = partner_debug::all(&mut snapshot).await?.into_iter().find(|one| one.partner == name);
    let latest = latest(&mut snapshot, w, &partner).await?;
    drop(snapshot);
    let mut f = Frame::for_user(visitor, known, &format!("{} {name}", w.partner));
    f.notices.extend(page::done(w, fields));
    f.notices.extend(warnings.iter().map(|text| Notice::english(text)));
    let of = |form: &str| again.filter(|(of, _)| *of == form).map(|(_, rejected)| rejected);
    let mut facts = facts(w, &partner);
    facts.extend(debugged.as_ref().map(|one| (w.debug_until, Cell::state(page::time(one.until), "warn"))));
    let mut parts = vec![Part::facts("facts", w.facts, facts), accepted(w, verdicts), pins(who, &partner)];
    parts.extend(latest);
    if who.may(Right::Operate) {
        parts.insert(1, Part::acts("acts", w.what_can_be_done, acts(who, &partner, debugged.is_some())));
        let mut form = FormBlock::new(known, w, &path(name), w.save);
        form.hidden.push((VERSION, version.to_string()));
        let form = partner_form::add_sections(form, w, &partner, who.may(Right::Administer));
        parts.push(Part::form("change", w.change_partner, form.rejected(of(MEMBERS))));
    }
    if who.may(Right::Administer) {
        let mut form = FormBlock::new(known, w, &format!("{}/pins", path(name)), w.look_at_it);
        form.id = PIN;
        let form = upload::form(form.with("", upload::fields(w))).rejected(of(PIN));
        parts.push(Part::form("pin", w.pin_certificate, form));
    }
    PartsPage { f, parts }.respond(again.is_some())
}

/// The parts with what has happened lately.
async fn latest(
    connection: &mut sqlx::AnyConnection,
    w: &'static Words,
    partner: &Partner,
) -> Result<Vec<Part>, DbError> {
    let name = &partner.short_name;
    let search = Search { partner: name, ..Search::default() };
    let found = session_search::search(connection, &search, LATEST).await?;
    let sessions: Vec<Session> = found.into_iter().map(|(_, session)| session).collect();
    let since = clock::now() - REFUSED_DAYS * DAY;
    let daemons = status::daemons(connection).await?;
    let refused = refusals::newest_of(connection, (name, &partner.ssid), since, LATEST).await?;
    Ok(vec![
        traffic::of_partner(connection, w, name).await?,
        Part::table(w.last_sessions, sessions::table(w, &sessions, &daemons)),
        Part::table(w.last_refusals, refused::table(w, &refused)),
    ])
}

fn facts(w: &'static Words, partner: &Partner) -> Vec<(&'static str, Cell)> {
    let state =
        if partner.enabled { Cell::state(w.enabled, "good") } else { Cell::state(w.disabled, "warn") };
    let host = partner.host.as_ref().map(|host| format!("{host}:{}", partner.port));
    let name: String = form_urlencoded::byte_serialize(partner.short_name.as_bytes()).collect();
    vec![
        (w.short_name, Cell::text(&partner.short_name)),
        (w.ssid, Cell::text(&partner.ssid)),
        (w.state, state),
        (w.certificate_rule, Cell::text(word(&partner.certificate))),
        (w.host_and_port, Cell::maybe(host)),
        (w.profile, Cell::text(word(&partner.profile))),
        (w.sessions, Cell::link(w.show, format!("{}?partner={name}", sessions::PATH))),
        (w.refused, Cell::link(w.show, format!("/refused?who={name}"))),
    ]
}

/// The buttons for the actions on the partner.
fn acts(who: &SignedIn, partner: &Partner, is_debugged: bool) -> Vec<Button> {
    let w = who.0.words;
    let path = path(&partner.short_name);
    let button = |below: &str, word| Button::new(&who.1, &format!("{path}/{below}"), word, "");
    let mut buttons = vec![if partner.enabled {
        button("enabled", w.disable).with("enabled", "no")
    } else {
        button("enabled", w.enable).with("enabled", "yes")
    }];
    buttons.push(button("test", w.test_call));
    buttons.push(if is_debugged {
        button("debug", w.debug_end).with("debug", "no")
    } else {
        button("debug", w.debug_begin).with("debug", "yes")
    });
    if who.may(Right::Administer) {
        buttons.push(button("remove", w.remove));
    }
    buttons
}

/// Whether the partner would be accepted, with each certificate that is known for it.
pub(super) fn accepted(w: &'static Words, verdicts: Result<Vec<Verdict>, String>) -> Part {
    let (id, title) = ("accepted", w.would_be_accepted);
    let verdicts = match verdicts {
        Ok(verdicts) => verdicts,
        Err(why) => return Part::note(id, title, &why),
    };
    let table = Table {
        part: id,
        caption: title.to_owned(),
        columns: vec![
            Column::text(w.direction),
            Column::text(w.certificate),
            Column::text(w.known_from),
            Column::text(w.state),
            Column::wide(w.detail),
        ],
        rows: verdicts.into_iter().map(|one| verdict(w, one)).collect(),
        empty: w.no_verdicts,
    };
    Part::table(title, table)
}

/// The row for a certificate: whether it would be accepted.
fn verdict(w: &'static Words, one: Verdict) -> Vec<Cell> {
    let (state, detail) = match one.refused {
        None => (Cell::state(w.accepted, "good"), Cell::text("")),
        Some((reason, detail)) => (Cell::state(reason, "bad"), Cell::english(detail)),
    };
    vec![
        Cell::text(if one.is_outgoing { w.outgoing } else { w.incoming }),
        Cell::text(one.subject),
        Cell::text(if one.was_shown { w.a_session } else { w.a_pin }),
        state,
        detail,
    ]
}

/// Its pinned certificates.
fn pins(who: &SignedIn, partner: &Partner) -> Part {
    let w = who.0.words;
    let remove = |pin: &NamedPem| {
        let facts = Facts::of_pem(&pin.pem);
        let print = facts.map(|facts| facts.fingerprint).unwrap_or_default();
        let action = format!("{}/pins/remove", path(&partner.short_name));
        Button::new(&who.1, &action, w.remove, &pin.name).with("sha256", print)
    };
    let row = |pin: &NamedPem| {
        let mut cells = certificate_facts::cells(w, &pin.pem);
        cells.push(Cell::buttons(who.may(Right::Administer).then(|| remove(pin))));
        cells
    };
    let mut columns = certificate_facts::columns(w);
    columns.push(Column::text(w.what_can_be_done));
    let table = Table {
        part: "pins",
        caption: w.pins.to_owned(),
        columns,
        rows: partner.pins.iter().map(row).collect(),
        empty: w.no_pins,
    };
    Part::table(w.pins, table)
}

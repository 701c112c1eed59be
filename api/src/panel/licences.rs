//! Licences of servers: a form that issues one, and the file, which has no secret.

use super::Panel;
use super::act::{Outcome, Reach, refusal};
use super::configuration::PROXY;
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Shape, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice};
use super::parts::{Part, PartsPage};
use super::rights::Right;
use super::second_look::Look;
use super::start_commands::{FOLDER, LICENCE};
use super::table::{Button, Cell};
use super::words::Words;
use super::{assistant, certificate_facts};
use crate::change::Act;
use crate::change::licences::{self as change, DAYS, HOLDER, LONGEST, Wanted};
use crate::pki::facts::Facts;
use crate::store::licences;
use crate::store::proxies::Proxy;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use common::identity::ProxyId;
use common::text::clock::{self, DAY};
use std::sync::Arc;

/// The path of the form that issues a licence; below it are the licences.
pub(super) const ISSUE: &str = "/configuration/proxy/licences";
/// The prefix of the fields of this form.
const FORM: &str = "licence-";

/// The path of a server's licence.
pub(super) fn path(id: &str) -> String {
    format!("{ISSUE}/{id}.lic")
}

/// The form that issues a licence.
pub(super) fn form(who: &SignedIn) -> FormBlock {
    let w = who.0.words;
    let fields = vec![
        Field::text("proxy_id", w.proxy_id, "").with(w.proxy_id_hint),
        Field::text("holder", w.holder, HOLDER).with(w.holder_hint),
        Field::of(Shape::Number, "days", w.licence_days, DAYS.to_string())
            .with(format!("{} 1 {} {LONGEST}.", w.takes_number, w.to)),
    ];
    let mut form = FormBlock::new(&who.1, w, ISSUE, w.issue_licence);
    form.id = FORM;
    form.with("", fields)
}

/// The page with only the form that was rejected, because several pages have this form.
fn again(who: &SignedIn, rejected: &Rejected) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let f = Frame::for_user(visitor, known, w.issue_licence);
    let form = form(who).rejected(Some(rejected));
    PartsPage { f, parts: vec![Part::form("licence", w.licence, form)] }.respond(true)
}

/// The Proxy ID and the days of the submitted form, or what is wrong with its fields.
fn wanted(w: &'static Words, fields: &Fields) -> Result<(ProxyId, u32), Vec<Wrong>> {
    let id = fields.text("proxy_id").parse().map_err(|_| Wrong::new("proxy_id", w.proxy_id_hint));
    let days = fields.text("days").parse().ok().filter(|days| (1..=LONGEST).contains(days));
    let days = days.ok_or_else(|| {
        Wrong::new("days", format!("{} {} 1 {} {LONGEST}.", w.takes_only, w.takes_number, w.to))
    });
    match (id, days) {
        (Ok(id), Ok(days)) => Ok((id, days)),
        (id, days) => Err([id.err(), days.err()].into_iter().flatten().collect()),
    }
}

/// Issues a licence after a confirmation, and shows it.
pub(super) async fn issue(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let (id, days) = match wanted(w, &fields) {
        Ok(wanted) => wanted,
        Err(wrong) => return again(&who, &Rejected::wrong(&fields, wrong)),
    };
    let wanted = Wanted { id: &id, holder: fields.text("holder"), days, is_listed: true };
    let look = Look {
        title: w.issue_licence.to_owned(),
        meanings: vec![w.licence_meaning.to_owned()],
        needs_proof: true,
        back: PROXY,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("licence issue", &Fields::default()));
    let issue = async |act: &mut Act| change::issue(act, &wanted).await;
    match panel.act_confirmed(&who, &fields, act, look, issue).await? {
        Outcome::Done(licence) => shown(&who, &id, &licence),
        Outcome::Confirm(page) => Ok(page),
        Outcome::Refused(why) => again(&who, &Rejected::refused(&fields, refusal(w, &why))),
    }
}

/// The page with the licence, and the lines that store it on the DMZ host.
fn shown(who: &SignedIn, id: &ProxyId, licence: &str) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let mut f = Frame::for_user(visitor, known, w.licence);
    f.notices.push(Notice::good(w.licence_issued));
    let facts = Facts::of_pem(licence)?;
    let facts = vec![
        (w.proxy_id, Cell::text(id)),
        (w.valid_until, Cell::text(page::time(facts.until))),
        (w.licence_file, Cell::link("os4x_proxy.lic", path(id.as_str()))),
        (w.next_step, Cell::link(w.assistant, assistant::PATH.to_owned())),
    ];
    let mut lines = vec![format!("cat > {LICENCE} <<'END'")];
    lines.extend(licence.lines().map(str::to_owned));
    lines.extend(["END".to_owned(), format!("{FOLDER}/os4x_proxyserver2 -V -l {LICENCE}")]);
    let parts = vec![Part::facts("licence", w.facts, facts), Part::lines("lines", w.on_dmz_host, lines)];
    page::html(&PartsPage { f, parts })
}

/// The newest licence of a server as a file.
pub(super) async fn download(
    State(panel): State<Arc<Panel>>,
    SignedIn(..): SignedIn,
    Path(name): Path<String>,
) -> Result<Response, Fault> {
    let id = name.strip_suffix(".lic").ok_or(Fault::None)?;
    let mut all = licences::newest(&mut *panel.app.db.snapshot().await?).await?;
    let pem = all.remove(id).and_then(|licence| licence.pem).ok_or(Fault::None)?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-pem-file"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"os4x_proxy.lic\""),
    ];
    Ok((headers, pem).into_response())
}

/// The cell with the end of a server's licence, of the one that it has reported or, before that, of the newest one that
/// was issued; with a link to the file of the latter.
pub(super) fn cell(id: &str, issued: Option<&licences::Licence>, in_force: Option<i64>) -> Cell {
    let Some(until) = in_force.or(issued.map(|licence| licence.until)) else { return Cell::text("") };
    let days = (until - clock::now()).div_euclid(DAY);
    let cell = Cell { state: certificate_facts::days_left(days).state, ..Cell::text(page::time(until)) };
    let has_file = issued.and_then(|licence| licence.pem.as_ref()).is_some();
    Cell { path: has_file.then(|| path(id)), ..cell }
}

/// The button that issues the licence of a listed server, or renews it.
pub(super) fn button(who: &SignedIn, proxy: &Proxy, has_one: bool) -> Button {
    let w = who.0.words;
    let title = if has_one { w.renew_licence } else { w.issue_licence };
    let holder = if proxy.name.is_empty() { HOLDER } else { &proxy.name };
    Button::new(&who.1, ISSUE, title, &proxy.name)
        .with("proxy_id", proxy.id.as_str())
        .with("holder", holder)
        .with("days", DAYS.to_string())
}

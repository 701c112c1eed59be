//! The licences of servers, on the page Proxy: a licence is issued after a look at what that means, and can then be
//! downloaded. It is no secret, and nothing of it is kept: a further download needs a further licence.

use super::Panel;
use super::act::{Outcome, Reach, refusal};
use super::configuration::PROXY;
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Shape, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice};
use super::parts::{Part, PartsPage};
use super::rights::Right;
use super::second_look::{self, Look};
use super::table::{Button, Cell};
use super::words::Words;
use crate::change::Act;
use crate::change::licences::{self, DAYS, HOLDER, VALIDITY, Wanted};
use crate::pki::facts::Facts;
use crate::store::certificates::{self, Usage};
use crate::store::proxies;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use common::identity::ProxyId;
use openssl::x509::X509;
use std::sync::Arc;

/// The path of the form that issues a licence.
pub(super) const ISSUE: &str = "/configuration/proxy/licence";
/// The path of the form that saves an issued licence as a file.
pub(super) const SAVE: &str = "/configuration/proxy/licence/file";
/// The place of the licence on the server's host.
const FILE: &str = "/etc/os4x_proxy.lic";
/// The name of the field with the licence.
const LICENCE: &str = "licence";

/// The button that begins it, for a server.
pub(super) fn button(who: &SignedIn, id: &ProxyId, name: &str, has_one: bool) -> Button {
    let w = who.0.words;
    Button::new(&who.1, ISSUE, if has_one { w.licence_renew } else { w.licence_issue }, name)
        .with("proxy_id", id.as_str())
}

/// Shows the form with holder and validity, or issues the licence that it describes.
pub(super) async fn issue(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let id: ProxyId = fields.text("proxy_id").parse().map_err(|_| Fault::Form)?;
    if !fields.has("days") {
        return ask(&panel, &who, &id, None).await;
    }
    let days = fields.text("days").parse().ok().filter(|days| VALIDITY.contains(days));
    let Some(days) = days else {
        let wrong = vec![Wrong::new("days", who.0.words.validity_in_days_hint)];
        return ask(&panel, &who, &id, Some(Rejected::wrong(&fields, wrong))).await;
    };
    let wanted = Wanted { id: &id, holder: fields.text("holder"), days, lists: false };
    let look = Look {
        title: title(who.0.words, &id),
        meanings: vec![who.0.words.licence_meaning.to_owned()],
        needs_proof: true,
        back: PROXY,
        ..Look::default()
    };
    let act = (Reach::Backend, who.order("licence issue", &Fields::default()));
    let work = async |act: &mut Act| licences::issue(act, &wanted).await;
    match panel.act_confirmed(&who, &fields, act, look, work).await? {
        Outcome::Done(licence) => shown(&who, &id, &licence),
        Outcome::Refused(why) => {
            let wrong = vec![Wrong::new("holder", refusal(who.0.words, &why))];
            ask(&panel, &who, &id, Some(Rejected::wrong(&fields, wrong))).await
        }
        Outcome::Confirm(page) => Ok(page),
    }
}

fn title(w: &'static Words, id: &ProxyId) -> String {
    let short: String = id.as_str().chars().take(8).collect();
    format!("{}: {short}...", w.licence_issue)
}

/// The form, which also counts as the confirmation.
async fn ask(
    panel: &Panel,
    who: &SignedIn,
    id: &ProxyId,
    rejected: Option<Rejected>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let all = proxies::all(&mut *panel.app.db.snapshot().await?).await?;
    let named = all.into_iter().find(|proxy| proxy.id == *id).map(|proxy| proxy.name);
    let holder = named.filter(|name| !name.is_empty()).unwrap_or_else(|| HOLDER.to_owned());
    let mut form = FormBlock::new(known, w, ISSUE, w.licence_issue);
    form.hidden.push(("proxy_id", id.to_string()));
    let mut fields = vec![
        Field::text("holder", w.licence_holder, holder).with(w.licence_holder_hint),
        Field::of(Shape::Number, "days", w.validity_in_days, DAYS.to_string()).with(w.validity_in_days_hint),
    ];
    fields.extend(second_look::fields(who, &mut form));
    let f = Frame::for_user(visitor, known, &title(w, id));
    let parts = vec![
        Part::note("meaning", w.what_it_means, w.licence_meaning),
        Part::form("issue", w.licence_issue, form.with("", fields).rejected(rejected.as_ref())),
    ];
    PartsPage { f, parts }.respond(rejected.is_some())
}

/// The page with the licence, which can be saved from there.
fn shown(who: &SignedIn, id: &ProxyId, licence: &str) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let mut f = Frame::for_user(visitor, known, &title(w, id));
    f.notices.push(Notice::good(w.licence_issued));
    let until = Facts::of_pem(licence)?.until;
    let facts = vec![
        (w.proxy_id, Cell::text(id)),
        (w.valid_until, Cell::text(page::time(until))),
        (w.file, Cell::text(FILE)),
    ];
    let save = Button::new(known, SAVE, w.licence_save, "").with(LICENCE, licence);
    let lines = licence.lines().map(str::to_owned).collect();
    let parts = vec![
        Part::facts("facts", w.facts, facts),
        Part::acts("acts", w.what_can_be_done, vec![save]),
        Part::lines("licence", w.licence, lines),
    ];
    page::html(&PartsPage { f, parts })
}

/// The licence as a file. Only a certificate of our CA is sent back.
pub(super) async fn save(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let licence = fields.text(LICENCE);
    let ca = certificates::need(&mut *panel.app.db.snapshot().await?, Usage::Ca).await?;
    let ca = X509::from_pem(ca.certificate.as_bytes()).and_then(|ca| ca.public_key());
    let ca = ca.map_err(|_| Fault::Inner)?;
    let all = X509::stack_from_pem(licence.as_bytes()).map_err(|_| Fault::Form)?;
    if all.is_empty() || !all.iter().all(|one| one.verify(&ca).unwrap_or_default()) {
        return Err(Fault::Form);
    }
    let headers = [
        (header::CONTENT_TYPE, "application/x-pem-file"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"os4x_proxy.lic\""),
    ];
    Ok((headers, format!("{licence}\n")).into_response())
}

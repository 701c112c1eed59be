//! Certificates that are pinned to a partner. The panel first shows the certificates of an uploaded file, and whether
//! they would be accepted; it stores them only after that.

use super::Panel;
use super::act::{Outcome, Reach, refusal};
use super::certificate_facts;
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Shape, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame};
use super::partner_page::{PIN, accepted, need, page_with, path};
use super::parts::{Part, PartsPage};
use super::rights::Right;
use super::second_look::{self, Look};
use super::upload::Upload;
use super::words::Words;
use crate::change::Act;
use crate::change::judgement;
use crate::change::pins::{self as change, PinChange};
use crate::pki::ca::pem;
use crate::store;
use axum::extract::{Path, State};
use axum::response::Response;
use common::config::{CertificateRule, NamedPem, Partner};
use openssl::x509::X509;
use std::sync::Arc;

/// The form field with certificates that were shown and are not stored yet.
pub(super) const FOUND: &str = "found";
/// Limits the size of these certificates, because the form carries them from one page to the next.
const LARGEST: usize = 40 << 10;

/// The uploaded certificates, or what is wrong with the file field.
pub(super) fn found(w: &'static Words, upload: &Upload) -> Result<Vec<X509>, Vec<Wrong>> {
    let wrong = |why: String| vec![Wrong::new("file", why)];
    match upload.certificates() {
        None => Err(wrong(w.no_file.to_owned())),
        Some(Err(why)) => Err(wrong(w.of_file(&why))),
        Some(Ok(all)) => match pem_of(&all) {
            Ok(text) if text.len() <= LARGEST => Ok(all),
            _ => Err(wrong(w.too_many_certificates.to_owned())),
        },
    }
}

/// The certificates as one text in PEM.
pub(super) fn pem_of(all: &[X509]) -> Result<String, Fault> {
    Ok(all.iter().map(pem).collect::<Result<String, _>>()?)
}

/// The certificates of the form field, which were shown before.
pub(super) fn of_form(fields: &Fields) -> Result<Vec<NamedPem>, Fault> {
    let all = X509::stack_from_pem(fields.text(FOUND).as_bytes()).map_err(|_| Fault::Form)?;
    Ok(change::named(&all)?)
}

/// The parts that describe certificates.
pub(super) fn descriptions(w: &'static Words, all: &[X509], ssid: Option<&str>) -> Vec<Part> {
    let describe =
        |one| Part::facts("found", w.found_certificate, certificate_facts::description(w, one, ssid));
    all.iter().map(describe).collect()
}

/// Whether the certificates of a partner would be accepted if the partner were changed to this. Changes nothing.
pub(super) async fn trial(panel: &Panel, who: &SignedIn, partner: &Partner) -> Result<Part, Fault> {
    let w = who.0.words;
    let mut act = Act::begin(&panel.app.db, who.order("partner set", &Fields::default())).await?;
    // It may not be complete yet, so the rules do not hold.
    store::partners::put(&mut act, partner).await?;
    let verdicts = judgement::verdicts(&mut act, &partner.short_name).await?;
    drop(act);
    Ok(accepted(w, verdicts))
}

/// Shows the uploaded certificates.
pub(super) async fn look_at(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(name): Path<String>,
    upload: Upload,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let SignedIn(visitor, known) = &who;
    let w = visitor.words;
    let mut partner = need(&mut *panel.app.db.snapshot().await?, &name).await?;
    let all = match found(w, &upload) {
        Ok(all) => all,
        Err(wrong) => {
            let rejected = Rejected::wrong(&upload.fields, wrong);
            return page_with(&panel, &who, &name, &Fields::default(), Some((PIN, &rejected))).await;
        }
    };
    let mut parts = descriptions(w, &all, Some(&partner.ssid));
    partner.pins.extend(change::named(&all)?);
    partner.certificate = CertificateRule::Pinned;
    parts.push(trial(&panel, &who, &partner).await?);
    let mut form = FormBlock::new(known, w, &format!("{}/pins/keep", path(&name)), w.pin_it);
    form.hidden.push((FOUND, pem_of(&all)?));
    let choices = [("beside", w.pin_beside), ("instead", w.pin_instead)];
    let choices = choices.map(|(value, word)| (value.to_owned(), word.to_owned())).into();
    let mut fields = vec![Field::of(Shape::Choice(choices), "how", w.pin_how, "beside").with(w.pin_how_hint)];
    fields.extend(second_look::fields(&who, &mut form));
    parts.push(Part::form("keep", w.pin_certificate, form.with("", fields)));
    page::html(&PartsPage {
        f: Frame::for_user(visitor, known, &format!("{} {name}", w.pin_certificate)),
        parts,
    })
}

/// Pins the certificates that were shown.
pub(super) async fn keep(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(name): Path<String>,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let change = PinChange::Add { pins: of_form(&fields)?, is_instead: fields.text("how") == "instead" };
    change_pins(&panel, &who, &name, &fields, &change).await
}

/// Removes a pin.
pub(super) async fn remove(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(name): Path<String>,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let change = PinChange::Remove(fields.text("sha256").to_owned());
    change_pins(&panel, &who, &name, &fields, &change).await
}

/// Changes the pins of a partner after a confirmation.
async fn change_pins(
    panel: &Panel,
    who: &SignedIn,
    name: &str,
    fields: &Fields,
    change: &PinChange,
) -> Result<Response, Fault> {
    let w = who.0.words;
    let (title, back) = (format!("{}: {name}", w.pins), path(name));
    let look = Look { title, shows_effect: true, needs_proof: true, back: &back, ..Look::default() };
    let act = (Reach::Daemons, who.order("partner set", fields));
    let make = async |act: &mut Act| change.make(act, name).await;
    match panel.act_confirmed(who, fields, act, look, make).await? {
        Outcome::Refused(why) => {
            let rejected = Rejected::refused(&Fields::default(), refusal(w, &why));
            page_with(panel, who, name, &Fields::default(), Some((PIN, &rejected))).await
        }
        outcome => outcome.respond(who, &back, "saved"),
    }
}

//! Adds a partner, with a certificate or without one. If a certificate was uploaded, the page shows its contents and
//! fills in the form from it.

use super::Panel;
use super::act::{Outcome, Reach, refusal};
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Section, Wrong};
use super::gate::SignedIn;
use super::page::{Fault, Frame, saved};
use super::parts::{Part, PartsPage};
use super::pins::{self, FOUND};
use super::rights::Right;
use super::second_look::{self, Look};
use super::upload::{self, Upload};
use super::words::Words;
use super::{partner_form, partner_page, partners as list};
use crate::change::{Act, partners};
use crate::pki::description::Description;
use crate::pki::facts::short_name;
use crate::store;
use axum::extract::State;
use axum::response::Response;
use common::config::{CertificateRule, Partner};
use common::text::host::is_short_name;
use openssl::x509::X509;
use std::sync::Arc;

/// The path of the form that uploads a certificate.
pub(super) const PATH: &str = "/partner-add";
/// The path of the form that adds the partner.
pub(super) const KEEP: &str = "/partner-add/keep";

/// The page that asks for a certificate.
pub(super) async fn show(who: SignedIn, fields: Fields) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    first(&who, fields.text("ssid"), None)
}

/// The page that asks for a certificate. `ssid` is the SSIDCODE of a partner that has tried to connect, or empty.
fn first(who: &SignedIn, ssid: &str, rejected: Option<&Rejected>) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let mut form = FormBlock::new(known, w, PATH, w.look_at_it).with("", upload::fields(w));
    form.hidden.push(("ssid", ssid.to_owned()));
    let form = upload::form(form).rejected(rejected);
    let f = Frame::for_user(visitor, known, w.add_partner);
    let parts = vec![
        Part::note("intro", w.its_certificate, w.add_partner_intro),
        Part::form("certificate", w.file, form),
    ];
    PartsPage { f, parts }.respond(rejected.is_some())
}

/// Shows the uploaded certificates, and the form of the partner.
pub(super) async fn look_at(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    upload: Upload,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    // The certificate is optional.
    let all = match upload.certificates() {
        None => Vec::new(),
        Some(_) => match pins::found(w, &upload) {
            Ok(all) => all,
            Err(wrong) => {
                let rejected = Rejected::wrong(&upload.fields, wrong);
                return first(&who, upload.fields.text("ssid"), Some(&rejected));
            }
        },
    };
    second(&panel, &who, (&all, upload.fields.text("ssid")), None).await
}

/// A partner with the values that can be taken from its certificate.
fn suggested(all: &[X509], ssid: &str) -> Partner {
    let Some(first) = all.first() else { return Partner::new("", ssid) };
    let name: String = short_name(first)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .take(32)
        .collect();
    let name = Some(name).filter(|name| is_short_name(name)).unwrap_or_default();
    let odette_id = Description::of(first).ok().and_then(|described| described.odette_id);
    let ssid = Some(ssid.to_owned()).filter(|ssid| !ssid.is_empty()).or(odette_id);
    let mut partner = Partner::new(name, ssid.unwrap_or_default());
    partner.certificate = CertificateRule::Pinned;
    partner
}

async fn second(
    panel: &Panel,
    who: &SignedIn,
    (all, ssid): (&[X509], &str),
    rejected: Option<&Rejected>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let mut partner = suggested(all, ssid);
    let found = pins::pem_of(all)?;
    let mut parts = pins::descriptions(w, all, None);
    let is_new = {
        let mut snapshot = panel.app.db.snapshot().await?;
        let there = store::partners::all(&mut snapshot).await?;
        !there.iter().any(|one| one.short_name == partner.short_name || one.ssid == partner.ssid)
    };
    if is_new && !all.is_empty() && !partner.short_name.is_empty() && !partner.ssid.is_empty() {
        partner.pins = pins::of_form(&Fields::of(vec![(FOUND.to_owned(), found.clone())]))?;
        parts.push(pins::trial(panel, who, &partner).await?);
    }
    let mut form = FormBlock::new(known, w, KEEP, w.add);
    form.hidden.push((FOUND, found));
    let name = Field::text("short_name", w.short_name, &partner.short_name).with(w.short_name_hint);
    form.sections.push(Section { title: "", fields: vec![name], is_folded: false });
    let mut form = partner_form::add_sections(form, w, &partner, true);
    let proof = second_look::fields(who, &mut form);
    let form = form.with("", proof).rejected(rejected);
    parts.push(Part::form("partner", w.partner, form));
    let f = Frame::for_user(visitor, known, w.add_partner);
    PartsPage { f, parts }.respond(rejected.is_some())
}

/// The partner from the submitted form, or what is wrong with each field.
fn partner(w: &'static Words, fields: &Fields) -> Result<Partner, Vec<Wrong>> {
    let name = fields.text("short_name");
    let bad_name = (!is_short_name(name)).then(|| Wrong::new("short_name", w.short_name_hint));
    let found = partner_form::filled(w, Partner::new(name, ""), fields, true);
    match (found, bad_name) {
        (Ok(partner), None) => Ok(partner),
        (found, bad_name) => Err(bad_name.into_iter().chain(found.err().into_iter().flatten()).collect()),
    }
}

/// Adds the partner.
pub(super) async fn keep(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let pins = if fields.text(FOUND).is_empty() { Vec::new() } else { pins::of_form(&fields)? };
    let all = X509::stack_from_pem(fields.text(FOUND).as_bytes()).unwrap_or_default();
    let partner = match partner(w, &fields) {
        Ok(partner) => Partner { pins, ..partner },
        Err(wrong) => {
            return second(&panel, &who, (&all, ""), Some(&Rejected::wrong(&fields, wrong))).await;
        }
    };
    let title = format!("{} {}", w.add_partner, partner.short_name);
    let look = Look { title, shows_effect: true, needs_proof: true, back: list::PATH, ..Look::default() };
    let act = (Reach::Daemons, who.order("partner add", &fields));
    let put = async |act: &mut Act| partners::add(act, &partner).await;
    match panel.act_confirmed(&who, &fields, act, look, put).await? {
        Outcome::Done(()) => Ok(saved(&partner_page::path(&partner.short_name), "added")),
        Outcome::Confirm(page) => Ok(page),
        Outcome::Refused(why) => {
            second(&panel, &who, (&all, ""), Some(&Rejected::refused(&fields, refusal(w, &why)))).await
        }
    }
}

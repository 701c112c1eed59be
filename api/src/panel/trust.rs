//! The trusted certificates: a list of them, a form that shows further ones before they are trusted, and a form that
//! removes one, after the user has seen which partners this would shut out.

use super::act::{Outcome, Reach, refusal};
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame};
use super::parts::{Part, PartsPage};
use super::pins::{self, FOUND};
use super::rights::Right;
use super::second_look::{self, Look};
use super::table::{Button, Cell, Column, Table};
use super::upload::{self, Upload};
use super::{Panel, certificate_facts};
use crate::change::{Act, trust};
use crate::settings::yes_no;
use crate::store::certificates;
use axum::extract::State;
use axum::response::Response;
use common::config::Trusted;
use openssl::x509::X509;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/trust";

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
    let all = certificates::trusted(&mut *panel.app.db.snapshot().await?).await?;
    let mut f = Frame::for_user(visitor, known, w.trusted);
    f.notices.extend(page::done(w, fields));
    let mut columns = vec![Column::text(w.name)];
    columns.extend(certificate_facts::columns(w));
    columns.extend([Column::text(w.needs_crl), Column::text(w.what_can_be_done)]);
    let table = Table {
        part: "trusted",
        caption: w.trusted.to_owned(),
        columns,
        rows: all.iter().map(|one| row(who, one)).collect(),
        empty: w.none_trusted,
    };
    let mut parts = vec![Part::table(w.trusted, table)];
    if who.may(Right::Administer) {
        let form = FormBlock::new(known, w, PATH, w.look_at_it).with("", upload::fields(w));
        parts.push(Part::form("add", w.trust_more, upload::form(form).rejected(rejected)));
    }
    PartsPage { f, parts }.respond(rejected.is_some())
}

fn row(who: &SignedIn, Trusted { certificate, no_crl }: &Trusted) -> Vec<Cell> {
    let w = who.0.words;
    let button = |below: &str, word| {
        let action = format!("{PATH}/{below}");
        Button::new(&who.1, &action, word, &certificate.name).with("name", &certificate.name)
    };
    let buttons = if who.may(Right::Administer) {
        let (word, value) = if *no_crl { (w.need_crl, "no") } else { (w.need_no_crl, "yes") };
        vec![button("crl", word).with("no_crl", value), button("remove", w.remove)]
    } else {
        Vec::new()
    };
    let crl = if *no_crl { Cell::state(w.no, "warn") } else { Cell::text(w.yes) };
    let mut cells = vec![Cell::text(&certificate.name)];
    cells.extend(certificate_facts::cells(w, &certificate.pem));
    cells.extend([crl, Cell::buttons(buttons)]);
    cells
}

/// Shows the uploaded certificates.
pub(super) async fn look_at(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    upload: Upload,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let SignedIn(visitor, known) = &who;
    let w = visitor.words;
    let all = match pins::found(w, &upload) {
        Ok(all) => all,
        Err(wrong) => {
            let rejected = Rejected::wrong(&upload.fields, wrong);
            return page_with(&panel, &who, &Fields::default(), Some(&rejected)).await;
        }
    };
    let mut parts = pins::descriptions(w, &all, None);
    let mut form = FormBlock::new(known, w, &format!("{PATH}/keep"), w.trust_it);
    form.hidden.push((FOUND, pins::pem_of(&all)?));
    let mut fields = vec![
        Field::text("trust_name", w.name, "").with(w.trust_name_hint),
        Field::yes_no(w, "needs_crl", w.needs_crl, true).with(w.needs_crl_hint),
    ];
    fields.extend(second_look::fields(&who, &mut form));
    parts.push(Part::form("keep", w.trust_it, form.with("", fields)));
    page::html(&PartsPage { f: Frame::for_user(visitor, known, w.trust_more), parts })
}

/// Trusts the certificates that were shown.
pub(super) async fn keep(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let all = X509::stack_from_pem(fields.text(FOUND).as_bytes()).map_err(|_| Fault::Form)?;
    let name = Some(fields.text("trust_name")).filter(|name| !name.is_empty());
    let no_crl = yes_no(fields.text("needs_crl")) == Some(false);
    let look = Look {
        title: w.trust_it.to_owned(),
        shows_effect: true,
        needs_proof: true,
        back: PATH,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("trust add", &fields));
    let add = async |act: &mut Act| trust::add(act, &all, name, no_crl).await;
    match panel.act_confirmed(&who, &fields, act, look, add).await? {
        Outcome::Done(_) => Ok(page::saved(PATH, "added")),
        Outcome::Confirm(page) => Ok(page),
        Outcome::Refused(why) => {
            let rejected = Rejected::refused(&Fields::default(), refusal(who.0.words, &why));
            page_with(&panel, &who, &Fields::default(), Some(&rejected)).await
        }
    }
}

/// Sets whether the certificates that this one has issued need a CRL, after a confirmation.
pub(super) async fn set_crl(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let name = fields.text("name");
    let no_crl = yes_no(fields.text("no_crl")).ok_or(Fault::Form)?;
    let look = Look {
        title: format!("{}: {name}", w.needs_crl),
        meanings: no_crl.then(|| w.no_crl_meaning.to_owned()).into_iter().collect(),
        shows_effect: true,
        needs_proof: true,
        back: PATH,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("trust set", &fields));
    let set = async |act: &mut Act| trust::set_no_crl(act, name, no_crl).await;
    panel.act_confirmed(&who, &fields, act, look, set).await?.respond(&who, PATH, "saved")
}

/// Stops trusting a certificate, after a confirmation for which the user has to type its name.
pub(super) async fn remove(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let name = fields.text("name");
    let look = Look {
        title: format!("{}: {name}", w.remove),
        meanings: vec![w.distrust_meaning.to_owned()],
        shows_effect: true,
        typed: Some(name),
        needs_proof: true,
        back: PATH,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("trust remove", &fields));
    let remove = async |act: &mut Act| trust::remove(act, name).await;
    panel.act_confirmed(&who, &fields, act, look, remove).await?.respond(&who, PATH, "removed")
}

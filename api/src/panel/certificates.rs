//! Our own certificates: a list of them, a form that uploads a chain with its key, which is shown before it is used at
//! once or from a day on, and a form that requests the next certificate. No page ever shows a key.

use super::Panel;
use super::act::{Outcome, Reach, refusal};
use super::certificate_facts;
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Shape, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice, saved};
use super::parts::{self, Part, PartsPage};
use super::pins;
use super::rights::Right;
use super::second_look::{self, Look};
use super::staged::Held;
use super::table::{Button, Cell, Column, Table};
use super::upload::{self, Upload};
use super::words::Words;
use crate::change::certificates::{self as change, Given, Slot};
use crate::change::{Act, ChangeError, Need};
use crate::date;
use crate::pki::request::{self, Algorithm};
use crate::store::certificates::{self, Usage};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use common::text::clock;
use common::text::host::is_host;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/certificates";
/// The prefix of the form that requests a certificate.
const REQUEST: &str = "request-";
/// The prefix of the form that uploads a certificate.
const BRING: &str = "";
/// The certificates that can be uploaded.
const SETTABLE: [Usage; 4] = [Usage::Own, Usage::Next, Usage::Https, Usage::Panel];

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
    again: Option<(&str, &Rejected)>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let mut f = Frame::for_user(visitor, known, w.own_certificates);
    f.notices.extend(page::done(w, fields));
    let table = table(panel, who).await?;
    let mut parts = vec![Part::table(w.own_certificates, table)];
    let of = |form: &str| again.filter(|(of, _)| *of == form).map(|(_, rejected)| rejected);
    if who.may(Right::Administer) {
        let form = FormBlock::new(known, w, PATH, w.look_at_it).with("", bring_fields(w));
        parts.push(Part::form("bring", w.bring_certificate, upload::form(form).rejected(of(BRING))));
        let mut form = FormBlock::new(known, w, &format!("{PATH}/request"), w.make_request);
        form.id = REQUEST;
        let form = form.with("", request_fields(w)).rejected(of(REQUEST));
        parts.push(Part::form("request", w.make_request, form));
    }
    PartsPage { f, parts }.respond(again.is_some())
}

fn bring_fields(w: &'static Words) -> Vec<Field> {
    let usages = SETTABLE.map(|usage| (usage.word().to_owned(), usage_word(w, usage).to_owned()));
    let mut fields = vec![Field::of(Shape::Choice(usages.into()), "usage", w.certificate_for, "own")];
    fields.push(Field::of(Shape::Day, "from", w.used_from, "").with(w.used_from_hint));
    fields.extend(upload::fields(w));
    fields.push(upload::key_field(w));
    fields
}

fn request_fields(w: &'static Words) -> Vec<Field> {
    let kinds = [("rsa", "RSA 3072"), ("ec", "ECDSA P-256")];
    let kinds = kinds.map(|(value, word)| (value.to_owned(), word.to_owned())).into();
    vec![
        Field::text("subject", w.subject, "").with(w.request_subject_hint),
        Field::text("hosts", w.names_in_it, "").with(w.request_hosts_hint),
        Field::of(Shape::Choice(kinds), "algorithm", w.key, "rsa"),
        Field::yes_no(w, "replace", w.replace_request, false).with(w.replace_request_hint),
    ]
}

fn usage_word(w: &'static Words, usage: Usage) -> &'static str {
    match usage {
        Usage::Own => w.usage_own,
        Usage::Next => w.usage_next,
        Usage::Request => w.usage_request,
        Usage::Ca => w.usage_ca,
        Usage::Https => w.usage_https,
        Usage::Panel => w.usage_panel,
    }
}

async fn table(panel: &Panel, who: &SignedIn) -> Result<Table, Fault> {
    let w = who.0.words;
    let mut snapshot = panel.app.db.snapshot().await?;
    let mut rows = Vec::new();
    for usage in Usage::ALL {
        let Some(found) = certificates::get(&mut snapshot, usage).await? else { continue };
        let from = match usage {
            Usage::Next => certificates::next(&mut snapshot).await?.map(|(_, from)| page::time(from)),
            _ => None,
        };
        let word = Cell::link(usage_word(w, usage), format!("{PATH}/{}.pem", usage.word()));
        let mut cells = vec![word.with(from.unwrap_or_default())];
        cells.extend(if usage == Usage::Request {
            let subject = request::subject(&found.certificate).unwrap_or_default();
            vec![Cell::text(subject), Cell::text(""), Cell::text(""), Cell::text("")]
        } else {
            certificate_facts::cells(w, &found.certificate)
        });
        cells.push(Cell::buttons(buttons(who, usage)));
        rows.push(cells);
    }
    let mut columns = vec![Column::text(w.certificate_for)];
    columns.extend(certificate_facts::columns(w));
    columns.push(Column::text(w.what_can_be_done));
    Ok(Table { part: "certificates", caption: w.own_certificates.to_owned(), columns, rows, empty: "" })
}

fn buttons(who: &SignedIn, usage: Usage) -> Vec<Button> {
    let w = who.0.words;
    let button =
        |below: &str, word| Button::new(&who.1, &format!("{PATH}/{below}"), word, usage_word(w, usage));
    match usage {
        _ if !who.may(Right::Administer) => Vec::new(),
        Usage::Next => vec![button("cancel", w.forget_next)],
        Usage::Https => vec![button("https", w.renew_https)],
        Usage::Panel => vec![button("panel", w.unset_panel)],
        _ => Vec::new(),
    }
}

/// A certificate with its chain, or the request, as a file.
pub(super) async fn download(
    State(panel): State<Arc<Panel>>,
    SignedIn(..): SignedIn,
    Path(name): Path<String>,
) -> Result<Response, Fault> {
    let usage = name.strip_suffix(".pem").and_then(Usage::of_word).ok_or(Fault::None)?;
    let found = certificates::get(&mut *panel.app.db.snapshot().await?, usage).await?.ok_or(Fault::None)?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-pem-file".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"os4x-{name}\"")),
    ];
    Ok((headers, found.certificate).into_response())
}

/// The uploaded chain and key, or the errors of the fields.
fn held(w: &'static Words, upload: &Upload) -> Result<Held, Vec<Wrong>> {
    let slot = match Usage::of_word(upload.fields.text("usage")) {
        Some(Usage::Own) => Slot::Own,
        Some(Usage::Https) => Slot::Https,
        Some(Usage::Panel) => Slot::Panel,
        Some(Usage::Next) => match date::beginning(upload.fields.text("from")) {
            Some(from) if from > clock::now() => Slot::Next(from),
            _ => return Err(vec![Wrong::new("from", w.needs_day_to_come)]),
        },
        _ => return Err(vec![Wrong::new("usage", w.not_allowed)]),
    };
    let certificates = pins::found(w, upload)?;
    let key = upload.key().map_err(|why| vec![Wrong::new("key", w.of_file(&why))])?;
    Ok(Held { slot, given: Given { file: upload.file_name(), certificates, key } })
}

/// Shows the uploaded certificates in the order in which partners would get them.
pub(super) async fn look_at(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    upload: Upload,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let SignedIn(visitor, known) = &who;
    let w = visitor.words;
    let again = async |wrong| {
        let rejected = Rejected::wrong(&upload.fields, wrong);
        page_with(&panel, &who, &Fields::default(), Some((BRING, &rejected))).await
    };
    let held = match held(w, &upload) {
        Ok(held) => held,
        Err(wrong) => return again(wrong).await,
    };
    let mut act = Act::begin(&panel.app.db, who.order("cert set", &upload.fields)).await?;
    let ready = held.given.clone().ready(&mut act, held.slot).await;
    drop(act);
    let ready = match ready {
        Ok(ready) => ready,
        Err(ChangeError::Db(fault)) => return Err(fault.into()),
        Err(why) => {
            let is_of_key = matches!(why, ChangeError::Needs(Need::Key { .. } | Need::KeyOfOther { .. }));
            let field = if is_of_key { "key" } else { "file" };
            return again(vec![Wrong::new(field, refusal(w, &why))]).await;
        }
    };
    let mut f = Frame::for_user(
        visitor,
        known,
        &format!("{}: {}", w.bring_certificate, usage_word(w, held.slot.usage())),
    );
    f.notices.extend(ready.warnings.iter().map(|text| Notice::english(text)));
    f.notices.push(Notice::good(w.key_fits));
    let mut parts = pins::descriptions(w, &ready.chain.certificates, None);
    let mut form = FormBlock::new(known, w, &format!("{PATH}/keep"), w.use_it);
    form.hidden.push(("staged", panel.staged.put(&known.user.name, held)?));
    let fields = second_look::fields(&who, &mut form);
    parts.push(Part::form("keep", w.use_it, form.with("", fields)));
    page::html(&PartsPage { f, parts })
}

/// Uses the certificates that were shown.
pub(super) async fn keep(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let id = fields.text("staged");
    let Some(Held { slot, given }) = panel.staged.get(&who.1.user.name, id) else {
        return parts::refused(&who, w.staged_is_over, PATH);
    };
    let put = async |act: &mut Act| {
        let ready = given.clone().ready(act, slot).await?;
        ready.put(act).await
    };
    let act = if slot.usage() == Usage::Next { "cert next" } else { "cert set" };
    let outcome = confirmed(&panel, &who, &fields, (act, w.use_it), put).await?;
    if matches!(outcome, Outcome::Done(())) {
        panel.staged.remove(id);
    }
    outcome.respond(&who, PATH, "saved")
}

/// Makes a key here, and a request for a certificate with this key.
pub(super) async fn request(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let again =
        async |rejected| page_with(&panel, &who, &Fields::default(), Some((REQUEST, &rejected))).await;
    let (text, mut wrong) = (fields.text("subject"), Vec::new());
    if request::name(text).is_none() && !text.is_empty() {
        wrong.push(Wrong::new("subject", w.request_subject_hint));
    }
    let hosts = fields.text("hosts").split([',', ' ']).filter(|host| !host.is_empty()).map(str::to_owned);
    let hosts: Vec<String> = hosts.collect();
    if hosts.iter().any(|host| !is_host(host)) {
        wrong.push(Wrong::new("hosts", w.request_hosts_hint));
    }
    if !wrong.is_empty() {
        return again(Rejected::wrong(&fields, wrong)).await;
    }
    let algorithm = if fields.text("algorithm") == "ec" { Algorithm::Ec } else { Algorithm::Rsa };
    let replaces = fields.text("replace") == "yes";
    let make = async |act: &mut Act| {
        change::request(act, request::name(text), hosts.clone(), algorithm, replaces).await
    };
    match confirmed(&panel, &who, &fields, ("cert csr", w.make_request), make).await? {
        Outcome::Done(_) => Ok(saved(PATH, "added")),
        Outcome::Confirm(page) => Ok(page),
        Outcome::Refused(why) => again(Rejected::refused(&fields, refusal(who.0.words, &why))).await,
    }
}

/// Removes the next certificate.
pub(super) async fn cancel(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let forget = async |act: &mut Act| Ok(certificates::remove(act, Usage::Next).await?);
    let outcome = confirmed(&panel, &who, &fields, ("cert next", who.0.words.forget_next), forget).await?;
    outcome.respond(&who, PATH, "saved")
}

/// Makes a new https certificate, issued by our own CA.
pub(super) async fn https(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let renew = async |act: &mut Act| change::renew_https(act, Vec::new()).await;
    let outcome = confirmed(&panel, &who, &fields, ("cert https", who.0.words.renew_https), renew).await?;
    outcome.respond(&who, PATH, "saved")
}

/// Removes the panel's own certificate.
pub(super) async fn unset_panel(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let unset = async |act: &mut Act| change::unset_panel(act).await;
    let outcome = confirmed(&panel, &who, &fields, ("cert unset", who.0.words.unset_panel), unset).await?;
    outcome.respond(&who, PATH, "removed")
}

/// Makes a change of our certificates, after a confirmation. Its page shows no effect, because `change` makes keys,
/// which takes long, and no line of the effect would say more than the title.
async fn confirmed<T>(
    panel: &Panel,
    who: &SignedIn,
    fields: &Fields,
    (act, word): (&'static str, &'static str),
    change: impl AsyncFnOnce(&mut Act) -> Result<T, ChangeError> + Copy,
) -> Result<Outcome<T>, Fault> {
    let look = Look { title: word.to_owned(), needs_proof: true, back: PATH, ..Look::default() };
    panel.act_confirmed(who, fields, (Reach::Daemons, who.order(act, fields)), look, change).await
}

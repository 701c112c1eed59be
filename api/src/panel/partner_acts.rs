//! The forms that change, enable, disable, remove or test a partner.

use super::Panel;
use super::act::{Outcome, Reach, refusal};
use super::fields::{Fields, Form};
use super::form::Rejected;
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice, saved};
use super::partner_form::filled;
use super::partner_page::{MEMBERS, need, page_with, path};
use super::partners as list;
use super::parts::{self, Part, PartsPage};
use super::rights::Right;
use super::second_look::Look;
use super::table::{Cell, Column, Table};
use super::words::Words;
use crate::change::{Act, partner_debug, partners, requests, rules};
use crate::settings::yes_no;
use crate::store::acts::{self, Progress};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use common::config::{CertificateRule, Partner};
use common::partner_test::TestStep;
use std::sync::Arc;

const SET: &str = "partner set";

/// Whether the change concerns trust, that is, who may act as this partner.
fn is_of_trust(before: &Partner, after: &Partner) -> bool {
    before.certificate != after.certificate
        || before.usage != after.usage
        || (after.legacy_suites == Some(true) && before.legacy_suites != after.legacy_suites)
}

/// Saves the submitted form.
pub(super) async fn save(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(name): Path<String>,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Operate)?;
    let w = who.0.words;
    let before = need(&mut *panel.app.db.snapshot().await?, &name).await?;
    let partner = match filled(w, before.clone(), &fields, who.may(Right::Administer)) {
        Ok(partner) => partner,
        Err(wrong) => return again(&panel, &who, &name, &Rejected::wrong(&fields, wrong)).await,
    };
    let back = path(&name);
    let order = who.order(SET, &fields);
    let put = async |act: &mut Act| partners::put(act, &partner).await;
    let outcome = if is_of_trust(&before, &partner) {
        let weaker = partner.certificate == CertificateRule::Any;
        let look = Look {
            title: w.look_again.to_owned(),
            meanings: weaker.then(|| w.rule_any_meaning.to_owned()).into_iter().collect(),
            shows_effect: true,
            needs_proof: true,
            back: &back,
            ..Look::default()
        };
        panel.act_confirmed(&who, &fields, (Reach::Daemons, order), look, put).await?
    } else {
        panel.act(Reach::Daemons, order, put).await?.into()
    };
    match outcome {
        Outcome::Refused(why) => {
            again(&panel, &who, &name, &Rejected::refused(&fields, refusal(w, &why))).await
        }
        outcome => outcome.respond(&who, &back, "saved"),
    }
}

/// Shows the page of the partner again, with the rejected form of its members.
async fn again(panel: &Panel, who: &SignedIn, name: &str, rejected: &Rejected) -> Result<Response, Fault> {
    page_with(panel, who, name, &Fields::default(), Some((MEMBERS, rejected))).await
}

/// Enables the partner, or disables it after a confirmation.
pub(super) async fn enable(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(name): Path<String>,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Operate)?;
    let w = who.0.words;
    let enabled = yes_no(fields.text("enabled")).ok_or(Fault::Form)?;
    let set = async |act: &mut Act| {
        let partner = rules::need_partner(act, &name).await?;
        partners::put(act, &Partner { enabled, ..partner }).await
    };
    need(&mut *panel.app.db.snapshot().await?, &name).await?;
    let back = path(&name);
    let order = who.order(SET, &fields);
    let outcome = if enabled {
        panel.act(Reach::Daemons, order, set).await?.into()
    } else {
        let title = format!("{}: {name}", w.disable);
        let meanings = vec![w.disable_meaning.to_owned()];
        let look = Look { title, meanings, shows_effect: true, back: &back, ..Look::default() };
        panel.act_confirmed(&who, &fields, (Reach::Daemons, order), look, set).await?
    };
    outcome.respond(&who, &back, "saved")
}

/// Removes the partner after a confirmation, for which the user has to type its name.
pub(super) async fn remove(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(name): Path<String>,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    need(&mut *panel.app.db.snapshot().await?, &name).await?;
    let back = path(&name);
    let look = Look {
        title: format!("{}: {name}", w.remove),
        meanings: vec![w.remove_partner_meaning.to_owned()],
        shows_effect: true,
        typed: Some(&name),
        needs_proof: true,
        back: &back,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("partner remove", &fields));
    let remove = async |act: &mut Act| partners::remove(act, &name).await;
    match panel.act_confirmed(&who, &fields, act, look, remove).await? {
        Outcome::Done(()) => Ok(saved(list::PATH, "removed")),
        outcome => outcome.respond(&who, &back, ""),
    }
}

/// Lets the sessions of the partner write DEBUG for an hour, or ends that.
pub(super) async fn debug(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(name): Path<String>,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Operate)?;
    let begins = yes_no(fields.text("debug")).ok_or(Fault::Form)?;
    let work = async |act: &mut Act| {
        if begins {
            partner_debug::begin(act, &name, partner_debug::DEFAULT).await.map(|_| ())
        } else {
            partner_debug::end(act, &name).await
        }
    };
    let order = who.order("partner debug", &fields);
    let outcome: Outcome<()> = panel.act(Reach::Daemons, order, work).await?.into();
    outcome.respond(&who, &path(&name), "saved")
}

/// Requests a test.
pub(super) async fn test(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(name): Path<String>,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Operate)?;
    let order = who.order("partner test", &fields);
    match panel.act(Reach::Backend, order, async |act| requests::order_test(act, &name).await).await? {
        Ok((ordered, _)) => {
            Ok(Redirect::to(&format!("{}/tests/{}", path(&name), ordered.number)).into_response())
        }
        Err(why) => parts::refused(&who, &refusal(who.0.words, &why), &path(&name)),
    }
}

/// Shows the progress of a test.
pub(super) async fn show_test(
    State(panel): State<Arc<Panel>>,
    SignedIn(visitor, known): SignedIn,
    Path((name, number)): Path<(String, i64)>,
) -> Result<Response, Fault> {
    let w = visitor.words;
    let progress = acts::progress(&mut *panel.app.db.snapshot().await?, number).await?;
    let mut f = Frame::for_user(&visitor, &known, &format!("{}: {name}", w.test_call));
    let (state, steps) = match progress {
        Progress::Waiting => (Cell::text(w.act_waits), Vec::new()),
        Progress::Taken => (Cell::text(w.act_taken), Vec::new()),
        Progress::Over { done, text, steps } => {
            let state =
                Cell::state(if done { w.act_done } else { w.act_failed }, if done { "good" } else { "bad" });
            (Cell { is_english: true, ..state }.with(text), steps)
        }
    };
    f.is_live = steps.is_empty() && state.state.is_empty();
    let rows = steps.iter().map(|step| step_row(w, step)).collect();
    let columns = vec![
        Column::text(w.step),
        Column::text(w.result),
        Column::number("ms"),
        Column::wide(w.what_was_found),
    ];
    let table = Table { part: "steps", caption: w.steps.to_owned(), columns, rows, empty: w.no_steps_yet };
    let facts = vec![(w.partner, Cell::link(&name, path(&name))), (w.state, state)];
    page::html(&PartsPage {
        f,
        parts: vec![Part::facts("state", w.facts, facts), Part::table(w.steps, table)],
    })
}

fn step_row(w: &'static Words, TestStep { step, good, ms, reason, text }: &TestStep) -> Vec<Cell> {
    let state = if *good { Cell::state(w.good, "good") } else { Cell::state(reason, "bad") };
    vec![Cell::text(step), state, Cell::text(ms), Cell::english(text)]
}

/// Requests the end of a session.
pub(super) async fn end_session(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Path(id): Path<String>,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Operate)?;
    let w = who.0.words;
    let back = format!("/sessions/{id}");
    let open = crate::store::sessions::open(&mut *panel.app.db.snapshot().await?).await?;
    let Some(session) = open.into_iter().find(|session| session.id == id) else {
        return Ok(Redirect::to(&back).into_response());
    };
    let title = format!("{}: {} {id}", w.end_session, session.partner);
    let meanings = vec![w.end_session_meaning.to_owned()];
    let look = Look { title, meanings, back: &back, ..Look::default() };
    let act = (Reach::Backend, who.order("session end", &fields));
    let end = async |act: &mut Act| requests::order_end(act, &session).await;
    match panel.act_confirmed(&who, &fields, act, look, end).await? {
        Outcome::Refused(why) => {
            let notice = Notice::bad(&refusal(w, &why));
            super::sessions::page_with(&panel, &who, &id, Some(notice)).await
        }
        outcome => outcome.respond(&who, &back, "ordered"),
    }
}

//! The pages of the configuration. Each has a form with its settings, which are checked and changed as `os4xapi config
//! set` does it. A change that may lock its author out is reverted automatically unless a user confirms it; a change
//! that protects less needs a confirmation.

use super::Panel;
use super::act::{Outcome, Reach, refusal};
use super::fields::{Fields, Form};
use super::form::{FormBlock, Rejected, Section, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame};
use super::parts::{Part, PartsPage};
use super::rights::{Right, VERSION};
use super::second_look::Look;
use super::setting_pages::{self, Risk, SettingPage, SettingSection, risk};
use super::words::Words;
use super::{
    api_log, bans, clients, event_test, ignores, rollback as rollback_page, server_settings, servers,
    setting_field, token,
};
use crate::change::settings::{self, Checked};
use crate::change::{Act, ChangeError, Order, rollback};
use crate::settings::{Setting, Values};
use crate::store::{audit, configuration, sessions};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use common::text::clock::{self, DAY};
use std::sync::Arc;

const ACT: &str = "config set";
/// The page with the blocks of the documentation after its settings.
pub(super) const PROXY: &str = "/configuration/proxy";
/// The prefix of the form of the settings, among the forms of a page.
const SETTINGS: &str = "";

/// A page.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    fields: Fields,
) -> Result<Response, Fault> {
    page_with(&panel, &who, page_of(&who)?, &fields, None).await
}

/// The page at the address of the request.
fn page_of(who: &SignedIn) -> Result<&'static SettingPage, Fault> {
    let path = who.0.at.split('?').next().unwrap_or_default();
    setting_pages::find(path).ok_or(Fault::None)
}

/// A rejected form, and the prefix that says which form of the page it is.
type Again<'a> = Option<(&'a str, &'a Rejected)>;

async fn page_with(
    panel: &Panel,
    who: &SignedIn,
    page: &'static SettingPage,
    fields: &Fields,
    again: Again<'_>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let mut f = Frame::for_user(visitor, known, (page.title)(w));
    f.notices.extend(page::done(w, fields));
    let of = |form: &str| again.filter(|(of, _)| *of == form).map(|(_, rejected)| rejected);
    let mut snapshot = panel.app.db.snapshot().await?;
    let version = audit::head(&mut snapshot).await?.number;
    let mut parts = vec![settings_part(&mut snapshot, who, page, version, of(SETTINGS)).await?];
    if page.path == PROXY {
        parts.extend(token::parts(&mut snapshot, who).await?);
        parts.extend(clients::parts(&mut snapshot, who, version, of(clients::FORM)).await?);
        parts.extend(servers::parts(&mut snapshot, who, of(servers::FORM), of(server_settings::FORM)).await?);
        parts.extend(bans::parts(&mut snapshot, who, of(bans::FORM)).await?);
        parts.extend(ignores::parts(&mut snapshot, who, fields, of(ignores::FORM)).await?);
    }
    drop(snapshot);
    if page.path == api_log::LOGGING {
        parts.extend(api_log::part(who).await);
    }
    if page.path == event_test::EVENTS {
        parts.extend(event_test::part(who));
    }
    PartsPage { f, parts }.respond(again.is_some())
}

/// Shows the page Proxy again, with a rejected form.
pub(super) async fn again(
    panel: &Panel,
    who: &SignedIn,
    form: &str,
    rejected: &Rejected,
) -> Result<Response, Fault> {
    let page = setting_pages::find(PROXY).ok_or(Fault::None)?;
    page_with(panel, who, page, &Fields::default(), Some((form, rejected))).await
}

/// The form with the settings of a page.
async fn settings_part(
    connection: &mut sqlx::AnyConnection,
    who: &SignedIn,
    page: &'static SettingPage,
    version: i64,
    rejected: Option<&Rejected>,
) -> Result<Part, Fault> {
    let w = who.0.words;
    let values = configuration::values(&mut *connection).await?;
    let mut form = FormBlock::new(&who.1, w, page.path, w.save);
    form.hidden.push((VERSION, version.to_string()));
    form.is_locked = !who.may(Right::Administer);
    for section in page.sections {
        let mut fields = Vec::new();
        for setting in section.settings() {
            let mut field = setting_field::field(w, setting, &values);
            let value = values.text(setting.name);
            field.warning = settings::warning(&mut *connection, setting.name, value).await?;
            fields.push(field);
        }
        let (title, is_folded) = ((section.title)(w), section.is_folded());
        form.sections.push(Section { title, fields, is_folded });
    }
    Ok(Part::form("settings", w.settings, form.rejected(rejected)))
}

/// Saves the submitted form.
pub(super) async fn save(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let page = page_of(&who)?;
    let w = who.0.words;
    let given = changed(page, &fields, &who.0.values);
    let checked = match settings::check(&given) {
        Ok(checked) => checked,
        Err(wrong) => {
            let wrong = wrong.iter().map(|why| setting_field::wrong(w, why)).collect();
            return rejected(&panel, &who, page, &fields, wrong).await;
        }
    };
    let of = |wanted| checked.iter().any(|(setting, value)| risk(setting.name, value) == wanted);
    let (is_reach, is_weaker) = (of(Risk::Reach), of(Risk::Weaker));
    let back_at = is_reach.then(|| clock::now() + rollback::PATIENCE);
    let order = Order { back_at, ..who.order(ACT, &fields) };
    let put = async |act: &mut Act| settings::put(act, &checked).await;
    let outcome = if is_reach || is_weaker {
        let look = look_for(&panel, w, is_reach, is_weaker, page.path).await?;
        panel.act_confirmed(&who, &fields, (Reach::Daemons, order), look, put).await?
    } else {
        panel.act(Reach::Daemons, order, put).await?.into()
    };
    match outcome {
        Outcome::Done(()) => {
            Ok(Redirect::to(&rollback_page::after(&panel, page.path, is_reach).await?).into_response())
        }
        Outcome::Confirm(page) => Ok(page),
        Outcome::Refused(why) => {
            rejected(&panel, &who, page, &fields, wrong_of(w, &why, &checked, &who.0.values)).await
        }
    }
}

/// Shows the page again, with the errors of its settings.
async fn rejected(
    panel: &Panel,
    who: &SignedIn,
    page: &'static SettingPage,
    fields: &Fields,
    wrong: Vec<Wrong>,
) -> Result<Response, Fault> {
    let rejected = Rejected::wrong(fields, wrong);
    page_with(panel, who, page, &Fields::default(), Some((SETTINGS, &rejected))).await
}

/// The settings whose values in the form differ from the present values.
fn changed<'a>(
    page: &'static SettingPage,
    fields: &'a Fields,
    values: &Values,
) -> Vec<(&'static Setting, &'a str)> {
    let all = page.sections.iter().flat_map(SettingSection::settings);
    all.filter(|setting| fields.has(setting.name))
        .map(|setting| (setting, fields.text(setting.name)))
        .filter(|(setting, text)| *text != setting.shown(values.text(setting.name)))
        .collect()
}

/// The page to confirm a change that may shut somebody out, or that protects less.
pub(super) async fn look_for(
    panel: &Panel,
    w: &'static Words,
    is_reach: bool,
    is_weaker: bool,
    back: &'static str,
) -> Result<Look<'static>, Fault> {
    Ok(Look {
        title: w.look_again.to_owned(),
        meanings: meanings(panel, w, is_reach, is_weaker).await?,
        shows_effect: true,
        needs_proof: true,
        back,
        ..Look::default()
    })
}

/// The meaning of the change, with the number of partners of the last day.
async fn meanings(
    panel: &Panel,
    w: &'static Words,
    is_reach: bool,
    is_weaker: bool,
) -> Result<Vec<String>, Fault> {
    let mut meanings = Vec::new();
    if is_reach {
        let since = clock::now() - DAY;
        let partners = sessions::partners_since(&mut *panel.app.db.snapshot().await?, since).await?;
        meanings.push(format!("{} {partners}. {}", w.partners_of_a_day, w.reach_meaning));
        meanings.push(w.reach_comes_back.to_owned());
    }
    meanings.extend(is_weaker.then(|| w.weaker_meaning.to_owned()));
    Ok(meanings)
}

/// The errors of the fields. If somebody else has changed a setting meanwhile, the error shows its present value.
fn wrong_of(w: &'static Words, why: &ChangeError, checked: &[Checked], values: &Values) -> Vec<Wrong> {
    match why {
        ChangeError::Setting(why) => vec![setting_field::wrong(w, why)],
        ChangeError::Stale { object, .. } => {
            let settings = checked.iter().map(|(setting, _)| setting);
            let stale = settings.filter(|setting| *object == format!("config {}", setting.name));
            let now = |setting: &&Setting| setting.shown(values.text(setting.name));
            stale
                .map(|setting| {
                    Wrong::new(setting.name, format!("{} '{}'.", w.changed_meanwhile, now(setting)))
                })
                .collect()
        }
        why => {
            let text = refusal(w, why);
            checked.iter().map(|(setting, _)| Wrong::new(setting.name, &text)).collect()
        }
    }
}

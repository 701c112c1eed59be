//! What one server has for itself of the settings, on the page Proxy: the form that gives it a value of its own or
//! takes it away, and the buttons with which it takes no new sessions, or new ones again.

use super::act::{Outcome, Reach, refusal};
use super::configuration::{PROXY, again, look_for};
use super::fields::Form;
use super::form::{Field, FormBlock, Rejected, Shape, Wrong};
use super::gate::SignedIn;
use super::page::{Fault, saved};
use super::parts::Part;
use super::rights::Right;
use super::second_look::Look;
use super::setting_pages::{Risk, risk};
use super::table::Button;
use super::words::Words;
use super::{Panel, rollback as rollback_page, setting_field, setting_words};
use crate::change::{Act, ChangeError, Order, rollback, servers as change};
use crate::settings::Setting;
use crate::settings::of_server::{self, DRAIN, ENABLED};
use crate::store::proxies::Proxy;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use common::identity::ProxyId;
use common::text::clock;
use std::sync::Arc;

/// The path of the form that gives a server a value.
pub(super) const SET: &str = "/configuration/proxy/servers/set";
/// The path of the button that drains a server.
pub(super) const DRAIN_IT: &str = "/configuration/proxy/servers/drain";
/// The path of the button that ends the drain.
pub(super) const UNDRAIN: &str = "/configuration/proxy/servers/undrain";
/// The prefix of the fields of this form.
pub(super) const FORM: &str = "own-";

/// The form; none if there is no server.
pub(super) fn part(who: &SignedIn, servers: &[Proxy], rejected: Option<&Rejected>) -> Option<Part> {
    let w = who.0.words;
    let first = servers.first()?;
    let named = |proxy: &Proxy| {
        let name = if proxy.name.is_empty() { proxy.id.to_string() } else { proxy.name.clone() };
        (proxy.id.to_string(), name)
    };
    let settings = of_server::all().filter(|setting| setting.name != DRAIN);
    let labels = settings.map(|setting| (setting.name.to_owned(), label(w, setting).to_owned()));
    let mut form = FormBlock::new(&who.1, w, SET, w.save);
    form.id = FORM;
    let fields = vec![
        Field::of(
            Shape::Choice(servers.iter().map(named).collect()),
            "of_server",
            w.server_of_session,
            first.id.as_str(),
        ),
        Field::of(Shape::Choice(labels.collect()), "own_setting", w.setting, ENABLED),
        Field::yes_no(w, "has_own", w.has_own, true).with(w.has_own_hint),
        Field::text("own_value", w.own_value, "").with(w.own_value_hint),
    ];
    Some(Part::form("server-settings", w.set_for_server, form.with("", fields).rejected(rejected)))
}

/// The name of a setting for people.
fn label(w: &'static Words, setting: &'static Setting) -> &'static str {
    setting_words::of(setting.name).map_or(w.enabled_server, |words| words.label(w))
}

/// A server's own values, for the list.
pub(super) fn shown(w: &'static Words, proxy: &Proxy) -> String {
    let word = |name: &str| match of_server::find(name) {
        Ok(setting) if name != DRAIN => label(w, setting).to_owned(),
        _ => w.drain.to_owned(),
    };
    let own = proxy.settings.rows().iter();
    own.map(|(name, value)| format!("{}: {value}", word(name))).collect::<Vec<_>>().join(", ")
}

/// The button that drains a server, or ends that.
pub(super) fn button(who: &SignedIn, proxy: &Proxy) -> Button {
    let w = who.0.words;
    let (path, word) = if proxy.settings.is_drained() { (UNDRAIN, w.undrain) } else { (DRAIN_IT, w.drain) };
    Button::new(&who.1, path, word, &proxy.name).with("proxy_id", proxy.id.as_str())
}

/// Gives a server its own value of a setting, or takes it away. A change that may shut partners or users out is taken
/// back unless somebody confirms it, as one for all servers.
pub(super) async fn set(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let id: ProxyId = fields.text("of_server").parse().map_err(|_| Fault::Form)?;
    let setting = of_server::find(fields.text("own_setting")).map_err(|_| Fault::Form)?;
    let has_own = fields.text("has_own") != "no";
    let value = match has_own.then(|| setting.check(fields.text("own_value"))).transpose() {
        Ok(value) => value,
        Err(why) => {
            let wrong = Wrong::new("own_value", setting_field::wrong(who.0.words, &why).why);
            return again(&panel, &who, FORM, &Rejected::wrong(&fields, vec![wrong])).await;
        }
    };
    let reach = risk(setting.name, value.as_deref().unwrap_or_default()) == Risk::Reach;
    let back_at = reach.then(|| clock::now() + rollback::PATIENCE);
    let act = if has_own { "proxy set" } else { "proxy unset" };
    let order = Order { back_at, ..who.order(act, &fields) };
    let values = [(setting, value)];
    let put = async |act: &mut Act| change::set(act, &id, &values).await;
    let outcome: Outcome<()> = if reach {
        let look = look_for(&panel, who.0.words, true, false, PROXY).await?;
        panel.act_confirmed(&who, &fields, (Reach::Daemons, order), look, put).await?
    } else {
        panel.act(Reach::Daemons, order, put).await?.into()
    };
    match outcome {
        Outcome::Done(()) => {
            let next = rollback_page::after(&panel, PROXY, reach).await?;
            Ok(Redirect::to(&next).into_response())
        }
        Outcome::Confirm(page) => Ok(page),
        Outcome::Refused(why) => {
            again(&panel, &who, FORM, &Rejected::refused(&fields, refusal(who.0.words, &why))).await
        }
    }
}

/// Lets a server take no new sessions, after a confirmation.
pub(super) async fn drain(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let id: ProxyId = fields.text("proxy_id").parse().map_err(|_| Fault::Form)?;
    let look = Look {
        title: w.drain.to_owned(),
        meanings: vec![w.drain_meaning.to_owned()],
        shows_effect: true,
        back: PROXY,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("proxy drain", &fields));
    let drain = async |act: &mut Act| change::drain(act, &id, true).await;
    panel.act_confirmed(&who, &fields, act, look, drain).await?.respond(&who, PROXY, "drained")
}

/// Lets a server take new sessions again.
pub(super) async fn undrain(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let id: ProxyId = fields.text("proxy_id").parse().map_err(|_| Fault::Form)?;
    let undrain = async |act: &mut Act| change::drain(act, &id, false).await;
    let made: Result<(), ChangeError> =
        panel.act(Reach::Daemons, who.order("proxy undrain", &fields), undrain).await?;
    match made {
        Ok(()) => Ok(saved(PROXY, "undrained")),
        Err(why) => Outcome::<()>::Refused(why).respond(&who, PROXY, "undrained"),
    }
}

//! The servers in the DMZ, on the page Proxy: which ones may receive a configuration, by Proxy ID.

use super::Panel;
use super::act::{Reach, refusal};
use super::configuration::{PROXY, again};
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Wrong};
use super::gate::SignedIn;
use super::licences;
use super::overview::{condition, drain};
use super::page::{self, Fault, saved};
use super::parts::Part;
use super::rights::Right;
use super::second_look::Look;
use super::server_settings;
use super::table::{Button, Cell, Column, Table};
use super::words::Words;
use crate::change::Act;
use crate::status::Daemon;
use crate::store::proxies::{self, Proxy};
use crate::{status, store};
use axum::extract::State;
use axum::response::Response;
use common::identity::ProxyId;
use std::net::IpAddr;
use std::sync::Arc;

/// The path of the form that lists a server.
pub(super) const ADD: &str = "/configuration/proxy/servers";
/// The path of the form that removes a server.
pub(super) const REMOVE: &str = "/configuration/proxy/servers/remove";
/// The prefix of the fields of this form, which distinguishes them from other fields of the page.
pub(super) const FORM: &str = "server-";

/// Most characters of a name.
const LONGEST: usize = 64;

/// The parts of the page about the servers.
pub(super) async fn parts(
    connection: &mut sqlx::AnyConnection,
    who: &SignedIn,
    rejected: Option<&Rejected>,
    rejected_setting: Option<&Rejected>,
) -> Result<Vec<Part>, Fault> {
    let w = who.0.words;
    let all = proxies::all(&mut *connection).await?;
    let issued = store::licences::newest(connection).await?;
    let daemons = status::daemons(&mut *connection).await?;
    let licence_of = |proxy: &Proxy| {
        let daemon =
            daemons.iter().find(|daemon| daemon.kind == "server" && daemon.name == proxy.id.as_str());
        daemon.and_then(|daemon| daemon.state.as_ref()?.licence_ends)
    };
    let may = who.may(Right::Administer);
    let table = Table {
        part: "servers",
        caption: w.block_servers.to_owned(),
        columns: vec![
            Column::text(w.name),
            Column::wide(w.proxy_id),
            Column::time(w.added),
            Column::text(w.its_addresses),
            Column::time(w.licence_until),
            Column::text(w.state),
            Column::wide(w.own_settings),
            Column::text(w.what_can_be_done),
        ],
        rows: all
            .iter()
            .map(|proxy| {
                let issued = issued.get(proxy.id.as_str());
                let licence = licences::cell(proxy.id.as_str(), issued, licence_of(proxy));
                let daemon = daemons.iter().find(|daemon| daemon.name == proxy.id.as_str());
                row(who, proxy, daemon, licence, may)
            })
            .collect(),
        empty: w.no_servers,
    };
    let mut parts = vec![Part::table(w.block_servers, table)];
    if may {
        let mut form = FormBlock::new(&who.1, w, ADD, w.save);
        form.id = FORM;
        let fields = vec![
            Field::text("proxy_id", w.proxy_id, "").with(w.proxy_id_hint),
            Field::text("server_name", w.name, "").with(w.name_hint),
        ];
        parts.push(Part::form("server-add", w.add_server, form.with("", fields).rejected(rejected)));
        parts.extend(server_settings::part(who, &all, rejected_setting));
        parts.push(Part::form("licence-form", w.issue_licence, licences::form(who)));
    }
    Ok(parts)
}

fn row(who: &SignedIn, proxy: &Proxy, daemon: Option<&Daemon>, licence: Cell, may: bool) -> Vec<Cell> {
    let w = who.0.words;
    let state = daemon.map(|daemon| condition(w, daemon.condition).with(drain(w, daemon)));
    let has_one = !licence.text.is_empty();
    let addresses: Vec<String> = proxy.addresses.iter().map(IpAddr::to_string).collect();
    let remove = || Button::new(&who.1, REMOVE, w.remove, &proxy.name).with("proxy_id", proxy.id.as_str());
    vec![
        Cell::maybe(Some(&proxy.name)),
        Cell::text(&proxy.id),
        Cell::text(page::time(proxy.added)),
        Cell::maybe(Some(addresses.join(", "))),
        licence,
        state.unwrap_or_default(),
        Cell::maybe(Some(server_settings::shown(w, proxy))),
        Cell::buttons(
            may.then(|| {
                [server_settings::button(who, proxy), licences::button(who, proxy, has_one), remove()]
            })
            .into_iter()
            .flatten(),
        ),
    ]
}

/// Lists a server, or changes its name.
pub(super) async fn add(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let (id, name) = match server(who.0.words, &fields) {
        Ok(server) => server,
        Err(wrong) => return again(&panel, &who, FORM, &Rejected::wrong(&fields, vec![wrong])).await,
    };
    let order = who.order("proxy add", &fields);
    let add = async |act: &mut Act| Ok(proxies::add(act, &id, name).await.map(|_| ())?);
    match panel.act(Reach::Daemons, order, add).await? {
        Ok(()) => Ok(saved(PROXY, "saved")),
        Err(why) => again(&panel, &who, FORM, &Rejected::refused(&fields, refusal(who.0.words, &why))).await,
    }
}

/// The server of the submitted form, or the first error.
fn server<'a>(w: &'static Words, fields: &'a Fields) -> Result<(ProxyId, &'a str), Wrong> {
    let id = fields.text("proxy_id").parse().map_err(|_| Wrong::new("proxy_id", w.proxy_id_hint))?;
    let name = fields.text("server_name");
    if name.chars().count() > LONGEST {
        return Err(Wrong::new("server_name", w.name_hint));
    }
    Ok((id, name))
}

/// Removes a server, after a confirmation.
pub(super) async fn remove(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let id: ProxyId = fields.text("proxy_id").parse().map_err(|_| Fault::Form)?;
    let all = proxies::all(&mut *panel.app.db.snapshot().await?).await?;
    let Some(found) = all.iter().find(|proxy| proxy.id == id) else { return Ok(saved(PROXY, "removed")) };
    let typed = if found.name.is_empty() { id.as_str() } else { &found.name };
    let look = Look {
        title: format!("{}: {typed}", w.remove),
        meanings: vec![w.server_remove_meaning.to_owned()],
        shows_effect: true,
        typed: Some(typed),
        needs_proof: true,
        back: PROXY,
        ..Look::default()
    };
    let act = (Reach::Daemons, who.order("proxy remove", &fields));
    let remove = async |act: &mut Act| Ok(proxies::remove(act, &id).await?);
    panel.act_confirmed(&who, &fields, act, look, remove).await?.respond(&who, PROXY, "removed")
}

//! The block 'Proxy client configuration' of the page Proxy: the clients by the address that they call from, and their
//! listeners for the station.

use super::Panel;
use super::act::{Reach, refusal};
use super::configuration::{PROXY, again};
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Wrong};
use super::gate::SignedIn;
use super::page::{Fault, saved};
use super::parts::Part;
use super::rights::{Right, VERSION};
use super::second_look::Look;
use super::table::{Button, Cell, Column, Table};
use super::words::Words;
use crate::change::{Act, listeners};
use crate::store::client_address::ClientAddress;
use crate::store::proxies::{self, ProxyClient};
use axum::extract::State;
use axum::response::Response;
use common::net::{Network, private_networks};
use std::net::IpAddr;
use std::sync::Arc;

/// The path of the form that adds or changes a listener.
pub(super) const ADD: &str = "/configuration/proxy/clients";
/// The path of the form that removes a listener.
pub(super) const REMOVE: &str = "/configuration/proxy/clients/remove";
/// The prefix of the fields of this form, which distinguishes them from other fields of the page.
pub(super) const FORM: &str = "client-";

/// Port of a listener for proxy requests, as the product documents it.
const DEFAULT_PORT: &str = "65433";

/// The parts of the page about the clients.
pub(super) async fn parts(
    connection: &mut sqlx::AnyConnection,
    who: &SignedIn,
    version: i64,
    rejected: Option<&Rejected>,
) -> Result<Vec<Part>, Fault> {
    let w = who.0.words;
    let listeners = proxies::clients(connection).await?;
    let may = who.may(Right::Administer);
    let table = Table {
        part: "clients",
        caption: w.block_clients.to_owned(),
        columns: vec![
            Column::text(w.client),
            Column::text(w.listeners),
            Column::text(w.tied_to),
            Column::text(w.networks),
            Column::text(w.name),
            Column::text(w.what_can_be_done),
        ],
        rows: listeners.iter().map(|one| row(who, one, may)).collect(),
        empty: w.no_clients,
    };
    let mut parts = vec![Part::table(w.block_clients, table)];
    if may {
        let mut form = FormBlock::new(&who.1, w, ADD, w.save);
        form.id = FORM;
        form.hidden.push((VERSION, version.to_string()));
        parts.push(Part::form("client-add", w.add_client, form.with("", fields(w)).rejected(rejected)));
    }
    Ok(parts)
}

fn fields(w: &'static Words) -> Vec<Field> {
    vec![
        Field::text("address", w.client_address, "").with(w.client_address_hint),
        Field::text("port", w.port, DEFAULT_PORT)
            .with(format!("{} {} 1 {} 65535.", w.it_takes, w.takes_number, w.to)),
        Field::text("partner", w.tied_to, "").with(w.tied_to_hint),
        Field::text("listen_ip", w.listen_ip, "").with(w.listen_ip_hint),
        Field::text("networks", w.networks, "").with(w.networks_hint),
        Field::text("client_name", w.name, "").with(w.name_hint),
    ]
}

fn row(who: &SignedIn, one: &ProxyClient, may: bool) -> Vec<Cell> {
    let w = who.0.words;
    let ip = one.listen_ip.map_or_else(|| w.all.to_owned(), |ip| ip.to_string());
    let default = private_networks();
    let networks = if one.networks.is_empty() { &default } else { &one.networks };
    let networks: Vec<String> = networks.iter().map(Network::to_string).collect();
    let partner = one.partner.as_deref().unwrap_or_default();
    let remove = || {
        Button::new(&who.1, REMOVE, w.remove, format!("{} {partner}", one.address))
            .with("address", one.address.to_string())
            .with("partner", partner)
    };
    vec![
        Cell::text(&one.address),
        Cell::text(format!("{ip}, {}", one.listen_port)),
        Cell::maybe(one.partner.as_deref()),
        Cell::text(networks.join(", ")),
        Cell::maybe(Some(&one.name)),
        Cell::buttons(may.then(remove)),
    ]
}

/// The listener of the submitted form, or the errors of its fields.
fn listener(w: &'static Words, fields: &Fields) -> Result<ProxyClient, Vec<Wrong>> {
    let mut wrong = Vec::new();
    let address: Option<ClientAddress> = fields.text("address").parse().ok();
    if address.is_none() {
        wrong.push(Wrong::new("address", w.needs_client_address));
    }
    let port = fields.text("port").parse().ok().filter(|port: &u16| *port != 0);
    if port.is_none() {
        wrong.push(Wrong::new("port", format!("{} {} 1 {} 65535.", w.takes_only, w.takes_number, w.to)));
    }
    let listen_ip = match fields.text("listen_ip") {
        "" => None,
        text => {
            let found = text.parse().ok().map(|ip: IpAddr| ip.to_canonical());
            if found.is_none() {
                wrong.push(Wrong::new("listen_ip", w.needs_address));
            }
            found
        }
    };
    let texts = fields.text("networks").split([',', ' ']).filter(|text| !text.is_empty());
    let networks = texts.map(str::parse).collect::<Result<Vec<Network>, _>>().unwrap_or_else(|_| {
        wrong.push(Wrong::new("networks", format!("{} {}.", w.takes_only, w.takes_networks)));
        Vec::new()
    });
    match (address, port) {
        (Some(address), Some(listen_port)) if wrong.is_empty() => Ok(ProxyClient {
            address,
            partner: Some(fields.text("partner").to_owned()).filter(|name| !name.is_empty()),
            listen_ip,
            listen_port,
            networks,
            name: fields.text("client_name").to_owned(),
        }),
        _ => Err(wrong),
    }
}

/// Adds a listener for a client, or changes it.
pub(super) async fn add(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let client = match listener(who.0.words, &fields) {
        Ok(client) => client,
        Err(wrong) => return again(&panel, &who, FORM, &Rejected::wrong(&fields, wrong)).await,
    };
    let put = async |act: &mut Act| listeners::put(act, &client).await;
    match panel.act(Reach::Daemons, who.order("proxyclient add", &fields), put).await? {
        Ok(_) => Ok(saved(PROXY, "saved")),
        Err(why) => again(&panel, &who, FORM, &Rejected::refused(&fields, refusal(who.0.words, &why))).await,
    }
}

/// Removes a listener, after a confirmation.
pub(super) async fn remove(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let address: ClientAddress = fields.text("address").parse().map_err(|_| Fault::Form)?;
    let partner = Some(fields.text("partner")).filter(|name| !name.is_empty());
    let title = format!("{}: {address} {}", w.remove, partner.unwrap_or_default());
    let meanings = vec![w.client_remove_meaning.to_owned()];
    let look = Look { title, meanings, shows_effect: true, back: PROXY, ..Look::default() };
    let act = (Reach::Daemons, who.order("proxyclient remove", &fields));
    let remove = async |act: &mut Act| Ok(proxies::remove_client(act, &address, partner).await?);
    panel.act_confirmed(&who, &fields, act, look, remove).await?.respond(&who, PROXY, "removed")
}

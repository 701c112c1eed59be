//! The partner table.

use super::Panel;
use super::fields::Fields;
use super::gate::SignedIn;
use super::list::{Format, Input, List};
use super::page::{self, Fault, Frame};
use super::rights::Right;
use super::table::{Cell, Column, Table};
use super::words::Words;
use super::{certificate_facts, partner_add, partner_bulk, partner_page, sessions};
use crate::pki::facts::Facts;
use crate::store::partners::{self, word};
use axum::extract::State;
use axum::response::Response;
use common::config::Partner;
use common::text::clock::{self, DAY};
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/partners";

/// The list.
pub(super) async fn list(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    fields: Fields,
    format: Format,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = &who;
    let w = visitor.words;
    let mut all = partners::all(&mut *panel.app.db.snapshot().await?).await?;
    let wanted = fields.text("text").to_lowercase();
    all.retain(|partner| {
        let texts = [&partner.short_name, &partner.ssid, partner.host.as_ref().unwrap_or(&partner.ssid)];
        texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    });
    let may_select = who.may(Right::Operate) && !all.is_empty();
    let table = Table {
        part: "partners",
        caption: w.partners.to_owned(),
        columns: columns(w, may_select),
        rows: all.iter().map(|partner| row(w, partner, may_select)).collect(),
        empty: w.no_partners,
    };
    let mut frame = Frame::for_user(visitor, known, w.partners);
    frame.notices.extend(page::done(w, &fields));
    let mut list = List::new(frame, PATH, &fields, format, table);
    list.link = who.may(Right::Administer).then_some((partner_add::PATH, w.add_partner));
    list.selection = may_select.then(|| partner_bulk::selection(&who));
    list.inputs = vec![Input::text(&fields, "text", w.name_ssid_host)];
    list.respond(&all)
}

fn columns(w: &'static Words, may_select: bool) -> Vec<Column> {
    let select = may_select.then(|| Column::select(w.select));
    let others = [
        Column::text(w.short_name),
        Column::text(w.ssid),
        Column::text(w.state),
        Column::text(w.certificate_rule),
        Column::number(w.days_left),
        Column::text(w.host_and_port),
        Column::text("TLS"),
        Column::text(w.profile),
        Column::text(w.sessions),
    ];
    select.into_iter().chain(others).collect()
}

fn row(w: &'static Words, partner: &Partner, may_select: bool) -> Vec<Cell> {
    let enabled =
        if partner.enabled { Cell::state(w.enabled, "good") } else { Cell::state(w.disabled, "warn") };
    let host = partner.host.as_ref().map(|host| format!("{host}:{}", partner.port));
    let query = form_urlencoded::byte_serialize(partner.short_name.as_bytes()).collect::<String>();
    let select = may_select.then(|| Cell::select(partner_bulk::PARTNER, &partner.short_name));
    let others = [
        Cell::link(&partner.short_name, partner_page::path(&partner.short_name)),
        Cell::text(&partner.ssid),
        enabled,
        Cell::text(word(&partner.certificate)),
        days_left(partner),
        Cell::maybe(host),
        Cell::text(if partner.tls { w.yes } else { w.no }),
        Cell::text(word(&partner.profile)),
        Cell::link(w.show, format!("{}?partner={query}", sessions::PATH)),
    ];
    select.into_iter().chain(others).collect()
}

/// Days until the last of the partner's pins expires.
fn days_left(partner: &Partner) -> Cell {
    let ends = partner.pins.iter().filter_map(|pin| Some(Facts::of_pem(&pin.pem).ok()?.until)).max();
    let days = ends.map(|ends| (ends - clock::now()).div_euclid(DAY));
    days.map_or_else(|| Cell::text(""), certificate_facts::days_left)
}

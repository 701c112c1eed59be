//! The connections that the servers have refused, grouped by reason, with a remedy for each reason.

use super::Panel;
use super::fields::Fields;
use super::gate::SignedIn;
use super::list::{Format, Input, List};
use super::page::{self, Fault, Frame};
use super::table::{Cell, Column, Table};
use super::words::Words;
use super::{crls, partner_add, partner_page, trust};
use crate::status::ReasonCount;
use crate::store::refusals::{self, Group};
use axum::extract::State;
use axum::response::Response;
use common::process::end_reasons::Status;
use common::state::Refused;
use common::text::clock;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/refused";
/// Hours that the list covers.
const HOURS: i64 = 24;

/// The list.
pub(super) async fn list(
    State(panel): State<Arc<Panel>>,
    SignedIn(visitor, known): SignedIn,
    fields: Fields,
    format: Format,
) -> Result<Response, Fault> {
    let w = visitor.words;
    let hours = fields.text("hours").parse::<u32>().map_or(HOURS, i64::from).max(1);
    let since = clock::now() - hours.saturating_mul(3_600);
    let mut groups = refusals::grouped(&mut *panel.app.db.snapshot().await?, since, u32::MAX).await?;
    groups.retain(|group| fits(group, &fields));
    let is_cut = groups.len() > usize::try_from(format.limit()).unwrap_or(usize::MAX);
    groups.truncate(usize::try_from(format.limit()).unwrap_or(usize::MAX));
    let mut f = Frame::for_user(&visitor, &known, w.refused);
    f.is_live = true;
    let reasons = Status::ALL.iter().map(|status| status.word().to_owned()).collect();
    let table = table(w, &groups);
    let mut list = List::new(f, PATH, &fields, format, table);
    list.intro = if is_cut { w.refused_cut } else { w.refused_intro };
    list.inputs = vec![
        Input::text(&fields, "hours", w.last_hours),
        Input::choice(&fields, "reason", w.reason, reasons),
        Input::text(&fields, "address", w.address),
        Input::text(&fields, "who", w.partner_or_ssid),
    ];
    list.respond(&groups)
}

fn fits(group: &Group, fields: &Fields) -> bool {
    let Group { what, .. } = group;
    let (reason, who) = (fields.text("reason"), fields.text("who").to_lowercase());
    let address = what.address.map(|address| address.to_string()).unwrap_or_default();
    let names = [&what.partner, &what.ssid, &what.subject];
    (reason.is_empty() || what.reason == reason)
        && address.contains(fields.text("address"))
        && names.iter().any(|name| name.to_lowercase().contains(&who))
}

pub(super) fn table(w: &'static Words, groups: &[Group]) -> Table {
    let row = |group: &Group| {
        let Group { what, times, first, last } = group;
        vec![
            Cell::text(times),
            Cell::text(page::time(*last)).with(page::time(*first)),
            Cell::state(&what.reason, "bad"),
            Cell::text(w.meaning(&what.reason)),
            remedy(w, what),
            Cell::text(w.direction_word(&what.direction)),
            Cell::maybe(what.address),
            Cell::text(&what.partner).with(&what.ssid),
            Cell::text(&what.subject),
        ]
    };
    Table {
        part: "refused",
        caption: w.refused.to_owned(),
        columns: vec![
            Column::number(w.times),
            Column::time(w.last_and_first),
            Column::text(w.reason),
            Column::wide(w.what_to_do),
            Column::text(w.mended_at),
            Column::text(w.direction),
            Column::text(w.address),
            Column::text(w.partner),
            Column::text(w.certificate),
        ],
        rows: groups.iter().map(row).collect(),
        empty: w.nobody_refused,
    }
}

/// A link to the page where the cause can be removed, if there is one.
fn remedy(w: &'static Words, what: &Refused) -> Cell {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    match Status::from_word(&what.reason) {
        Some(Status::UnknownPartner) => {
            Cell::link(w.add_partner, format!("{}?ssid={}", partner_add::PATH, encoded(&what.ssid)))
        }
        Some(Status::UnknownCa) => Cell::link(w.trust_more, trust::PATH.to_owned()),
        Some(status) if status.word().contains("crl") => Cell::link(w.crls, crls::PATH.to_owned()),
        _ if !what.partner.is_empty() => Cell::link(w.change_partner, partner_page::path(&what.partner)),
        _ => Cell::text(""),
    }
}

/// The reasons of the last hour, for the overview.
pub(super) fn reasons(w: &'static Words, all: &[ReasonCount]) -> Table {
    let row = |one: &ReasonCount| {
        let ReasonCount { reason, times, last, .. } = one;
        vec![
            Cell { path: Some(format!("{PATH}?hours=1&reason={reason}")), ..Cell::state(reason, "bad") },
            Cell::text(times),
            Cell::text(page::time(*last)),
            Cell::text(w.meaning(reason)),
        ]
    };
    Table {
        part: "refused",
        caption: w.refused_lately.to_owned(),
        columns: vec![
            Column::text(w.reason),
            Column::number(w.times),
            Column::time(w.last),
            Column::wide(w.what_to_do),
        ],
        rows: all.iter().map(row).collect(),
        empty: w.nobody_refused,
    }
}

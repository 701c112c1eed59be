//! What pages tell of a certificate: a row of a table, and all that is known of one that somebody brings.

use super::table::{Cell, Column};
use super::words::Words;
use crate::expiry;
use crate::pki::description::Description;
use crate::pki::facts::Facts;
use common::text::clock::{self, DAY};
use openssl::x509::X509;

/// The columns of a table of certificates.
pub(super) fn columns(w: &'static Words) -> Vec<Column> {
    vec![
        Column::wide(w.subject),
        Column::text(w.issuer),
        Column::time(w.valid_until),
        Column::number(w.days_left),
    ]
}

/// The row of one in PEM.
pub(super) fn cells(w: &'static Words, pem: &str) -> Vec<Cell> {
    let Ok(facts) = Facts::of_pem(pem) else {
        return vec![Cell::state(w.unreadable, "bad"), Cell::text(""), Cell::text(""), Cell::text("")];
    };
    let print = format!("SHA-256 {}", facts.fingerprint);
    let days = (facts.until - clock::now()).div_euclid(DAY);
    let until: String = clock::rfc3339(facts.until).chars().take(10).collect();
    vec![Cell::text(facts.subject).with(print), Cell::text(facts.issuer), Cell::text(until), days_left(days)]
}

/// So many days until the end.
pub(super) fn days_left(days: i64) -> Cell {
    match expiry::state(days) {
        "ended" => Cell::state(days, "bad"),
        "soon" => Cell::state(days, "warn"),
        _ => Cell::text(days),
    }
}

/// All that is known of one, with the SSIDCODE that it should have if it is a partner's.
pub(super) fn description(
    w: &'static Words,
    certificate: &X509,
    ssid: Option<&str>,
) -> Vec<(&'static str, Cell)> {
    let Ok(described) = Description::of(certificate) else {
        return vec![(w.certificate, Cell::state(w.unreadable, "bad"))];
    };
    let Description { facts, odette_id, hosts, key, may_call, may_be_called, invalid } = described;
    let days = (facts.until - clock::now()).div_euclid(DAY);
    let yes = |is: bool| if is { Cell::state(w.yes, "good") } else { Cell::state(w.no, "warn") };
    let identity = match (&odette_id, ssid) {
        (Some(id), Some(ssid)) if id != ssid => Cell::state(id, "warn").with(w.not_its_ssid),
        (Some(id), Some(_)) => Cell::state(id, "good"),
        (id, _) => Cell::maybe(id.as_deref()),
    };
    let validity = match invalid {
        Some(why) => Cell { is_english: true, ..Cell::state(why, "bad") },
        None => Cell::text(format!("{} - {}", day(facts.from), day(facts.until))),
    };
    vec![
        (w.subject, Cell::text(facts.subject)),
        (w.issuer, Cell::text(facts.issuer)),
        (w.serial_number_of_subject, identity),
        (w.names_in_it, Cell::maybe(Some(hosts.join(", ")))),
        (w.validity, validity),
        (w.days_left, days_left(days)),
        (w.key, Cell::text(key)),
        (w.may_call, yes(may_call)),
        (w.may_be_called, yes(may_be_called)),
        ("SHA-256", Cell::text(facts.fingerprint)),
    ]
}

fn day(seconds: i64) -> String {
    clock::rfc3339(seconds).chars().take(10).collect()
}

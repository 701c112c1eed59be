//! The partner table and the partners' pinned certificates, as the values that are sent to the server. One row each,
//! with pins beside it in their order. The table checks that they are unique; the command has checked everything else.

use crate::db::{self, Change, DbError};
use common::config::{FileRules, NamedPem, Partner};
use common::oftp::Deviation;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

/// All partners, by short name.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Partner>, DbError> {
    let mut pins: BTreeMap<String, Vec<NamedPem>> = BTreeMap::new();
    let rows = db::query("SELECT partner, name, pem FROM os4x_partner_pins ORDER BY partner, position")
        .fetch_all(&mut *connection)
        .await?;
    for row in &rows {
        let pin = NamedPem { name: row.try_get(1)?, pem: row.try_get(2)? };
        pins.entry(row.try_get(0)?).or_default().push(pin);
    }
    let rows = db::query(
        "SELECT short_name, ssid, enabled, certificate, profile, host, port, tls, outgoing_ip, check_ssid, usage, \
         legacy_suites, max_file_size, file_names, allowed, networks FROM os4x_partners ORDER BY short_name",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| of_row(row, &mut pins)).collect()
}

fn of_row(row: &AnyRow, pins: &mut BTreeMap<String, Vec<NamedPem>>) -> Result<Partner, DbError> {
    let short_name: String = row.try_get("short_name")?;
    let corrupt = || DbError::Corrupt(format!("partner '{short_name}'"));
    let outgoing_ip: Option<String> = row.try_get("outgoing_ip")?;
    let usage: Option<String> = row.try_get("usage")?;
    let max_size: Option<i64> = row.try_get("max_file_size")?;
    let names: Option<String> = row.try_get("file_names")?;
    let allowed: Option<String> = row.try_get("allowed")?;
    let networks: Option<String> = row.try_get("networks")?;
    let names = names.unwrap_or_default().lines().map(str::to_owned).collect();
    Ok(Partner {
        pins: pins.remove(&short_name).unwrap_or_default(),
        ssid: row.try_get("ssid")?,
        enabled: row.try_get::<i64, _>("enabled")? != 0,
        certificate: of_word(row.try_get("certificate")?).ok_or_else(corrupt)?,
        profile: of_word(row.try_get("profile")?).ok_or_else(corrupt)?,
        allow: allowed.unwrap_or_default().split(", ").filter_map(Deviation::numbered).collect(),
        host: row.try_get("host")?,
        port: u16::try_from(row.try_get::<i64, _>("port")?).map_err(|_| corrupt())?,
        tls: row.try_get::<i64, _>("tls")? != 0,
        outgoing_ip: outgoing_ip.map(|text| text.parse()).transpose().map_err(|_| corrupt())?,
        check_ssid: row.try_get::<i64, _>("check_ssid")? != 0,
        usage: usage.map(|text| of_word(text).ok_or_else(corrupt)).transpose()?,
        legacy_suites: row.try_get::<Option<i64>, _>("legacy_suites")?.map(|value| value != 0),
        files: FileRules { max_size: max_size.map(u64::try_from).transpose().map_err(|_| corrupt())?, names },
        networks: networks.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect(),
        short_name,
    })
}

/// The short name of the partner with this SSIDCODE.
pub(crate) async fn named(connection: &mut AnyConnection, ssid: &str) -> Result<Option<String>, DbError> {
    let row = db::query("SELECT short_name FROM os4x_partners WHERE ssid = $1").bind(ssid);
    Ok(row.fetch_optional(connection).await?.map(|row| row.try_get(0)).transpose()?)
}

/// Adds `partner`, or replaces the one with its short name.
pub(crate) async fn put(change: &mut Change, partner: &Partner) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_partners \
         (short_name, ssid, enabled, certificate, profile, host, port, tls, outgoing_ip, check_ssid, usage, \
         legacy_suites, max_file_size, file_names, allowed, networks) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
         ON CONFLICT (short_name) DO UPDATE SET ssid = excluded.ssid, enabled = excluded.enabled, \
         certificate = excluded.certificate, profile = excluded.profile, host = excluded.host, \
         port = excluded.port, tls = excluded.tls, outgoing_ip = excluded.outgoing_ip, \
         check_ssid = excluded.check_ssid, usage = excluded.usage, legacy_suites = excluded.legacy_suites, \
         max_file_size = excluded.max_file_size, file_names = excluded.file_names, allowed = excluded.allowed, \
         networks = excluded.networks",
    )
    .bind(partner.short_name.as_str())
    .bind(partner.ssid.as_str())
    .bind(i64::from(partner.enabled))
    .bind(word(&partner.certificate))
    .bind(word(&partner.profile))
    .bind(partner.host.clone())
    .bind(i64::from(partner.port))
    .bind(i64::from(partner.tls))
    .bind(partner.outgoing_ip.map(|address| address.to_string()))
    .bind(i64::from(partner.check_ssid))
    .bind(partner.usage.as_ref().map(word))
    .bind(partner.legacy_suites.map(i64::from))
    // The command allows no larger one.
    .bind(partner.files.max_size.map(|blocks| i64::try_from(blocks).unwrap_or(i64::MAX)))
    .bind((!partner.files.names.is_empty()).then(|| partner.files.names.join("\n")))
    .bind((!partner.allow.is_empty()).then(|| partner.allow.to_string()))
    .bind((!partner.networks.is_empty()).then(|| partner.networks.join(",")))
    .execute(&mut **change)
    .await?;
    db::query("DELETE FROM os4x_partner_pins WHERE partner = $1")
        .bind(partner.short_name.as_str())
        .execute(&mut **change)
        .await?;
    for (position, pin) in (0_i64..).zip(&partner.pins) {
        db::query("INSERT INTO os4x_partner_pins (partner, position, name, pem) VALUES ($1, $2, $3, $4)")
            .bind(partner.short_name.as_str())
            .bind(position)
            .bind(pin.name.as_str())
            .bind(pin.pem.as_str())
            .execute(&mut **change)
            .await?;
    }
    Ok(())
}

/// Removes a partner; false if there is none of that short name.
pub(crate) async fn remove(change: &mut Change, short_name: &str) -> Result<bool, DbError> {
    let done = db::query("DELETE FROM os4x_partners WHERE short_name = $1")
        .bind(short_name)
        .execute(&mut **change)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The word for an enum's value in the protocol and in the table.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

/// The value of a word.
pub(crate) fn of_word<T: DeserializeOwned>(text: String) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text)).ok()
}

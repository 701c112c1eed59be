//! Adds, changes and removes partners: all rules for them hold, whoever asks for it.

use super::rules::{self, no_partner};
use super::{ChangeError, partner_members, put, settings, values};
use crate::db::{Change, DbError};
use crate::store::{bans, partners};
use common::config::Partner;
use common::net::Network;
use common::text::host::is_short_name;
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;

/// Adds a partner, unless there is one of its short name.
pub(crate) async fn add(change: &mut Change, partner: &Partner) -> Result<(), ChangeError> {
    if partners::all(change).await?.iter().any(|other| other.short_name == partner.short_name) {
        return Err(ChangeError::PartnerExists(partner.short_name.clone()));
    }
    put(change, partner).await
}

/// Adds a partner, or replaces the one of its short name.
pub(crate) async fn put(change: &mut Change, partner: &Partner) -> Result<(), ChangeError> {
    values::check_partner(partner)?;
    rules::check_partner(change, partner).await?;
    Ok(partners::put(change, partner).await?)
}

/// A new partner with the members of a document.
pub(crate) fn of_members(members: &Map<String, Value>) -> Result<Partner, ChangeError> {
    let text = |member: &str| members.get(member).and_then(Value::as_str).unwrap_or_default();
    let wrong =
        |member: &str, why: &str| ChangeError::Member { member: member.to_owned(), why: why.to_owned() };
    let name = text("short_name");
    if !is_short_name(name) {
        return Err(wrong("short_name", "short_name has 1 to 32 letters, digits, '.', '_' or '-'"));
    }
    let ssid = partner_members::ssid(text("ssid")).map_err(|_| {
        wrong("ssid", "ssid has 1 to 25 printable characters, none of them a quote or a backslash")
    })?;
    patched(&Partner::new(name, ssid), members)
}

/// `partner` with these members, as in a JSON merge patch (RFC 7396). Pins are not changed in this way: they are
/// certificates.
pub(crate) fn patched(partner: &Partner, members: &Map<String, Value>) -> Result<Partner, ChangeError> {
    let wrong = |member: &str, why: String| ChangeError::Member { member: member.to_owned(), why };
    let mut patched = partner.clone();
    for (member, value) in members {
        if member == "pins" {
            return Err(wrong(member, "certificates are pinned by an act of their own".to_owned()));
        }
        if member == "short_name" && *value != json!(partner.short_name) {
            return Err(wrong(member, "a partner keeps its short name".to_owned()));
        }
        let mut document = serde_json::to_value(&patched).unwrap_or_default();
        merge(&mut document, member, value);
        let object = format!("partner {}", partner.short_name);
        patched = put::read(&object, &document).map_err(|why| wrong(member, why.to_string()))?;
        values::check_partner(&patched).map_err(|why| wrong(member, why.to_string()))?;
    }
    // The usual port belongs to the choice of TLS.
    if !members.contains_key("port") && partner.port == Partner::default_port(partner.tls) {
        patched.port = Partner::default_port(patched.tls);
    }
    Ok(patched)
}

/// Gives a member its value; null removes it, and an object replaces only its own members.
fn merge(document: &mut Value, member: &str, value: &Value) {
    let Some(members) = document.as_object_mut() else { return };
    match value {
        Value::Null => drop(members.remove(member)),
        Value::Object(inner) => {
            let below = members.entry(member).or_insert_with(|| json!({}));
            if !below.is_object() {
                *below = json!({});
            }
            for (name, value) in inner {
                merge(below, name, value);
            }
        }
        value => drop(members.insert(member.to_owned(), value.clone())),
    }
}

/// Removes a partner, and the listeners tied to it.
pub(crate) async fn remove(change: &mut Change, name: &str) -> Result<(), ChangeError> {
    if partners::remove(change, name).await? { Ok(()) } else { Err(no_partner(name)) }
}

/// Warnings about a partner that is valid but cannot be served together with the other rows.
pub(crate) async fn warnings(
    connection: &mut AnyConnection,
    partner: &Partner,
) -> Result<Vec<String>, DbError> {
    let mut warnings = Vec::new();
    if let Some(address) = partner.outgoing_ip {
        warnings.extend(settings::foreign(connection, address).await?);
    }
    // Bans come first: a partner in a banned network is refused.
    for ban in bans::all(connection).await? {
        let parsed = ban.network.parse::<Network>();
        if parsed.is_ok_and(|banned| partner.places().any(|network| network.overlaps(&banned))) {
            warnings.push(format!(
                "{} is banned, so this partner is accepted from there only after 'os4xapi ban remove {}'.",
                ban.network, ban.network
            ));
        }
    }
    Ok(warnings)
}

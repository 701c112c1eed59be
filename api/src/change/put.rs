//! Gives an object of the state a value, by the rules for its kind: to revert an act, and to import a document. A value
//! that is not valid for the object is refused. Keys, tokens and passwords are not part of a value.

use super::state::{Listener, listener_name};
use super::{ChangeError, listeners, partners, servers, values};
use crate::db::Change;
use crate::pki::facts::{CrlFacts, Facts};
use crate::settings;
use crate::store;
use crate::store::bans::Ban;
use crate::store::certificates::Usage;
use crate::store::ignores::Ignore;
use crate::store::{api_keys, bans, certificates, configuration, crl_urls, crls, ignores, proxies};
use common::config::{NamedPem, Partner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Gives one object a value; null: it is removed. Its present value decides how it is removed.
pub(super) async fn put(
    change: &mut Change,
    object: &str,
    value: &Value,
    now: &Value,
) -> Result<(), ChangeError> {
    let (kind, name) = object.split_once(' ').unwrap_or((object, ""));
    let is_gone = value.is_null();
    match kind {
        "partner" if is_gone => store::partners::remove(change, name).await.map(|_| ())?,
        "partner" => {
            let partner: Partner = read(object, value)?;
            check_name(object, &format!("partner {}", partner.short_name))?;
            partners::put(change, &partner).await?;
        }
        "config" => put_setting(change, name, value).await?,
        "proxy" => {
            let id = name.parse().map_err(|_| refused(object, "its name is not a Proxy ID"))?;
            match (value["name"].as_str(), value["added"].as_i64()) {
                _ if is_gone => proxies::remove(change, &id).await.map(|_| ())?,
                (Some(name), _) if !now.is_null() => proxies::rename(change, &id, name).await?,
                (Some(name), Some(added)) => proxies::put(change, &id, name, added).await?,
                _ => return Err(refused(object, "it needs a name and the time at which it was added")),
            }
            if !is_gone {
                servers::put(change, &id, &value["settings"], &now["settings"]).await?;
            }
        }
        "proxyclient" if is_gone => {
            let Listener { address, partner, .. } = read(object, now)?;
            proxies::remove_client(change, &address, partner.as_deref()).await?;
        }
        "proxyclient" => {
            let listener: Listener = read(object, value)?;
            let name = listener_name(&listener.address, listener.partner.as_deref());
            check_name(object, &format!("proxyclient {name}"))?;
            listeners::put(change, &listener.try_into()?).await?;
        }
        "ban" => {
            bans::remove(change, name).await?;
            if !is_gone {
                let ban: Ban = read(object, value)?;
                check_name(object, &format!("ban {}", ban.network))?;
                values::check_network(object, &ban.network)?;
                bans::put(change, &ban).await?;
            }
        }
        "ignore" => {
            ignores::remove(change, name.parse().unwrap_or_default()).await?;
            if !is_gone {
                let ignore: Ignore = read(object, value)?;
                check_name(object, &format!("ignore {}", ignore.id))?;
                values::check_ignore(&ignore)?;
                ignores::put(change, &ignore).await?;
            }
        }
        "cert" if is_gone && name == Usage::Next.word() => {
            certificates::remove(change, Usage::Next).await.map(|_| ())?;
        }
        "cert" if is_gone && name == Usage::Panel.word() => {
            certificates::remove(change, Usage::Panel).await.map(|_| ())?;
        }
        "key" if is_gone => api_keys::remove(change, name).await.map(|_| ())?,
        "trust" => put_trusted(change, name, value).await?,
        "crl" if is_gone && now["url"].is_string() => crl_urls::remove(change, name).await.map(|_| ())?,
        "crl" if is_gone => {
            let (_, key) = name.rsplit_once(' ').unwrap_or(("", name));
            crls::remove(change, key).await?;
        }
        "crl" if value["url"] == json!(name) => {
            if !crl_urls::is_fetchable(name) {
                return Err(refused(object, "no CRL can be downloaded from there"));
            }
            crl_urls::put(change, name).await?;
        }
        "crl" if value["pem"].is_string() => put_crl(change, object, value).await?,
        _ => {
            return Err(refused(
                object,
                "neither keys nor tokens nor downloaded CRLs are kept with its value, so bring it by its own command",
            ));
        }
    }
    Ok(())
}

async fn put_setting(change: &mut Change, name: &str, value: &Value) -> Result<(), ChangeError> {
    match value {
        Value::Null => configuration::unset(change, name).await?,
        Value::String(text) => {
            let setting = settings::find(name)?;
            configuration::set(change, name, &setting.check(text)?).await?;
        }
        _ => {
            let object = format!("config {name}");
            return Err(refused(&object, "it has a password, which is not kept: use 'os4xapi config set'"));
        }
    }
    Ok(())
}

async fn put_trusted(change: &mut Change, name: &str, value: &Value) -> Result<(), ChangeError> {
    certificates::distrust(change, name).await?;
    if value.is_null() {
        return Ok(());
    }
    let object = format!("trust {name}");
    let pem = value["pem"].as_str().unwrap_or_default();
    let facts = Facts::of_pem(pem).map_err(|_| refused(&object, "its pem is not a certificate"))?;
    let fingerprint = facts.fingerprint;
    if let Some(other) = certificates::trusted_as(change, &fingerprint).await? {
        return Err(refused(&object, &format!("its certificate is trusted already, as '{other}'")));
    }
    let named = NamedPem { name: name.to_owned(), pem: pem.to_owned() };
    certificates::trust(change, &named, &fingerprint).await?;
    certificates::set_no_crl(change, name, value["no_crl"] == json!(true)).await?;
    Ok(())
}

/// A CRL whose value is complete.
async fn put_crl(change: &mut Change, object: &str, value: &Value) -> Result<(), ChangeError> {
    let pem = value["pem"].as_str().unwrap_or_default();
    let facts = CrlFacts::of_pem(pem).map_err(|_| refused(object, "its pem is not a CRL"))?;
    crls::offer(change, &facts, None).await?;
    Ok(())
}

/// A value in the type of its object; a member that this os4xapi does not know is refused.
pub(super) fn read<T: DeserializeOwned + Serialize>(object: &str, value: &Value) -> Result<T, ChangeError> {
    let parsed: T = serde_json::from_value(value.clone()).map_err(|why| refused(object, &why.to_string()))?;
    let known = serde_json::to_value(&parsed).unwrap_or_default();
    let unknown = value.as_object().into_iter().flatten().find(|(member, _)| known.get(member).is_none());
    match unknown {
        // Empty members are left out when the value is written.
        Some((member, value)) if !is_empty(value) => {
            Err(refused(object, &format!("it has no member '{member}', or not that one: {value}")))
        }
        _ => Ok(parsed),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
        _ => false,
    }
}

/// Checks that the name of an object is the one in its value.
fn check_name(object: &str, name: &str) -> Result<(), ChangeError> {
    if object == name { Ok(()) } else { Err(refused(object, &format!("its value is one of '{name}'"))) }
}

/// The error for a value that is refused; why.
pub(super) fn refused(object: &str, why: &str) -> ChangeError {
    ChangeError::Refused(format!("'{object}' cannot have that value: {why}"))
}

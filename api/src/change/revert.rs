//! Takes an act back: each object gets the value that the row of the audit has as the old one. Only where each of them
//! is as that act has left it; what a person did since is never undone silently. What the audit does not hold, as keys
//! and CRLs, it cannot put back.

use super::state::{Listener, State};
use super::{Act, ChangeError, rules};
use crate::db::{Change, DbError};
use crate::pki::facts::Facts;
use crate::settings;
use crate::store::audit::Recorded;
use crate::store::certificates::Usage;
use crate::store::{bans, certificates, configuration, crl_urls, crls, ignores, partners, proxies, versions};
use common::config::NamedPem;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Takes back what `row` tells, within `act`.
pub(crate) async fn revert(act: &mut Act, row: &Recorded) -> Result<(), ChangeError> {
    let number = row.number;
    let (old, new) = (parsed(&row.entry.old, number)?, parsed(&row.entry.new, number)?);
    if old.is_empty() {
        return Err(ChangeError::Refused(format!("row {number} tells of nothing that could be put back")));
    }
    for object in old.keys() {
        let left = new.get(object).unwrap_or(&Value::Null);
        if act.before().get(object).unwrap_or(&Value::Null) != left {
            return Err(changed_since(act, object, number).await?);
        }
    }
    // What is to go gives way to what comes back; a listener comes after the partner that it is tied to.
    let (go, come): (Vec<_>, Vec<_>) = old.iter().partition(|(_, value)| value.is_null());
    for (object, value) in go.into_iter().chain(come) {
        put_back(act, object, value, new.get(object).unwrap_or(&Value::Null)).await?;
    }
    configuration::values(act).await?.check_order()?;
    act.note(format!("audit {number}"), json!("reverted"));
    Ok(())
}

fn parsed(text: &str, number: i64) -> Result<State, DbError> {
    serde_json::from_str(text).map_err(|_| DbError::Corrupt(format!("row {number} of the audit")))
}

async fn changed_since(act: &mut Act, object: &str, number: i64) -> Result<ChangeError, DbError> {
    let version = versions::get(act, object).await?;
    let who = if version > number {
        format!("'os4xapi audit show {version}' tells who and what")
    } else {
        "'serve' has done that by itself".to_owned()
    };
    Ok(ChangeError::Refused(format!(
        "'{object}' is not as row {number} has left it, and nothing was changed: {who}"
    )))
}

/// Gives one object its old value; none: it goes.
async fn put_back(change: &mut Change, object: &str, old: &Value, new: &Value) -> Result<(), ChangeError> {
    let (kind, name) = object.split_once(' ').unwrap_or((object, ""));
    let is_gone = old.is_null();
    match kind {
        "partner" if is_gone => partners::remove(change, name).await.map(|_| ())?,
        "partner" => {
            let partner = read(object, old)?;
            rules::check_partner(change, &partner).await?;
            partners::put(change, &partner).await?;
        }
        "config" => put_back_setting(change, name, old).await?,
        "proxy" => {
            let id = name.parse().map_err(|_| DbError::Corrupt(format!("Proxy ID '{name}'")))?;
            proxies::remove(change, &id).await?;
            if let (Some(name), Some(added)) = (old["name"].as_str(), old["added"].as_i64()) {
                proxies::put(change, &id, name, added).await?;
            }
        }
        "proxyclient" if is_gone => {
            let Listener { address, partner, .. } = read(object, new)?;
            proxies::remove_client(change, address, partner.as_deref()).await?;
        }
        "proxyclient" => {
            let client = read::<Listener>(object, old)?.try_into()?;
            rules::check_listener(change, &client).await?;
            proxies::put_client(change, &client).await?;
        }
        "ban" => {
            bans::remove(change, name).await?;
            if !is_gone {
                bans::put(change, &read(object, old)?).await?;
            }
        }
        "ignore" => {
            ignores::remove(change, name.parse().unwrap_or_default()).await?;
            if !is_gone {
                ignores::put(change, &read(object, old)?).await?;
            }
        }
        "cert" if is_gone && name == Usage::Next.word() => {
            certificates::remove(change, Usage::Next).await.map(|_| ())?;
        }
        "trust" => put_back_trusted(change, name, old).await?,
        "crl" if is_gone && new["url"].is_string() => crl_urls::remove(change, name).await.map(|_| ())?,
        "crl" if is_gone => {
            let (_, key) = name.rsplit_once(' ').unwrap_or(("", name));
            crls::remove(change, key).await?;
        }
        "crl" if old["url"].is_string() => crl_urls::put(change, name).await?,
        _ => {
            return Err(ChangeError::Refused(format!(
                "'{object}' cannot be put back: the audit holds neither keys nor tokens nor CRLs, so bring it by its \
                 own command"
            )));
        }
    }
    Ok(())
}

async fn put_back_setting(change: &mut Change, name: &str, old: &Value) -> Result<(), ChangeError> {
    match old {
        Value::Null => configuration::unset(change, name).await?,
        Value::String(text) => {
            let setting = settings::find(name)?;
            configuration::set(change, name, &setting.check(text)?).await?;
        }
        _ => {
            return Err(ChangeError::Refused(format!(
                "{name} had a password, which the audit does not hold: set it with 'os4xapi config set'"
            )));
        }
    }
    Ok(())
}

async fn put_back_trusted(change: &mut Change, name: &str, old: &Value) -> Result<(), ChangeError> {
    certificates::distrust(change, name).await?;
    let Some(pem) = old["pem"].as_str() else { return Ok(()) };
    let corrupt = |_| DbError::Corrupt(format!("trusted certificate '{name}' in the audit"));
    let fingerprint = Facts::of_pem(pem).map_err(corrupt)?.fingerprint;
    if let Some(other) = certificates::trusted_as(change, &fingerprint).await? {
        return Err(ChangeError::Refused(format!(
            "the certificate '{name}' is trusted already, as '{other}'"
        )));
    }
    let named = NamedPem { name: name.to_owned(), pem: pem.to_owned() };
    certificates::trust(change, &named, &fingerprint).await?;
    certificates::set_no_crl(change, name, old["no_crl"] == json!(true)).await?;
    Ok(())
}

fn read<T: DeserializeOwned>(object: &str, value: &Value) -> Result<T, DbError> {
    serde_json::from_value(value.clone())
        .map_err(|_| DbError::Corrupt(format!("value of '{object}' in the audit")))
}

//! Changes what one server has for itself of the settings: each value by the rules of its setting.

use super::put::refused;
use super::{Act, ChangeError, Obstacle, settings};
use crate::db::{Change, DbError};
use crate::settings::{Setting, of_server};
use crate::store::proxies::{self, Proxy};
use common::identity::ProxyId;
use serde_json::{Map, Value};
use sqlx::AnyConnection;
use std::net::IpAddr;

/// The listed server, or an error.
pub(crate) async fn need(connection: &mut AnyConnection, id: &ProxyId) -> Result<Proxy, ChangeError> {
    let all = proxies::all(connection).await?;
    let found = all.into_iter().find(|proxy| proxy.id == *id);
    found.ok_or_else(|| Obstacle::NoServer(id.to_string()).into())
}

/// Gives a server its own values of settings, or takes them away: then the global ones hold for it again.
pub(crate) async fn set(
    act: &mut Act,
    id: &ProxyId,
    values: &[(&'static Setting, Option<String>)],
) -> Result<(), ChangeError> {
    need(act, id).await?;
    for (setting, value) in values {
        match value {
            Some(value) => proxies::set(act, id, setting.name, value).await?,
            None => proxies::unset(act, id, setting.name).await?,
        }
    }
    Ok(())
}

/// A warning about a value of a server's own that is valid but may not work as intended.
pub(crate) async fn warning(
    connection: &mut AnyConnection,
    id: &ProxyId,
    name: &str,
    value: &str,
) -> Result<Option<String>, DbError> {
    let (true, Ok(address)) = (["tcp_incoming_ip", "tcp_outgoing_ip"].contains(&name), value.parse()) else {
        return settings::warning(connection, name, value).await;
    };
    let server = proxies::all(connection).await?.into_iter().find(|proxy| proxy.id == *id);
    let own = server.map(|server| server.addresses).unwrap_or_default();
    Ok(settings::is_missing(address, &own).then(|| {
        let own: Vec<String> = own.iter().map(IpAddr::to_string).collect();
        format!("this server does not have the address {address}. Its own are {}.", own.join(", "))
    }))
}

/// Lets a server take no new sessions; its running ones go on. Or lets it take new ones again.
pub(crate) async fn drain(act: &mut Act, id: &ProxyId, is_drained: bool) -> Result<(), ChangeError> {
    let setting = of_server::find(of_server::DRAIN)?;
    set(act, id, &[(setting, is_drained.then(|| "yes".to_owned()))]).await
}

/// Gives a server all these values, and takes away those that are only there `now`: to revert an act, and to import a
/// document.
pub(super) async fn put(
    change: &mut Change,
    id: &ProxyId,
    values: &Value,
    now: &Value,
) -> Result<(), ChangeError> {
    let empty = Map::new();
    let values = values.as_object().unwrap_or(&empty);
    for name in now.as_object().unwrap_or(&empty).keys().filter(|name| !values.contains_key(*name)) {
        proxies::unset(change, id, name).await?;
    }
    for (name, value) in values {
        let Value::String(text) = value else {
            return Err(refused(
                &format!("proxy {id}"),
                &format!("its {name} is {value}, and has to be a text"),
            ));
        };
        let value = of_server::find(name)?.check(text)?;
        proxies::set(change, id, name, &value).await?;
    }
    Ok(())
}

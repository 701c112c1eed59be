//! The servers, and the listeners of clients.

use super::Versions;
use crate::change::listener_name;
use crate::db::DbError;
use crate::store::proxies::{self, Proxy, ProxyClient};
use common::net::{Network, private_networks};
use serde_json::{Value, json};
use sqlx::AnyConnection;

/// All servers that are listed.
pub(crate) async fn servers(connection: &mut AnyConnection) -> Result<Vec<Value>, DbError> {
    let versions = Versions::of(connection, "proxy").await?;
    Ok(proxies::all(connection).await?.iter().map(|proxy| of_server(proxy, &versions)).collect())
}

/// One server.
pub(crate) async fn server(connection: &mut AnyConnection, proxy: &Proxy) -> Result<Value, DbError> {
    Ok(of_server(proxy, &Versions::of(connection, "proxy").await?))
}

/// `settings` has what the server has for itself.
fn of_server(proxy: &Proxy, versions: &Versions) -> Value {
    json!({"proxy_id": proxy.id, "name": proxy.name, "added": proxy.added, "addresses": proxy.addresses,
           "enabled": proxy.settings.is_enabled(), "draining": proxy.settings.is_drained(),
           "settings": proxy.settings.rows(), "version": versions.get(&proxy.id)})
}

/// All listeners of clients.
pub(crate) async fn listeners(connection: &mut AnyConnection) -> Result<Vec<Value>, DbError> {
    let versions = Versions::of(connection, "proxyclient").await?;
    let document = |listener: &ProxyClient| {
        json!({
            "address": listener.address,
            "partner": listener.partner,
            "listen_ip": listener.listen_ip,
            "listen_port": listener.listen_port,
            "networks": networks(listener),
            "name": listener.name,
            "version": versions.get(listener_name(&listener.address, listener.partner.as_deref())),
        })
    };
    Ok(proxies::clients(connection).await?.iter().map(document).collect())
}

/// The networks that may use a listener; the daemons' default if none is listed.
pub(crate) fn networks(listener: &ProxyClient) -> Vec<String> {
    let default = private_networks();
    let listed = if listener.networks.is_empty() { &default } else { &listener.networks };
    listed.iter().map(Network::to_string).collect()
}

//! The servers that clients may join (Proxy IDs), and the clients' listeners: address, networks, and the partner if
//! tied to one. The API reads them for each call, the commands write them. Does not check callers itself.

use super::client_address::ClientAddress;
use crate::db::{self, Change, DbError};
use crate::settings::of_server::ServerSettings;
use common::identity::ProxyId;
use common::net::Network;
use common::rpc::MAX_ADDRESSES;
use common::text::clock;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A listed server.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Its public key.
    pub(crate) id: ProxyId,
    /// A name for people.
    pub(crate) name: String,
    /// When it was added, seconds since 1970-01-01 UTC.
    pub(crate) added: i64,
    /// What it has for itself of the settings.
    pub(crate) settings: ServerSettings,
    /// The addresses of its host, as it has reported them; none: no client has joined it yet.
    pub(crate) addresses: Vec<IpAddr>,
}

/// A listener of a client.
#[derive(Debug)]
pub(crate) struct ProxyClient {
    /// The address from which the client calls, with its name if several call from there.
    pub(crate) address: ClientAddress,
    /// Short name of the partner to which it leads; none: it takes proxy requests.
    pub(crate) partner: Option<String>,
    /// Its address; none: all.
    pub(crate) listen_ip: Option<IpAddr>,
    /// Its port.
    pub(crate) listen_port: u16,
    /// Networks that may use it; none: loopback and private ones.
    pub(crate) networks: Vec<Network>,
    /// A name for people.
    pub(crate) name: String,
}

impl ProxyClient {
    /// Whether both are the same row, so that an addition replaces it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.address == other.address && self.partner == other.partner
    }

    /// Another listener of the same client, at the same place.
    pub(crate) fn is_in_the_way_of(&self, other: &Self) -> bool {
        let all = |ip: Option<IpAddr>| ip.is_none_or(|ip| ip.is_unspecified());
        let same_ip = all(self.listen_ip) || all(other.listen_ip) || self.listen_ip == other.listen_ip;
        let same_place = same_ip && self.listen_port == other.listen_port;
        same_place && self.address == other.address && !self.is_same(other)
    }
}

/// All servers.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Proxy>, DbError> {
    let rows =
        db::query("SELECT proxy_id, name, added, addresses FROM os4x_proxies ORDER BY added, proxy_id")
            .fetch_all(&mut *connection)
            .await?;
    let mut own = settings(connection).await?;
    rows.iter()
        .map(|row| {
            let id: String = row.try_get(0)?;
            let settings = ServerSettings::new(own.remove(&id).unwrap_or_default());
            let id = id.parse().map_err(|_| DbError::Corrupt(format!("Proxy ID '{id}'")))?;
            let addresses: Option<String> = row.try_get(3)?;
            let addresses = addresses.unwrap_or_default();
            let addresses = addresses.split(',').filter_map(|text| text.parse().ok()).collect();
            Ok(Proxy { id, name: row.try_get(1)?, added: row.try_get(2)?, settings, addresses })
        })
        .collect()
}

/// What servers have for themselves of the settings, by Proxy ID.
async fn settings(
    connection: &mut AnyConnection,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, DbError> {
    let rows =
        db::query("SELECT proxy_id, name, value FROM os4x_proxy_settings").fetch_all(connection).await?;
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in &rows {
        all.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?, row.try_get(2)?);
    }
    Ok(all)
}

/// Gives a server a checked value of its own.
pub(crate) async fn set(change: &mut Change, id: &ProxyId, name: &str, value: &str) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_proxy_settings (proxy_id, name, value) VALUES ($1, $2, $3) \
         ON CONFLICT (proxy_id, name) DO UPDATE SET value = excluded.value",
    )
    .bind(id.as_str())
    .bind(name)
    .bind(value)
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Removes a value of a server's own.
pub(crate) async fn unset(change: &mut Change, id: &ProxyId, name: &str) -> Result<(), DbError> {
    let unset = db::query("DELETE FROM os4x_proxy_settings WHERE proxy_id = $1 AND name = $2");
    unset.bind(id.as_str()).bind(name).execute(&mut **change).await?;
    Ok(())
}

/// Lists a server; false if it was listed already (a given name then replaces its name).
pub(crate) async fn add(change: &mut Change, id: &ProxyId, name: &str) -> Result<bool, DbError> {
    let known = db::query(
        "UPDATE os4x_proxies SET name = CASE WHEN $1 = '' THEN name ELSE $1 END WHERE proxy_id = $2",
    )
    .bind(name)
    .bind(id.as_str())
    .execute(&mut **change)
    .await?;
    if known.rows_affected() > 0 {
        return Ok(false);
    }
    put(change, id, name, clock::now()).await?;
    Ok(true)
}

/// Gives a listed server a name.
pub(crate) async fn rename(change: &mut Change, id: &ProxyId, name: &str) -> Result<(), DbError> {
    let rename = db::query("UPDATE os4x_proxies SET name = $1 WHERE proxy_id = $2").bind(name);
    rename.bind(id.as_str()).execute(&mut **change).await?;
    Ok(())
}

/// Lists a server that is not listed.
pub(crate) async fn put(change: &mut Change, id: &ProxyId, name: &str, added: i64) -> Result<(), DbError> {
    db::query("INSERT INTO os4x_proxies (proxy_id, name, added) VALUES ($1, $2, $3)")
        .bind(id.as_str())
        .bind(name)
        .bind(added)
        .execute(&mut **change)
        .await?;
    Ok(())
}

/// Stores the addresses of a listed server's host. The daemons do not see them, so this is not a change.
pub(crate) async fn note_addresses(
    connection: &mut AnyConnection,
    id: &ProxyId,
    addresses: &[IpAddr],
) -> Result<(), DbError> {
    let addresses: Vec<String> = addresses.iter().take(MAX_ADDRESSES).map(IpAddr::to_string).collect();
    // Servers report them with each call; a row is written only if they have changed.
    db::query("UPDATE os4x_proxies SET addresses = $1 WHERE proxy_id = $2 AND COALESCE(addresses, '') <> $1")
        .bind(addresses.join(","))
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes a server; false if it is not listed.
pub(crate) async fn remove(change: &mut Change, id: &ProxyId) -> Result<bool, DbError> {
    db::query("DELETE FROM os4x_proxy_settings WHERE proxy_id = $1")
        .bind(id.as_str())
        .execute(&mut **change)
        .await?;
    let done = db::query("DELETE FROM os4x_proxies WHERE proxy_id = $1")
        .bind(id.as_str())
        .execute(&mut **change)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// All listeners of all clients.
pub(crate) async fn clients(connection: &mut AnyConnection) -> Result<Vec<ProxyClient>, DbError> {
    let rows = db::query(
        "SELECT address, partner, listen_ip, listen_port, networks, name FROM os4x_proxy_clients \
         ORDER BY address, COALESCE(partner, '')",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let address: String = row.try_get(0)?;
            let corrupt = || DbError::Corrupt(format!("proxy client '{address}'"));
            let listen_ip: Option<String> = row.try_get(2)?;
            let networks: String = row.try_get(4)?;
            let networks = networks.split(',').filter(|text| !text.is_empty());
            Ok(ProxyClient {
                address: address.parse().map_err(|_| corrupt())?,
                partner: row.try_get(1)?,
                listen_ip: listen_ip.map(|text| text.parse()).transpose().map_err(|_| corrupt())?,
                listen_port: u16::try_from(row.try_get::<i64, _>(3)?).map_err(|_| corrupt())?,
                networks: networks.map(str::parse).collect::<Result<_, _>>().map_err(|_| corrupt())?,
                name: row.try_get(5)?,
            })
        })
        .collect()
}

/// Adds a listener, or replaces the one of its client that leads to the same partner, or that takes proxy requests like
/// this one.
pub(crate) async fn put_client(change: &mut Change, client: &ProxyClient) -> Result<(), DbError> {
    remove_client(change, &client.address, client.partner.as_deref()).await?;
    let networks: Vec<String> = client.networks.iter().map(Network::to_string).collect();
    db::query(
        "INSERT INTO os4x_proxy_clients (address, partner, listen_ip, listen_port, networks, name) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(client.address.to_string())
    .bind(client.partner.clone())
    .bind(client.listen_ip.map(|address| address.to_string()))
    .bind(i64::from(client.listen_port))
    .bind(networks.join(","))
    .bind(client.name.as_str())
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Removes a listener; false if there is no such one.
pub(crate) async fn remove_client(
    change: &mut Change,
    address: &ClientAddress,
    partner: Option<&str>,
) -> Result<bool, DbError> {
    let done = db::query("DELETE FROM os4x_proxy_clients WHERE address = $1 AND COALESCE(partner, '') = $2")
        .bind(address.to_string())
        .bind(partner.unwrap_or_default())
        .execute(&mut **change)
        .await?;
    Ok(done.rows_affected() > 0)
}

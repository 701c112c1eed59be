//! The servers that clients may talk to (Proxy IDs), and the clients: address, listener,
//! networks that may use it. Read by the API for each call, written by the commands. Decides
//! nobody's admission.

use crate::clock;
use crate::db::{Change, DbError};
use common::identity::ProxyId;
use sqlx::{AnyConnection, Row};
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
}

/// A listed client.
#[derive(Debug)]
pub(crate) struct ProxyClient {
    /// The address it calls from.
    pub(crate) address: IpAddr,
    /// Address of its listener; none: all.
    pub(crate) listen_ip: Option<IpAddr>,
    /// Port of its listener.
    pub(crate) listen_port: u16,
    /// Networks that may use it, CIDR.
    pub(crate) networks: Vec<String>,
    /// A name for people.
    pub(crate) name: String,
}

/// All servers.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Proxy>, DbError> {
    let rows = sqlx::query("SELECT proxy_id, name, added FROM os4x_proxies ORDER BY added, proxy_id")
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let id: String = row.try_get(0)?;
            let id = id.parse().map_err(|_| DbError::Corrupt(format!("Proxy ID '{id}'")))?;
            Ok(Proxy { id, name: row.try_get(1)?, added: row.try_get(2)? })
        })
        .collect()
}

/// Lists a server; false if it was listed already (its name is then renewed where one is given).
pub(crate) async fn add(change: &mut Change, id: &ProxyId, name: &str) -> Result<bool, DbError> {
    let known = sqlx::query(
        "UPDATE os4x_proxies SET name = CASE WHEN $1 = '' THEN name ELSE $1 END WHERE proxy_id = $2",
    )
    .bind(name)
    .bind(id.as_str())
    .execute(&mut **change)
    .await?;
    if known.rows_affected() > 0 {
        return Ok(false);
    }
    sqlx::query("INSERT INTO os4x_proxies (proxy_id, name, added) VALUES ($1, $2, $3)")
        .bind(id.as_str())
        .bind(name)
        .bind(clock::now())
        .execute(&mut **change)
        .await?;
    Ok(true)
}

/// Removes a server; false if it is not listed.
pub(crate) async fn remove(change: &mut Change, id: &ProxyId) -> Result<bool, DbError> {
    let done = sqlx::query("DELETE FROM os4x_proxies WHERE proxy_id = $1")
        .bind(id.as_str())
        .execute(&mut **change)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// All clients.
pub(crate) async fn clients(connection: &mut AnyConnection) -> Result<Vec<ProxyClient>, DbError> {
    let rows = sqlx::query(
        "SELECT address, listen_ip, listen_port, networks, name FROM os4x_proxy_clients ORDER BY address",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let address: String = row.try_get(0)?;
            let corrupt = || DbError::Corrupt(format!("proxy client '{address}'"));
            let listen_ip: Option<String> = row.try_get(1)?;
            let networks: String = row.try_get(3)?;
            Ok(ProxyClient {
                address: address.parse().map_err(|_| corrupt())?,
                listen_ip: listen_ip.map(|text| text.parse()).transpose().map_err(|_| corrupt())?,
                listen_port: u16::try_from(row.try_get::<i64, _>(2)?).map_err(|_| corrupt())?,
                networks: networks.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect(),
                name: row.try_get(4)?,
            })
        })
        .collect()
}

/// Adds a client, or takes the place of the one with its address.
pub(crate) async fn put_client(change: &mut Change, client: &ProxyClient) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO os4x_proxy_clients (address, listen_ip, listen_port, networks, name) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (address) DO UPDATE SET listen_ip = excluded.listen_ip, \
         listen_port = excluded.listen_port, networks = excluded.networks, name = excluded.name",
    )
    .bind(client.address.to_string())
    .bind(client.listen_ip.map(|address| address.to_string()))
    .bind(i64::from(client.listen_port))
    .bind(client.networks.join(","))
    .bind(client.name.as_str())
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Removes a client; false if it is not listed.
pub(crate) async fn remove_client(change: &mut Change, address: IpAddr) -> Result<bool, DbError> {
    let done = sqlx::query("DELETE FROM os4x_proxy_clients WHERE address = $1")
        .bind(address.to_string())
        .execute(&mut **change)
        .await?;
    Ok(done.rows_affected() > 0)
}

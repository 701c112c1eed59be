//! `os4xapi proxyclient add|list|remove`: the clients (os4x_proxyclient2) by the address they
//! call from, and their listeners for the station. A client needs no row to carry incoming
//! sessions; the token alone lets it in.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, output};
use crate::store::proxies::{self, ProxyClient};
use common::net::{Network, normal};
use serde_json::json;
use std::net::IpAddr;

/// Port of a listener, as the product documents it.
const DEFAULT_PORT: u16 = 65_433;
/// Who may use a listener unless told otherwise.
const DEFAULT_NETWORK: &str = "127.0.0.0/8";

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "proxyclient add",
        help: ADD,
        options: &[Opt::Value("port"), Opt::Value("listen-ip"), Opt::Many("network"), Opt::Value("name")],
        arguments: (1, 1),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "proxyclient list",
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "proxyclient remove",
        help: REMOVE,
        options: &[],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

const ADD: &str = "\
usage: os4xapi proxyclient add IP [--port PORT] [--listen-ip IP] [--network NET]... [--name NAME] [--db DB]

Gives the client that calls from address IP a listener for the station's outgoing sessions, or changes it.
A client without a row here carries incoming sessions only. ::1 counts as 127.0.0.1.

--port PORT: its port (default 65433)
--listen-ip IP: its address (default: all)
--network NET: who may use it, an address or a network as 10.1.0.0/16 (repeatable; default 127.0.0.0/8)
--name NAME: a name for people
";

const LIST: &str = "\
usage: os4xapi proxyclient list [--json] [--db DB]

Lists the clients' listeners.

--json: as JSON
";

const REMOVE: &str = "\
usage: os4xapi proxyclient remove IP [--db DB]

Takes the listener away from the client that calls from address IP.
";

fn address(invocation: &Invocation) -> Result<IpAddr, CliError> {
    let text = invocation.argument(0);
    text.parse().map(normal).map_err(|_| CliError::Usage(format!("'{text}' is no IP address.")))
}

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let listen_port = match invocation.parsed("port", "a port from 1 to 65535")? {
        Some(0) => return Err(wrong("port", "0", "a port from 1 to 65535")),
        other => other.unwrap_or(DEFAULT_PORT),
    };
    let mut networks = invocation
        .values("network")
        .iter()
        .map(|text| {
            text.parse::<Network>()
                .map(|network| network.to_string())
                .map_err(|why| CliError::Usage(format!("--network cannot be '{text}': {why}.")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if networks.is_empty() {
        networks.push(DEFAULT_NETWORK.to_owned());
    }
    let client = ProxyClient {
        address: address(&invocation)?,
        listen_ip: invocation.parsed("listen-ip", "an IP address")?,
        listen_port,
        networks,
        name: invocation.value("name").unwrap_or_default(),
    };
    let db = invocation.open().await?;
    let mut change = db.change().await?;
    proxies::put_client(&mut change, &client).await?;
    change.commit().await?;
    Ok(())
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let all = proxies::clients(&mut *db.connection().await?).await?;
    if invocation.flag("json") {
        let rows: Vec<_> = all
            .iter()
            .map(|client| {
                json!({
                    "address": client.address,
                    "listen_ip": client.listen_ip,
                    "listen_port": client.listen_port,
                    "networks": client.networks,
                    "name": client.name,
                })
            })
            .collect();
        return output::json(&rows);
    }
    let mut table = output::Table::new(&["CLIENT", "LISTENS ON", "PORT", "FOR", "NAME"]);
    for client in all {
        table.row(&[
            client.address.to_string(),
            client.listen_ip.map_or_else(|| "all".to_owned(), |ip| ip.to_string()),
            client.listen_port.to_string(),
            client.networks.join(" "),
            client.name,
        ]);
    }
    table.print("No client has a listener.")
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let address = address(&invocation)?;
    let db = invocation.open().await?;
    let mut change = db.change().await?;
    if !proxies::remove_client(&mut change, address).await? {
        return Err(CliError::Refused(format!(
            "No client is listed at {address}: 'os4xapi proxyclient list' shows them."
        )));
    }
    change.commit().await?;
    Ok(())
}

//! `os4xapi proxyclient add|list|remove`: the clients (os4x_proxyclient2) by the address from which they call, and
//! their listeners for the station: one that takes proxy requests, and one for each partner to which it is tied. A
//! client needs no row to carry incoming sessions; the token is enough. Opens no listener.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, output};
use crate::change::{listeners, purpose};
use crate::documents::proxies::{listeners as documents_of, networks};
use crate::store::client_address::{ClientAddress, NoClientAddress};
use crate::store::proxies::{self, ProxyClient};
use common::config::Partner;
use common::net::Network;
use std::net::IpAddr;

/// Port of a listener for proxy requests, as the product documents it.
const DEFAULT_PORT: u16 = 65_433;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "proxyclient add",
        changes: true,
        help: ADD,
        options: &[
            Opt::Value("partner"),
            Opt::Value("port"),
            Opt::Value("listen-ip"),
            Opt::Many("network"),
            Opt::Value("name"),
        ],
        arguments: (1, 1),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "proxyclient list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "proxyclient remove",
        changes: true,
        help: REMOVE,
        options: &[Opt::Value("partner"), Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

const ADD: &str = "\
usage: os4xapi proxyclient add IP [--partner NAME] [--port PORT] [--listen-ip IP] [--network NET]...
                               [--name NAME] [--db DB]

Gives the client that calls from address IP a listener for the station's outgoing sessions, or changes it.
A client without a row here carries incoming sessions only. ::1 counts as 127.0.0.1. If several clients call from one
address, NAME@IP means the one with this name (OS4X_CLIENT_NAME in its environment); IP alone means all others.

--partner NAME: a further listener, which leads to this partner only, without a proxy request
--port PORT: its port (default 65433; required with --partner)
--listen-ip IP: its address (default: all, IPv4 and IPv6)
--network NET: an address or a network that may use it, such as 10.1.0.0/16 (repeatable; default: loopback and private
      networks)
--name NAME: a name for people
";

const LIST: &str = "\
usage: os4xapi proxyclient list [--json] [--db DB]

Lists the clients' listeners.

--json: as JSON
";

const REMOVE: &str = "\
usage: os4xapi proxyclient remove IP [--partner NAME] [--yes] [--db DB]

Removes the listener for proxy requests of the client that calls from address IP.

--partner NAME: remove the listener that is tied to this partner instead
--yes: do not ask; without a terminal the command never asks
";

fn address(invocation: &Invocation) -> Result<ClientAddress, CliError> {
    invocation.argument(0).parse().map_err(|why: NoClientAddress| CliError::Usage(why.to_string()))
}

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let partner = invocation.value("partner");
    let listen_port = match invocation.parsed("port", "a port from 1 to 65535")? {
        Some(0) => return Err(wrong("port", "0", "a port from 1 to 65535")),
        Some(port) => port,
        None if partner.is_none() => DEFAULT_PORT,
        None => {
            return Err(CliError::Usage(
                "--port is missing: a listener with --partner has no default".into(),
            ));
        }
    };
    let network = |text: &String| {
        let parsed: Result<Network, _> = text.parse();
        parsed.map_err(|why| CliError::Usage(format!("--network cannot be '{text}': {why}")))
    };
    let client = ProxyClient {
        address: address(&invocation)?,
        partner,
        listen_ip: invocation.parsed("listen-ip", "an IP address")?.map(|ip: IpAddr| ip.to_canonical()),
        listen_port,
        networks: invocation.values("network").iter().map(network).collect::<Result<_, _>>()?,
        name: invocation.value("name").unwrap_or_default(),
    };
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    warn_of_host(listeners::put(&mut change, &client).await?);
    change.commit().await?;
    let ProxyClient { address, listen_port, partner, .. } = &client;
    let purpose = purpose(partner.as_deref());
    output::say(&format!("The client at {address} has a listener on port {listen_port}, {purpose}."))
}

/// Warns of a listener that cannot be used yet.
fn warn_of_host(partner: Option<Partner>) {
    if let Some(Partner { short_name, host: None, .. }) = partner {
        output::warn(&format!(
            "'{short_name}' has no host, so it cannot be called yet: 'os4xapi partner set {short_name} --host HOST' \
             names it."
        ));
    }
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    if invocation.flag("json") {
        return output::json(&documents_of(&mut snapshot).await?);
    }
    let all = proxies::clients(&mut snapshot).await?;
    drop(snapshot);
    let mut table = output::Table::new(&["CLIENT", "LISTENS ON", "PORT", "TIED TO", "FOR", "NAME"]);
    for listener in all {
        let networks = networks(&listener).join(" ");
        table.row(&[
            listener.address.to_string(),
            listener.listen_ip.map_or_else(|| "all".to_owned(), |ip| ip.to_string()),
            listener.listen_port.to_string(),
            output::or_dash(listener.partner),
            networks,
            listener.name,
        ]);
    }
    table.print("No client has a listener.")
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let (address, partner) = (address(&invocation)?, invocation.value("partner"));
    let db = invocation.open().await?;
    let purpose = purpose(partner.as_deref());
    invocation.confirm(&format!("remove the listener of {address} {purpose}?"))?;
    let mut change = invocation.act(&db).await?;
    if !proxies::remove_client(&mut change, &address, partner.as_deref()).await? {
        return Err(CliError::Refused(format!(
            "the client at {address} has no listener {purpose}: 'os4xapi proxyclient list' shows them all"
        )));
    }
    let left =
        proxies::clients(&mut change).await?.into_iter().filter(|other| other.address == address).count();
    change.commit().await?;
    output::say(&format!("The listener of {address} {purpose} is removed."))?;
    if left > 0 {
        output::warn(&format!(
            "{left} more listeners of {address} stay: 'os4xapi proxyclient list' shows them."
        ));
    }
    Ok(())
}

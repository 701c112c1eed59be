//! `os4xapi proxyclient add|list|remove`: the clients (os4x_proxyclient2) by the address they call from, and their
//! listeners for the station: one that takes proxy requests, and one for each partner that it is tied to. A client
//! needs no row to carry incoming sessions; the token alone lets it in. Opens no listener.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, output, partner};
use crate::db::Change;
use crate::store::proxies::{self, ProxyClient};
use common::config::{MAX_TIED, Partner};
use common::net::{Network, normal, private_networks};
use serde_json::json;
use std::net::IpAddr;

/// Port of a listener for proxy requests, as the product documents it.
const DEFAULT_PORT: u16 = 65_433;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "proxyclient add",
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
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "proxyclient remove",
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
A client without a row here carries incoming sessions only. ::1 counts as 127.0.0.1.

--partner NAME: a further listener, which leads to this partner only, without a proxy request
--port PORT: its port (default 65433; required with --partner)
--listen-ip IP: its address (default: all, IPv4 and IPv6)
--network NET: an address or a network that may use it, as 10.1.0.0/16 (repeatable; default: loopback and private
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
--yes: do not ask; without a terminal nobody is asked
";

fn address(invocation: &Invocation) -> Result<IpAddr, CliError> {
    let text = invocation.argument(0);
    text.parse().map(normal).map_err(|_| CliError::Usage(format!("'{text}' is no IP address")))
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
    let mut change = db.change().await?;
    check(&mut change, &client).await?;
    proxies::put_client(&mut change, &client).await?;
    change.commit().await?;
    let ProxyClient { address, listen_port, partner, .. } = &client;
    let purpose = purpose(partner.as_deref());
    output::say(&format!("The client at {address} has a listener on port {listen_port}, {purpose}."))
}

/// What the table and the client rely on: the partner is there, the place is the listener's own.
async fn check(change: &mut Change, client: &ProxyClient) -> Result<(), CliError> {
    let partner = match &client.partner {
        Some(name) => Some(partner::existing(change, name).await?.ok_or_else(|| partner::no_such(name))?),
        None => None,
    };
    if let Some(why) = obstacle(&proxies::clients(change).await?, client) {
        return Err(CliError::Refused(why));
    }
    if let Some(Partner { short_name, host: None, .. }) = partner {
        output::warn(&format!(
            "'{short_name}' has no host, so nothing comes through yet: 'os4xapi partner set {short_name} --host HOST' \
             names it."
        ));
    }
    Ok(())
}

/// Why the client could not open this listener beside those that are listed.
fn obstacle(listed: &[ProxyClient], client: &ProxyClient) -> Option<String> {
    let (address, port) = (client.address, client.listen_port);
    if let Some(other) = listed.iter().find(|other| other.is_in_the_way_of(client)) {
        return Some(format!(
            "port {port} is taken by the listener of {address} {}: choose another port, or tell them apart with \
             --listen-ip",
            purpose(other.partner.as_deref())
        ));
    }
    let others = listed.iter().filter(|other| other.address == address && !other.is_same(client));
    let tied = others.filter(|other| other.partner.is_some()).count();
    (client.partner.is_some() && tied >= MAX_TIED).then(|| {
        format!(
            "the client at {address} has {tied} tied listeners, as many as it opens: remove another one first"
        )
    })
}

fn purpose(partner: Option<&str>) -> String {
    partner.map_or_else(|| "for proxy requests".to_owned(), |name| format!("tied to {name}"))
}

/// The networks that may use a listener; the daemons' default if none is listed.
fn networks(listener: &ProxyClient) -> Vec<String> {
    let default = private_networks();
    let listed = if listener.networks.is_empty() { &default } else { &listener.networks };
    listed.iter().map(Network::to_string).collect()
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let all = proxies::clients(&mut *db.connection().await?).await?;
    if invocation.flag("json") {
        let rows: Vec<_> = all
            .iter()
            .map(|listener| {
                json!({
                    "address": listener.address,
                    "partner": listener.partner,
                    "listen_ip": listener.listen_ip,
                    "listen_port": listener.listen_port,
                    "networks": networks(listener),
                    "name": listener.name,
                })
            })
            .collect();
        return output::json(&rows);
    }
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
    output::confirm(&format!("remove the listener of {address} {purpose}?"), invocation.flag("yes"))?;
    let mut change = db.change().await?;
    if !proxies::remove_client(&mut change, address, partner.as_deref()).await? {
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

#[cfg(test)]
mod tests {
    use super::{MAX_TIED, ProxyClient, obstacle};

    fn listener(partner: usize) -> ProxyClient {
        ProxyClient {
            address: [10, 1, 0, 1].into(),
            partner: Some(format!("p{partner}")).filter(|_| partner > 0),
            listen_ip: None,
            listen_port: 1000 + u16::try_from(partner).unwrap(),
            networks: Vec::new(),
            name: String::new(),
        }
    }

    #[test]
    fn a_client_has_no_more_tied_listeners_than_it_opens() {
        let full: Vec<ProxyClient> = (1..=MAX_TIED).map(listener).collect();
        let more = listener(MAX_TIED + 1);
        assert_eq!(obstacle(&full[1..], &more), None);
        assert!(obstacle(&full, &more).unwrap().contains("255 tied listeners"));
        // A change of one adds none, nor does the one for proxy requests, nor another client's.
        assert_eq!(obstacle(&full, &listener(1)), None);
        assert_eq!(obstacle(&full, &listener(0)), None);
        assert_eq!(obstacle(&full, &ProxyClient { address: [10, 1, 0, 2].into(), ..more }), None);
    }
}

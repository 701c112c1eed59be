//! `os4xapi proxy add|list|remove`: the servers (os4x_proxyserver2) that clients may talk to, by Proxy ID. A server
//! that is not listed here gets no configuration, even with a licence. Issues nothing: see `licence`.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::documents;
use crate::store::proxies;
use common::identity::ProxyId;
use common::text::clock;
use std::net::IpAddr;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "proxy add",
        changes: true,
        help: ADD,
        options: &[Opt::Value("name")],
        arguments: (1, 1),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "proxy list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "proxy remove",
        changes: true,
        help: REMOVE,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

const ADD: &str = "\
usage: os4xapi proxy add PROXY-ID [--name NAME] [--db DB]

Lists a server: clients connect only to listed servers, and only listed servers get the configuration.
'os4x_proxyserver2 -L' prints the Proxy ID. 'os4xapi licence issue' lists it too.

--name NAME: a name for people
";

const LIST: &str = "\
usage: os4xapi proxy list [--json] [--db DB]

Lists the servers, with the addresses of their hosts as they have reported them.

--json: as JSON
";

const REMOVE: &str = "\
usage: os4xapi proxy remove PROXY-ID [--yes] [--db DB]

Removes a server from the list. Clients refuse it from their next enrolment on, and it gets no configuration.

--yes: do not ask; without a terminal the command never asks
";

/// The Proxy ID in argument `index`.
pub(super) fn proxy_id(invocation: &Invocation, index: usize) -> Result<ProxyId, CliError> {
    let text = invocation.argument(index);
    text.parse().map_err(|why| CliError::Usage(format!("'{text}' is not a Proxy ID: {why}")))
}

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let id = proxy_id(&invocation, 0)?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let new = proxies::add(&mut change, &id, &invocation.value("name").unwrap_or_default()).await?;
    change.commit().await?;
    output::say(if new { "The server is listed now." } else { "The server was listed already." })
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    if invocation.flag("json") {
        return output::json(&documents::proxies::servers(&mut snapshot).await?);
    }
    let all = proxies::all(&mut snapshot).await?;
    drop(snapshot);
    let mut table = output::Table::new(&["PROXY ID", "NAME", "ADDED", "ADDRESSES"]);
    for proxy in all {
        let addresses: Vec<String> = proxy.addresses.iter().map(IpAddr::to_string).collect();
        let addresses = output::or_dash(Some(addresses.join(" ")).filter(|text| !text.is_empty()));
        table.row(&[proxy.id.to_string(), proxy.name, clock::rfc3339(proxy.added), addresses]);
    }
    table.print("No server is listed.")
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let id = proxy_id(&invocation, 0)?;
    let db = invocation.open().await?;
    invocation.confirm(&format!("remove the server {id} from the list?"))?;
    let mut change = invocation.act(&db).await?;
    if !proxies::remove(&mut change, &id).await? {
        return Err(CliError::Refused(format!(
            "no server is listed as {id}: 'os4xapi proxy list' shows them"
        )));
    }
    change.commit().await?;
    output::say("The server is not listed any more.")
}

//! `os4xapi proxy add|list|show|set|unset|drain|undrain|remove`: the servers (os4x_proxyserver2) that clients may talk
//! to, by Proxy ID, and what each has for itself of the settings. A server that is not listed here gets no
//! configuration, even with a licence. Issues nothing: see `licence`.

use super::args::{Invocation, Opt};
use super::config::quoted;
use super::error::CliError;
use super::{Command, output};
use crate::change::servers;
use crate::documents;
use crate::settings::of_server::{self, OVERRIDES};
use crate::store::{configuration, proxies};
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
        words: "proxy show",
        changes: false,
        help: SHOW,
        options: &[Opt::Flag("json")],
        arguments: (1, 1),
        run: |invocation| Box::pin(show(invocation)),
    },
    Command {
        words: "proxy set",
        changes: true,
        help: SET,
        options: &[],
        arguments: (3, 3),
        run: |invocation| Box::pin(set(invocation)),
    },
    Command {
        words: "proxy unset",
        changes: true,
        help: UNSET,
        options: &[],
        arguments: (2, 2),
        run: |invocation| Box::pin(unset(invocation)),
    },
    Command {
        words: "proxy drain",
        changes: true,
        help: DRAIN,
        options: &[],
        arguments: (1, 1),
        run: |invocation| Box::pin(drain(invocation)),
    },
    Command {
        words: "proxy undrain",
        changes: true,
        help: UNDRAIN,
        options: &[],
        arguments: (1, 1),
        run: |invocation| Box::pin(undrain(invocation)),
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

Lists the servers, with the addresses of their hosts as they have reported them, and what each has for itself of the
settings.

--json: as JSON
";

const SHOW: &str = "\
usage: os4xapi proxy show PROXY-ID [--json] [--db DB]

Shows a server: the settings that hold for it, and whether they are its own.

--json: as JSON
";

const SET: &str = "\
usage: os4xapi proxy set PROXY-ID SETTING VALUE [--db DB]

Gives one server its own value of a setting; for all other servers the value of 'os4xapi config' holds. The settings are
tcp_incoming_ip, tcp_outgoing_ip, tcp_port_tls and tcp_proxy_protocol_from as for 'config set', and two that only
servers have:

enabled: 'no' if the server is not in use: it takes no new sessions, and 'os4xapi status' does not miss it
drain: 'yes' if it takes no new sessions for a time, see 'os4xapi proxy drain'

'' is a value: an empty tcp_outgoing_ip lets the system of this server choose, whatever the global one is.
The change is in force within 65 seconds.
";

const UNSET: &str = "\
usage: os4xapi proxy unset PROXY-ID SETTING [--db DB]

Takes a server's own value of a setting away: the value of 'os4xapi config' holds for it again.
";

const DRAIN: &str = "\
usage: os4xapi proxy drain PROXY-ID [--db DB]

Lets a server take no new sessions, before maintenance: it closes its TLS port, so that a load balancer sends partners
to another one, and refuses stations with the reason 'draining'. Running sessions go on. 'os4xapi status' shows how many
are left. The drain holds until 'os4xapi proxy undrain', also if the server is started again.
";

const UNDRAIN: &str = "\
usage: os4xapi proxy undrain PROXY-ID [--db DB]

Lets a server take new sessions again.
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
    let mut table = output::Table::new(&["PROXY ID", "NAME", "ADDED", "ADDRESSES", "ITS OWN SETTINGS"]);
    for proxy in all {
        let addresses: Vec<String> = proxy.addresses.iter().map(IpAddr::to_string).collect();
        let own: Vec<String> =
            proxy.settings.rows().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let [addresses, own] = [addresses.join(" "), own.join(" ")]
            .map(|text| output::or_dash(Some(text).filter(|text| !text.is_empty())));
        table.row(&[proxy.id.to_string(), proxy.name, clock::rfc3339(proxy.added), addresses, own]);
    }
    table.print("No server is listed.")
}

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let id = proxy_id(&invocation, 0)?;
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    let proxy = servers::need(&mut snapshot, &id).await?;
    if invocation.flag("json") {
        return output::json(&documents::proxies::server(&mut snapshot, &proxy).await?);
    }
    let values = configuration::values(&mut snapshot).await?;
    drop(snapshot);
    let mut table = output::Table::new(&["SETTING", "VALUE", "FROM", "MEANING"]);
    for setting in of_server::all() {
        let own = proxy.settings.own(setting.name);
        let global =
            || if OVERRIDES.contains(&setting.name) { values.text(setting.name) } else { &setting.default };
        let from = if own.is_some() { "this server" } else { "all servers" };
        let value = quoted(own.unwrap_or_else(global)).to_owned();
        table.row(&[setting.name.to_owned(), value, from.to_owned(), setting.help.to_owned()]);
    }
    table.print("There are no settings.")
}

async fn set(invocation: Invocation) -> Result<(), CliError> {
    let id = proxy_id(&invocation, 0)?;
    let setting = of_server::find(invocation.argument(1))?;
    let value = setting.check(invocation.argument(2))?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    servers::set(&mut change, &id, &[(setting, Some(value.clone()))]).await?;
    change.commit().await?;
    output::say(&format!("{} of this server is now {}.", setting.name, quoted(&value)))?;
    if let Some(what) = servers::warning(&mut *db.snapshot().await?, &id, setting.name, &value).await? {
        output::warn(&what);
    }
    Ok(())
}

async fn unset(invocation: Invocation) -> Result<(), CliError> {
    let id = proxy_id(&invocation, 0)?;
    let setting = of_server::find(invocation.argument(1))?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    servers::set(&mut change, &id, &[(setting, None)]).await?;
    change.commit().await?;
    output::say(&format!("This server has no {} of its own any more.", setting.name))
}

async fn drain(invocation: Invocation) -> Result<(), CliError> {
    change_drain(&invocation, true).await?;
    output::say(
        "The server takes no new sessions within 65 seconds, and running ones go on. 'os4xapi status' shows how many \
         are left.",
    )
}

async fn undrain(invocation: Invocation) -> Result<(), CliError> {
    change_drain(&invocation, false).await?;
    output::say("The server takes new sessions again within 65 seconds.")
}

async fn change_drain(invocation: &Invocation, is_drained: bool) -> Result<(), CliError> {
    let id = proxy_id(invocation, 0)?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    servers::drain(&mut change, &id, is_drained).await?;
    change.commit().await?;
    Ok(())
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

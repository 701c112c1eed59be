//! `os4xapi ban add|list|remove`: the networks that the server refuses, and until when. Warns of partners and clients
//! that a ban refuses as well.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, date, network as option, output};
use crate::change::bans::{DAYS, LONGEST};
use crate::change::{self, network};
use crate::db::Change;
use crate::documents::Versions;
use crate::store::bans::{self, Ban};
use common::net::Network;
use common::text::clock;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "ban add",
        changes: true,
        help: ADD,
        options: &[Opt::Value("until"), Opt::Value("description")],
        arguments: (1, 1),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "ban list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "ban remove",
        changes: true,
        help: REMOVE,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

const ADD: &str = "\
usage: os4xapi ban add NETWORK [--until TIME] [--description TEXT] [--db DB]

Refuses all connections of a network to the server's TLS port before TLS begins. The network is an address or a network,
such as 203.0.113.9, 203.0.113.0/24 or 2001:db8::/32. A ban overrides the partner table and proxy_penalty_exempt. It is
in force within 65 s. Running sessions go on, and sessions that we begin are not affected. If the ban exists already,
only the values that the options name are changed.

--until TIME: end of the ban, UTC: YYYY-MM-DD, the whole of that day, or YYYY-MM-DDTHH:MM:SSZ; '' for no end
      (default). The ban then ends by itself
--description TEXT: reason for the ban; '' for none
";

const LIST: &str = "\
usage: os4xapi ban list [--json] [--db DB]

Lists the bans.

--json: as JSON
";

const REMOVE: &str = "\
usage: os4xapi ban remove NETWORK [--yes] [--db DB]

Ends a ban. 'os4xapi ban list' shows its network.

--yes: do not ask; without a terminal the command never asks
";

/// The network that the command names.
fn argument(invocation: &Invocation) -> Result<Network, CliError> {
    let text = invocation.argument(0);
    let instead =
        "'os4xapi partner set NAME --enabled no' refuses a partner, and without a client nobody is served";
    network::parse(text).map_err(|fault| option::wrong("NETWORK", text, fault, instead))
}

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let network = argument(&invocation)?;
    let description = invocation.value("description");
    if description.as_ref().is_some_and(|text| text.chars().count() > LONGEST) {
        return Err(CliError::Usage("--description takes at most 200 characters".into()));
    }
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let found = bans::all(&mut change).await?.into_iter().find(|ban| ban.network == network.to_string());
    let ban = Ban {
        network: network.to_string(),
        until: date::until(&invocation, found.as_ref().and_then(|ban| ban.until))?,
        description: description
            .or_else(|| found.as_ref().map(|ban| ban.description.clone()))
            .unwrap_or_default(),
        created: clock::now(),
    };
    let done = if found.is_some() { "changed" } else { "added" };
    change::bans::add(&mut change, &ban).await?;
    warn(&mut change, &network).await?;
    change.commit().await?;
    output::say(&format!(
        "Ban of {network} {done}, {}. It is in force within 65 s; running sessions go on.",
        ban.until
            .map_or_else(|| "without an end".to_owned(), |until| format!("until {}", clock::rfc3339(until)))
    ))
}

/// Whom the ban refuses as well.
async fn warn(change: &mut Change, network: &Network) -> Result<(), CliError> {
    let effect = change::bans::effect(change, network).await?;
    for name in &effect.listed {
        output::warn(&format!(
            "{network} contains the host or a network of partner {name} ('os4xapi partner show {name}'): its sessions \
             from there are refused, too."
        ));
    }
    for name in &effect.came {
        output::warn(&format!(
            "partner {name} has had sessions from {network} within the last {DAYS} days: they are refused now, too."
        ));
    }
    // Clients connect to the internal port, where bans do not apply: the address of a client is usually a mistake.
    for client in &effect.clients {
        output::warn(&format!(
            "{network} contains {client}, the address of a client: a ban concerns only the TLS port, so the client is \
             still served."
        ));
    }
    Ok(())
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    let all = bans::all(&mut snapshot).await?;
    if invocation.flag("json") {
        let versions = Versions::of(&mut snapshot, "ban").await?;
        let all: Vec<_> = all.into_iter().map(|ban| versions.with(ban.network.clone(), ban)).collect();
        return output::json(&all);
    }
    drop(snapshot);
    let mut table = output::Table::new(&["NETWORK", "UNTIL", "ADDED", "DESCRIPTION"]);
    for ban in all {
        table.row(&[
            ban.network,
            output::or_dash(ban.until.map(clock::rfc3339)),
            clock::rfc3339(ban.created),
            ban.description,
        ]);
    }
    table.print("Nobody is banned.")
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let network = argument(&invocation)?;
    let db = invocation.open().await?;
    invocation.confirm(&format!("accept {network} again?"))?;
    let mut change = invocation.act(&db).await?;
    let is_removed = bans::remove(&mut change, &network.to_string()).await?;
    let others: Vec<String> = bans::all(&mut change)
        .await?
        .into_iter()
        .filter(|ban| ban.network.parse::<Network>().is_ok_and(|other| other.overlaps(&network)))
        .map(|ban| ban.network)
        .collect();
    if !is_removed {
        let why = if others.is_empty() {
            "'os4xapi ban list' shows all".to_owned()
        } else {
            format!("it overlaps the banned {}", others.join(", "))
        };
        return Err(CliError::Refused(format!("there is no ban of {network}: {why}")));
    }
    change.commit().await?;
    if !others.is_empty() {
        output::warn(&format!("the bans of {} still contain addresses of it.", others.join(", ")));
    }
    output::say(&format!("Ban of {network} removed. It is accepted again within 65 s."))
}

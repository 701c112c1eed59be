//! `os4xapi ban add|list|remove`: the networks that the server refuses, and until when. Warns of those that a ban keeps
//! out as well: partners, and clients.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::versions::Versions;
use super::{Command, date, network, output};
use crate::db::Change;
use crate::store::bans::{self, Ban};
use crate::store::{partners, proxies, sessions};
use common::net::Network;
use common::text::clock::{self, DAY};
use std::collections::BTreeSet;

/// They travel with each configuration.
const MOST: usize = 10_000;
/// Characters of a description.
const LONGEST: usize = 200;
/// A ban warns of partners whose sessions came from there within so many days.
const DAYS: i64 = 30;

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

Refuses all connections of a network to the server's TLS port, as 203.0.113.9, 203.0.113.0/24 or 2001:db8::/32, before
TLS begins. A ban overrides the partner table and proxy_penalty_exempt. It is in
force within 65 s. Sessions that run go on, and sessions that we begin are not affected. A ban that is there already is
changed; what the options do not name stays as it is.

--until TIME: banned until then, UTC: YYYY-MM-DD, the whole of that day, or YYYY-MM-DDTHH:MM:SSZ; '' for no end
      (default). Then the ban ends by itself
--description TEXT: why; '' for nothing
";

const LIST: &str = "\
usage: os4xapi ban list [--json] [--db DB]

Lists the bans.

--json: as JSON
";

const REMOVE: &str = "\
usage: os4xapi ban remove NETWORK [--yes] [--db DB]

Ends a ban. 'os4xapi ban list' shows its network.

--yes: do not ask; without a terminal nobody is asked
";

/// The network that the command names.
fn argument(invocation: &Invocation) -> Result<Network, CliError> {
    let instead =
        "'os4xapi partner set NAME --enabled no' refuses a partner, and without a client nobody is served";
    network::parse("NETWORK", invocation.argument(0), instead)
}

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let network = argument(&invocation)?;
    let description = invocation.value("description");
    if description.as_ref().is_some_and(|text| text.chars().count() > LONGEST) {
        return Err(CliError::Usage("--description takes at most 200 characters".into()));
    }
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let all = bans::all(&mut change).await?;
    let found = all.iter().find(|ban| ban.network == network.to_string());
    if found.is_none() && all.len() >= MOST {
        return Err(CliError::Refused(format!(
            "there are {MOST} bans, and no more are possible: ban a larger network instead of several small ones"
        )));
    }
    let ban = Ban {
        network: network.to_string(),
        until: date::until(&invocation, found.and_then(|ban| ban.until))?,
        description: description.or_else(|| found.map(|ban| ban.description.clone())).unwrap_or_default(),
        created: clock::now(),
    };
    let done = if found.is_some() { "changed" } else { "added" };
    bans::put(&mut change, &ban).await?;
    warn_of_partners(&mut change, &network).await?;
    warn_of_clients(&mut change, &network).await?;
    change.commit().await?;
    output::say(&format!(
        "Ban of {network} {done}, {}. It is in force within 65 s; sessions that run go on.",
        ban.until
            .map_or_else(|| "without an end".to_owned(), |until| format!("until {}", clock::rfc3339(until)))
    ))
}

/// Partners that the ban keeps out: by what the partner table says, and by the sessions of late.
async fn warn_of_partners(change: &mut Change, network: &Network) -> Result<(), CliError> {
    let mut named = BTreeSet::new();
    for partner in partners::all(change).await? {
        if partner.places().any(|listed| listed.overlaps(network)) {
            named.insert(partner.short_name);
        }
    }
    for name in &named {
        output::warn(&format!(
            "{network} holds the host or a network of partner {name} ('os4xapi partner show {name}'): its sessions \
             from there are refused, too."
        ));
    }
    let since = clock::now() - DAYS * DAY;
    let came = sessions::came_from(change, since, network).await?;
    for name in came.difference(&named) {
        output::warn(&format!(
            "partner {name} has had sessions from {network} within the last {DAYS} days: they are refused now, too."
        ));
    }
    Ok(())
}

/// A client calls the internal port, which no ban concerns: an address of one is a mistyped one as a rule.
async fn warn_of_clients(change: &mut Change, network: &Network) -> Result<(), CliError> {
    let clients: BTreeSet<_> =
        proxies::clients(change).await?.into_iter().map(|client| client.address).collect();
    for client in clients.into_iter().filter(|client| network.contains(*client)) {
        output::warn(&format!(
            "{network} holds {client}, the address of a client: a ban concerns the TLS port alone, so the client is \
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
    invocation.confirm(&format!("let {network} in again?"))?;
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
        output::warn(&format!("the bans of {} still hold addresses of it.", others.join(", ")));
    }
    output::say(&format!("Ban of {network} removed. It is let in again within 65 s."))
}

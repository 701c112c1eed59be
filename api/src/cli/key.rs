//! `os4xapi key add|list|remove`: the keys of programs that use the interfaces for programs on the panel's listener. A
//! key is printed once, when it is made; nobody can read it again.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, date, output, user};
use crate::change::Act;
use crate::change::api_keys::{self as change, NewKey};
use crate::documents::Versions;
use crate::store::api_keys::{self, ApiKey};
use common::text::clock;
use serde_json::{Value, json};

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "key add",
        changes: true,
        help: ADD,
        options: &[
            Opt::Value("role"),
            Opt::Many("scope"),
            Opt::Many("network"),
            Opt::Value("until"),
            Opt::Output,
        ],
        arguments: (1, 1),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "key list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "key remove",
        changes: true,
        help: REMOVE,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

const ADD: &str = "\
usage: os4xapi key add NAME --role administrator|operator|auditor --scope SCOPE[,SCOPE...]
                       [--network NET[,NET...]] [--until TIME] [-o FILE] [--db DB]

Makes a key for a program, and prints it once. The program sends it to the panel's listener ('os4xapi serve --panel'):
'Authorization: Bearer os4x_...'. Anybody who has the key can do what it may do: treat it as a secret.

--role ROLE: what it may do at most, as for a user: administrator, operator or auditor
--scope SCOPE: what it may be used for (repeatable): read (everything that the role may see), partners, trust (trusted
      certificates and CRLs), settings, sessions (end one), revert (acts of the audit), metrics (/metrics), calendar
      (/expiry.ics)
--network NET[,NET...]: networks from which it works, such as 10.1.0.0/16 (repeatable; default: this host and those of
      the setting panel_networks)
--until TIME: its end, UTC: YYYY-MM-DD, the whole of that day, or YYYY-MM-DDTHH:MM:SSZ; a year at most (default)
-o FILE: write the key to FILE, which only its owner can read
";

const LIST: &str = "\
usage: os4xapi key list [--json] [--db DB]

Lists the keys of programs. STATE is 'good' or 'ended'. USED is accurate to a minute.

--json: as JSON
";

const REMOVE: &str = "\
usage: os4xapi key remove NAME [--yes] [--db DB]

Removes a key: its program is refused from now on.

--yes: do not ask; without a terminal the command never asks
";

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let role = user::role(&invocation)?.ok_or_else(user::no_role)?;
    let scopes = change::scopes_of(&invocation.values("scope").join(","))?;
    let networks = change::networks_of(&invocation.values("network").join(","))?;
    let until = invocation.value("until").map(|text| date::to_come(&text)).transpose()?;
    let name = invocation.argument(0);
    if scopes.is_empty() {
        return Err(wrong("scope", "", "one or more scopes, such as read,metrics"));
    }
    let db = invocation.open().await?;
    let mut act = Act::begin_unseen(&db, invocation.order()?).await?;
    let (text, key) = change::add(&mut act, NewKey { name, role, scopes, networks, until }).await?;
    act.commit().await?;
    output::note(&format!(
        "the key works until {}, and is not shown again; 'os4xapi serve --panel ADDRESS:PORT' has to run for it:",
        clock::rfc3339(key.until)
    ));
    output::write_secret_to(&format!("{text}\n"), invocation.value("o").as_deref())
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    let all = api_keys::all(&mut snapshot).await?;
    let now = clock::now();
    if invocation.flag("json") {
        let versions = Versions::of(&mut snapshot, "key").await?;
        let listed = |key: &ApiKey| versions.with(&key.name, as_json(key, now));
        return output::json(&all.iter().map(listed).collect::<Vec<_>>());
    }
    drop(snapshot);
    let mut table =
        output::Table::new(&["NAME", "ROLE", "SCOPES", "NETWORKS", "UNTIL", "STATE", "BY", "USED", "FROM"]);
    for key in all {
        let networks = Some(key.network_texts().join(" ")).filter(|text| !text.is_empty());
        let (used, from) = key.used.clone().unzip();
        table.row(&[
            key.name.clone(),
            key.role.word().to_owned(),
            key.scope_words().join(" "),
            output::or_dash(networks),
            clock::rfc3339(key.until),
            key.condition(now).to_owned(),
            key.created_by.clone(),
            output::or_dash(used.map(clock::rfc3339)),
            output::or_dash(from),
        ]);
    }
    table.print("There are no keys: 'os4xapi key add NAME --role auditor --scope read' makes one.")
}

fn as_json(key: &ApiKey, now: i64) -> Value {
    json!({
        "name": key.name,
        "role": key.role,
        "scopes": key.scopes,
        "networks": key.network_texts(),
        "until": key.until,
        "state": key.condition(now),
        "added": key.created,
        "added_by": key.created_by,
        "used": key.used.as_ref().map(|(time, _)| time),
        "used_from": key.used.as_ref().map(|(_, address)| address),
    })
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let name = invocation.argument(0);
    let db = invocation.open().await?;
    invocation.confirm(&format!("remove the key {name}?"))?;
    let mut act = Act::begin_unseen(&db, invocation.order()?).await?;
    change::remove(&mut act, name).await?;
    act.commit().await?;
    output::say(&format!("Key {name} is removed: its program is refused from now on."))
}

//! `os4xapi user add|list|set|reset|unlock|remove`: the users of the panel. Nobody types a password here: a user sets
//! up the account with the one-time link that `add` and `reset` print, and no other command does. With these commands,
//! a user who cannot log in any more is helped on this host.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, output};
use crate::change::Act;
use crate::change::users::{self, NewLink};
use crate::credentials::recovery;
use crate::db::Db;
use crate::documents::Versions;
use crate::store::configuration;
use crate::store::setup_links;
use crate::store::users::{Role, User, all};
use common::text::clock;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "user add",
        changes: true,
        help: ADD,
        options: &[Opt::Value("role")],
        arguments: (1, 1),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "user list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "user set",
        changes: true,
        help: SET,
        options: &[Opt::Value("role"), Opt::Value("enabled")],
        arguments: (1, 1),
        run: |invocation| Box::pin(set(invocation)),
    },
    Command {
        words: "user reset",
        changes: true,
        help: RESET,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(reset(invocation)),
    },
    Command {
        words: "user unlock",
        changes: true,
        help: UNLOCK,
        options: &[],
        arguments: (1, 1),
        run: |invocation| Box::pin(unlock(invocation)),
    },
    Command {
        words: "user remove",
        changes: true,
        help: REMOVE,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

const ADD: &str = "\
usage: os4xapi user add NAME --role administrator|operator|auditor [--db DB]

Adds a user of the panel, and prints a link with which the user sets a password and registers an app for codes. The link
works once, for 72 hours. Anybody who has it can become that user: treat it as a secret. It begins with the setting
panel_url.

--role ROLE: administrator may do everything; operator may not change keys, trust, users or settings; auditor may see
      everything, also the audit, and may not change anything
";

const LIST: &str = "\
usage: os4xapi user list [--json] [--db DB]

Lists the users of the panel. STATE is 'good', 'disabled', 'locked' after too many failed logins, 'invited' while its
link works, or 'not set up'.

--json: as JSON
";

const SET: &str = "\
usage: os4xapi user set NAME [--role ROLE] [--enabled yes|no] [--db DB]

Changes a user of the panel. It is in force from the user's next page on.

--role ROLE: administrator, operator or auditor
--enabled yes|no: no: the user cannot log in, and its sessions end
";

const RESET: &str = "\
usage: os4xapi user reset NAME [--yes] [--db DB]

For a user who has lost the password or the app: deletes both and the recovery codes, ends the user's sessions, and
prints a link to set them again.

--yes: do not ask; without a terminal the command never asks
";

const UNLOCK: &str = "\
usage: os4xapi user unlock NAME [--db DB]

Unlocks a user who is locked after too many failed logins.
";

const REMOVE: &str = "\
usage: os4xapi user remove NAME [--yes] [--db DB]

Removes a user of the panel, and ends the user's sessions. The acts of the user stay in the audit. The last
administrator cannot be removed.

--yes: do not ask; without a terminal the command never asks
";

/// The role of `--role`.
pub(super) fn role(invocation: &Invocation) -> Result<Option<Role>, CliError> {
    let Some(text) = invocation.value("role") else { return Ok(None) };
    Role::of_word(&text).map(Some).ok_or_else(|| wrong("role", &text, "administrator, operator or auditor"))
}

/// The error if there is no role.
pub(super) fn no_role() -> CliError {
    CliError::Usage("--role is missing: administrator, operator or auditor".into())
}

async fn begin(invocation: &Invocation, db: &Db) -> Result<Act, CliError> {
    Ok(Act::begin_unseen(db, invocation.order()?).await?)
}

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let role = role(&invocation)?.ok_or_else(no_role)?;
    let db = invocation.open().await?;
    let mut act = begin(&invocation, &db).await?;
    let link = users::add(&mut act, invocation.argument(0), role).await?;
    commit(act, &link).await
}

async fn reset(invocation: Invocation) -> Result<(), CliError> {
    let name = invocation.argument(0);
    let db = invocation.open().await?;
    invocation.confirm(&format!("delete the password and the app of user {name}?"))?;
    let mut act = begin(&invocation, &db).await?;
    let link = users::reset(&mut act, name).await?;
    commit(act, &link).await
}

/// Commits the change, and prints the link.
async fn commit(mut act: Act, link: &NewLink) -> Result<(), CliError> {
    let values = configuration::values(&mut act).await?;
    let url = values.text("panel_url").trim_end_matches('/').to_owned();
    act.commit().await?;
    output::note(&format!(
        "the link works once, until {}; 'os4xapi serve --panel ADDRESS:PORT' has to run for it:",
        clock::rfc3339(link.until)
    ));
    output::print(&format!("{url}/setup/{}\n", link.text))
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    let links = setup_links::all(&mut snapshot).await?.into_iter();
    let links: BTreeMap<String, i64> = links.map(|link| (link.user, link.until)).collect();
    let users = all(&mut snapshot).await?;
    let now = clock::now();
    let condition = |user: &User| user.condition(links.get(&user.name).copied(), now);
    if invocation.flag("json") {
        let versions = Versions::of(&mut snapshot, "user").await?;
        let listed = |user: &User| versions.with(&user.name, as_json(user, condition(user)));
        return output::json(&users.iter().map(listed).collect::<Vec<_>>());
    }
    let mut table = output::Table::new(&["NAME", "ROLE", "STATE", "LAST LOGIN", "FROM", "FAILED SINCE"]);
    for user in &users {
        table.row(&[
            user.name.clone(),
            user.role.word().to_owned(),
            condition(user).to_owned(),
            output::or_dash(user.last_login.map(clock::rfc3339)),
            output::or_dash(user.last_address.as_deref()),
            user.failed.to_string(),
        ]);
    }
    table.print("There are no users: 'os4xapi user add NAME --role administrator' adds the first one.")
}

fn as_json(user: &User, condition: &str) -> Value {
    json!({
        "name": user.name,
        "role": user.role,
        "enabled": user.enabled,
        "state": condition,
        "added": user.created,
        "set_up": user.proof.as_ref().map(|proof| proof.set),
        "recovery_codes_left": user.proof.as_ref().map(|proof| recovery::left(&proof.recovery)),
        "last_login": user.last_login,
        "last_address": user.last_address,
        "failed_since": user.failed,
    })
}

async fn set(invocation: Invocation) -> Result<(), CliError> {
    let (role, enabled) = (role(&invocation)?, invocation.yes_no("enabled")?);
    if role.is_none() && enabled.is_none() {
        return Err(CliError::Usage("there is nothing to change: give --role or --enabled".into()));
    }
    let db = invocation.open().await?;
    let mut act = begin(&invocation, &db).await?;
    let user = users::set(&mut act, invocation.argument(0), role, enabled).await?;
    act.commit().await?;
    let may = if user.enabled { "may log in" } else { "may not log in, and its sessions are ended" };
    output::say(&format!("User {} is {} and {may}.", user.name, user.role.word()))
}

async fn unlock(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut act = begin(&invocation, &db).await?;
    let user = users::unlock(&mut act, invocation.argument(0)).await?;
    act.commit().await?;
    output::say(&match user.failed {
        0 => format!("User {} was not locked.", user.name),
        failed => format!("User {} may log in again; {failed} logins had failed.", user.name),
    })
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let name = invocation.argument(0);
    let db = invocation.open().await?;
    invocation.confirm(&format!("remove user {name}?"))?;
    let mut act = begin(&invocation, &db).await?;
    let user = users::remove(&mut act, name).await?;
    act.commit().await?;
    output::say(&format!("User {} is removed, and its sessions are ended.", user.name))
}

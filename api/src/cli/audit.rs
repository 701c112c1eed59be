//! `os4xapi audit list|show|verify|revert`: who has changed what and when, whether somebody has edited the audit
//! afterwards, and how to revert an act. Only reads, except for `revert`, which is an act like any other.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, date, output};
use crate::change::{Difference, recorded_as_json, revert};
use crate::store::audit::{self, Filter, Recorded};
use common::text::clock;
use sqlx::AnyConnection;

/// Rows that are shown without an option.
const LIMIT: u32 = 100;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "audit list",
        changes: false,
        help: LIST,
        options: &[
            Opt::Value("actor"),
            Opt::Value("act"),
            Opt::Value("object"),
            Opt::Value("since"),
            Opt::Value("limit"),
            Opt::Flag("json"),
        ],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "audit show",
        changes: false,
        help: SHOW,
        options: &[Opt::Flag("json")],
        arguments: (1, 1),
        run: |invocation| Box::pin(show(invocation)),
    },
    Command {
        words: "audit verify",
        changes: false,
        help: VERIFY,
        options: &[],
        arguments: (0, 0),
        run: |invocation| Box::pin(verify(invocation)),
    },
    Command {
        words: "audit revert",
        changes: true,
        help: REVERT,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(revert_row(invocation)),
    },
];

const LIST: &str = "\
usage: os4xapi audit list [--actor TEXT] [--act TEXT] [--object TEXT] [--since TIME] [--limit N] [--json] [--db DB]

Lists the newest acts that changed something, oldest first: who did what to which objects.

--actor TEXT: only acts whose actor contains TEXT, in upper or lower case
--act TEXT: only acts whose name contains TEXT, such as 'partner set'
--object TEXT: only acts whose object contains TEXT, such as 'partner ACME'
--since TIME: only acts since then, UTC: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ
--limit N: at most N acts (default 100)
--json: as JSON, with the old and the new values
";

const SHOW: &str = "\
usage: os4xapi audit show NUMBER [--json] [--db DB]

Shows an act and its changes.

--json: as JSON, with the whole old and new values
";

const VERIFY: &str = "\
usage: os4xapi audit verify [--db DB]

Checks the whole audit: each row has the SHA-256 of itself and of the previous row. The command fails if a row was
edited, removed or inserted, and names the first such row. A person who can write the database can also compute all
hashes again: store the last hash, which the command prints, in another place, and compare it with that row later.
";

const REVERT: &str = "\
usage: os4xapi audit revert NUMBER [--yes] [--db DB]

Reverts an act: each changed object gets its old value again, in a new act. This is refused if one of these objects was
changed again later, or if the audit does not have the old value: it has no keys, tokens, passwords or CRLs.

--yes: do not ask; without a terminal the command never asks
";

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let limit = invocation.parsed("limit", "a number")?.unwrap_or(LIMIT);
    let text = |name: &str| invocation.value(name).unwrap_or_default();
    let since = invocation.value("since").map(|time| date::since(&time)).transpose()?;
    let filter =
        Filter { actor: text("actor"), act: text("act"), object: text("object"), since, before: None };
    let db = invocation.open().await?;
    let rows = audit::list(&mut *db.snapshot().await?, &filter, limit).await?;
    if invocation.flag("json") {
        return output::json(&rows.iter().map(recorded_as_json).collect::<Result<Vec<_>, _>>()?);
    }
    let mut table = output::Table::new(&["NUMBER", "TIME", "ACTOR", "WAY", "FROM", "ACT", "OBJECT"]);
    for Recorded { number, entry, .. } in rows {
        table.row(&[
            number.to_string(),
            clock::rfc3339(entry.time),
            entry.actor,
            entry.way,
            output::or_dash(entry.address),
            entry.act,
            entry.object,
        ]);
    }
    table.print("Nothing was changed.")
}

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let row = need(&mut *db.snapshot().await?, invocation.argument(0)).await?;
    if invocation.flag("json") {
        return output::json(&recorded_as_json(&row)?);
    }
    let difference = Difference::of(&row)?;
    let Recorded { number, entry, previous, hash } = row;
    let mut table = output::Table::new(&["NUMBER", &number.to_string()]);
    for (name, value) in [
        ("TIME", clock::rfc3339(entry.time)),
        ("ACTOR", entry.actor),
        ("ROLE", entry.role),
        ("WAY", entry.way),
        ("FROM", output::or_dash(entry.address)),
        ("ACT", entry.act),
        ("GENERATION", entry.generation.to_string()),
        ("PREVIOUS", output::or_dash(Some(previous).filter(|hash| !hash.is_empty()))),
        ("HASH", hash),
    ] {
        table.row(&[name.to_owned(), value]);
    }
    table.print("")?;
    output::say("")?;
    difference.lines().iter().try_for_each(|line| output::say(line))
}

/// The row of this number.
async fn need(connection: &mut AnyConnection, number: &str) -> Result<Recorded, CliError> {
    let found = match number.parse() {
        Ok(number) => audit::get(connection, number).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| {
        CliError::Refused(format!("the audit has no row '{number}': 'os4xapi audit list' shows them"))
    })
}

async fn verify(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    match audit::verify(&mut *db.snapshot().await?).await? {
        Ok(head) if head.number == 0 => output::say("The audit is empty."),
        Ok(head) => output::say(&format!(
            "The audit is whole: {} rows, the last of which has the hash {}.",
            head.number, head.hash
        )),
        Err(broken) => Err(CliError::Refused(format!(
            "the audit was tampered with: {broken}; compare it with a backup from before"
        ))),
    }
}

async fn revert_row(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let row = need(&mut *db.snapshot().await?, invocation.argument(0)).await?;
    let (act, object) = (&row.entry.act, &row.entry.object);
    invocation.confirm(&format!("revert number {}, '{act}' of {object}?", row.number))?;
    let mut change = invocation.act(&db).await?;
    revert::revert(&mut change, &row).await?;
    change.commit().await?;
    output::say(&format!("Number {} is reverted: '{act}' of {object}.", row.number))
}

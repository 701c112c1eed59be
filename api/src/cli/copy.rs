//! `os4xapi copy`: moves a site from its SQLite file to PostgreSQL. The file is not changed.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::change::{self, State};
use crate::db::{Creation, Location, generation, rows};
use serde_json::json;

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "copy",
    changes: true,
    help: HELP,
    options: &[Opt::Value("to")],
    arguments: (0, 0),
    run: |invocation| Box::pin(run(invocation)),
}];

const HELP: &str = "\
usage: os4xapi copy --to postgres://URL|@FILE [--db DB]

Copies the whole SQLite database into one on PostgreSQL that has no OS4Xapi tables, in one transaction. Stop 'serve'
first, and start it with '--db' and the new location afterwards. The SQLite file is not changed.

--to postgres://URL|@FILE: the target; @FILE is a file with the URL, so that no process list shows its password
";

async fn run(invocation: Invocation) -> Result<(), CliError> {
    let to = invocation.value("to").ok_or_else(|| CliError::Usage("--to is missing".into()))?;
    let (from, to) = (invocation.location()?, Location::parse(Some(&to))?);
    if !matches!((&from, &to), (Location::File(_), Location::Postgres(_))) {
        return Err(CliError::Usage(
            "the source must be a SQLite file (--db), and the target a postgres:// URL (--to)".into(),
        ));
    }
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    let mut creation = Creation::begin(&to).await?;
    let change = creation.change();
    let rows = rows::replace(&mut snapshot, change, true, true).await?;
    change.raise_above(generation(&mut snapshot).await?).await?;
    let copied = change::read(change).await?;
    let notes =
        State::from([("database".to_owned(), json!({"from": from.to_string(), "to": to.to_string()}))]);
    change::record(change, &copied, notes, &invocation.order()?).await?;
    creation.finish().await?;
    output::say(&format!(
        "{rows} rows copied from {from} to {to}. From now on give that place to 'serve' and to each command with --db; \
         {from} still holds all keys: move it to where your backups are."
    ))
}

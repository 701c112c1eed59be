//! `os4xapi support`: writes the information that somebody needs to find a fault of this site into one file without
//! secrets, and lists its contents, so that its owner can check it before it is sent.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::support::{self, File};

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "support",
    changes: false,
    help: HELP,
    options: &[Opt::Output],
    arguments: (0, 0),
    run: |invocation| Box::pin(support(invocation)),
}];

const HELP: &str = "\
usage: os4xapi support -o FILE [--db DB]

Writes information that helps to find a fault of this installation into FILE, an archive (tar) with mode 0600, and lists
its contents: versions, settings, tables, the status, expiry dates, refusals, the newest acts, entries of the system log
and sessions, and the end of the API's log. It has no key, token or password, but names and addresses of partners.

-o FILE: the archive
";

async fn support(invocation: Invocation) -> Result<(), CliError> {
    let path = invocation.value("o").ok_or_else(|| CliError::Usage("-o FILE is missing".into()))?;
    let place = invocation.location()?.to_string();
    let db = invocation.open().await?;
    let files = support::files(&mut *db.snapshot().await?, &place).await?;
    output::write_secret_to(&support::archive(&files), Some(&path))?;
    let mut table = output::Table::new(&["FILE", "OCTETS", "WHAT"]);
    for File { name, what, content } in &files {
        table.row(&[(*name).to_owned(), content.len().to_string(), (*what).to_owned()]);
    }
    table.print("")?;
    output::say(&format!(
        "Written to {path}, without keys, tokens and passwords: read it before you send it."
    ))
}

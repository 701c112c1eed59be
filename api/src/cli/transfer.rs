//! `os4xapi export|import`: settings and tables as one document, and back, or partners from a table that people edit.
//! An import shows what it would change, and is one act.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::change::document::{self, SHORTEST};
use crate::change::imports::Import;
use crate::change::{self, Act, Author, ChangeError, Order};
use crate::db::Db;
use crate::pki::read;
use crate::store::audit;
use common::secret::Secret;
use std::path::Path;

/// Octets of a file to import.
const LARGEST: u64 = 64 << 20;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "export",
        changes: false,
        help: EXPORT,
        options: &[Opt::Value("passphrase-file"), Opt::Output],
        arguments: (0, 0),
        run: |invocation| Box::pin(export(invocation)),
    },
    Command {
        words: "import",
        changes: true,
        help: IMPORT,
        options: &[Opt::Flag("replace"), Opt::Value("passphrase-file"), Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(import(invocation)),
    },
];

const EXPORT: &str = "\
usage: os4xapi export [--passphrase-file FILE] [-o FILE] [--db DB]

Writes settings, partners, servers, clients' listeners, trusted certificates, CRLs that were added by hand, URLs of the
other CRLs, bans and ignored texts as one document in JSON. It never has tokens or passwords.

--passphrase-file FILE: include our certificates and their keys, encrypted with the first line of FILE, at least 12
      characters; /dev/stdin to type it
-o FILE: write it to FILE
";

const IMPORT: &str = "\
usage: os4xapi import FILE [--replace] [--passphrase-file FILE] [--yes] [--db DB]

Reads a document of 'os4xapi export', or a table of partners. It shows what would be changed, and makes all changes in
one act, or none.

A table is a text file (CSV) with a line of headings: name and ssid are required, host, port, tls and outgoing_ip are
optional. Cells are separated by a comma, a semicolon or a tab. An empty cell keeps the present value, or the default
for a new partner.

--replace: also remove objects that are not in the document
--passphrase-file FILE: a file whose first line decrypts the keys in the document; /dev/stdin to type it
--yes: do not ask; without a terminal the command never asks
";

async fn export(invocation: Invocation) -> Result<(), CliError> {
    let passphrase = passphrase(&invocation)?;
    if passphrase.as_ref().is_some_and(|word| word.expose().chars().count() < SHORTEST) {
        return Err(CliError::Refused(format!(
            "the passphrase is too short to guard keys: it needs {SHORTEST} characters"
        )));
    }
    let db = invocation.open().await?;
    let (document, left_out) = document::export(&mut *db.snapshot().await?, passphrase.as_ref()).await?;
    if !left_out.is_empty() {
        output::note(&format!("not in the document, because they have secrets: {}", left_out.join(", ")));
    }
    if passphrase.is_some() {
        change::record_reading(&db, Order::of(Author::of_command(), "export"), "keys").await?;
    }
    let text = document.text()?;
    let file = invocation.value("o");
    match passphrase {
        Some(_) => output::write_secret_to(&text, file.as_deref()),
        None => output::write_to(&text, file.as_deref()),
    }
}

fn passphrase(invocation: &Invocation) -> Result<Option<Secret>, CliError> {
    let file = invocation.value("passphrase-file");
    Ok(file.map(|file| read::password(Path::new(&file))).transpose()?)
}

async fn import(invocation: Invocation) -> Result<(), CliError> {
    let import = read(&invocation)?;
    let db = invocation.open().await?;
    let seen = audit::head(&mut *db.snapshot().await?).await?;
    let lines = match make(&import, &invocation, &db, true).await {
        Err(CliError::Change(ChangeError::DryRun(lines))) if !invocation.flag("dry-run") => lines,
        other => return other,
    };
    let file = invocation.argument(0);
    if lines.is_empty() {
        return output::say(&format!(
            "Everything in {file} is in the database already: nothing was changed."
        ));
    }
    lines.iter().try_for_each(|line| output::say(line))?;
    invocation.confirm("import that?")?;
    if audit::head(&mut *db.snapshot().await?).await? != seen {
        return Err(CliError::Refused(
            "somebody has changed something meanwhile, and nothing was imported: import it again".into(),
        ));
    }
    make(&import, &invocation, &db, false).await?;
    output::say(&format!("Imported from {file}."))
}

/// What the file of the command has.
fn read(invocation: &Invocation) -> Result<Import, CliError> {
    let replaces = invocation.flag("replace");
    let octets = octets_of(Path::new(invocation.argument(0)))?;
    let import = Import::of(octets, replaces, passphrase(invocation)?)?;
    if replaces && !import.is_document() {
        return Err(CliError::Usage("--replace is for documents: a table has no settings".into()));
    }
    Ok(import)
}

/// Imports it; with `asks` it only shows what would be changed.
async fn make(import: &Import, invocation: &Invocation, db: &Db, asks: bool) -> Result<(), CliError> {
    let mut order = invocation.order()?;
    order.dry_run |= asks;
    let mut act = Act::begin(db, order).await?;
    import.make(&mut act).await?;
    act.commit().await?;
    Ok(())
}

/// The content of a file.
fn octets_of(path: &Path) -> Result<Vec<u8>, CliError> {
    let refused = |why: &str| CliError::Refused(format!("the file {} {why}", path.display()));
    let found = path.metadata().map_err(|cause| refused(&format!("cannot be read: {cause}")))?;
    if found.len() > LARGEST {
        return Err(refused("is larger than 64 MiB, so it is not a document of this program"));
    }
    std::fs::read(path).map_err(|cause| refused(&format!("cannot be read: {cause}")))
}

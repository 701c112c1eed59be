//! `os4xapi trust add|set|list|remove`: the certificates to which a partner's chain may lead: CAs, or self-signed ones
//! of partners. Each has a unique name for lists and log lines. Checks no chain: the server does.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::change::trust::{self, Trusting};
use crate::documents::trusted;
use crate::pki::read;
use common::text::clock;
use serde_json::json;
use std::path::Path;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "trust add",
        changes: true,
        help: ADD,
        options: &[Opt::Value("name"), Opt::Flag("no-crl"), Opt::Value("password-file")],
        arguments: (1, usize::MAX),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "trust set",
        changes: true,
        help: SET,
        options: &[Opt::Value("no-crl")],
        arguments: (1, 1),
        run: |invocation| Box::pin(set(invocation)),
    },
    Command {
        words: "trust list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "trust remove",
        changes: true,
        help: REMOVE,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

const ADD: &str = "\
usage: os4xapi trust add FILE... [--name NAME] [--no-crl] [--password-file FILE] [--db DB]

Trusts all certificates in the files (PEM, DER, PKCS#7 or PKCS#12): CAs, intermediate ones that partners do not send, or
self-signed certificates of partners.

--name NAME: a name for lists and log lines (default: its common name)
--no-crl: the CAs publish no CRL; see 'os4xapi trust set'
--password-file FILE: a file whose first line is the password of PKCS#12 files; /dev/stdin to type it
";

const SET: &str = "\
usage: os4xapi trust set NAME|SHA-256 --no-crl yes|no [--db DB]

Changes a trusted CA.

--no-crl yes|no: the CA publishes no CRL, only OCSP or nothing: the certificates that it has issued need none. Without a
      CRL, a revoked certificate is accepted. If there is a CRL of this CA, it is still used.
";

const LIST: &str = "\
usage: os4xapi trust list [--json] [--db DB]

Lists the trusted certificates. Shows which CAs publish no CRL, and which certificates cannot be read.

--json: as JSON, with the certificates in PEM
";

const REMOVE: &str = "\
usage: os4xapi trust remove NAME|SHA-256 [--yes] [--db DB]

Removes a trusted certificate.

--yes: do not ask; without a terminal the command never asks
";

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let (password, mut found) = (invocation.password()?, Vec::new());
    for file in invocation.arguments() {
        found.extend(read::certificates(Path::new(file), password.as_ref())?);
    }
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let name = invocation.value("name");
    let all = trust::add(&mut change, &found, name.as_deref(), invocation.flag("no-crl")).await?;
    change.commit().await?;
    for Trusting { subject, name, was_there, warnings } in all {
        for what in warnings {
            output::warn(&what);
        }
        output::say(&if was_there {
            format!("'{subject}' is trusted already, as '{name}'.")
        } else {
            format!("Trusted as '{name}': {subject}")
        })?;
    }
    Ok(())
}

async fn set(invocation: Invocation) -> Result<(), CliError> {
    let no_crl =
        invocation.yes_no("no-crl")?.ok_or_else(|| CliError::Usage("--no-crl yes|no is missing".into()))?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let which = invocation.argument(0);
    let warning = trust::set_no_crl(&mut change, which, no_crl).await?;
    change.commit().await?;
    if let Some(what) = warning {
        output::warn(&what);
    }
    let need = if no_crl { "no CRL" } else { "a CRL" };
    output::say(&format!("Certificates that '{which}' issued need {need} now."))
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let rows = trusted::all(&mut *db.snapshot().await?).await?;
    let mut table = output::Table::new(&["NAME", "SUBJECT", "VALID UNTIL", "NO CRL", "SHA-256"]);
    for row in &rows {
        let text = |member: &str| output::or_dash(row[member].as_str());
        if row["subject"].is_null() {
            output::warn(&unreadable(row["name"].as_str().unwrap_or_default()));
            let dash = || "-".to_owned();
            table.row(&[text("name"), dash(), dash(), dash(), "unreadable".to_owned()]);
            continue;
        }
        let until = output::or_dash(row["not_after"].as_i64().map(clock::rfc3339));
        let no_crl = output::yes(row["no_crl"] == json!(true));
        table.row(&[text("name"), text("subject"), until, no_crl, text("sha256")]);
    }
    if invocation.flag("json") { output::json(&rows) } else { table.print("No certificate is trusted.") }
}

/// The warning about a trusted certificate that cannot be read.
pub(super) fn unreadable(name: &str) -> String {
    format!(
        "The trusted certificate '{name}' cannot be read and is not used: remove it with \
         'os4xapi trust remove', and add it again."
    )
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let which = invocation.argument(0);
    let db = invocation.open().await?;
    invocation.confirm(&format!("stop to trust '{which}'?"))?;
    let mut change = invocation.act(&db).await?;
    trust::remove(&mut change, which).await?;
    change.commit().await?;
    output::say(&format!("'{which}' is not trusted any more."))
}

//! `os4xapi crl add|list|remove`: certificate revocation lists, the newest of each issuer and
//! scope. Checks the signature where the issuer is trusted here. Downloads nothing: files
//! alone.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::clock;
use crate::pki::Doing;
use crate::pki::read::{self, CrlFacts};
use crate::store::certificates;
use crate::store::crls::{self, Kept};
use openssl::x509::{X509, X509Crl};
use serde_json::json;
use std::path::Path;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "crl add",
        help: ADD,
        options: &[],
        arguments: (1, usize::MAX),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "crl list",
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "crl remove",
        help: REMOVE,
        options: &[],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

const ADD: &str = "\
usage: os4xapi crl add FILE... [--db DB]

Takes the CRLs in the files (PEM or DER). The newest is kept, one for each issuer and scope. If the issuer is among the trusted
certificates, the CRL must bear its signature.
";

const LIST: &str = "\
usage: os4xapi crl list [--json] [--db DB]

Lists the CRLs.

--json: as JSON, with the CRLs in PEM
";

const REMOVE: &str = "\
usage: os4xapi crl remove ISSUER [--db DB]

Removes the CRLs of an issuer, named as 'os4xapi crl list' shows it.
";

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let mut found = Vec::new();
    for file in invocation.arguments() {
        found.extend(read::crls(Path::new(file))?);
    }
    let db = invocation.open().await?;
    let mut change = db.change().await?;
    let trusted = certificates::trusted(&mut change)
        .await?
        .iter()
        .map(|one| X509::from_pem(one.pem.as_bytes()))
        .collect::<Result<Vec<_>, _>>()
        .doing("reading a certificate of the database")?;
    for crl in &found {
        let facts = CrlFacts::of(crl)?;
        if !read::crl_issuer_is_trusted(crl, &trusted)? {
            output::warn(&format!(
                "'{}' is not among the trusted certificates, so the CRL's signature is not checked here.",
                facts.issuer
            ));
        }
        let kept = crls::offer(&mut change, &facts).await?;
        output::say(&format!("{}: {}", facts.issuer, outcome(&kept, &facts)))?;
    }
    change.commit().await?;
    Ok(())
}

fn outcome(kept: &Kept, crl: &CrlFacts) -> String {
    let expired = crl.next_update.is_some_and(|next| next < clock::now());
    let note = if expired { "; it is EXPIRED" } else { "" };
    match kept {
        Kept::First | Kept::Newer => format!("taken, of {}{note}.", clock::text(crl.last_update)),
        Kept::Same => format!("there already, of {}{note}.", clock::text(crl.last_update)),
        Kept::Older(newer) => format!("not taken, a newer one is there, of {}.", clock::text(*newer)),
    }
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let all = crls::all(&mut *db.connection().await?).await?;
    let mut rows = Vec::new();
    let mut table = output::Table::new(&["ISSUER", "OF", "NEXT", "STATE", "REVOKED"]);
    for crl in all {
        let parsed = X509Crl::from_pem(crl.pem.as_bytes()).doing("reading a CRL of the database")?;
        let revoked = parsed.get_revoked().map_or(0, openssl::stack::StackRef::len);
        let state = match crl.next_update {
            Some(next) if next < clock::now() => "expired",
            _ => "current",
        };
        rows.push(json!({
            "issuer": crl.name,
            "last_update": crl.last_update,
            "next_update": crl.next_update,
            "state": state,
            "revoked": revoked,
            "pem": crl.pem,
        }));
        table.row(&[
            crl.name,
            clock::text(crl.last_update),
            output::or_dash(crl.next_update.map(clock::text)),
            state.to_owned(),
            revoked.to_string(),
        ]);
    }
    if invocation.flag("json") { output::json(&rows) } else { table.print("There is no CRL.") }
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let issuer = invocation.argument(0);
    let db = invocation.open().await?;
    let mut change = db.change().await?;
    if !crls::remove(&mut change, issuer).await? {
        return Err(CliError::Refused(format!(
            "There is no CRL of '{issuer}': 'os4xapi crl list' shows them."
        )));
    }
    change.commit().await?;
    Ok(())
}

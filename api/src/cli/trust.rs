//! `os4xapi trust add|set|list|remove`: the certificates that a partner's chain may lead to: CAs, or self-signed ones
//! of partners. Each has a unique name for lists and log lines. Checks no chain: the server does.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::versions::Versions;
use super::{Command, output};
use crate::db::Change;
use crate::pki::ca::pem;
use crate::pki::facts::{Facts, check_validity, short_name};
use crate::pki::read;
use crate::store::{certificates, crl_urls};
use common::config::{NamedPem, Trusted};
use common::text::clock;
use openssl::x509::{X509, X509VerifyResult};
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

--yes: do not ask; without a terminal nobody is asked
";

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let (password, mut found) = (invocation.password()?, Vec::new());
    for file in invocation.arguments() {
        found.extend(read::certificates(Path::new(file), password.as_ref())?);
    }
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let mut said = Vec::new();
    for certificate in &found {
        let name = invocation.value("name").unwrap_or_else(|| short_name(certificate));
        let name = add_one(&mut change, certificate, &name, &mut said).await?;
        if invocation.flag("no-crl") {
            set_no_crl(&mut change, &name, true).await?;
        }
    }
    // A CRL whose issuer was not trusted may be taken now.
    crl_urls::try_again(&mut change).await?;
    change.commit().await?;
    said.iter().try_for_each(|line| output::say(line))
}

/// Trusts a certificate; gives the name by which it is trusted now, or was before. Adds what is to be said to `said`.
async fn add_one(
    change: &mut Change,
    certificate: &X509,
    name: &str,
    said: &mut Vec<String>,
) -> Result<String, CliError> {
    let facts = Facts::of(certificate)?;
    if let Some(name) = certificates::trusted_as(change, &facts.fingerprint).await? {
        said.push(format!("'{}' is trusted already, as '{name}'.", facts.subject));
        return Ok(name);
    }
    if certificate.issued(certificate) != X509VerifyResult::OK {
        output::warn(&format!(
            "'{}' is no root certificate. Chains that end at it are trusted too.",
            facts.subject
        ));
    }
    if let Err(why) = check_validity(certificate) {
        output::warn(&why.to_string());
    }
    let taken: Vec<String> =
        certificates::trusted(change).await?.into_iter().map(|one| one.certificate.name).collect();
    let name = free_name(name, &taken);
    let named = NamedPem { name: name.clone(), pem: pem(certificate)? };
    certificates::trust(change, &named, &facts.fingerprint).await?;
    said.push(format!("Trusted as '{name}': {}", facts.subject));
    Ok(name)
}

async fn set(invocation: Invocation) -> Result<(), CliError> {
    let no_crl =
        invocation.yes_no("no-crl")?.ok_or_else(|| CliError::Usage("--no-crl yes|no is missing".into()))?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let which = invocation.argument(0);
    set_no_crl(&mut change, which, no_crl).await?;
    change.commit().await?;
    let need = if no_crl { "no CRL" } else { "a CRL" };
    output::say(&format!("Certificates that '{which}' issued need {need} now."))
}

async fn set_no_crl(change: &mut Change, which: &str, no_crl: bool) -> Result<(), CliError> {
    if !certificates::set_no_crl(change, which, no_crl).await? {
        return Err(no_such(which));
    }
    if no_crl {
        output::warn(&format!(
            "certificates that '{which}' issued need no CRL now. Without a CRL, a revoked certificate is accepted."
        ));
    }
    Ok(())
}

fn no_such(which: &str) -> CliError {
    CliError::Refused(format!("no certificate is trusted as '{which}': 'os4xapi trust list' shows them"))
}

/// `name`, with a number behind it where it is taken.
fn free_name(name: &str, taken: &[String]) -> String {
    let mut free = name.to_owned();
    let mut number = 1;
    while taken.contains(&free) {
        number += 1;
        free = format!("{name} ({number})");
    }
    free
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    let all = certificates::trusted(&mut snapshot).await?;
    let versions = Versions::of(&mut snapshot, "trust").await?;
    drop(snapshot);
    let mut rows = Vec::new();
    let mut table = output::Table::new(&["NAME", "SUBJECT", "VALID UNTIL", "NO CRL", "SHA-256"]);
    for Trusted { certificate: one, no_crl } in all {
        let Ok(facts) = Facts::of_pem(&one.pem) else {
            output::warn(&unreadable(&one.name));
            rows.push(json!({"name": one.name, "subject": null, "pem": one.pem}));
            let dash = || "-".to_owned();
            table.row(&[one.name, dash(), dash(), dash(), "unreadable".to_owned()]);
            continue;
        };
        rows.push(json!({
            "name": one.name,
            "subject": facts.subject,
            "issuer": facts.issuer,
            "not_before": facts.from,
            "not_after": facts.until,
            "no_crl": no_crl,
            "sha256": facts.fingerprint,
            "pem": one.pem,
            "version": versions.get(&one.name),
        }));
        let until = clock::rfc3339(facts.until);
        table.row(&[one.name, facts.subject, until, output::yes(no_crl), facts.fingerprint]);
    }
    if invocation.flag("json") { output::json(&rows) } else { table.print("No certificate is trusted.") }
}

/// What is to be said of a trusted certificate that cannot be read.
pub(super) fn unreadable(name: &str) -> String {
    format!(
        "The trusted certificate '{name}' cannot be read and counts for nothing: remove it with \
         'os4xapi trust remove', and add it again."
    )
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let which = invocation.argument(0);
    let db = invocation.open().await?;
    invocation.confirm(&format!("trust '{which}' no longer?"))?;
    let mut change = invocation.act(&db).await?;
    if !certificates::distrust(&mut change, which).await? {
        return Err(no_such(which));
    }
    change.commit().await?;
    output::say(&format!("'{which}' is trusted no longer."))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_taken_name_gets_a_number() {
        let taken = ["CA".to_owned(), "CA (2)".to_owned()];
        assert_eq!(super::free_name("CA", &taken), "CA (3)");
        assert_eq!(super::free_name("Other", &taken), "Other");
    }
}

//! `os4xapi cert set|unset|list|show|https`: our certificates. `set` checks the whole chain, and stores the certificate
//! that partners, clients or browsers see. `init` makes the CA and the https certificate; `https` makes a new one.
//! Never prints a key.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::change::Act;
use crate::change::certificates::{self as own, Given, Ready, Slot};
use crate::documents::Versions;
use crate::pki::PkiError;
use crate::pki::ca::hosts_of;
use crate::pki::facts::Facts;
use crate::pki::{read, request};
use crate::store::certificates::{self, Usage};
use common::text::clock;
use openssl::x509::X509;
use serde_json::json;
use std::path::Path;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "cert set",
        changes: true,
        help: SET,
        options: &[Opt::Value("chain"), Opt::Value("key"), Opt::Value("password-file")],
        arguments: (0, 1),
        run: |invocation| Box::pin(set(invocation)),
    },
    Command {
        words: "cert unset",
        changes: true,
        help: UNSET,
        options: &[],
        arguments: (1, 1),
        run: |invocation| Box::pin(unset(invocation)),
    },
    Command {
        words: "cert list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "cert show",
        changes: false,
        help: SHOW,
        options: &[Opt::Output],
        arguments: (1, 1),
        run: |invocation| Box::pin(show(invocation)),
    },
    Command {
        words: "cert https",
        changes: true,
        help: HTTPS,
        options: &[Opt::Many("host")],
        arguments: (0, 0),
        run: |invocation| Box::pin(https(invocation)),
    },
];

const SET: &str = "\
usage: os4xapi cert set [own|https|panel] --chain FILE [--key FILE] [--password-file FILE] [--db DB]

Sets our certificate towards partners, or a certificate of your company: with 'https' for this API, with 'panel' for
the administrative panel, which otherwise has that of https. Validity and key are checked. The certificates are put in
order. A certificate that is not part of the chain is left out with a warning, and so is an expired one at the end of
the chain.

A running 'serve' uses the certificate of https or of the panel within a minute and never renews it: the system log
warns 30 days before it expires. With one of https, 'token show' prints a token without hash; clients with this token
trust the CAs of their system. 'cert https' makes a certificate of this API's own CA again, and 'cert unset panel'
removes that of the panel.

--chain FILE: our certificate and its issuers: PEM, DER, PKCS#7 or PKCS#12
--key FILE: its private key: PEM, DER or PKCS#12 (default: the one in the chain's file, or that of 'cert csr')
--password-file FILE: a file whose first line is the password of both, if they have one; /dev/stdin to type it
";

const UNSET: &str = "\
usage: os4xapi cert unset panel [--db DB]

Removes the panel's own certificate and its key. A running 'serve' then shows browsers the https certificate again,
within a minute. Browsers that know the panel by its own certificate may refuse another one for up to 30 days.
";

const LIST: &str = "\
usage: os4xapi cert list [--json] [--db DB]

Lists our certificates: towards partners (own), the next one (next) and the request for one (request), the CA (ca),
https (https), the panel (panel). Keys are not shown.

--json: as JSON, with the certificates in PEM
";

const SHOW: &str = "\
usage: os4xapi cert show own|next|request|ca|https|panel [-o FILE] [--db DB]

Prints a certificate in PEM, 'own' and 'next' with their chain; 'request' is the request that waits for its certificate.

-o FILE: write it to FILE
";

const HTTPS: &str = "\
usage: os4xapi cert https [--host NAME|IP]... [--db DB]

Makes a new https certificate with a new key. A running 'serve' uses it within a minute. 'serve' also renews the
certificate by itself, a month before it expires.

--host NAME|IP: name or address by which the clients reach this API (repeatable; default: those of the old one)
";

async fn set(invocation: Invocation) -> Result<(), CliError> {
    let slot = match invocation.argument(0) {
        "" | "own" => Slot::Own,
        "https" => Slot::Https,
        "panel" => Slot::Panel,
        other => {
            return Err(CliError::Usage(format!(
                "'{other}' is not a certificate that can be set: it is own, https or panel"
            )));
        }
    };
    let given = given(&invocation)?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let ready = ready(given, &mut change, slot).await?;
    ready.put(&mut change).await?;
    change.commit().await?;
    let Ready { issued, chain, .. } = ready;
    if slot == Slot::Https {
        warn_of_https(&chain.certificates);
    }
    let facts = Facts::of_pem(&issued.certificate)?;
    let what = match slot {
        Slot::Https => "The https certificate",
        Slot::Panel => "The certificate of the panel",
        Slot::Own | Slot::Next(_) => "Our certificate towards partners",
    };
    output::say(&format!(
        "{what}: {}, valid until {}, with {} of its issuers.",
        facts.subject,
        clock::rfc3339(facts.until),
        chain.certificates.len().saturating_sub(1)
    ))
}

async fn unset(invocation: Invocation) -> Result<(), CliError> {
    if invocation.argument(0) != Usage::Panel.word() {
        return Err(CliError::Usage(
            "only the certificate of the panel can be removed: 'cert unset panel'".into(),
        ));
    }
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    if !own::unset_panel(&mut change).await? {
        return Err(no_certificate(Usage::Panel));
    }
    change.commit().await?;
    output::say("The panel has the https certificate again.")
}

/// What the files of `--chain` and `--key` hold.
pub(super) fn given(invocation: &Invocation) -> Result<Given, CliError> {
    let file = invocation.value("chain").ok_or_else(|| CliError::Usage("--chain FILE is missing".into()))?;
    let password = invocation.password()?;
    let certificates = read::certificates(Path::new(&file), password.as_ref())?;
    let key_file = invocation.value("key");
    let key = match read::private_key(Path::new(key_file.as_ref().unwrap_or(&file)), password.as_ref()) {
        Err(PkiError::Nothing(..) | PkiError::Other(..)) if key_file.is_none() => None,
        other => Some(other?),
    };
    Ok(Given { file, certificates, key })
}

/// The chain with its key, to be used as this one of our certificates. Warns of what is wrong with it.
pub(super) async fn ready(given: Given, act: &mut Act, slot: Slot) -> Result<Ready, CliError> {
    let ready = given.ready(act, slot).await?;
    for warning in &ready.warnings {
        output::warn(warning);
    }
    Ok(ready)
}

/// What has to be done or checked for a company's https certificate.
fn warn_of_https(chain: &[X509]) {
    let hosts = chain.first().map(hosts_of).unwrap_or_default();
    if hosts.is_empty() {
        return output::warn(
            "the certificate names no host (subjectAltName), so clients refuse it: ask your CA for one that names this \
             host.",
        );
    }
    output::warn(&format!(
        "restart the clients with the token of 'os4xapi token show', which has no hash now, and with a host of the \
         certificate in -U: {}. The CA must be among those that their system trusts.",
        hosts.join(", ")
    ));
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut connection = db.snapshot().await?;
    let versions = Versions::of(&mut connection, "cert").await?;
    let mut rows = Vec::new();
    let mut table = output::Table::new(&["FOR", "SUBJECT", "ISSUER", "VALID UNTIL", "USED FROM", "SHA-256"]);
    for usage in Usage::ALL {
        let Some(found) = certificates::get(&mut connection, usage).await? else { continue };
        let (word, version) = (usage.word(), versions.get(usage.word()));
        let dash = || "-".to_owned();
        if usage == Usage::Request {
            let subject = request::subject(&found.certificate)?;
            rows.push(
                json!({"usage": word, "subject": subject, "pem": found.certificate, "version": version}),
            );
            table.row(&[word.to_owned(), subject, dash(), dash(), dash(), dash()]);
            continue;
        }
        let used_from = match usage {
            Usage::Next => certificates::next(&mut connection).await?.map(|(_, from)| from),
            _ => None,
        };
        let facts = Facts::of_pem(&found.certificate)?;
        rows.push(json!({
            "usage": word,
            "subject": facts.subject,
            "issuer": facts.issuer,
            "not_before": facts.from,
            "not_after": facts.until,
            "used_from": used_from,
            "sha256": facts.fingerprint,
            "pem": found.certificate,
            "version": version,
        }));
        table.row(&[
            word.to_owned(),
            facts.subject,
            facts.issuer,
            clock::rfc3339(facts.until),
            output::or_dash(used_from.map(clock::rfc3339)),
            facts.fingerprint,
        ]);
    }
    if invocation.flag("json") { output::json(&rows) } else { table.print("There is no certificate.") }
}

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let word = invocation.argument(0);
    let usage = Usage::of_word(word).ok_or_else(|| {
        CliError::Usage(format!(
            "there is no certificate '{word}': it is own, next, request, ca, https or panel"
        ))
    })?;
    let db = invocation.open().await?;
    let found = certificates::get(&mut *db.snapshot().await?, usage).await?;
    let found = found.ok_or_else(|| no_certificate(usage))?;
    output::write_to(&found.certificate, invocation.value("o").as_deref())
}

/// The error if there is no certificate for this usage.
pub(super) fn no_certificate(usage: Usage) -> CliError {
    CliError::Refused(
        match usage {
            Usage::Next => "there is no next certificate: 'os4xapi cert next' sets one",
            Usage::Panel => "the panel has no certificate of its own: 'os4xapi cert set panel' sets one",
            Usage::Request => "there is no request for a certificate: 'os4xapi cert csr' makes one",
            _ => "there is no certificate towards partners yet: set it with 'os4xapi cert set'",
        }
        .into(),
    )
}

async fn https(invocation: Invocation) -> Result<(), CliError> {
    let hosts = invocation.hosts()?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let hosts = own::renew_https(&mut change, hosts).await?;
    change.commit().await?;
    output::say(&format!("https certificate for: {}", hosts.join(", ")))
}

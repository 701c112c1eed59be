//! `os4xapi cert set|list|show|https`: our certificates. `set` stores the one that partners see, after it has checked
//! the whole chain. `init` makes the CA and the https certificate; `https` makes the latter anew. Never prints a key.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::versions::Versions;
use super::{Command, output};
use crate::db::Change;
use crate::pki::ca::{Ca, HTTPS_DAYS, Issued, hosts_of};
use crate::pki::chain::Chain;
use crate::pki::facts::{self, Facts};
use crate::pki::{Doing, PkiError};
use crate::pki::{read, request};
use crate::store::certificates::{self, Usage};
use common::secret::Secret;
use common::text::clock;
use openssl::pkey::{PKey, Private};
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
usage: os4xapi cert set [own|https] --chain FILE [--key FILE] [--password-file FILE] [--db DB]

Sets our certificate towards partners, or with 'https' a certificate of your company's for this API. Validity and key
are checked. The certificates are put in order. A certificate that is not part of the chain is left out with a warning,
and so is an expired one at the end of the chain.

A running 'serve' shows the https certificate within a minute and never renews it: the system log tells 30 days before
its end. 'token show' prints a token without hash then, with which clients trust the CAs of their system. 'cert https'
goes back to one of this API's own CA.

--chain FILE: our certificate and its issuers: PEM, DER, PKCS#7 or PKCS#12
--key FILE: its private key: PEM, DER or PKCS#12 (default: the one in the chain's file, or that of 'cert csr')
--password-file FILE: a file whose first line is the password of both, if they have one; /dev/stdin to type it
";

const LIST: &str = "\
usage: os4xapi cert list [--json] [--db DB]

Lists our certificates: towards partners (own), the next one (next) and the request for one (request), the CA (ca),
https (https). Keys are not shown.

--json: as JSON, with the certificates in PEM
";

const SHOW: &str = "\
usage: os4xapi cert show own|next|request|ca|https [-o FILE] [--db DB]

Prints a certificate in PEM, 'own' and 'next' with their chain; 'request' is the request that waits for its certificate.

-o FILE: write it to FILE
";

const HTTPS: &str = "\
usage: os4xapi cert https [--host NAME|IP]... [--db DB]

Makes a new https certificate with a new key. A running 'serve' uses it within a minute. 'serve' also renews the
certificate by itself, a month before it expires.

--host NAME|IP: name or address under which the clients reach this API (repeatable; default: those of the old one)
";

async fn set(invocation: Invocation) -> Result<(), CliError> {
    let usage = match invocation.argument(0) {
        "" | "own" => Usage::Own,
        "https" => Usage::Https,
        other => {
            return Err(CliError::Usage(format!(
                "'{other}' is no certificate to be set: it is own or https"
            )));
        }
    };
    let given = Given::read(&invocation)?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let (issued, chain) = given.chain(&mut change, None).await?;
    certificates::put(&mut change, usage, &issued).await?;
    change.commit().await?;
    if usage == Usage::Https {
        warn_of_https(&chain.certificates);
    }
    let facts = Facts::of_pem(&issued.certificate)?;
    let what =
        if usage == Usage::Https { "The https certificate" } else { "Our certificate towards partners" };
    output::say(&format!(
        "{what}: {}, valid until {}, with {} of its issuers.",
        facts.subject,
        clock::rfc3339(facts.until),
        chain.certificates.len().saturating_sub(1)
    ))
}

/// A certificate with its issuers, and its key, as an operator brings them.
pub(super) struct Given {
    file: String,
    certificates: Vec<X509>,
    key: Option<(PKey<Private>, Secret)>,
}

impl Given {
    /// From the files of `--chain` and `--key`.
    pub(super) fn read(invocation: &Invocation) -> Result<Self, CliError> {
        let file =
            invocation.value("chain").ok_or_else(|| CliError::Usage("--chain FILE is missing".into()))?;
        let password = invocation.password()?;
        let certificates = read::certificates(Path::new(&file), password.as_ref())?;
        let key_file = invocation.value("key");
        let key = match read::private_key(Path::new(key_file.as_ref().unwrap_or(&file)), password.as_ref()) {
            Err(PkiError::Nothing(..) | PkiError::Other(..)) if key_file.is_none() => None,
            other => Some(other?),
        };
        Ok(Self { file, certificates, key })
    }

    /// The chain, to be used from now on or from that time on, with the key, which is that of the request where none
    /// was given. Warns of what is wrong with it.
    pub(super) async fn chain(
        self,
        change: &mut Change,
        from: Option<i64>,
    ) -> Result<(Issued, Chain), CliError> {
        let (chain, key) = match self.key {
            Some((key, pem)) => (Chain::of(self.certificates, &key, from)?, pem),
            None => Self::requested(change, self.file, self.certificates, from).await?,
        };
        let weaknesses = chain.certificates.first().map(facts::weaknesses).transpose()?.unwrap_or_default();
        for warning in chain.warnings.iter().chain(&weaknesses) {
            output::warn(warning);
        }
        Ok((Issued { certificate: chain.pem()?, key }, chain))
    }

    /// The chain for the key of the request, which is answered by that.
    async fn requested(
        change: &mut Change,
        file: String,
        certificates: Vec<X509>,
        from: Option<i64>,
    ) -> Result<(Chain, Secret), CliError> {
        let Some(request) = certificates::get(change, Usage::Request).await? else {
            return Err(CliError::Usage(format!("--key FILE is missing: {file} holds no private key")));
        };
        let key = PKey::private_key_from_pem(request.key.expose().as_bytes());
        let key = key.doing("reading the key of the request for a certificate")?;
        let chain = match Chain::of(certificates, &key, from) {
            Err(PkiError::KeyMismatch) => {
                return Err(CliError::Refused(format!(
                    "--key FILE is missing: {file} holds no private key, and its certificate is not the one that \
                     'os4xapi cert csr' has asked for"
                )));
            }
            other => other?,
        };
        certificates::remove(change, Usage::Request).await?;
        Ok((chain, request.key))
    }
}

/// What has to be done or looked at for a company's https certificate.
fn warn_of_https(chain: &[X509]) {
    let hosts = chain.first().map(hosts_of).unwrap_or_default();
    if hosts.is_empty() {
        return output::warn(
            "the certificate names no host (subjectAltName), so clients refuse it: ask your CA for one that names this \
             host.",
        );
    }
    output::warn(&format!(
        "start the clients again with the token of 'os4xapi token show', which has no hash now, and with a host of the \
         certificate in -U: {}. The CA must be among those that their system trusts.",
        hosts.join(", ")
    ));
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut connection = db.connection().await?;
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
        CliError::Usage(format!("there is no certificate '{word}': it is own, next, request, ca or https"))
    })?;
    let db = invocation.open().await?;
    let found = certificates::get(&mut *db.connection().await?, usage).await?;
    let found = found.ok_or_else(|| no_certificate(usage))?;
    output::write_to(&found.certificate, invocation.value("o").as_deref())
}

/// There is none for this usage.
pub(super) fn no_certificate(usage: Usage) -> CliError {
    CliError::Refused(
        match usage {
            Usage::Next => "there is no next certificate: 'os4xapi cert next' takes one",
            Usage::Request => "there is no request for a certificate: 'os4xapi cert csr' makes one",
            _ => "there is no certificate towards partners yet: set it with 'os4xapi cert set'",
        }
        .into(),
    )
}

async fn https(invocation: Invocation) -> Result<(), CliError> {
    let mut hosts = invocation.hosts()?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    if hosts.is_empty() {
        let old = certificates::need(&mut change, Usage::Https).await?;
        let old = X509::from_pem(old.certificate.as_bytes());
        hosts = old.map(|certificate| hosts_of(&certificate)).unwrap_or_default();
    }
    let ca = certificates::need(&mut change, Usage::Ca).await?;
    let issued = Ca::from_pem(&ca.certificate, &ca.key)?.https(&hosts, HTTPS_DAYS)?;
    certificates::put(&mut change, Usage::Https, &issued).await?;
    change.commit().await?;
    output::say(&format!("https certificate for: {}", hosts.join(", ")))
}

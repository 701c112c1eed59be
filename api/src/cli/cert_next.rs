//! `os4xapi cert csr|next`: our next certificate towards partners, ahead of time. `csr` makes its key here, which never
//! leaves the database, and the request for a CA; `next` takes what the CA has issued and the time from which `serve`
//! uses it.

use super::args::{Invocation, Opt, wrong};
use super::cert::{Given, no_certificate};
use super::error::CliError;
use super::{Command, date, output};
use crate::pki::ca::hosts_of;
use crate::pki::facts::Facts;
use crate::pki::request::{self, Algorithm};
use crate::store::certificates::{self, Usage};
use common::text::clock;
use openssl::x509::{X509, X509Name};

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "cert csr",
        changes: true,
        help: CSR,
        options: &[
            Opt::Value("subject"),
            Opt::Many("host"),
            Opt::Value("algorithm"),
            Opt::Flag("replace"),
            Opt::Output,
        ],
        arguments: (0, 0),
        run: |invocation| Box::pin(csr(invocation)),
    },
    Command {
        words: "cert next",
        changes: true,
        help: NEXT,
        options: &[
            Opt::Value("chain"),
            Opt::Value("key"),
            Opt::Value("password-file"),
            Opt::Value("from"),
            Opt::Flag("cancel"),
        ],
        arguments: (0, 0),
        run: |invocation| Box::pin(next(invocation)),
    },
];

const CSR: &str = "\
usage: os4xapi cert csr [--subject NAME] [--host NAME|IP]... [--algorithm rsa|ec] [--replace] [-o FILE] [--db DB]

Makes a new private key and prints the request (PKCS#10) that a CA needs to certify it for us towards partners. The key
stays in the database: when the CA has issued the certificate, 'cert next' or 'cert set' takes it without --key.
'os4xapi cert show request' prints the request again.

--subject NAME: whom the certificate is for, as 'C=DE, O=Example GmbH, CN=we.example, serialNumber=O0013WE'
      (default: that of our present certificate); a comma in a value stands behind '\\'
--host NAME|IP: a name or address in it (repeatable; default: those of our present certificate)
--algorithm rsa|ec: RSA with 3072 bits, or ECDSA on P-256 (default rsa)
--replace: instead of a request that is there, whose key is lost then
-o FILE: write it to FILE
";

const NEXT: &str = "\
usage: os4xapi cert next --chain FILE --from TIME [--key FILE] [--password-file FILE] [--db DB]
       os4xapi cert next --cancel [--db DB]

Keeps our next certificate towards partners until TIME. From then on 'serve' uses it, within 65 s, and partners see it.
Send it to them before: those who pin ours need both for a while.

--chain FILE: our next certificate and its issuers: PEM, DER, PKCS#7 or PKCS#12
--from TIME: used from then on, UTC: YYYY-MM-DD, the beginning of that day, or YYYY-MM-DDTHH:MM:SSZ
--key FILE: its private key: PEM, DER or PKCS#12 (default: that of 'cert csr', or the one in the chain's file)
--password-file FILE: a file whose first line is the password of both, if they have one; /dev/stdin to type it
--cancel: forget the next certificate; the present one stays in use
";

async fn csr(invocation: Invocation) -> Result<(), CliError> {
    let algorithm = match invocation.value("algorithm").as_deref() {
        None | Some("rsa") => Algorithm::Rsa,
        Some("ec") => Algorithm::Ec,
        Some(other) => return Err(wrong("algorithm", other, "rsa or ec")),
    };
    let mut hosts = invocation.hosts()?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    if let Some(there) = certificates::get(&mut change, Usage::Request).await?
        && !invocation.flag("replace")
    {
        return Err(CliError::Refused(format!(
            "there is a request for '{}' already: 'os4xapi cert show request' prints it, and --replace makes a new \
             one, with which a certificate for the old one is lost",
            request::subject(&there.certificate)?
        )));
    }
    let present = certificates::get(&mut change, Usage::Own).await?;
    let present = present.and_then(|own| X509::from_pem(own.certificate.as_bytes()).ok());
    if hosts.is_empty() {
        hosts = present.as_ref().map(hosts_of).unwrap_or_default();
    }
    let made = request::create(&*subject(&invocation, present.as_ref())?, &hosts, algorithm)?;
    certificates::put(&mut change, Usage::Request, &made).await?;
    change.commit().await?;
    output::note(
        "the key of this request is in the database: back it up before the CA issues the certificate.",
    );
    output::write_to(&made.certificate, invocation.value("o").as_deref())
}

/// Whom the next certificate is for.
fn subject(invocation: &Invocation, present: Option<&X509>) -> Result<X509Name, CliError> {
    match (invocation.value("subject"), present) {
        (Some(text), _) => request::name(&text)
            .ok_or_else(|| wrong("subject", &text, "a name, as 'C=DE, O=Example GmbH, CN=we.example'")),
        (None, Some(own)) => own
            .subject_name()
            .to_owned()
            .map_err(|_| CliError::Refused("the subject of our certificate cannot be read".into())),
        (None, None) => Err(CliError::Usage(
            "--subject is missing: there is no certificate towards partners yet, whose subject it could be"
                .into(),
        )),
    }
}

async fn next(invocation: Invocation) -> Result<(), CliError> {
    if invocation.flag("cancel") {
        return cancel(&invocation).await;
    }
    let from = invocation.value("from").ok_or_else(|| CliError::Usage("--from TIME is missing".into()))?;
    let from = date::from(&from)?;
    let given = Given::read(&invocation)?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let (issued, chain) = given.chain(&mut change, Some(from)).await?;
    certificates::put_next(&mut change, &issued, from).await?;
    let present = certificates::get(&mut change, Usage::Own).await?;
    change.commit().await?;
    let present = present.and_then(|own| Facts::of_pem(&own.certificate).ok());
    if let Some(present) = present.filter(|present| present.until < from) {
        output::warn(&format!(
            "our present certificate ends at {}, before that: partners refuse it in between.",
            clock::rfc3339(present.until)
        ));
    }
    let facts = Facts::of_pem(&issued.certificate)?;
    output::say(&format!(
        "Our next certificate towards partners: {}, valid until {}, with {} of its issuers, used from {} on.",
        facts.subject,
        clock::rfc3339(facts.until),
        chain.certificates.len().saturating_sub(1),
        clock::rfc3339(from)
    ))
}

async fn cancel(invocation: &Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    if !certificates::remove(&mut change, Usage::Next).await? {
        return Err(no_certificate(Usage::Next));
    }
    change.commit().await?;
    output::say("The next certificate is forgotten; the present one stays in use.")
}

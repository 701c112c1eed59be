//! `os4xapi cert csr|next`: our next certificate towards partners, in advance. `csr` makes its key, which never leaves
//! the database, and the request for a CA; `next` stores the certificate that the CA has issued, and the time from
//! which `serve` uses it.

use super::args::{Invocation, Opt, wrong};
use super::cert::{given, no_certificate, ready};
use super::error::CliError;
use super::{Command, date, output};
use crate::change::certificates::{self as own, Ready, Slot};
use crate::pki::facts::Facts;
use crate::pki::request::{self, Algorithm};
use crate::store::certificates::{self, Usage};
use common::text::clock;

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

--subject NAME: subject of the certificate, such as 'C=DE, O=Example GmbH, CN=we.example, serialNumber=O0013WE'
      (default: that of our present certificate); a comma in a value is written as '\\,'
--host NAME|IP: a name or address in it (repeatable; default: those of our present certificate)
--algorithm rsa|ec: RSA with 3072 bits, or ECDSA on P-256 (default rsa)
--replace: replace an existing request, whose key is then lost
-o FILE: write it to FILE
";

const NEXT: &str = "\
usage: os4xapi cert next --chain FILE --from TIME [--key FILE] [--password-file FILE] [--db DB]
       os4xapi cert next --cancel [--db DB]

Stores our next certificate towards partners until TIME. From then on 'serve' uses it, within 65 s, and partners see it.
Send it to them in advance: partners that pin our certificate need both for a while.

--chain FILE: our next certificate and its issuers: PEM, DER, PKCS#7 or PKCS#12
--from TIME: time from which it is used, UTC: YYYY-MM-DD, the beginning of that day, or YYYY-MM-DDTHH:MM:SSZ
--key FILE: its private key: PEM, DER or PKCS#12 (default: that of 'cert csr', or the one in the chain's file)
--password-file FILE: a file whose first line is the password of both, if they have one; /dev/stdin to type it
--cancel: delete the next certificate; the present one stays in use
";

async fn csr(invocation: Invocation) -> Result<(), CliError> {
    let algorithm = match invocation.value("algorithm").as_deref() {
        None | Some("rsa") => Algorithm::Rsa,
        Some("ec") => Algorithm::Ec,
        Some(other) => return Err(wrong("algorithm", other, "rsa or ec")),
    };
    let subject = match invocation.value("subject") {
        Some(text) => Some(
            request::name(&text)
                .ok_or_else(|| wrong("subject", &text, "a name, as 'C=DE, O=Example GmbH, CN=we.example'"))?,
        ),
        None => None,
    };
    let hosts = invocation.hosts()?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let replaces = invocation.flag("replace");
    let made = own::request(&mut change, subject, hosts, algorithm, replaces).await?;
    change.commit().await?;
    output::note(
        "the key of this request is in the database: back it up before the CA issues the certificate.",
    );
    output::write_to(&made.certificate, invocation.value("o").as_deref())
}

async fn next(invocation: Invocation) -> Result<(), CliError> {
    if invocation.flag("cancel") {
        return cancel(&invocation).await;
    }
    let from = invocation.value("from").ok_or_else(|| CliError::Usage("--from TIME is missing".into()))?;
    let from = date::from(&from)?;
    let given = given(&invocation)?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let ready = ready(given, &mut change, Slot::Next(from)).await?;
    ready.put(&mut change).await?;
    let present = certificates::get(&mut change, Usage::Own).await?;
    change.commit().await?;
    let present = present.and_then(|own| Facts::of_pem(&own.certificate).ok());
    if let Some(present) = present.filter(|present| present.until < from) {
        output::warn(&format!(
            "our present certificate expires at {}, before that time: partners refuse it in between.",
            clock::rfc3339(present.until)
        ));
    }
    let Ready { issued, chain, .. } = ready;
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
    output::say("The next certificate is deleted; the present one stays in use.")
}

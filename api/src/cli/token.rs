//! `os4xapi token show|rotate`: the security token of the clients, in the form that `os4x_proxyclient2 -T` takes: a
//! secret, a dot, the hash of the CA's certificate. Only these two commands print it, or write it
//! to a file that its owner alone can read.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, output};
use crate::change;
use crate::pki::Doing;
use crate::pki::facts::Facts;
use crate::store::certificates::{self, Usage};
use crate::store::{configuration, journal, old_tokens};
use common::secret::Secret;
use common::text::{clock, hex};
use common::x509::issuer::is_issued_by;
use openssl::x509::X509;
use sqlx::AnyConnection;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "token show",
        changes: false,
        help: SHOW,
        options: &[Opt::Output],
        arguments: (0, 0),
        run: |invocation| Box::pin(show(invocation)),
    },
    Command {
        words: "token rotate",
        changes: true,
        help: ROTATE,
        options: &[Opt::Value("overlap"), Opt::Output],
        arguments: (0, 0),
        run: |invocation| Box::pin(rotate(invocation)),
    },
];

const SHOW: &str = "\
usage: os4xapi token show [-o FILE] [--db DB]

Prints the token: SECRET.HASH, where HASH is the SHA-256 of the CA's certificate, by which the client knows this API.
With an https certificate of another CA ('os4xapi cert set https') it is SECRET alone: clients trust their system's CAs.
Anybody who has it may act as a client: hand it on as a file for 'os4x_proxyclient2 -T @FILE'. The audit says who asked.

-o FILE: write it to FILE, which gets mode 0600
";

const ROTATE: &str = "\
usage: os4xapi token rotate [--overlap TIME] [-o FILE] [--db DB]

Puts a new token in the place of the old one and prints it. Clients with the old token are refused from their next call
on: start them again with the new one. The clients that have called within the last day are named, and the system log
tells of each that still comes with the old one.

--overlap TIME: the old token works meanwhile: so many minutes, hours or days, as 30m, 1h or 2d; at most 30d

-o FILE: write it to FILE, which gets mode 0600
";

/// Longest overlap, seconds.
const LONGEST: i64 = 30 * clock::DAY;

/// A time such as 30m, 1h or 2d in seconds.
fn seconds(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u16 = number.parse().ok()?;
    let unit = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => clock::DAY,
        _ => return None,
    };
    Some(i64::from(number) * unit)
}

/// The secret half of a token: 256 random bits in hex.
pub(super) fn new_token() -> Result<Secret, CliError> {
    let mut octets = [0; 32];
    openssl::rand::rand_priv_bytes(&mut octets).doing("drawing random numbers")?;
    Ok(Secret::new(hex::encode(&octets)))
}

/// The whole token, as clients take it: with the hash of the CA by which they know this API, or without one where the
/// https certificate is another CA's.
pub(super) async fn text(connection: &mut AnyConnection) -> Result<String, CliError> {
    let token = configuration::token(connection).await?;
    let ca = certificates::need(connection, Usage::Ca).await?.certificate;
    let https = certificates::need(connection, Usage::Https).await?.certificate;
    let doing = "reading the https certificate and its CA";
    let read = |pem: &str| X509::from_pem(pem.as_bytes()).doing(doing);
    let hash = if is_issued_by(&*read(&https)?, &*read(&ca)?) {
        format!(".{}", Facts::of_pem(&ca)?.fingerprint)
    } else {
        String::new()
    };
    Ok(format!("{}{hash}\n", token.expose()))
}

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let text = text(&mut *db.connection().await?).await?;
    change::record_reading(&db, "token show", "token").await?;
    output::write_secret_to(&text, invocation.value("o").as_deref())
}

async fn rotate(invocation: Invocation) -> Result<(), CliError> {
    let overlap = match invocation.value("overlap") {
        Some(text) => seconds(&text).filter(|seconds| *seconds <= LONGEST).ok_or_else(|| {
            wrong("overlap", &text, "minutes, hours or days, as 30m, 1h or 2d, at most 30d")
        })?,
        None => 0,
    };
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let old = configuration::token(&mut change).await?;
    let until = clock::now() + overlap;
    old_tokens::add(&mut change, old.expose(), until).await?;
    configuration::set_token(&mut change, &new_token()?).await?;
    let callers = journal::callers(&mut change, clock::now() - clock::DAY).await?;
    let text = text(&mut change).await?;
    change.commit().await?;
    if !callers.is_empty() {
        let end = if overlap > 0 { format!("until {}", clock::rfc3339(until)) } else { "now".to_owned() };
        output::note(&format!(
            "to be started again with the new token {end}: the clients {}",
            callers.join(", ")
        ));
    }
    output::write_secret_to(&text, invocation.value("o").as_deref())
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_time_is_a_number_and_its_unit() {
        assert_eq!(
            ["30m", "1h", "2d", "0m"].map(seconds),
            [Some(1_800), Some(3_600), Some(172_800), Some(0)]
        );
        for bad in ["", "h", "1", "1w", "-1h", "1.5h", "99999d", "1\u{fc}"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}

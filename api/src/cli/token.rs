//! `os4xapi token show|rotate`: the security token of the clients, in the form that `os4x_proxyclient2 -T` takes: a
//! secret, a dot, the hash of the CA's certificate. Only these two commands print it, or write it
//! to a file that its owner alone can read.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::pki::Doing;
use crate::pki::facts::Facts;
use crate::store::certificates::{self, Usage};
use crate::store::configuration;
use common::secret::Secret;
use common::text::hex;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "token show",
        help: SHOW,
        options: &[Opt::Output],
        arguments: (0, 0),
        run: |invocation| Box::pin(show(invocation)),
    },
    Command {
        words: "token rotate",
        help: ROTATE,
        options: &[Opt::Output],
        arguments: (0, 0),
        run: |invocation| Box::pin(rotate(invocation)),
    },
];

const SHOW: &str = "\
usage: os4xapi token show [-o FILE] [--db DB]

Prints the token: SECRET.HASH, where HASH is the SHA-256 of the CA's certificate, by which the client knows this API.
Anybody who has it may act as a client: hand it on as a file for 'os4x_proxyclient2 -T @FILE'.

-o FILE: write it to FILE, which gets mode 0600
";

const ROTATE: &str = "\
usage: os4xapi token rotate [-o FILE] [--db DB]

Puts a new token in the place of the old one, at once, and prints it. Clients with the old token are refused from their
next call on: start them again with the new one.

-o FILE: write it to FILE, which gets mode 0600
";

/// The secret half of a token: 256 random bits in hex.
pub(super) fn new_token() -> Result<Secret, CliError> {
    let mut octets = [0; 32];
    openssl::rand::rand_priv_bytes(&mut octets).doing("drawing random numbers")?;
    Ok(Secret::new(hex::encode(&octets)))
}

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut connection = db.connection().await?;
    let token = configuration::token(&mut connection).await?;
    let ca = certificates::need(&mut connection, Usage::Ca).await?;
    write_token(&invocation, &token, &ca.certificate)
}

async fn rotate(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let token = new_token()?;
    let mut change = db.change().await?;
    configuration::set_token(&mut change, &token).await?;
    let ca = certificates::need(&mut change, Usage::Ca).await?;
    change.commit().await?;
    write_token(&invocation, &token, &ca.certificate)
}

fn write_token(invocation: &Invocation, token: &Secret, ca: &str) -> Result<(), CliError> {
    let fingerprint = Facts::of_pem(ca)?.fingerprint;
    let text = format!("{}.{fingerprint}\n", token.expose());
    output::write_secret_to(&text, invocation.value("o").as_deref())
}

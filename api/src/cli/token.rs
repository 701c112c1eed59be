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
use sqlx::AnyConnection;

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

/// The whole token, as clients take it.
pub(super) async fn text(connection: &mut AnyConnection) -> Result<String, CliError> {
    let token = configuration::token(connection).await?;
    let ca = certificates::need(connection, Usage::Ca).await?;
    Ok(format!("{}.{}\n", token.expose(), Facts::of_pem(&ca.certificate)?.fingerprint))
}

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let text = text(&mut *db.connection().await?).await?;
    output::write_secret_to(&text, invocation.value("o").as_deref())
}

async fn rotate(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut change = db.change().await?;
    configuration::set_token(&mut change, &new_token()?).await?;
    let text = text(&mut change).await?;
    change.commit().await?;
    output::write_secret_to(&text, invocation.value("o").as_deref())
}

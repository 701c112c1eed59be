//! `os4xapi token show|rotate`: the security token of the clients, in the form that `os4x_proxyclient2 -T` takes: a
//! secret, a dot, the hash of the CA's certificate. Only these two commands print it, or write it to a file that only
//! its owner can read.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, date, output};
use crate::change::token::{self, Rotated};
use crate::change::{self, Author, Order};
use common::text::clock;

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

Prints the token: SECRET.HASH, where HASH is the SHA-256 of the CA's certificate, by which the client recognizes this
API. If another CA has issued the https certificate ('os4xapi cert set https'), it is SECRET alone: clients trust their
system's CAs.
Anybody who has the token can act as a client: use it as a file for 'os4x_proxyclient2 -T @FILE'. The audit records this
command.

-o FILE: write it to FILE, which gets mode 0600
";

const ROTATE: &str = "\
usage: os4xapi token rotate [--overlap TIME] [-o FILE] [--db DB]

Replaces the token with a new one and prints it. Clients with the old token are refused from their next call on: restart
them with the new token. The command names the clients that have called within the last day. If a client still calls
with the old token, the system log says so.

--overlap TIME: time in which the old token still works, such as 30m, 1h or 2d; at most 30d

-o FILE: write it to FILE, which gets mode 0600
";

/// Longest overlap, seconds.
const LONGEST: i64 = 30 * clock::DAY;

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let text = token::text(&mut *db.snapshot().await?).await?;
    change::record_reading(&db, Order::of(Author::of_command(), "token show"), "token").await?;
    output::write_secret_to(&text, invocation.value("o").as_deref())
}

async fn rotate(invocation: Invocation) -> Result<(), CliError> {
    let overlap = match invocation.value("overlap") {
        Some(text) => date::duration(&text).filter(|seconds| *seconds <= LONGEST).ok_or_else(|| {
            wrong("overlap", &text, "minutes, hours or days, such as 30m, 1h or 2d, at most 30d")
        })?,
        None => 0,
    };
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let Rotated { text, callers, until } = token::rotate(&mut change, overlap).await?;
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

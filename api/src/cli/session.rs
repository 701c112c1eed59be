//! `os4xapi session end`: ends a running session, through its client and server.

use super::acts;
use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::change::Act;
use crate::change::requests::{self, Patience};
use crate::db::Db;
use crate::store::sessions::{self, Open};
use std::time::Duration;
use tokio::time::{self, Instant};

/// How long it may take until the end of a session is reported.
const REPORTED: Duration = Duration::from_secs(20);
/// How often this is checked.
const LOOK: Duration = Duration::from_millis(100);

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "session end",
    changes: true,
    help: END,
    options: &[Opt::Flag("yes")],
    arguments: (1, 1),
    run: |invocation| Box::pin(end(invocation)),
}];

const END: &str = "\
usage: os4xapi session end ID [--yes] [--db DB]

Ends a running session: partner and station get an ESID with reason 05, and a file in transfer stays unfinished. ID is
the ID in 'os4xapi sessions', or as many of its first characters as no other session has. The session is ended at once,
by the client that has reported it and its server; both must be of this version.

--yes: do not ask; without a terminal the command never asks
";

async fn end(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let open = sessions::open(&mut *db.snapshot().await?).await?;
    let session = named(open, invocation.argument(0))?;
    let Open { id, partner, .. } = &session;
    invocation.confirm(&format!("end session {id} of partner {partner}?"))?;
    let mut act = Act::begin_unseen(&db, invocation.order()?).await?;
    let ordered = requests::order_end(&mut act, &session).await?;
    act.commit().await?;
    let said = acts::outcome(&db, &ordered, Patience::SHORT).await?.text;
    output::say(&match reported_end(&db, id).await? {
        Some((reason, detail)) => format!("Session {id} of partner {partner} is over: {reason}, {detail}."),
        None => format!(
            "Session {id} of partner {partner}: {said}. Its end is not reported yet: 'os4xapi sessions' shows it."
        ),
    })
}

/// The one session whose ID begins with `prefix`.
fn named(open: Vec<Open>, prefix: &str) -> Result<Open, CliError> {
    let mut found = open.into_iter().filter(|session| session.id.starts_with(prefix));
    match (found.next(), found.next()) {
        (Some(session), None) => Ok(session),
        (Some(_), Some(_)) => {
            Err(CliError::Refused(format!("several running sessions have an ID that begins with '{prefix}'")))
        }
        _ => Err(CliError::Refused(format!(
            "no running session has an ID that begins with '{prefix}': 'os4xapi sessions' lists all"
        ))),
    }
}

/// How the session has ended, if that is reported already.
async fn reported_end(db: &Db, session: &str) -> Result<Option<(String, String)>, CliError> {
    let until = Instant::now() + REPORTED;
    loop {
        let end = sessions::end_of(&mut *db.snapshot().await?, session).await?;
        if end.is_some() || Instant::now() >= until {
            return Ok(end);
        }
        time::sleep(LOOK).await;
    }
}

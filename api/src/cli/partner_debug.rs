//! `os4xapi partner debug`: DEBUG for the sessions of one partner, in both daemons, for a time.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, date, output};
use crate::change::partner_debug as change;
use crate::status::{self, Daemon};
use crate::store::partner_debug;
use common::text::clock::{self, DAY};
use sqlx::AnyConnection;

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "partner debug",
    changes: true,
    help: DEBUG,
    options: &[Opt::Value("for"), Opt::Flag("off"), Opt::Flag("json")],
    arguments: (0, 1),
    run: |invocation| Box::pin(debug(invocation)),
}];

const DEBUG: &str = "\
usage: os4xapi partner debug NAME [--for TIME | --off] [--db DB]
       os4xapi partner debug [--json] [--db DB]

Makes the sessions of one partner write their log at DEBUG for a time, on the server and on the client, also sessions
that already run: each OFTP2 command, with passwords masked. The logs of other sessions do not change. It is in force
within two seconds, ends by itself, and stays in force if a daemon is restarted. A session writes at DEBUG as soon as
its partner is known: on the server after TLS and the SSID, or when a station names it.

Without NAME: shows for which partners it is in force, and until when.

--for TIME: time from now in minutes or hours, such as 30m or 8h, or 1d; at most 1d (default 1h)
--off: end it now
--json: the list as JSON
";

async fn debug(invocation: Invocation) -> Result<(), CliError> {
    let name = match invocation.argument(0) {
        "" => return list(&invocation).await,
        name => name,
    };
    let time = match invocation.value("for") {
        Some(_) if invocation.flag("off") => {
            return Err(CliError::Usage("--for and --off exclude each other".into()));
        }
        Some(text) => date::duration(&text).filter(|time| (1..=DAY).contains(time)).ok_or_else(|| {
            wrong("for", &text, "minutes or hours, such as 30m or 8h, or 1d, and at most 1d")
        })?,
        None => change::DEFAULT,
    };
    if invocation.flag("off") { end(&invocation, name).await } else { begin(&invocation, name, time).await }
}

async fn begin(invocation: &Invocation, name: &str, time: i64) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut act = invocation.act(&db).await?;
    let until = change::begin(&mut act, name, time).await?;
    warn_of_daemons(&mut act).await?;
    act.commit().await?;
    output::say(&format!(
        "Sessions of partner {name} write DEBUG until {}, in force within two seconds. Then it ends by itself; \
         'os4xapi partner debug {name} --off' ends it before.",
        clock::rfc3339(until)
    ))
}

async fn end(invocation: &Invocation, name: &str) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut act = invocation.act(&db).await?;
    change::end(&mut act, name).await?;
    act.commit().await?;
    output::say(&format!("Sessions of partner {name} write the same as before, within two seconds."))
}

async fn list(invocation: &Invocation) -> Result<(), CliError> {
    if ["off", "dry-run"].into_iter().any(|flag| invocation.flag(flag)) || invocation.value("for").is_some() {
        return Err(CliError::Usage("an argument is missing: the partner's short name".into()));
    }
    let db = invocation.open().await?;
    let all = partner_debug::all(&mut *db.snapshot().await?).await?;
    if invocation.flag("json") {
        return output::json(&all);
    }
    let mut table = output::Table::new(&["PARTNER", "UNTIL", "MINUTES LEFT"]);
    for one in all {
        let minutes = one.seconds.div_ceil(60).to_string();
        table.row(&[one.partner, clock::rfc3339(one.until), minutes]);
    }
    table.print("No partner's sessions write DEBUG by 'os4xapi partner debug'.")
}

/// Names the running daemons that are too old for it.
async fn warn_of_daemons(connection: &mut AnyConnection) -> Result<(), CliError> {
    let all = status::daemons(connection).await?;
    if !all.iter().any(Daemon::is_well) {
        output::warn(
            "no daemon is joined at the moment: it begins with the first session, if there is time left.",
        );
    }
    let follows = |daemon: &&Daemon| daemon.state.as_ref().is_some_and(|state| state.debugs_partners);
    for daemon in all.iter().filter(|daemon| daemon.is_well() && !follows(daemon)) {
        output::warn(&format!(
            "{} {} is too old for it, and its log does not change: install this version there.",
            daemon.kind, daemon.title
        ));
    }
    Ok(())
}

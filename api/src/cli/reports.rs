//! `os4xapi log` and `os4xapi sessions`: the reports of the daemons, newest last. Only reads; `serve` writes reports
//! and removes old ones.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::status::{self, Daemon};
use crate::store::journal;
use crate::store::partners::word;
use crate::store::session_search::{self, Search};
use crate::store::sessions::Session;
use common::identity::ProxyId;
use common::state::CurrentFile;
use common::text::clock;

/// Lines that are shown without an option.
const LIMIT: u32 = 100;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "log",
        changes: false,
        help: LOG,
        options: &[Opt::Value("limit"), Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(log(invocation)),
    },
    Command {
        words: "sessions",
        changes: false,
        help: SESSIONS,
        options: &[Opt::Value("limit"), Opt::Value("server"), Opt::Flag("files"), Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list_sessions(invocation)),
    },
];

const LOG: &str = "\
usage: os4xapi log [--limit N] [--json] [--db DB]

Lists the newest entries of the system log, oldest first. TEXT has the words that 'os4xapi ignore add' compares with,
DETAIL has the whole log line, with the values that peers have sent.

--limit N: at most N entries (default 100)
--json: as JSON
";

const SESSIONS: &str = "\
usage: os4xapi sessions [--server PROXY-ID] [--limit N] [--files] [--json] [--db DB]

Lists the newest sessions of all servers, oldest first. A session is 'running', 'ended' or 'orphaned'. The end of an
orphaned session is not known, and its client or its server has been restarted or has not been heard of for three
minutes. The octets and FILE, the current
file, of a running session are at most half a minute old; if there are very many sessions, some values are older.
'os4xapi session end' takes the ID of a session.

--server PROXY-ID: only those of this server
--limit N: at most N sessions (default 100)
--files: list the files instead, the last 40 of each session that has ended
--json: as JSON, with everything that is known about each session, also its files
";

fn limit(invocation: &Invocation) -> Result<u32, CliError> {
    Ok(invocation.parsed("limit", "a number")?.unwrap_or(LIMIT))
}

async fn log(invocation: Invocation) -> Result<(), CliError> {
    let limit = limit(&invocation)?;
    let db = invocation.open().await?;
    let entries = journal::entries(&mut *db.snapshot().await?, limit).await?;
    if invocation.flag("json") {
        return output::json(&entries);
    }
    let mut table =
        output::Table::new(&["TIME", "LEVEL", "FROM", "HOST", "PID", "PARTNER", "ADDRESS", "TEXT", "DETAIL"]);
    for entry in entries {
        table.row(&[
            clock::rfc3339(i64::try_from(entry.time).unwrap_or(i64::MAX)),
            word(&entry.level),
            word(&entry.origin),
            entry.host,
            entry.pid.to_string(),
            output::or_dash(entry.partner),
            output::or_dash(entry.address),
            entry.text,
            entry.detail,
        ]);
    }
    table.print("The system log is empty.")
}

async fn list_sessions(invocation: Invocation) -> Result<(), CliError> {
    let limit = limit(&invocation)?;
    let db = invocation.open().await?;
    let wanted = "a Proxy ID: 'os4xapi proxy list' shows them";
    let server = invocation.parsed::<ProxyId>("server", wanted)?.map(|id| id.to_string());
    let mut snapshot = db.snapshot().await?;
    let what = Search { server: server.as_deref().unwrap_or_default(), ..Search::default() };
    let found = session_search::search(&mut snapshot, &what, limit).await?;
    let all: Vec<Session> = found.into_iter().rev().map(|(_, session)| session).collect();
    if invocation.flag("json") {
        return output::json(&all);
    }
    if invocation.flag("files") {
        return print_files(all);
    }
    let daemons = status::daemons(&mut snapshot).await?;
    drop(snapshot);
    print_sessions(all, &daemons)
}

fn print_sessions(all: Vec<Session>, daemons: &[Daemon]) -> Result<(), CliError> {
    let mut table = output::Table::new(&[
        "BEGAN",
        "ENDED",
        "STATE",
        "SERVER",
        "DIRECTION",
        "PARTNER",
        "SSIDCODE",
        "ADDRESS",
        "STATION",
        "PID",
        "IN",
        "OUT",
        "FILES",
        "FILE",
        "REASON",
        "ID",
    ]);
    for session in all {
        table.row(&[
            output::or_dash(session.began.map(clock::rfc3339)),
            output::or_dash(session.ended.map(clock::rfc3339)),
            session.state.to_owned(),
            output::or_dash(session.server.map(|id| status::server_title(daemons, &id))),
            output::or_dash(session.direction),
            output::or_dash(session.partner),
            output::or_dash(session.ssid),
            output::or_dash(session.address),
            output::or_dash(session.station.filter(|station| !station.is_empty())),
            output::or_dash(session.pid),
            output::or_dash(session.octets_in),
            output::or_dash(session.octets_out),
            output::or_dash(session.files),
            output::or_dash(session.current_file.as_ref().map(shown)),
            output::or_dash(session.reason),
            session.id,
        ]);
    }
    table.print("There was no session.")
}

/// The current file of a session.
fn shown(file: &CurrentFile) -> String {
    format!("{} from the {}: {} octets", file.name, file.sender, file.octets)
}

fn print_files(all: Vec<Session>) -> Result<(), CliError> {
    let mut table =
        output::Table::new(&["BEGAN", "DIRECTION", "PARTNER", "FROM", "NAME", "OCTETS", "RESULT", "REASON"]);
    for session in all {
        for file in session.transfers {
            table.row(&[
                output::or_dash(session.began.map(clock::rfc3339)),
                output::or_dash(session.direction.clone()),
                output::or_dash(session.partner.clone()),
                file.sender,
                file.name,
                file.octets.to_string(),
                word(&file.result),
                output::or_dash(file.reason),
            ]);
        }
    }
    table.print("There was no file.")
}

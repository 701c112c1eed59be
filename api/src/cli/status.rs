//! `os4xapi status` and `os4xapi refused`: the state of a site, and the partners and addresses that its servers refuse,
//! for people and programs.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::db::Db;
use crate::expiry::End;
use crate::language::Language;
use crate::pki::facts;
use crate::status::{self, Daemon, Finding, ReasonCount, SiteStatus, Sums};
use crate::store::refusals::{self, Group};
use common::state::{DaemonState, Use};
use common::text::clock;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::time::Duration;
use tokio::time;

/// How often `--watch` shows it.
const WATCH: Duration = Duration::from_secs(2);
/// The hours that `refused` covers without an option.
const HOURS: u32 = 24;
/// Most groups that it shows.
const LIMIT: u32 = 100;
/// Empties a terminal and begins at its top (ECMA-48: CUP, ED).
const TOP: &str = "\u{1b}[H\u{1b}[J";

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "status",
        changes: false,
        help: STATUS,
        options: &[Opt::Flag("watch"), Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(show_status(invocation)),
    },
    Command {
        words: "refused",
        changes: false,
        help: REFUSED,
        options: &[Opt::Value("hours"), Opt::Value("limit"), Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list_refused(invocation)),
    },
];

const STATUS: &str = "\
usage: os4xapi status [--watch] [--json] [--db DB]

Shows the state of the installation: the faults and what to do about them, the daemons and the generations in force,
sessions and their limits, the refusals of the last hour and their reasons, and everything that expires within 30 days.

--watch: show it again every two seconds
--json: as JSON; with --watch one line each time
";

const REFUSED: &str = "\
usage: os4xapi refused [--hours N] [--limit N] [--json] [--db DB]

Lists the partners and addresses that the servers have refused, and why. Equal refusals are counted together, and the
most frequent come first. An IPv6 address stands for its /64. A minute of a server has at most 200 rows; all others are
counted as 'others'.

--hours N: the last N hours (default 24)
--limit N: at most N rows (default 100)
--json: as JSON
";

async fn show_status(invocation: Invocation) -> Result<(), CliError> {
    let (is_json, watches) = (invocation.flag("json"), invocation.flag("watch"));
    let db = invocation.open().await?;
    if !watches {
        let status = read(&db).await?;
        return if is_json { output::json(&status) } else { output::print(&text(&status)) };
    }
    let top = if io::stdout().is_terminal() && !is_json { TOP } else { "" };
    loop {
        let status = read(&db).await?;
        let shown = if is_json { output::json_line(&status)? } else { format!("{top}{}", text(&status)) };
        if !output::print_on(&shown)? {
            return Ok(());
        }
        time::sleep(WATCH).await;
    }
}

async fn read(db: &Db) -> Result<SiteStatus, CliError> {
    Ok(status::read(&mut *db.snapshot().await?).await?)
}

/// The output for people.
fn text(status: &SiteStatus) -> String {
    let SiteStatus { time, generation, last_backup, findings, daemons, sums, refusals, ends } = status;
    let backup = last_backup.map_or_else(|| "never".to_owned(), clock::rfc3339);
    let mut text = format!("{}, generation {generation}, last backup {backup}\n", clock::rfc3339(*time));
    let mut part = |title: &str, content: String| {
        let _ = write!(text, "\n{title}\n{content}");
    };
    part("WRONG, AND WHAT TO DO", of_findings(findings));
    part("DAEMONS", of_daemons(daemons, sums, *time));
    part("REFUSED IN THE LAST HOUR", of_refusals(refusals));
    part(&format!("ENDS WITHIN {} DAYS", facts::SOON), of_ends(ends));
    text
}

fn of_findings(findings: &[Finding]) -> String {
    let mut table = output::Table::new(&["WHAT", "WHAT TO DO"]);
    for Finding { fault, .. } in findings {
        table.row(&[fault.what(Language::English), fault.remedy(Language::English)]);
    }
    table.text_or("Nothing is wrong.")
}

fn of_daemons(daemons: &[Daemon], sums: &Sums, now: i64) -> String {
    let mut table = output::Table::new(&[
        "DAEMON",
        "NAME",
        "STATE",
        "HEARD",
        "VERSION",
        "PID",
        "HOST",
        "STARTED",
        "IN FORCE",
        "INCOMING",
        "OUTGOING",
        "UNVERIFIED",
        "PARKED",
        "LISTENERS",
    ]);
    let unknown = DaemonState::default();
    for daemon in daemons {
        let state = daemon.state.as_ref().unwrap_or(&unknown);
        let told = |text: String| output::or_dash(daemon.state.as_ref().map(|_| text));
        let listeners: Vec<String> =
            state.listeners.iter().map(|one| format!("{} {}", one.purpose, one.address)).collect();
        table.row(&[
            daemon.kind.to_owned(),
            daemon.title.clone(),
            condition(daemon),
            output::or_dash(daemon.heard.map(|heard| format!("{} s ago", (now - heard).max(0)))),
            told(format!("{} ({})", state.version, state.build)),
            told(state.pid.to_string()),
            told(state.host.clone()),
            told(clock::rfc3339(state.started)),
            output::or_dash(state.generation),
            told(used(state.incoming)),
            told(used(state.outgoing)),
            told(used(state.unverified)),
            told(used(state.parked)),
            told(listeners.join(", ")),
        ]);
    }
    if sums.servers > 1 {
        let [title, count] = ["all servers".to_owned(), sums.servers.to_string()];
        let unknown = || "-".to_owned();
        let [incoming, outgoing, unverified] = [sums.incoming, sums.outgoing, sums.unverified].map(used);
        let [heard, version, pid, host, started, generation] = std::array::from_fn(|_| unknown());
        table.row(&[
            title,
            count,
            unknown(),
            heard,
            version,
            pid,
            host,
            started,
            generation,
            incoming,
            outgoing,
            unverified,
            unknown(),
            unknown(),
        ]);
    }
    table.text_or("There are none.")
}

/// The condition of a daemon, and whether it takes new sessions.
fn condition(daemon: &Daemon) -> String {
    let word = daemon.condition.word();
    let word = if daemon.is_enabled { word.to_owned() } else { format!("{word}, not enabled") };
    match daemon.draining() {
        Some(left) => format!("{word}, draining, {left} sessions left"),
        None => word,
    }
}

/// A number and its limit; nothing if a daemon does not have it.
fn used(all: Use) -> String {
    if all == Use::default() { "-".to_owned() } else { format!("{}/{}", all.used, all.limit) }
}

fn of_refusals(refusals: &[ReasonCount]) -> String {
    let mut table = output::Table::new(&["REASON", "TIMES", "LAST", "WHO", "WHAT TO DO"]);
    for ReasonCount { reason, times, last, meaning, who } in refusals {
        let who: Vec<String> = who.iter().map(name).collect();
        table.row(&[
            reason.clone(),
            times.to_string(),
            clock::rfc3339(*last),
            who.join(", "),
            (*meaning).to_owned(),
        ]);
    }
    table.text_or("Nobody was refused.")
}

/// Who was refused, in a few words.
fn name(group: &Group) -> String {
    let Group { what, .. } = group;
    let subject = Some(&what.subject).filter(|_| what.ssid.is_empty());
    let names = [Some(&what.partner), Some(&what.ssid), subject];
    let names = names.into_iter().flatten().filter(|name| !name.is_empty()).cloned();
    let all: Vec<String> = names.chain(what.address.map(|address| address.to_string())).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(" ") }
}

fn of_ends(ends: &[End]) -> String {
    let mut table = output::Table::new(&["ENDS", "WHAT", "NAME", "WHAT TO DO"]);
    for End { ending, name, ends } in ends {
        let ends = output::or_dash(ends.map(clock::rfc3339));
        let (what, renewal) = (ending.what(Language::English), ending.renewal(Language::English));
        table.row(&[ends, what, name.clone(), renewal]);
    }
    table.text_or("Nothing ends.")
}

async fn list_refused(invocation: Invocation) -> Result<(), CliError> {
    let hours = invocation.parsed::<u32>("hours", "a number of hours")?.unwrap_or(HOURS);
    let limit = invocation.parsed("limit", "a number")?.unwrap_or(LIMIT);
    let db = invocation.open().await?;
    let since = clock::now() - i64::from(hours) * 3_600;
    let groups = refusals::grouped(&mut *db.snapshot().await?, since, limit).await?;
    if invocation.flag("json") {
        return output::json(&groups);
    }
    let mut table = output::Table::new(&[
        "TIMES",
        "FIRST",
        "LAST",
        "DIRECTION",
        "REASON",
        "ADDRESS",
        "SSIDCODE",
        "PARTNER",
        "SUBJECT",
    ]);
    for Group { what, times, first, last } in groups {
        table.row(&[
            times.to_string(),
            clock::rfc3339(first),
            clock::rfc3339(last),
            or_dash(what.direction),
            what.reason,
            output::or_dash(what.address),
            or_dash(what.ssid),
            or_dash(what.partner),
            or_dash(what.subject),
        ]);
    }
    table.print("Nobody was refused.")
}

fn or_dash(text: String) -> String {
    output::or_dash(Some(text).filter(|text| !text.is_empty()))
}

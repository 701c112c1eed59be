//! `os4xapi check`: the state of a site for Nagios, Icinga, Checkmk and programs like them: one line, and an exit
//! status from 0 to 3.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::language::Language;
use crate::status::{self, Severity, SiteStatus};
use common::state::Use;
use common::text::clock::DAY;
use std::fmt::Write as _;

/// Days before an end without an option: warning, critical.
const DAYS: (u32, u32) = (30, 7);
/// Most messages on the line.
const SHOWN: usize = 3;

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "check",
    changes: false,
    help: HELP,
    options: &[Opt::Short("w", "warning"), Opt::Short("c", "critical")],
    arguments: (0, 0),
    run: |invocation| Box::pin(check(invocation)),
}];

const HELP: &str = "\
usage: os4xapi check [-w DAYS] [-c DAYS] [--db DB]

A plugin for Nagios, Icinga, Checkmk and programs like them: prints one line with the worst faults of 'os4xapi status'
and with what ends soon, and performance data. The exit status is 0 (OK), 1 (WARNING), 2 (CRITICAL) or 3 (UNKNOWN: the
state cannot be read).

-w, --warning DAYS: WARNING if something ends within so many days that somebody has to renew (default 30)
-c, --critical DAYS: CRITICAL if it ends within so many days (default 7)

Example: os4xapi check -w 30 -c 7 --db @/etc/os4xapi.db
";

/// The verdict; its number is the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Good,
    Warning,
    Critical,
    Unknown,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    fn exit_status(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

async fn check(invocation: Invocation) -> Result<(), CliError> {
    let (verdict, line) = match look(&invocation).await {
        Ok(found) => found,
        Err(error) => (Verdict::Unknown, error.to_string()),
    };
    output::say(&format!("{} - {line}", verdict.word()))?;
    if verdict == Verdict::Good { Ok(()) } else { Err(CliError::Verdict(verdict.exit_status())) }
}

async fn look(invocation: &Invocation) -> Result<(Verdict, String), CliError> {
    let days =
        |name, default| Ok::<_, CliError>(invocation.parsed(name, "a number of days")?.unwrap_or(default));
    let (warning, critical) = (days("warning", DAYS.0)?, days("critical", DAYS.1)?);
    if critical > warning {
        return Err(CliError::Refused("--critical must not be greater than --warning".into()));
    }
    let db = invocation.open().await?;
    let status = status::read_within(&mut *db.snapshot().await?, warning.into()).await?;
    Ok(judged(&status, warning, critical))
}

/// The verdict, and the line after its word.
fn judged(status: &SiteStatus, warning: u32, critical: u32) -> (Verdict, String) {
    let mut all: Vec<(Verdict, String)> = Vec::new();
    for finding in &status.findings {
        let verdict = match finding.severity {
            Severity::Bad => Verdict::Critical,
            Severity::Warning => Verdict::Warning,
        };
        all.push((verdict, finding.fault.what(Language::English)));
    }
    let left = |ends: i64| (ends - status.time).div_euclid(DAY);
    // What has ended is among the faults already.
    let to_come = status.ends.iter().filter(|end| !end.ending.by_itself());
    let to_come = to_come.filter_map(|end| Some((end, end.ends.filter(|ends| *ends >= status.time)?)));
    let mut next = None;
    for (end, ends) in to_come {
        let days = left(ends);
        next = Some(next.map_or(days, |next: i64| next.min(days)));
        let verdict = if days < i64::from(critical) { Verdict::Critical } else { Verdict::Warning };
        all.push((
            verdict,
            format!("{} {} ends in {days} days", end.ending.what(Language::English), end.name),
        ));
    }
    all.sort_by_key(|(verdict, _)| std::cmp::Reverse(*verdict));
    let verdict = all.first().map_or(Verdict::Good, |(verdict, _)| *verdict);
    let mut texts: Vec<String> = all.iter().take(SHOWN).map(|(_, text)| text.clone()).collect();
    if all.len() > SHOWN {
        texts.push(format!("and {} more", all.len() - SHOWN));
    }
    if texts.is_empty() {
        texts.push(format!("nothing is wrong, and nothing ends within {warning} days"));
    }
    // The bar begins the performance data.
    let text = texts.join("; ").replace('|', "/");
    (verdict, format!("{text}|{}", performance(status, next, warning, critical)))
}

/// The performance data: label=value;warning;critical;least;most.
fn performance(status: &SiteStatus, next: Option<i64>, warning: u32, critical: u32) -> String {
    let count = |severity| status.findings.iter().filter(|finding| finding.severity == severity).count();
    let used = |all: Use| format!("{};;;0;{}", all.used, all.limit);
    let refused: i64 = status.refusals.iter().map(|one| one.times).sum();
    let mut text = format!(
        "faults={};;;0 warnings={};;;0 incoming={} outgoing={} refused={refused};;;0",
        count(Severity::Bad),
        count(Severity::Warning),
        used(status.sums.incoming),
        used(status.sums.outgoing),
    );
    if let Some(days) = next {
        let _ = write!(text, " next_end={days};{warning}:;{critical}:");
    }
    text
}

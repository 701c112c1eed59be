//! `os4xapi expiry`: everything that expires, as a table, as JSON, or as a calendar.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::expiry::{self, Listed, calendar};
use crate::language::Language;
use common::text::clock::{self, DAY};

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "expiry",
    changes: false,
    help: HELP,
    options: &[Opt::Value("days"), Opt::Flag("json"), Opt::Flag("ics"), Opt::Output],
    arguments: (0, 0),
    run: |invocation| Box::pin(expiry(invocation)),
}];

const HELP: &str = "\
usage: os4xapi expiry [--days N] [--json|--ics] [-o FILE] [--db DB]

Lists everything that expires, the earliest date first, with what to do: our certificates and their issuers, pins,
trusted certificates, CRLs, licences that were issued, keys of programs, bans, ignored texts, and an old token that
still works.

--days N: only items that expire within N days, or have expired
--json: as JSON
--ics: as a calendar (iCalendar) with a reminder 30 days before; without items for which there is nothing to do
-o FILE: write it to FILE
";

async fn expiry(invocation: Invocation) -> Result<(), CliError> {
    if invocation.flag("json") && invocation.flag("ics") {
        return Err(CliError::Usage("--json and --ics exclude each other".into()));
    }
    let within = invocation.parsed::<u32>("days", "a number of days")?;
    let db = invocation.open().await?;
    let mut all = expiry::ends(&mut *db.snapshot().await?).await?;
    let now = clock::now();
    if let Some(days) = within {
        all.retain(|end| end.ends.is_none_or(|ends| ends <= now + i64::from(days) * DAY));
    }
    let file = invocation.value("o");
    if invocation.flag("ics") {
        return output::write_to(&calendar::of(&all, now), file.as_deref());
    }
    if invocation.flag("json") {
        let listed: Vec<Listed> = all.into_iter().map(|end| Listed::of(end, now)).collect();
        return output::write_to(&output::as_json(&listed)?, file.as_deref());
    }
    let mut table = output::Table::new(&["ENDS", "DAYS", "STATE", "WHAT", "NAME", "WHAT TO DO"]);
    for Listed { end, days, state } in all.into_iter().map(|end| Listed::of(end, now)) {
        table.row(&[
            output::or_dash(end.ends.map(clock::rfc3339)),
            output::or_dash(days),
            state.to_owned(),
            end.ending.what(Language::English),
            end.name,
            end.ending.renewal(Language::English),
        ]);
    }
    output::write_to(&table.text_or("Nothing ends."), file.as_deref())
}

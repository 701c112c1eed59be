//! `os4xapi ignore add|list|remove`: the texts that are not written to the system log, and until when.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, date, output};
use crate::change::ignores::Added;
use crate::change::{self, Act};
use crate::documents::Versions;
use crate::store::ignores::{self, Ignore};
use common::net::Network;
use common::text::clock::{self, DAY};

/// Validity in days without an option.
const DAYS: i64 = 30;
/// Most entries of the list.
const MOST_DAYS: i64 = 3_650;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "ignore add",
        changes: true,
        help: ADD,
        options: &[
            Opt::Value("partner"),
            Opt::Value("address"),
            Opt::Value("reason"),
            Opt::Value("description"),
            Opt::Value("days"),
            Opt::Value("until"),
        ],
        arguments: (0, 1),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "ignore list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "ignore remove",
        changes: true,
        help: REMOVE,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

const ADD: &str = "\
usage: os4xapi ignore add [TEXT] [--partner NAME] [--address IP|NETWORK] [--reason WORD] [--description TEXT]
       [--days N] [--until TIME] [--db DB]

Ignores entries whose words contain TEXT; upper and lower case are the same. They are not written to the system log, and
the event script does not get them. They are written to the API's log at INFO. TEXT has 3 to 200 characters. It is
compared only with the daemons' own words, never with values from a peer: 'os4xapi log' shows them in the column TEXT.
An entry is ignored only if all given conditions are true. TEXT can be left out if --partner, --address or --reason is
given. The command says how many entries of the last 7 days would have been ignored. When its time is over, the entry
of the list is removed.

--partner NAME: only entries about this partner
--address IP|NETWORK: only entries about this address of a partner, such as 203.0.113.9 or 203.0.113.0/24
--reason WORD: only entries with this reason, such as no-certificate; os4x_proxy-log(5) lists the reasons

--description TEXT: why
--days N: validity in days, 1 to 3650 (default 30)
--until TIME: valid until then, UTC: YYYY-MM-DD, the whole of that day, or YYYY-MM-DDTHH:MM:SSZ
";

const LIST: &str = "\
usage: os4xapi ignore list [--json] [--db DB]

Lists the ignored texts.

--json: as JSON
";

const REMOVE: &str = "\
usage: os4xapi ignore remove NUMBER [--yes] [--db DB]

Removes a text from the list. 'os4xapi ignore list' shows its number.

--yes: do not ask; without a terminal the command never asks
";

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let text = invocation.argument(0).trim();
    let (partner, address) = (invocation.value("partner"), network(&invocation)?);
    let reason = invocation.value("reason").filter(|word| !word.is_empty());
    let until = valid_until(&invocation)?;
    let description = invocation.value("description").unwrap_or_default();
    let ignore =
        Ignore { id: 0, description, text: text.to_owned(), partner, address, reason, valid_until: until };
    let db = invocation.open().await?;
    let mut change = Act::begin_unseen(&db, invocation.order()?).await?;
    let Added { id, effect } = change::ignores::add(&mut change, &ignore).await?;
    change.commit().await?;
    output::say(&format!(
        "Ignored as number {id}, until {}. It would have ignored {} of the {} entries of the last 7 days.",
        clock::rfc3339(until),
        effect.hit,
        effect.of
    ))
}

/// The value of `--address` as it is stored.
fn network(invocation: &Invocation) -> Result<Option<String>, CliError> {
    let wanted = "an IP address or a network, such as 203.0.113.9 or 203.0.113.0/24";
    Ok(invocation.parsed::<Network>("address", wanted)?.map(|network| network.to_string()))
}

fn valid_until(invocation: &Invocation) -> Result<i64, CliError> {
    let days = invocation.parsed::<i64>("days", "a number from 1 to 3650")?;
    let now = clock::now();
    match (days, invocation.value("until")) {
        (Some(_), Some(_)) => Err(CliError::Usage("--days and --until exclude each other".into())),
        (_, Some(time)) => date::to_come(&time),
        (days, None) => {
            let days = days.unwrap_or(DAYS);
            if (1..=MOST_DAYS).contains(&days) {
                Ok(now + days * DAY)
            } else {
                Err(wrong("days", &days.to_string(), "a number from 1 to 3650"))
            }
        }
    }
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    let all = ignores::all(&mut snapshot).await?;
    if invocation.flag("json") {
        let versions = Versions::of(&mut snapshot, "ignore").await?;
        let all: Vec<_> = all.into_iter().map(|ignore| versions.with(ignore.id, ignore)).collect();
        return output::json(&all);
    }
    drop(snapshot);
    let mut table =
        output::Table::new(&["NUMBER", "VALID UNTIL", "TEXT", "PARTNER", "ADDRESS", "REASON", "DESCRIPTION"]);
    for ignore in all {
        table.row(&[
            ignore.id.to_string(),
            clock::rfc3339(ignore.valid_until),
            output::or_dash(Some(ignore.text).filter(|text| !text.is_empty())),
            output::or_dash(ignore.partner),
            output::or_dash(ignore.address),
            output::or_dash(ignore.reason),
            ignore.description,
        ]);
    }
    table.print("Nothing is ignored.")
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let which = invocation.argument(0);
    let db = invocation.open().await?;
    invocation.confirm(&format!("stop to ignore number {which}?"))?;
    let mut change = Act::begin_unseen(&db, invocation.order()?).await?;
    let is_removed = match which.parse() {
        Ok(id) => ignores::remove(&mut change, id).await?,
        Err(_) => false,
    };
    if !is_removed {
        return Err(CliError::Refused(format!(
            "nothing is ignored as number '{which}': 'os4xapi ignore list' shows all"
        )));
    }
    change.commit().await?;
    output::say(&format!("Number {which} is not ignored any more."))
}

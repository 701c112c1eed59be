//! `os4xapi ignore add|list|remove`: the texts that the system log leaves out, and until when.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::versions::Versions;
use super::{Command, date, output};
use crate::change::values::IGNORED;
use crate::change::{Act, rules};
use crate::store::ignores::{self, Ignore};
use crate::store::journal;
use common::net::Network;
use common::text::clock::{self, DAY};

/// Days that an entry is valid without an option.
const DAYS: i64 = 30;
/// Most of them.
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
compared only with the daemons' own words, never with what a peer sent: 'os4xapi log' shows them in the column TEXT.
All that is given must fit. TEXT can be left out if --partner, --address or --reason is given. The command says how many
entries of the last 7 days would have been ignored. When its time is over, the entry of the list is removed.

--partner NAME: only entries about this partner
--address IP|NETWORK: only entries about this address of a partner, as 203.0.113.9 or 203.0.113.0/24
--reason WORD: only entries with this reason, as no-certificate; os4x_proxy-log(5) lists the reasons

--description TEXT: why
--days N: valid for so many days, 1 to 3650 (default 30)
--until TIME: valid until then, UTC: YYYY-MM-DD, the whole of that day, or YYYY-MM-DDTHH:MM:SSZ
";

const LIST: &str = "\
usage: os4xapi ignore list [--json] [--db DB]

Lists what is ignored.

--json: as JSON
";

const REMOVE: &str = "\
usage: os4xapi ignore remove NUMBER [--yes] [--db DB]

Removes a text from the list. 'os4xapi ignore list' shows its number.

--yes: do not ask; without a terminal nobody is asked
";

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let text = invocation.argument(0).trim();
    let (partner, address) = (invocation.value("partner"), network(&invocation)?);
    let reason = invocation.value("reason").filter(|word| !word.is_empty());
    let is_narrowed = partner.is_some() || address.is_some() || reason.is_some();
    let is_left_out = text.is_empty() && is_narrowed;
    if !is_left_out && !IGNORED.contains(&text.chars().count()) || text.chars().any(char::is_control) {
        return Err(CliError::Refused(
            "a text to ignore has 3 to 200 characters, none a control character".into(),
        ));
    }
    let until = valid_until(&invocation)?;
    let description = invocation.value("description").unwrap_or_default();
    let ignore =
        Ignore { id: 0, description, text: text.to_owned(), partner, address, reason, valid_until: until };
    let db = invocation.open().await?;
    let mut change = Act::begin_unseen(&db, invocation.order()?).await?;
    // A partner that is not there matches nothing, which is a mistyped one as a rule.
    if let Some(name) = &ignore.partner {
        rules::need_partner(&mut change, name).await?;
    }
    let now = clock::now();
    let recent = journal::entries_since(&mut change, now - 7 * DAY).await?;
    let hit = recent.iter().filter(|entry| ignore.matches(entry, now)).count();
    let id = ignores::add(&mut change, &ignore).await?;
    change.commit().await?;
    output::say(&format!(
        "Ignored as number {id}, until {}. It would have kept out {hit} of the {} entries of the last 7 days.",
        clock::rfc3339(until),
        recent.len()
    ))
}

/// The value of `--address` as it is kept.
fn network(invocation: &Invocation) -> Result<Option<String>, CliError> {
    let wanted = "an IP address or a network, as 203.0.113.9 or 203.0.113.0/24";
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
    invocation.confirm(&format!("ignore number {which} no longer?"))?;
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
    output::say(&format!("Number {which} is ignored no longer."))
}

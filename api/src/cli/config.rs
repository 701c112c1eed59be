//! `os4xapi config get|set|list`: the settings, one row each. `crate::settings` has the table and checks the values.
//! Never shows the token, and never sets it.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::change::settings;
use crate::documents::settings::{self as documents, shown};
use crate::pki::read;
use crate::settings::{SETTINGS, find};
use crate::store::configuration;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "config get",
        changes: false,
        help: GET,
        options: &[],
        arguments: (1, 1),
        run: |invocation| Box::pin(get(invocation)),
    },
    Command {
        words: "config set",
        changes: true,
        help: SET,
        options: &[],
        arguments: (2, 2),
        run: |invocation| Box::pin(set(invocation)),
    },
    Command {
        words: "config list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
];

const GET: &str = "\
usage: os4xapi config get NAME [--db DB]

Prints the value of a setting, its default if it was never set. The password of a proxy is not shown.
";

const SET: &str = "\
usage: os4xapi config set NAME VALUE [--db DB]

Sets a setting. 'os4xapi config list' shows the names; '' clears a setting that may be empty.
The change is in force within 65 seconds.

For a proxy with a password use @FILE: the first line of FILE is the proxy's URL, so no process list shows the password.
";

const LIST: &str = "\
usage: os4xapi config list [--json] [--db DB]

Lists all settings with their values, defaults and meaning.

--json: as JSON
";

async fn get(invocation: Invocation) -> Result<(), CliError> {
    let setting = find(invocation.argument(0))?;
    if setting.is_secret() {
        return Err(CliError::Refused(format!("only 'os4xapi token show' shows {}", setting.name)));
    }
    let db = invocation.open().await?;
    let values = configuration::values(&mut *db.snapshot().await?).await?;
    output::say(&setting.shown(values.text(setting.name)))
}

async fn set(invocation: Invocation) -> Result<(), CliError> {
    let setting = find(invocation.argument(0))?;
    let given = invocation.argument(1);
    let value = match setting.file(given) {
        Some(file) => setting.check(read::password(&file)?.expose())?,
        None => setting.check(given)?,
    };
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let before = setting.shown(configuration::values(&mut change).await?.text(setting.name));
    settings::put(&mut change, &[(setting, value.clone())]).await?;
    change.commit().await?;
    let now = setting.shown(&value);
    output::say(&format!("{} is now {} (before: {})", setting.name, quoted(&now), quoted(&before)))?;
    if let Some(what) = settings::warning(&mut *db.snapshot().await?, setting.name, &value).await? {
        output::warn(&what);
    }
    Ok(())
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    if invocation.flag("json") {
        return output::json(&documents::all(&mut snapshot).await?);
    }
    let values = configuration::values(&mut snapshot).await?;
    drop(snapshot);
    let mut table = output::Table::new(&["NAME", "VALUE", "DEFAULT", "MEANING"]);
    for setting in SETTINGS.iter() {
        let value = shown(setting, &values);
        let default = if value == setting.default { "" } else { quoted(&setting.default) };
        table.row(&[
            setting.name.to_owned(),
            quoted(&value).to_owned(),
            default.to_owned(),
            setting.help.to_owned(),
        ]);
    }
    table.print("There are no settings.")
}

/// A visible form of an empty value.
pub(super) fn quoted(value: &str) -> &str {
    if value.is_empty() { "''" } else { value }
}

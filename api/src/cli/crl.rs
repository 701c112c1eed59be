//! `os4xapi crl add|list|fetch|remove`: certificate revocation lists, the newest of each issuer and scope. Checks the
//! signature if the issuer is trusted here. `crate::crl_fetch` does the downloads.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output, trust};
use crate::change::Act;
use crate::change::crls::{self as crls_change, Brought};
use crate::crl_fetch::{self, Fetched, Round, Taken};
use crate::db::Change;
use crate::error_text::on_one_line;
use crate::pki::facts::CrlFacts;
use crate::pki::read;
use crate::store::configuration;
use crate::store::crl_urls::{self, Noted};
use crate::store::crls::Kept;
use common::config::MAX_CRLS;
use common::text::clock;
use common::text::url::escaped;
use common::x509::times::CLOCK_SKEW;
use serde_json::Value;
use std::path::Path;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "crl add",
        changes: true,
        help: ADD,
        options: &[],
        arguments: (1, usize::MAX),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "crl list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "crl fetch",
        changes: true,
        help: FETCH,
        options: &[],
        arguments: (0, usize::MAX),
        run: |invocation| Box::pin(fetch(invocation)),
    },
    Command {
        words: "crl remove",
        changes: true,
        help: REMOVE,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

const ADD: &str = "\
usage: os4xapi crl add FILE... [--db DB]

Takes the CRLs in the files (PEM, DER or PKCS#7). The newest CRL is kept for each issuer, each key of the issuer, and
each scope. If the issuer is trusted, the CRL must have the issuer's signature.
";

const LIST: &str = "\
usage: os4xapi crl list [--json] [--db DB]

Lists the CRLs, the URLs that they are downloaded from, and the last fault of each download. A CRL is 'current',
'expired', 'not yet valid' or 'unreadable'. While a CRL is 'not yet valid', the previous one is in force. A URL without
a CRL of its own is 'missing': its CRL has not been downloaded; 'double': its CRL also came from another place; or
'by-hand': its CRL cannot be downloaded, so add it with 'crl add'. If a CRL is only for some certificates of the issuer,
FOR says for which: for certificates that name a URL, for CAs only, or for no CAs.

--json: as JSON, with the CRLs in PEM
";

const FETCH: &str = "\
usage: os4xapi crl fetch [URL...] [--db DB]

Downloads the CRLs from all known URLs now. With arguments, it downloads from these URLs, and remembers them. A running
'os4xapi serve' does this by itself. A CRL is accepted if its issuer is known and has signed it. The command fails if a
download fails.
";

const REMOVE: &str = "\
usage: os4xapi crl remove ISSUER|URL [--yes] [--db DB]

Removes the CRLs of an issuer, or a URL that CRLs are downloaded from, named as 'os4xapi crl list' shows it.

--yes: do not ask; without a terminal the command never asks
";

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let mut found = Vec::new();
    for file in invocation.arguments() {
        found.extend(read::crls(Path::new(file))?);
    }
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let Brought { taken, unchecked, unreadable } = crls_change::add(&mut change, &found).await?;
    change.commit().await?;
    for name in unreadable {
        output::warn(&trust::unreadable(&name));
    }
    for issuer in unchecked {
        output::warn(&format!(
            "'{issuer}' is not among the trusted certificates, so the CRL's signature is not checked here."
        ));
    }
    taken
        .iter()
        .try_for_each(|(facts, kept)| output::say(&format!("{}: {}", facts.issuer, outcome(kept, facts))))
}

fn outcome(kept: &Kept, crl: &CrlFacts) -> String {
    let now = clock::now();
    let note = match crl.next_update {
        Some(next) if next < now => "; it is EXPIRED",
        _ if crl.last_update > now + CLOCK_SKEW => {
            "; it is in force from then on, and until then the previous one"
        }
        _ => "",
    };
    match kept {
        Kept::First | Kept::Newer => format!("taken, of {}{note}.", clock::rfc3339(crl.last_update)),
        Kept::Same => format!("exists already, of {}{note}.", clock::rfc3339(crl.last_update)),
        Kept::NoRoom => format!(
            "not stored, all CRLs together would be larger than {} MiB in PEM: remove one with 'os4xapi crl remove'.",
            MAX_CRLS >> 20
        ),
        Kept::Older(newer) => format!("not stored, there is a newer one, of {}.", clock::rfc3339(*newer)),
    }
}

/// Columns of the list for people.
const HEADING: [&str; 9] = ["ISSUER", "NUMBER", "OF", "NEXT", "STATE", "FOR", "REVOKED", "URL", "ERROR"];

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let rows = crate::documents::crls::all(&mut *db.snapshot().await?).await?;
    if invocation.flag("json") {
        return output::json(&rows);
    }
    let mut table = output::Table::new(&HEADING);
    for row in &rows {
        table.row(&cells(row));
    }
    table.print("There is no CRL.")
}

/// The columns of a CRL, or of a URL without one.
fn cells(row: &Value) -> [String; 9] {
    let text = |member: &str| output::or_dash(row[member].as_str());
    let time = |member: &str| output::or_dash(row[member].as_i64().map(clock::rfc3339));
    let has_crl = row["issuer"].is_string();
    let scope = if has_crl && row["scope"].is_null() { "all".to_owned() } else { text("scope") };
    [
        text("issuer"),
        text("number"),
        time("last_update"),
        time("next_update"),
        text("state"),
        scope,
        output::or_dash(row["revoked"].as_u64()),
        text("url"),
        text("error"),
    ]
}

async fn fetch(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let given: Vec<String> = invocation.arguments().iter().map(|url| escaped(url)).collect();
    if let Some(bad) = given.iter().find(|url| !crl_urls::is_fetchable(url)) {
        return Err(CliError::Refused(format!(
            "'{bad}' is not a CRL distribution URL for downloads: it must be http or https, without a user; add a list \
             from another source with 'os4xapi crl add FILE'"
        )));
    }
    let mut connection = db.snapshot().await?;
    let values = configuration::values(&mut connection).await?;
    let mut urls = if given.is_empty() { crl_urls::all(&mut connection).await? } else { given.clone() };
    urls.retain(|url| crl_urls::is_fetchable(url));
    drop(connection);
    if urls.is_empty() {
        return output::say("There is no CRL distribution URL.");
    }
    // The change begins after these downloads, so nobody has to wait for them.
    let (all, mut found) = (urls.len(), Vec::new());
    let mut round = Round::begin(&values, urls)?;
    while let Some(download) = round.next(&db).await? {
        found.push(download);
    }
    let mut change = Act::begin_unseen(&db, invocation.order()?).await?;
    for url in &given {
        note(&mut change, url).await?;
    }
    let mut all_fetched = Vec::new();
    for download in found {
        all_fetched.push(crl_fetch::keep(&mut change, &values, download).await?);
    }
    if all_fetched.iter().any(Fetched::is_news) {
        change.make_seen().await?;
    }
    change.commit().await?;
    let mut good = 0;
    for fetched in all_fetched {
        match fetched.outcome {
            Ok(Taken { crl, kept }) => {
                good += 1;
                output::say(&format!("{}: {}: {}", fetched.url, crl.issuer, outcome(&kept, &crl)))?;
            }
            Err(why) => output::warn(&format!("{}: {}", fetched.url, on_one_line(&why))),
        }
    }
    if good == all {
        return Ok(());
    }
    Err(CliError::Refused(format!("{} of {all} downloads failed", all - good)))
}

/// Stores a URL that the operator names.
async fn note(change: &mut Change, url: &str) -> Result<(), CliError> {
    match crl_urls::note_in(change, url).await? {
        Noted::New | Noted::Known => Ok(()),
        Noted::TooFast | Noted::Full => Err(CliError::Refused(
            "there are too many CRL distribution URLs: remove one with 'os4xapi crl remove', or try again in an hour"
                .into(),
        )),
    }
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let which = invocation.argument(0);
    let db = invocation.open().await?;
    invocation.confirm(&format!("remove the CRLs or the URL '{which}'?"))?;
    let mut change = invocation.act(&db).await?;
    let crl_is_gone = crls_change::remove(&mut change, which).await?;
    change.commit().await?;
    let what = if crl_is_gone { "The CRLs of" } else { "The URL" };
    output::say(&format!("{what} '{which}': removed."))
}

//! Adds an entry to the ignore list, which says what the system log leaves out.

use super::{Act, ChangeError, rules, values};
use crate::store::ignores::{self, Ignore};
use crate::store::journal;
use common::text::clock::{self, DAY};

/// An entry of the ignore list that was added.
pub(crate) struct Added {
    /// The number of the entry.
    pub(crate) id: i64,
    /// How many log entries of the last seven days it matches: the system log would have left them out.
    pub(crate) hit: usize,
    /// How many log entries of the last seven days there are.
    pub(crate) of: usize,
}

/// Adds `ignore` to the ignore list.
pub(crate) async fn add(act: &mut Act, ignore: &Ignore) -> Result<Added, ChangeError> {
    if let Some(why) = values::ignore_fault(ignore) {
        return Err(ChangeError::Refused(why.to_owned()));
    }
    // An entry for a partner that does not exist would match nothing; usually its name was mistyped.
    if let Some(name) = &ignore.partner {
        rules::need_partner(act, name).await?;
    }
    let now = clock::now();
    let recent = journal::entries_since(act, now - 7 * DAY).await?;
    let hit = recent.iter().filter(|entry| ignore.matches(entry, now)).count();
    Ok(Added { id: ignores::add(act, ignore).await?, hit, of: recent.len() })
}

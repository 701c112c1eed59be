//! Adds an entry to the ignore list, which says what the system log leaves out.

use super::{Act, ChangeError, Obstacle, rules, values};
use crate::db::DbError;
use crate::store::ignores::{self, Ignore};
use crate::store::journal;
use common::text::clock::{self, DAY};
use sqlx::AnyConnection;

/// An entry of the ignore list that was added.
pub(crate) struct Added {
    /// The number of the entry.
    pub(crate) id: i64,
    pub(crate) effect: Effect,
}

/// What an entry of the ignore list would have done in the last seven days.
pub(crate) struct Effect {
    /// How many log entries it matches: the system log would have left them out.
    pub(crate) hit: usize,
    /// How many log entries there are.
    pub(crate) of: usize,
}

/// What `ignore` would have done.
pub(crate) async fn effect(connection: &mut AnyConnection, ignore: &Ignore) -> Result<Effect, DbError> {
    let now = clock::now();
    let recent = journal::entries_since(connection, now - 7 * DAY).await?;
    let hit = recent.iter().filter(|entry| ignore.matches(entry, now)).count();
    Ok(Effect { hit, of: recent.len() })
}

/// Adds `ignore` to the ignore list.
pub(crate) async fn add(act: &mut Act, ignore: &Ignore) -> Result<Added, ChangeError> {
    if values::is_too_wide(ignore) {
        return Err(Obstacle::IgnoredText.into());
    }
    // An entry for a partner that does not exist would match nothing; usually its name was mistyped.
    if let Some(name) = &ignore.partner {
        rules::need_partner(act, name).await?;
    }
    let effect = effect(act, ignore).await?;
    Ok(Added { id: ignores::add(act, ignore).await?, effect })
}

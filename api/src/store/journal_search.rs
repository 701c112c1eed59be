//! Searches in the system log, a page at a time, the newest entry first. Only reads.

use super::journal::{COLUMNS, entry};
use crate::db::{Conditions, DbError};
use common::rpc::SystemLog;
use sqlx::{AnyConnection, Row};

/// The search; empty values match everything.
#[derive(Debug, Default)]
pub(crate) struct Search<'a> {
    pub(crate) level: &'a str,
    pub(crate) origin: &'a str,
    /// Short name.
    pub(crate) partner: &'a str,
    /// Part of the text or the detail.
    pub(crate) text: &'a str,
    /// Of this session.
    pub(crate) session: &'a str,
    /// Received since then, and until then.
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
    /// After the entry of this number.
    pub(crate) behind: Option<i64>,
}

/// The newest `limit` entries that match, the newest first, each with its number.
pub(crate) async fn search(
    connection: &mut AnyConnection,
    search: &Search<'_>,
    limit: u32,
) -> Result<Vec<(i64, SystemLog)>, DbError> {
    let mut all = Conditions::default();
    all.text_if("level = ?", search.level);
    all.text_if("origin = ?", search.origin);
    all.text_if("partner = ?", search.partner);
    all.containing_if("(LOWER(text) LIKE ? ESCAPE '@' OR LOWER(detail) LIKE ? ESCAPE '@')", search.text);
    all.text_if("session = ?", search.session);
    all.number_if("received >= ?", search.since);
    all.number_if("received <= ?", search.until);
    all.number_if("id < ?", search.behind);
    let select = format!("SELECT id, {COLUMNS} FROM os4x_system_log");
    let rows = all.statement(&select, "id DESC", limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, entry(row)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Search, search};
    use crate::db::scratch::{Scratch, run};
    use crate::store::journal::add_entry;
    use common::rpc::{Level, Origin, SystemLog};

    #[test]
    fn what_is_looked_for_is_found_the_newest_first() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            for (level, text) in [(Level::Warn, "one"), (Level::Error, "two"), (Level::Warn, "Three_3")] {
                let entry = SystemLog::new(Origin::Server, level, text, "detail");
                add_entry(&mut connection, &entry).await.unwrap();
            }
            for (what, texts) in [
                (Search::default(), &["Three_3", "two"][..]),
                (Search { level: "WARN", ..Search::default() }, &["Three_3", "one"]),
                (Search { text: "e_3", ..Search::default() }, &["Three_3"]),
                (Search { text: "DETAIL", behind: Some(2), ..Search::default() }, &["one"]),
                (Search { origin: "client", ..Search::default() }, &[]),
                (Search { until: Some(1), ..Search::default() }, &[]),
            ] {
                let found = search(&mut connection, &what, 2).await.unwrap();
                let found: Vec<&str> = found.iter().map(|(_, entry)| entry.text.as_str()).collect();
                assert_eq!(found, texts, "{what:?}");
            }
        });
    }
}

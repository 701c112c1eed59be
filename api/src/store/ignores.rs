//! The ignore list: entries that an operator wants to leave out of the system log for a while: texts, and in addition
//! or instead a partner, addresses, a reason. A text is compared only with the daemons' own words, never with values of
//! peers: so a peer cannot hide an entry.

use crate::db::{self, Change, DbError};
use common::net::Network;
use common::rpc::SystemLog;
use common::text::clock;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// Its columns.
const COLUMNS: &str = "id, description, text, valid_until, partner, networks, reason";

/// An entry of the list. An empty value matches everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ignore {
    /// Its number.
    pub(crate) id: i64,
    /// The reason for it.
    pub(crate) description: String,
    /// Text in an ignored entry, in upper or lower case.
    pub(crate) text: String,
    /// Short name of the partner.
    pub(crate) partner: Option<String>,
    /// The partner's address, or its network.
    pub(crate) address: Option<String>,
    /// The reason of a session line.
    pub(crate) reason: Option<String>,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) valid_until: i64,
}

impl Ignore {
    fn of(row: &AnyRow) -> Result<Self, DbError> {
        Ok(Self {
            id: row.try_get("id")?,
            description: row.try_get("description")?,
            text: row.try_get("text")?,
            partner: row.try_get("partner")?,
            address: row.try_get("networks")?,
            reason: row.try_get("reason")?,
            valid_until: row.try_get("valid_until")?,
        })
    }

    /// Whether it is in force now and matches this entry.
    pub(crate) fn matches(&self, entry: &SystemLog, now: i64) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let is_there = self.address.as_ref().is_none_or(|network| {
            let network = network.parse::<Network>();
            network.is_ok_and(|network| entry.address.is_some_and(|address| network.contains(address)))
        });
        now <= self.valid_until
            && is_there
            && is(&self.partner, entry.partner.as_deref().unwrap_or_default())
            && is(&self.reason, &entry.about.reason)
            && entry.text.to_lowercase().contains(&self.text.to_lowercase())
    }
}

/// Adds an entry; gives its number.
pub(crate) async fn add(connection: &mut AnyConnection, ignore: &Ignore) -> Result<i64, DbError> {
    let row = db::query(
        "INSERT INTO os4x_ignored_messages (description, text, valid_until, partner, networks, reason) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
    )
    .bind(&ignore.description)
    .bind(&ignore.text)
    .bind(ignore.valid_until)
    .bind(ignore.partner.clone())
    .bind(ignore.address.clone())
    .bind(ignore.reason.clone())
    .fetch_one(connection)
    .await?;
    Ok(row.try_get(0)?)
}

/// Stores an entry again under the number that it had.
pub(crate) async fn put(connection: &mut AnyConnection, ignore: &Ignore) -> Result<(), DbError> {
    let id = add(connection, ignore).await?;
    let number = db::query("UPDATE os4x_ignored_messages SET id = $1 WHERE id = $2").bind(ignore.id).bind(id);
    number.execute(connection).await?;
    Ok(())
}

/// All entries, also expired ones that were not removed yet.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Ignore>, DbError> {
    db::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM os4x_ignored_messages ORDER BY id")))
        .fetch_all(connection)
        .await?
        .iter()
        .map(Ignore::of)
        .collect()
}

/// Removes an entry; false if there is none.
pub(crate) async fn remove(connection: &mut AnyConnection, id: i64) -> Result<bool, DbError> {
    let done =
        db::query("DELETE FROM os4x_ignored_messages WHERE id = $1").bind(id).execute(connection).await?;
    Ok(done.rows_affected() > 0)
}

/// The first entry of the list that ignores this entry of the system log.
pub(crate) async fn matching(
    connection: &mut AnyConnection,
    entry: &SystemLog,
) -> Result<Option<Ignore>, DbError> {
    let now = clock::now();
    Ok(all(connection).await?.into_iter().find(|ignore| ignore.matches(entry, now)))
}

/// Whether an entry has expired.
pub(crate) async fn is_any_over(connection: &mut AnyConnection) -> Result<bool, DbError> {
    let over = db::query("SELECT id FROM os4x_ignored_messages WHERE valid_until < $1 LIMIT 1");
    Ok(over.bind(clock::now()).fetch_optional(connection).await?.is_some())
}

/// Removes the expired entries; gives them, oldest first.
pub(crate) async fn expire(change: &mut Change) -> Result<Vec<Ignore>, DbError> {
    let rows = db::query(AssertSqlSafe(format!(
        "DELETE FROM os4x_ignored_messages WHERE valid_until < $1 RETURNING {COLUMNS}"
    )))
    .bind(clock::now())
    .fetch_all(&mut **change)
    .await?;
    let mut gone = rows.iter().map(Ignore::of).collect::<Result<Vec<_>, _>>()?;
    gone.sort_by_key(|ignore| ignore.id);
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::{Ignore, add, all, expire, is_any_over, matching, remove};
    use crate::db::scratch::{Scratch, run};
    use common::rpc::{About, Level, Origin, SystemLog};
    use common::text::clock;

    fn entry(text: &str) -> SystemLog {
        SystemLog::new(Origin::Server, Level::Error, text, "")
    }

    fn ignore(text: &str, seconds: i64) -> Ignore {
        Ignore { text: text.to_owned(), valid_until: clock::now() + seconds, ..Ignore::default() }
    }

    #[test]
    fn words_are_compared_by_containment_and_without_case() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.change().await.unwrap();
            let first = add(&mut connection, &ignore("Station Ist Über", 60)).await.unwrap();
            let over = Ignore { description: "over".to_owned(), ..ignore("crl", -1) };
            add(&mut connection, &over).await.unwrap();
            for (words, ignored) in
                [("the STATION IST ÜBERLASTET", true), ("the station", false), ("", false), ("a CRL", false)]
            {
                let found = matching(&mut connection, &entry(words)).await.unwrap();
                assert_eq!(found.is_some(), ignored, "{words}");
            }
            assert!(is_any_over(&mut connection).await.unwrap());
            let gone = expire(&mut connection).await.unwrap();
            assert_eq!((gone.len(), gone[0].description.as_str()), (1, "over"));
            assert!(!is_any_over(&mut connection).await.unwrap());
            assert!(remove(&mut connection, first).await.unwrap());
            assert!(!remove(&mut connection, first).await.unwrap());
            assert!(all(&mut connection).await.unwrap().is_empty());
        });
    }

    #[test]
    fn everything_that_is_named_must_fit() {
        let about = About { reason: "no-certificate".to_owned(), ..About::default() };
        let address = Some([203, 0, 113, 9].into());
        let entry = SystemLog { address, partner: Some("ACME".to_owned()), about, ..entry("refused") };
        let some = |text: &str| Some(text.to_owned());
        for (partner, network, reason, fits) in [
            (None, None, None, true),
            (some("ACME"), some("203.0.113.0/24"), some("no-certificate"), true),
            (some("OTHER"), some("203.0.113.0/24"), some("no-certificate"), false),
            (some("ACME"), some("203.0.114.0/24"), some("no-certificate"), false),
            (some("ACME"), some("203.0.113.9"), some("no"), false),
            (None, some("203.0.113.9"), None, true),
        ] {
            let list = Ignore { partner, address: network, reason, ..ignore("", 60) };
            assert_eq!(list.matches(&entry, clock::now()), fits, "{list:?}");
        }
    }
}

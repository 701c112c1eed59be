//! The ignore list: texts of system log entries that an operator wants to leave out for a while. A text is compared
//! only with the daemons' own words, never with values of peers: a peer cannot hide behind an ignored text.

use crate::db::{Db, DbError};
use common::text::clock;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// An entry of the list.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ignore {
    /// Its number.
    pub(crate) id: i64,
    /// Why it is there.
    pub(crate) description: String,
    /// What an ignored text contains, in whatever case.
    pub(crate) text: String,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) valid_until: i64,
}

impl Ignore {
    fn of(row: &AnyRow) -> Result<Self, DbError> {
        Ok(Self {
            id: row.try_get("id")?,
            description: row.try_get("description")?,
            text: row.try_get("text")?,
            valid_until: row.try_get("valid_until")?,
        })
    }

    fn matches(&self, words: &str, now: i64) -> bool {
        now <= self.valid_until && words.to_lowercase().contains(&self.text.to_lowercase())
    }
}

/// Adds an entry; gives its number.
pub(crate) async fn add(
    connection: &mut AnyConnection,
    description: &str,
    text: &str,
    valid_until: i64,
) -> Result<i64, DbError> {
    let row = sqlx::query(
        "INSERT INTO os4x_ignored_messages (description, text, valid_until) VALUES ($1, $2, $3) RETURNING id",
    )
    .bind(description)
    .bind(text)
    .bind(valid_until)
    .fetch_one(connection)
    .await?;
    Ok(row.try_get(0)?)
}

/// All entries, the expired ones that are still there included.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Ignore>, DbError> {
    sqlx::query("SELECT id, description, text, valid_until FROM os4x_ignored_messages ORDER BY id")
        .fetch_all(connection)
        .await?
        .iter()
        .map(Ignore::of)
        .collect()
}

/// Removes an entry; false if there is none.
pub(crate) async fn remove(connection: &mut AnyConnection, id: i64) -> Result<bool, DbError> {
    let done =
        sqlx::query("DELETE FROM os4x_ignored_messages WHERE id = $1").bind(id).execute(connection).await?;
    Ok(done.rows_affected() > 0)
}

/// The first entry that ignores these words.
pub(crate) async fn matching(connection: &mut AnyConnection, words: &str) -> Result<Option<Ignore>, DbError> {
    let now = clock::now();
    Ok(all(connection).await?.into_iter().find(|ignore| ignore.matches(words, now)))
}

/// Removes the entries whose time is over; gives them, oldest first.
pub(crate) async fn expire(db: &Db) -> Result<Vec<Ignore>, DbError> {
    let mut connection = db.connection().await?;
    let rows = sqlx::query(
        "DELETE FROM os4x_ignored_messages WHERE valid_until < $1 RETURNING id, description, text, valid_until",
    )
    .bind(clock::now())
    .fetch_all(&mut *connection)
    .await?;
    let mut gone = rows.iter().map(Ignore::of).collect::<Result<Vec<_>, _>>()?;
    gone.sort_by_key(|ignore| ignore.id);
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::{add, all, expire, matching, remove};
    use crate::db::scratch::{Scratch, run};
    use common::text::clock;

    #[test]
    fn words_are_compared_by_containment_and_without_case() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.connection().await.unwrap();
            let until = clock::now() + 60;
            let first = add(&mut connection, "maintenance", "Station Ist Über", until).await.unwrap();
            add(&mut connection, "over", "crl", clock::now() - 1).await.unwrap();
            for (words, ignored) in
                [("the STATION IST ÜBERLASTET", true), ("the station", false), ("", false), ("a CRL", false)]
            {
                assert_eq!(matching(&mut connection, words).await.unwrap().is_some(), ignored, "{words}");
            }
            let gone = expire(&db).await.unwrap();
            assert_eq!((gone.len(), gone[0].description.as_str()), (1, "over"));
            assert!(expire(&db).await.unwrap().is_empty());
            assert!(remove(&mut connection, first).await.unwrap());
            assert!(!remove(&mut connection, first).await.unwrap());
            assert!(all(&mut connection).await.unwrap().is_empty());
        });
    }
}

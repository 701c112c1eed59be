//! The reports of the daemons: the system log, the callers, and how long all reports are kept (`sessions` has the
//! sessions). The API appends, `log` reads, the time slice removes. The daemons see none of it, so the generation does
//! not change. Texts have limits, because a hostile DMZ host writes here.

use super::hours;
use crate::db::{self, DbError};
use crate::store::partners::{of_word, word};
use common::rpc::{About, Level, Origin, SystemLog};
use common::text::clock;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// Longest text of a report that is kept, characters.
const LONGEST: usize = 8_192;

/// The columns of an entry.
pub(super) const COLUMNS: &str =
    "time, level, origin, host, pid, address, partner, text, detail, event, reason, session, ssid, subject";

/// Appends a system log entry.
pub(crate) async fn add_entry(connection: &mut AnyConnection, entry: &SystemLog) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_system_log (time, received, level, origin, host, pid, address, partner, text, detail, event, \
         reason, session, ssid, subject) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(seconds(entry.time))
    .bind(clock::now())
    .bind(word(&entry.level))
    .bind(word(&entry.origin))
    .bind(clean(&entry.host))
    .bind(i64::from(entry.pid))
    .bind(entry.address.map(|address| address.to_string()))
    .bind(entry.partner.as_deref().map(clean))
    .bind(clean(&entry.text))
    .bind(clean(&entry.detail))
    .bind(clean(&entry.about.event))
    .bind(clean(&entry.about.reason))
    .bind(clean(&entry.about.session))
    .bind(clean(&entry.about.ssid))
    .bind(clean(&entry.about.subject))
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest `limit` entries, oldest first.
pub(crate) async fn entries(connection: &mut AnyConnection, limit: u32) -> Result<Vec<SystemLog>, DbError> {
    let rows =
        db::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM os4x_system_log ORDER BY id DESC LIMIT $1")));
    let rows = rows.bind(i64::from(limit)).fetch_all(connection).await?;
    rows.iter().rev().map(entry).collect()
}

/// All entries since `time`, oldest first.
pub(crate) async fn entries_since(
    connection: &mut AnyConnection,
    time: i64,
) -> Result<Vec<SystemLog>, DbError> {
    let rows = db::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM os4x_system_log WHERE received >= $1 ORDER BY id"
    )));
    rows.bind(time).fetch_all(connection).await?.iter().map(entry).collect()
}

/// The levels of the other daemon's reports about a session.
pub(crate) async fn levels_of_session(
    connection: &mut AnyConnection,
    session: &str,
    other_than: Origin,
) -> Result<Vec<Level>, DbError> {
    let rows = db::query("SELECT level FROM os4x_system_log WHERE session = $1 AND origin <> $2");
    let rows = rows.bind(clean(session)).bind(word(&other_than)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(of_word(row.try_get(0)?).unwrap_or(Level::Error))).collect()
}

pub(super) fn entry(row: &AnyRow) -> Result<SystemLog, DbError> {
    let known = |name: &str| Ok::<_, DbError>(row.try_get::<Option<String>, _>(name)?.unwrap_or_default());
    Ok(SystemLog {
        time: row.try_get::<i64, _>("time")?.try_into().unwrap_or_default(),
        level: of_word(row.try_get("level")?).unwrap_or(Level::Error),
        origin: of_word(row.try_get("origin")?).unwrap_or(Origin::Client),
        host: row.try_get("host")?,
        pid: row.try_get::<i64, _>("pid")?.try_into().unwrap_or_default(),
        address: row.try_get::<Option<String>, _>("address")?.and_then(|text| text.parse().ok()),
        partner: row.try_get("partner")?,
        text: row.try_get("text")?,
        detail: row.try_get("detail")?,
        about: About {
            event: known("event")?,
            reason: known("reason")?,
            session: known("session")?,
            ssid: known("ssid")?,
            subject: known("subject")?,
        },
    })
}

/// Notes the call of a client with the right token.
pub(crate) async fn seen(connection: &mut AnyConnection, client: &str) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_clients_seen (address, seen) VALUES ($1, $2) \
         ON CONFLICT (address) DO UPDATE SET seen = excluded.seen",
    )
    .bind(client)
    .bind(clock::now())
    .execute(connection)
    .await?;
    Ok(())
}

/// The addresses of the clients that have called since `time`, the last caller first.
pub(crate) async fn callers(connection: &mut AnyConnection, time: i64) -> Result<Vec<String>, DbError> {
    let rows =
        db::query("SELECT address FROM os4x_clients_seen WHERE seen >= $1 ORDER BY seen DESC, address");
    let rows = rows.bind(time).fetch_all(connection).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, sqlx::Error>>()?)
}

/// The client that has called last, and when; none: no client has called.
pub(crate) async fn last_call(connection: &mut AnyConnection) -> Result<Option<(String, i64)>, DbError> {
    let row = db::query("SELECT address, seen FROM os4x_clients_seen ORDER BY seen DESC, address LIMIT 1");
    let row = row.fetch_optional(connection).await?;
    Ok(row.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?))).transpose()?)
}

/// The clients that have called since `time`, and when each has done so last.
pub(crate) async fn calls(connection: &mut AnyConnection, time: i64) -> Result<Vec<(String, i64)>, DbError> {
    let rows = db::query("SELECT address, seen FROM os4x_clients_seen WHERE seen >= $1 ORDER BY address");
    let rows = rows.bind(time).fetch_all(connection).await?;
    Ok(rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, sqlx::Error>>()?)
}

/// Removes reports that are older than `days`, also sessions that never ended and daemons that do not call any more.
/// Gives the number of rows.
pub(crate) async fn forget(connection: &mut AnyConnection, days: u32) -> Result<u64, DbError> {
    let before = clock::now() - i64::from(days) * clock::DAY;
    let entries = db::query("DELETE FROM os4x_system_log WHERE received < $1")
        .bind(before)
        .execute(&mut *connection)
        .await?;
    let mut gone = entries.rows_affected();
    for table in ["os4x_sessions", "os4x_refusals", "os4x_states"] {
        let old = AssertSqlSafe(format!("DELETE FROM {table} WHERE received < $1"));
        gone += db::query(old).bind(before).execute(&mut *connection).await?.rows_affected();
    }
    hours::forget(connection, before).await?;
    Ok(gone)
}

/// Keeps the newest `rows` of each kind, so that a hostile DMZ host cannot fill the disk with reports. Gives the
/// number of removed rows.
pub(crate) async fn trim(connection: &mut AnyConnection, rows: u32) -> Result<u64, DbError> {
    let entries =
        db::query("DELETE FROM os4x_system_log WHERE id <= (SELECT MAX(id) FROM os4x_system_log) - $1")
            .bind(i64::from(rows))
            .execute(&mut *connection)
            .await?;
    let mut gone = entries.rows_affected();
    for table in ["os4x_sessions", "os4x_refusals"] {
        let surplus = AssertSqlSafe(format!(
            "DELETE FROM {table} WHERE received <= \
             (SELECT received FROM {table} ORDER BY received DESC LIMIT 1 OFFSET $1)"
        ));
        gone += db::query(surplus).bind(i64::from(rows)).execute(&mut *connection).await?.rows_affected();
    }
    Ok(gone)
}

/// Counters and times in the types of the database.
pub(super) fn seconds(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Text without NUL, which PostgreSQL refuses, and of limited length.
pub(super) fn clean(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_is_kept_has_no_nul_and_a_bounded_length() {
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
        assert_eq!(clean(&"x".repeat(1 << 20)).len(), super::LONGEST);
    }
}

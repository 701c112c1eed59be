//! What the daemons report: system log and session list. Appended by the API, read by `log` and
//! `sessions`, trimmed by the time slice; changes nothing that the daemons see, so the
//! generation stands still. Texts are bounded: a DMZ host that was taken over writes here.

use crate::clock;
use crate::db::DbError;
use crate::store::partners::{of_word, word};
use common::rpc::{Origin, SessionEvent, SystemLog};
use serde::Serialize;
use sqlx::{AnyConnection, Row};

/// A session without an end counts as orphaned when its client has been silent for this long, seconds: three of the
/// 60-second intervals at which a client asks for the configuration.
pub(crate) const ORPHANED_AFTER: i64 = 180;

/// Longest text of a report that is kept, characters.
const LONGEST: usize = 8_192;

/// Appends a system log entry.
pub(crate) async fn add_entry(connection: &mut AnyConnection, entry: &SystemLog) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO os4x_system_log (time, received, level, origin, host, pid, address, partner, text, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(seconds(entry.time))
    .bind(clock::now())
    .bind(clean(&entry.level))
    .bind(word(&entry.origin))
    .bind(clean(&entry.host))
    .bind(i64::from(entry.pid))
    .bind(entry.address.as_deref().map(clean))
    .bind(entry.partner.as_deref().map(clean))
    .bind(clean(&entry.text))
    .bind(clean(&entry.detail))
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest `limit` entries, oldest first.
pub(crate) async fn entries(connection: &mut AnyConnection, limit: u32) -> Result<Vec<SystemLog>, DbError> {
    let rows = sqlx::query(
        "SELECT time, level, origin, host, pid, address, partner, text, detail FROM os4x_system_log \
         ORDER BY id DESC LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .rev()
        .map(|row| {
            Ok(SystemLog {
                time: row.try_get::<i64, _>("time")?.try_into().unwrap_or_default(),
                level: row.try_get("level")?,
                origin: of_word(row.try_get("origin")?).unwrap_or(Origin::Client),
                host: row.try_get("host")?,
                pid: row.try_get::<i64, _>("pid")?.try_into().unwrap_or_default(),
                address: row.try_get("address")?,
                partner: row.try_get("partner")?,
                text: row.try_get("text")?,
                detail: row.try_get("detail")?,
            })
        })
        .collect()
}

/// Notes what `client` reports of its sessions. Both daemons may report the same thing; the first report of it counts.
pub(crate) async fn add_event(
    connection: &mut AnyConnection,
    client: &str,
    event: &SessionEvent,
) -> Result<(), DbError> {
    let query = match event {
        SessionEvent::Begin { session, direction, pid, time, address, partner, ssid, subject } => sqlx::query(
            "INSERT INTO os4x_sessions \
             (session, client, received, direction, pid, began, address, partner, ssid, subject) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (session) DO UPDATE SET \
             direction = excluded.direction, pid = excluded.pid, began = excluded.began, \
             address = excluded.address, partner = excluded.partner, ssid = excluded.ssid, \
             subject = excluded.subject WHERE os4x_sessions.began IS NULL",
        )
        .bind(clean(session))
        .bind(client.to_owned())
        .bind(clock::now())
        .bind(clean(direction))
        .bind(i64::from(*pid))
        .bind(seconds(*time))
        .bind(clean(address))
        .bind(clean(partner))
        .bind(clean(ssid))
        .bind(clean(subject)),
        SessionEvent::End { session, time, octets_in, octets_out, files, reason } => sqlx::query(
            "INSERT INTO os4x_sessions (session, client, received, ended, octets_in, octets_out, files, reason) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (session) DO UPDATE SET \
             ended = excluded.ended, octets_in = excluded.octets_in, octets_out = excluded.octets_out, \
             files = excluded.files, reason = excluded.reason WHERE os4x_sessions.ended IS NULL",
        )
        .bind(clean(session))
        .bind(client.to_owned())
        .bind(clock::now())
        .bind(seconds(*time))
        .bind(seconds(*octets_in))
        .bind(seconds(*octets_out))
        .bind(i64::from(*files))
        .bind(clean(reason)),
    };
    query.execute(connection).await?;
    Ok(())
}

/// One line of the session list.
#[derive(Debug, Serialize)]
pub(crate) struct Session {
    #[serde(rename = "session")]
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) state: &'static str,
    pub(crate) direction: Option<String>,
    pub(crate) pid: Option<i64>,
    pub(crate) began: Option<i64>,
    pub(crate) ended: Option<i64>,
    pub(crate) address: Option<String>,
    pub(crate) partner: Option<String>,
    pub(crate) ssid: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) octets_in: Option<i64>,
    pub(crate) octets_out: Option<i64>,
    pub(crate) files: Option<i64>,
    pub(crate) reason: Option<String>,
}

/// The newest `limit` sessions, oldest first.
pub(crate) async fn sessions(connection: &mut AnyConnection, limit: u32) -> Result<Vec<Session>, DbError> {
    let rows = sqlx::query(
        "SELECT s.session, s.client, s.direction, s.pid, s.began, s.ended, s.address, s.partner, s.ssid, s.subject, \
         s.octets_in, s.octets_out, s.files, s.reason, c.seen FROM os4x_sessions s \
         LEFT JOIN os4x_clients_seen c ON c.address = s.client ORDER BY s.received DESC, s.session LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    let alive = clock::now() - ORPHANED_AFTER;
    rows.iter()
        .rev()
        .map(|row| {
            let ended: Option<i64> = row.try_get("ended")?;
            let seen: Option<i64> = row.try_get("seen")?;
            let state = match (ended, seen) {
                (Some(_), _) => "ended",
                (None, Some(seen)) if seen >= alive => "running",
                (None, _) => "orphaned",
            };
            Ok(Session {
                id: row.try_get("session")?,
                client: row.try_get("client")?,
                state,
                direction: row.try_get("direction")?,
                pid: row.try_get("pid")?,
                began: row.try_get("began")?,
                ended,
                address: row.try_get("address")?,
                partner: row.try_get("partner")?,
                ssid: row.try_get("ssid")?,
                subject: row.try_get("subject")?,
                octets_in: row.try_get("octets_in")?,
                octets_out: row.try_get("octets_out")?,
                files: row.try_get("files")?,
                reason: row.try_get("reason")?,
            })
        })
        .collect()
}

/// Notes that a client with the right token called.
pub(crate) async fn seen(connection: &mut AnyConnection, client: &str) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO os4x_clients_seen (address, seen) VALUES ($1, $2) \
         ON CONFLICT (address) DO UPDATE SET seen = excluded.seen",
    )
    .bind(client)
    .bind(clock::now())
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what was reported more than `days` ago, sessions that never ended included. Gives the number of rows.
pub(crate) async fn forget(connection: &mut AnyConnection, days: u32) -> Result<u64, DbError> {
    let before = clock::now() - i64::from(days) * clock::DAY;
    let entries = sqlx::query("DELETE FROM os4x_system_log WHERE received < $1")
        .bind(before)
        .execute(&mut *connection)
        .await?;
    let sessions =
        sqlx::query("DELETE FROM os4x_sessions WHERE received < $1").bind(before).execute(connection).await?;
    Ok(entries.rows_affected() + sessions.rows_affected())
}

/// Keeps the newest `rows` of both kinds: whoever took a DMZ host over cannot fill the disk with reports. Gives the number
/// of rows that went.
pub(crate) async fn trim(connection: &mut AnyConnection, rows: u32) -> Result<u64, DbError> {
    let entries =
        sqlx::query("DELETE FROM os4x_system_log WHERE id <= (SELECT MAX(id) FROM os4x_system_log) - $1")
            .bind(i64::from(rows))
            .execute(&mut *connection)
            .await?;
    let sessions = sqlx::query(
        "DELETE FROM os4x_sessions WHERE received <= \
         (SELECT received FROM os4x_sessions ORDER BY received DESC LIMIT 1 OFFSET $1)",
    )
    .bind(i64::from(rows))
    .execute(connection)
    .await?;
    Ok(entries.rows_affected() + sessions.rows_affected())
}

/// Counters and times as the database keeps them.
fn seconds(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Text without NUL, which PostgreSQL refuses, and of bounded length.
fn clean(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{ORPHANED_AFTER, add_event, clean, forget, seen, sessions, trim};
    use crate::clock;
    use crate::db::scratch::{Scratch, run};
    use common::rpc::SessionEvent;
    use sqlx::AnyConnection;

    async fn begin(connection: &mut AnyConnection, session: &str) {
        let event = SessionEvent::Begin {
            session: session.to_owned(),
            direction: "incoming".to_owned(),
            pid: 1,
            time: 1,
            address: String::new(),
            partner: String::new(),
            ssid: String::new(),
            subject: String::new(),
        };
        add_event(connection, "192.0.2.1", &event).await.unwrap();
    }

    async fn states(connection: &mut AnyConnection) -> Vec<(String, &'static str)> {
        sessions(connection, 10).await.unwrap().into_iter().map(|one| (one.id, one.state)).collect()
    }

    #[test]
    fn a_session_is_orphaned_when_its_client_is_silent() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.connection().await.unwrap();
            seen(&mut connection, "192.0.2.1").await.unwrap();
            begin(&mut connection, "one").await;
            assert_eq!(states(&mut connection).await, [("one".to_owned(), "running")]);
            let silent = sqlx::query("UPDATE os4x_clients_seen SET seen = $1");
            silent.bind(clock::now() - ORPHANED_AFTER - 1).execute(&mut *connection).await.unwrap();
            assert_eq!(states(&mut connection).await, [("one".to_owned(), "orphaned")]);
            seen(&mut connection, "192.0.2.1").await.unwrap();
            assert_eq!(states(&mut connection).await, [("one".to_owned(), "running")]);
        });
    }

    #[test]
    fn reports_go_when_they_are_old_or_too_many() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.connection().await.unwrap();
            for (session, age) in [("old", 100), ("middle", 50), ("new", 10)] {
                begin(&mut connection, session).await;
                sqlx::query("UPDATE os4x_sessions SET received = $1 WHERE session = $2")
                    .bind(clock::now() - age * clock::DAY)
                    .bind(session)
                    .execute(&mut *connection)
                    .await
                    .unwrap();
            }
            assert_eq!(trim(&mut connection, 3).await.unwrap(), 0);
            assert_eq!(forget(&mut connection, 90).await.unwrap(), 1);
            assert_eq!(trim(&mut connection, 2).await.unwrap(), 0);
            assert_eq!(trim(&mut connection, 1).await.unwrap(), 1);
            assert_eq!(states(&mut connection).await, [("new".to_owned(), "orphaned")]);
        });
    }

    #[test]
    fn what_is_kept_has_no_nul_and_a_bounded_length() {
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
        assert_eq!(clean(&"x".repeat(1 << 20)).len(), super::LONGEST);
    }
}

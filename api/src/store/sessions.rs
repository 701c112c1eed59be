//! The session list: partner, times, certificate, files and end of each session. The API writes it from the daemons'
//! reports, `sessions` reads it; `journal` removes old ones.

use super::deviations;
use super::journal::{clean, seconds};
use super::{hours, shown_certificates, totals};
use crate::db::{self, DbError};
use crate::store::partners::{of_word, word};
use common::identity::ProxyId;
use common::net::Network;
use common::rpc::{MAX_TRANSFERS, SessionBegin, SessionEnd, SessionEvent, Transfer, TransferResult};
use common::state::CurrentFile;
use common::text::clock;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

/// A session without an end counts as orphaned when its client has been silent for this long, seconds: three of the
/// 60-second intervals at which a client asks for the configuration.
pub(crate) const ORPHANED_AFTER: i64 = 180;

/// Longest name of a file that is kept, characters: 26 octets, each escaped. There are many names.
const LONGEST_NAME: usize = 26 * 4;

/// A client: its address, and what distinguishes it from others behind that address.
type Client<'a> = (&'a str, &'a str);

/// Stores what `client` reports about its sessions. Both daemons may report the same event; the first report counts.
pub(crate) async fn add(
    connection: &mut AnyConnection,
    client: Client<'_>,
    event: &SessionEvent,
) -> Result<(), DbError> {
    match event {
        SessionEvent::Begin(begin) => {
            add_begin(connection, client, begin).await?;
            shown_certificates::note(connection, begin).await
        }
        SessionEvent::End(end) => add_end(connection, client, end).await,
    }
}

async fn add_begin(
    connection: &mut AnyConnection,
    (client, caller): Client<'_>,
    begin: &SessionBegin,
) -> Result<(), DbError> {
    let written = db::query(
        "INSERT INTO os4x_sessions \
         (session, client, received, direction, pid, began, address, partner, ssid, subject, serial, tls, station, \
         caller, server, orphaned) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
         COALESCE($15, (SELECT name FROM os4x_states WHERE daemon = 'server' AND client = $14 \
         ORDER BY received DESC, name LIMIT 1)), 0) ON CONFLICT (session) DO UPDATE SET \
         direction = excluded.direction, pid = excluded.pid, began = excluded.began, \
         address = excluded.address, partner = excluded.partner, ssid = excluded.ssid, \
         subject = excluded.subject, serial = excluded.serial, tls = excluded.tls, station = excluded.station \
         WHERE os4x_sessions.began IS NULL",
    )
    .bind(clean(&begin.session))
    .bind(client.to_owned())
    .bind(clock::now())
    .bind(clean(&begin.direction))
    .bind(i64::from(begin.pid))
    .bind(seconds(begin.time))
    .bind(clean(&begin.address))
    .bind(clean(&begin.partner))
    .bind(clean(&begin.ssid))
    .bind(clean(&begin.subject))
    .bind(clean(&begin.serial))
    .bind(clean(&begin.tls))
    .bind(clean(&begin.station))
    .bind(clean(caller))
    .bind(begin.server.as_ref().map(ProxyId::to_string))
    .execute(&mut *connection)
    .await?;
    if written.rows_affected() > 0 {
        hours::add_begin(connection, &begin.session).await?;
    }
    Ok(())
}

async fn add_end(
    connection: &mut AnyConnection,
    (client, caller): Client<'_>,
    end: &SessionEnd,
) -> Result<(), DbError> {
    let written = db::query(
        "INSERT INTO os4x_sessions (session, client, received, ended, octets_in, octets_out, files, files_refused, \
         receipts, reason, detail, caller, server, orphaned) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
         COALESCE($13, (SELECT name FROM os4x_states WHERE daemon = 'server' AND client = $12 \
         ORDER BY received DESC, name LIMIT 1)), 0) ON CONFLICT (session) DO UPDATE SET \
         server = COALESCE(os4x_sessions.server, excluded.server), \
         ended = excluded.ended, octets_in = excluded.octets_in, octets_out = excluded.octets_out, \
         files = excluded.files, files_refused = excluded.files_refused, receipts = excluded.receipts, \
         reason = excluded.reason, detail = excluded.detail WHERE os4x_sessions.ended IS NULL",
    )
    .bind(clean(&end.session))
    .bind(client.to_owned())
    .bind(clock::now())
    .bind(seconds(end.time))
    .bind(seconds(end.octets_in))
    .bind(seconds(end.octets_out))
    .bind(i64::from(end.files))
    .bind(i64::from(end.files_refused))
    .bind(i64::from(end.receipts))
    .bind(clean(&end.reason))
    .bind(clean(&end.detail))
    .bind(clean(caller))
    .bind(end.server.as_ref().map(ProxyId::to_string))
    .execute(&mut *connection)
    .await?;
    if written.rows_affected() > 0 {
        for (transfer, position) in end.transfers.iter().take(MAX_TRANSFERS).zip(1..) {
            add_transfer(connection, &end.session, position, transfer).await?;
        }
        deviations::count(connection, end).await?;
        totals::add_session(connection, end).await?;
        hours::add_end(connection, &end.session).await?;
    }
    Ok(())
}

async fn add_transfer(
    connection: &mut AnyConnection,
    session: &str,
    position: i64,
    transfer: &Transfer,
) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_session_transfers (session, position, sender, name, octets, result, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(clean(session))
    .bind(position)
    .bind(clean(&transfer.sender).chars().take(LONGEST_NAME).collect::<String>())
    .bind(clean(&transfer.name).chars().take(LONGEST_NAME).collect::<String>())
    .bind(seconds(transfer.octets))
    .bind(word(&transfer.result))
    .bind(transfer.reason.map(i64::from))
    .execute(connection)
    .await?;
    Ok(())
}

/// Partners whose incoming sessions have come from `network` since then.
pub(crate) async fn came_from(
    connection: &mut AnyConnection,
    since: i64,
    network: &Network,
) -> Result<BTreeSet<String>, DbError> {
    let rows = db::query(
        "SELECT DISTINCT partner, address FROM os4x_sessions \
         WHERE received >= $1 AND direction = 'incoming' AND partner IS NOT NULL AND address IS NOT NULL",
    )
    .bind(since)
    .fetch_all(connection)
    .await?;
    let mut partners = BTreeSet::new();
    for row in &rows {
        let address: String = row.try_get(1)?;
        if address.parse::<SocketAddr>().is_ok_and(|address| network.contains(address.ip())) {
            partners.insert(row.try_get(0)?);
        }
    }
    Ok(partners)
}

/// How many partners have come in since then.
pub(crate) async fn partners_since(connection: &mut AnyConnection, since: i64) -> Result<i64, DbError> {
    let count = db::query(
        "SELECT CAST(COUNT(DISTINCT partner) AS BIGINT) FROM os4x_sessions \
         WHERE received >= $1 AND direction = 'incoming'",
    );
    Ok(count.bind(since).fetch_one(connection).await?.try_get(0)?)
}

/// This client has been started: sessions that it had before outlive it, those of others behind its address do not
/// concern it. One that ends later is heard of by way of the server, whoever brings it.
pub(crate) async fn orphan(connection: &mut AnyConnection, caller: &str) -> Result<(), DbError> {
    db::query("UPDATE os4x_sessions SET orphaned = 1 WHERE COALESCE(caller, client) = $1 AND ended IS NULL")
        .bind(caller)
        .execute(connection)
        .await?;
    Ok(())
}

/// This server was started at this time: sessions that it had before outlive its earlier parent, and their ends may be
/// lost with it.
pub(super) async fn orphan_of_server(
    connection: &mut AnyConnection,
    server: &str,
    started: i64,
) -> Result<(), DbError> {
    db::query("UPDATE os4x_sessions SET orphaned = 1 WHERE server = $1 AND ended IS NULL AND began < $2")
        .bind(server.to_owned())
        .bind(started)
        .execute(connection)
        .await?;
    Ok(())
}

/// One line of the session list.
#[derive(Debug, Serialize)]
pub(crate) struct Session {
    #[serde(rename = "session")]
    pub(crate) id: String,
    pub(crate) client: String,
    /// Proxy ID of its server; none: it is not known.
    pub(crate) server: Option<String>,
    pub(crate) state: &'static str,
    pub(crate) direction: Option<String>,
    pub(crate) pid: Option<i64>,
    pub(crate) began: Option<i64>,
    pub(crate) ended: Option<i64>,
    pub(crate) address: Option<String>,
    pub(crate) partner: Option<String>,
    pub(crate) ssid: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) tls: Option<String>,
    pub(crate) station: Option<String>,
    pub(crate) octets_in: Option<i64>,
    pub(crate) octets_out: Option<i64>,
    pub(crate) files: Option<i64>,
    pub(crate) files_refused: Option<i64>,
    pub(crate) receipts: Option<i64>,
    pub(crate) reason: Option<String>,
    pub(crate) detail: Option<String>,
    /// The current file of a running session.
    #[serde(rename = "file")]
    pub(crate) current_file: Option<CurrentFile>,
    pub(crate) transfers: Vec<Transfer>,
}

/// The columns of a session.
pub(super) const SELECT: &str = "SELECT s.session, s.client, s.server, s.direction, s.pid, s.began, s.ended, \
    s.address, s.partner, s.ssid, s.subject, s.serial, s.tls, s.station, s.octets_in, s.octets_out, s.files, \
    s.files_refused, s.receipts, s.reason, s.detail, s.orphaned, s.file_sender, s.file_name, s.file_octets, \
    s.received, c.seen, t.received AS told FROM os4x_sessions s LEFT JOIN os4x_clients_seen c ON c.address = \
    COALESCE(s.caller, s.client) LEFT JOIN os4x_states t ON t.daemon = 'server' AND t.name = s.server";

/// The newest `limit` sessions, oldest first.
pub(crate) async fn newest(connection: &mut AnyConnection, limit: u32) -> Result<Vec<Session>, DbError> {
    let rows = db::query(AssertSqlSafe(format!("{SELECT} ORDER BY s.received DESC, s.session LIMIT $1")))
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
    let mut transfers = transfers(connection, limit).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows.iter().rev() {
        let id: String = row.try_get("session")?;
        let transfers = transfers.remove(&id).unwrap_or_default();
        all.push(session(row, id, transfers)?);
    }
    Ok(all)
}

pub(super) fn session(row: &AnyRow, id: String, transfers: Vec<Transfer>) -> Result<Session, DbError> {
    Ok(Session {
        id,
        client: row.try_get("client")?,
        server: row.try_get("server")?,
        state: state(row)?,
        direction: row.try_get("direction")?,
        pid: row.try_get("pid")?,
        began: row.try_get("began")?,
        ended: row.try_get("ended")?,
        address: row.try_get("address")?,
        partner: row.try_get("partner")?,
        ssid: row.try_get("ssid")?,
        subject: row.try_get("subject")?,
        serial: row.try_get("serial")?,
        tls: row.try_get("tls")?,
        station: row.try_get("station")?,
        octets_in: row.try_get("octets_in")?,
        octets_out: row.try_get("octets_out")?,
        files: row.try_get("files")?,
        files_refused: row.try_get("files_refused")?,
        receipts: row.try_get("receipts")?,
        reason: row.try_get("reason")?,
        detail: row.try_get("detail")?,
        current_file: current_file(row)?,
        transfers,
    })
}

/// A session whose end was not reported.
pub(crate) struct Open {
    pub(crate) id: String,
    pub(crate) partner: String,
    /// The client that has reported its beginning.
    pub(crate) caller: String,
    pub(crate) is_incoming: bool,
    /// Address and port of the partner.
    pub(crate) address: String,
}

/// The sessions without an end.
pub(crate) async fn open(connection: &mut AnyConnection) -> Result<Vec<Open>, DbError> {
    let rows = db::query(
        "SELECT session, partner, COALESCE(caller, client), COALESCE(direction, ''), COALESCE(address, '') \
         FROM os4x_sessions WHERE ended IS NULL ORDER BY session",
    );
    let open = |row: &AnyRow| {
        let partner: Option<String> = row.try_get(1)?;
        Ok(Open {
            id: row.try_get(0)?,
            partner: partner.unwrap_or_default(),
            caller: row.try_get(2)?,
            is_incoming: row.try_get::<String, _>(3)? == "incoming",
            address: row.try_get(4)?,
        })
    };
    rows.fetch_all(connection).await?.iter().map(open).collect()
}

/// Why this session has ended, in a word, and in a sentence; none: no end was reported.
pub(crate) async fn end_of(
    connection: &mut AnyConnection,
    session: &str,
) -> Result<Option<(String, String)>, DbError> {
    let row = db::query("SELECT reason, detail FROM os4x_sessions WHERE session = $1 AND ended IS NOT NULL");
    let row = row.bind(session.to_owned()).fetch_optional(connection).await?;
    let text =
        |row: &AnyRow, at: usize| Ok::<_, DbError>(row.try_get::<Option<String>, _>(at)?.unwrap_or_default());
    row.map(|row| Ok((text(&row, 0)?, text(&row, 1)?))).transpose()
}

/// The current file, as it was reported last; none in a session that has ended.
fn current_file(row: &AnyRow) -> Result<Option<CurrentFile>, DbError> {
    let (ended, name): (Option<i64>, Option<String>) = (row.try_get("ended")?, row.try_get("file_name")?);
    let Some(name) = name.filter(|name| ended.is_none() && !name.is_empty()) else { return Ok(None) };
    let (sender, octets): (Option<String>, Option<i64>) =
        (row.try_get("file_sender")?, row.try_get("file_octets")?);
    let octets = octets.unwrap_or_default().try_into().unwrap_or_default();
    Ok(Some(CurrentFile { sender: sender.unwrap_or_default(), name, octets }))
}

/// A session without an end is orphaned if its client does not call any more, or does not report its server any more.
fn state(row: &AnyRow) -> Result<&'static str, DbError> {
    let ended: Option<i64> = row.try_get("ended")?;
    let seen: Option<i64> = row.try_get("seen")?;
    let orphaned: i64 = row.try_get("orphaned")?;
    let told: Option<i64> = row.try_get("told")?;
    let since = clock::now() - ORPHANED_AFTER;
    let calls = seen.is_some_and(|seen| seen >= since) && told.is_none_or(|told| told >= since);
    Ok(match ended {
        Some(_) => "ended",
        None if calls && orphaned == 0 => "running",
        None => "orphaned",
    })
}

/// The files of the newest `limit` sessions, by session.
async fn transfers(
    connection: &mut AnyConnection,
    limit: u32,
) -> Result<HashMap<String, Vec<Transfer>>, DbError> {
    let rows = db::query(
        "SELECT session, sender, name, octets, result, reason FROM os4x_session_transfers WHERE session IN \
         (SELECT session FROM os4x_sessions ORDER BY received DESC, session LIMIT $1) ORDER BY session, position",
    )
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    let mut all: HashMap<String, Vec<Transfer>> = HashMap::new();
    for row in &rows {
        all.entry(row.try_get("session")?).or_default().push(transfer(row)?);
    }
    Ok(all)
}

/// A file of a session.
pub(super) fn transfer(row: &AnyRow) -> Result<Transfer, DbError> {
    let reason: Option<i64> = row.try_get("reason")?;
    Ok(Transfer {
        sender: row.try_get("sender")?,
        name: row.try_get("name")?,
        octets: row.try_get::<i64, _>("octets")?.try_into().unwrap_or_default(),
        result: of_word(row.try_get("result")?).unwrap_or(TransferResult::Broken),
        reason: reason.and_then(|reason| reason.try_into().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_NAME, ORPHANED_AFTER, add, newest, orphan};
    use crate::db;
    use crate::db::scratch::{Scratch, run};
    use crate::store::journal::{forget, seen, trim};
    use common::rpc::{MAX_TRANSFERS, SessionBegin, SessionEnd, SessionEvent, Transfer, TransferResult};
    use common::text::clock;
    use sqlx::AnyConnection;

    const CLIENT: &str = "192.0.2.1";

    async fn begin(connection: &mut AnyConnection, session: &str) {
        let event =
            SessionEvent::Begin(SessionBegin { session: session.to_owned(), ..SessionBegin::default() });
        add(connection, (CLIENT, CLIENT), &event).await.unwrap();
    }

    fn end(session: &str, transfers: Vec<Transfer>) -> SessionEvent {
        SessionEvent::End(SessionEnd {
            session: session.to_owned(),
            reason: "partner-broke".to_owned(),
            detail: "it broke off".to_owned(),
            transfers,
            ..SessionEnd::default()
        })
    }

    fn transfer(number: usize) -> Transfer {
        Transfer {
            sender: "partner".to_owned(),
            name: format!("FILE{number}"),
            octets: 5,
            result: TransferResult::Refused,
            reason: Some(13),
        }
    }

    /// In the order of their IDs: two that have begun within a second are listed by them, others by their time.
    async fn states(connection: &mut AnyConnection) -> Vec<(String, &'static str)> {
        let listed = newest(connection, 10).await.unwrap().into_iter();
        let mut all: Vec<_> = listed.map(|one| (one.id, one.state)).collect();
        all.sort();
        all
    }

    async fn received(connection: &mut AnyConnection, session: &str, at: i64) {
        let update = db::query("UPDATE os4x_sessions SET received = $1 WHERE session = $2");
        update.bind(at).bind(session.to_owned()).execute(connection).await.unwrap();
    }

    #[test]
    fn a_session_is_orphaned_when_its_client_is_silent_or_was_started_again() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            let one = |state| [("one".to_owned(), state)];
            seen(&mut connection, CLIENT).await.unwrap();
            begin(&mut connection, "one").await;
            assert_eq!(states(&mut connection).await, one("running"));
            let silent = db::query("UPDATE os4x_clients_seen SET seen = $1");
            silent.bind(clock::now() - ORPHANED_AFTER - 1).execute(&mut *connection).await.unwrap();
            assert_eq!(states(&mut connection).await, one("orphaned"));
            seen(&mut connection, CLIENT).await.unwrap();
            assert_eq!(states(&mut connection).await, one("running"));
            orphan(&mut connection, "192.0.2.2").await.unwrap();
            assert_eq!(states(&mut connection).await, one("running"));
            orphan(&mut connection, CLIENT).await.unwrap();
            assert_eq!(states(&mut connection).await, one("orphaned"));
            add(&mut connection, (CLIENT, CLIENT), &end("one", Vec::new())).await.unwrap();
            assert_eq!(states(&mut connection).await, one("ended"));
        });
    }

    #[test]
    fn a_client_behind_the_same_address_orphans_no_session_of_another_one() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            let callers = ["192.0.2.1 a:/opt", "192.0.2.1 b:/opt"];
            for (caller, session) in callers.into_iter().zip(["one", "two"]) {
                seen(&mut connection, caller).await.unwrap();
                let begin = SessionBegin { session: session.to_owned(), ..SessionBegin::default() };
                add(&mut connection, (CLIENT, caller), &SessionEvent::Begin(begin)).await.unwrap();
            }
            orphan(&mut connection, callers[1]).await.unwrap();
            let listed = |one, two| [("one".to_owned(), one), ("two".to_owned(), two)];
            assert_eq!(states(&mut connection).await, listed("running", "orphaned"));
            // Any client may report the end of either.
            add(&mut connection, (CLIENT, callers[0]), &end("two", Vec::new())).await.unwrap();
            assert_eq!(states(&mut connection).await, listed("running", "ended"));
        });
    }

    #[test]
    fn the_first_end_counts_with_its_files() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            begin(&mut connection, "one").await;
            let many: Vec<Transfer> = (0..MAX_TRANSFERS + 5).map(transfer).collect();
            add(&mut connection, (CLIENT, CLIENT), &end("one", many.clone())).await.unwrap();
            add(&mut connection, (CLIENT, CLIENT), &end("one", vec![transfer(99)])).await.unwrap();
            add(&mut connection, (CLIENT, CLIENT), &end("two", vec![transfer(1)])).await.unwrap();
            let long = Transfer { name: "x".repeat(LONGEST_NAME + 1), ..transfer(1) };
            add(&mut connection, (CLIENT, CLIENT), &end("three", vec![long])).await.unwrap();
            let listed = newest(&mut connection, 10).await.unwrap();
            let of = |id: &str| listed.iter().find(|one| one.id == id).unwrap();
            assert_eq!(of("one").transfers, many[..MAX_TRANSFERS]);
            assert_eq!(of("two").transfers, [transfer(1)]);
            assert_eq!(of("three").transfers[0].name.len(), LONGEST_NAME);
            assert_eq!(of("one").detail.as_deref(), Some("it broke off"));
        });
    }

    #[test]
    fn reports_go_when_they_are_old_or_too_many() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            for (session, age) in [("old", 100), ("middle", 50), ("new", 10)] {
                begin(&mut connection, session).await;
                add(&mut connection, (CLIENT, CLIENT), &end(session, vec![transfer(1)])).await.unwrap();
                received(&mut connection, session, clock::now() - age * clock::DAY).await;
            }
            assert_eq!(trim(&mut connection, 3).await.unwrap(), 0);
            assert_eq!(forget(&mut connection, 90).await.unwrap(), 1);
            assert_eq!(trim(&mut connection, 2).await.unwrap(), 0);
            assert_eq!(trim(&mut connection, 1).await.unwrap(), 1);
            assert_eq!(states(&mut connection).await, [("new".to_owned(), "ended")]);
            let left = db::query("SELECT session FROM os4x_session_transfers").fetch_all(&mut *connection);
            assert_eq!(left.await.unwrap().len(), 1);
        });
    }
}

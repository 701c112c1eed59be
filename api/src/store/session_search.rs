//! Searches in the session list, a page at a time: each page begins where the previous one has ended, so that the last
//! page costs as much as the first. Only reads.

use super::sessions::{ORPHANED_AFTER, SELECT, Session, session, transfer};
use crate::db::{Conditions, DbError, places, query};
use common::rpc::Transfer;
use common::text::clock;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::collections::HashMap;

/// The search; empty values match everything.
#[derive(Debug, Default)]
pub(crate) struct Search<'a> {
    /// `running` or `ended`.
    pub(crate) state: &'a str,
    /// Short name.
    pub(crate) partner: &'a str,
    pub(crate) direction: &'a str,
    /// Proxy ID of the server.
    pub(crate) server: &'a str,
    /// Beginning of the address.
    pub(crate) address: &'a str,
    pub(crate) reason: &'a str,
    /// Part of the name of a file.
    pub(crate) file: &'a str,
    /// Reported since then, and until then.
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
    /// After this place.
    pub(crate) behind: Option<Place>,
}

/// The place of a session in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) received: i64,
    pub(crate) id: String,
}

/// The oldest session that has carried a file to its end: its identifier, and the partner.
pub(crate) async fn first_with_file(
    connection: &mut AnyConnection,
) -> Result<Option<(String, String)>, DbError> {
    let row = query(
        "SELECT session, COALESCE(partner, '') FROM os4x_sessions WHERE files > 0 ORDER BY received LIMIT 1",
    );
    let row = row.fetch_optional(connection).await?;
    Ok(row.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?))).transpose()?)
}

/// The newest `limit` sessions that match, the newest first, each with its place.
pub(crate) async fn search(
    connection: &mut AnyConnection,
    search: &Search<'_>,
    limit: u32,
) -> Result<Vec<(Place, Session)>, DbError> {
    let mut all = Conditions::default();
    match search.state {
        "running" => {
            all.fixed("s.ended IS NULL AND s.orphaned = 0");
            all.number("c.seen >= ?", clock::now() - ORPHANED_AFTER);
            all.number("COALESCE(t.received, 9223372036854775807) >= ?", clock::now() - ORPHANED_AFTER);
        }
        "ended" => all.fixed("s.ended IS NOT NULL"),
        _ => {}
    }
    all.text_if("s.partner = ?", search.partner);
    all.text_if("s.direction = ?", search.direction);
    all.text_if("s.server = ?", search.server);
    all.containing_if("LOWER(s.address) LIKE ? ESCAPE '@'", search.address);
    all.text_if("s.reason = ?", search.reason);
    all.containing_if(
        "s.session IN (SELECT session FROM os4x_session_transfers WHERE LOWER(name) LIKE ? ESCAPE '@')",
        search.file,
    );
    all.number_if("s.received >= ?", search.since);
    all.number_if("s.received <= ?", search.until);
    if let Some(Place { received, id }) = &search.behind {
        all.number("s.received <= ?", *received);
        all.pair("(s.received < # OR s.session > ?)", *received, id);
    }
    let statement = all.statement(SELECT, "s.received DESC, s.session", limit);
    let rows = statement.fetch_all(&mut *connection).await?;
    let ids = rows.iter().map(|row| row.try_get("session")).collect::<Result<Vec<String>, _>>()?;
    let mut transfers = transfers(connection, &ids).await?;
    let mut found = Vec::with_capacity(rows.len());
    for (row, id) in rows.iter().zip(ids) {
        let transfers = transfers.remove(&id).unwrap_or_default();
        let place = Place { received: row.try_get("received")?, id: id.clone() };
        found.push((place, session(row, id, transfers)?));
    }
    Ok(found)
}

/// The session with this ID.
pub(crate) async fn get(connection: &mut AnyConnection, id: &str) -> Result<Option<Session>, DbError> {
    let mut one = Conditions::default();
    one.text("s.session = ?", id);
    let statement = one.statement(SELECT, "s.session", 1);
    let Some(row) = statement.fetch_optional(&mut *connection).await? else { return Ok(None) };
    let ids = [id.to_owned()];
    let transfers = transfers(connection, &ids).await?.remove(id).unwrap_or_default();
    Ok(Some(session(&row, id.to_owned(), transfers)?))
}

/// The files of these sessions.
async fn transfers(
    connection: &mut AnyConnection,
    ids: &[String],
) -> Result<HashMap<String, Vec<Transfer>>, DbError> {
    let mut all: HashMap<String, Vec<Transfer>> = HashMap::new();
    if ids.is_empty() {
        return Ok(all);
    }
    // Safe: only places.
    let select = AssertSqlSafe(format!(
        "SELECT session, sender, name, octets, result, reason FROM os4x_session_transfers WHERE session IN {} \
         ORDER BY session, position",
        places(1, ids.len())
    ));
    let statement = ids.iter().fold(query(select), |statement, id| statement.bind(id.clone()));
    for row in &statement.fetch_all(connection).await? {
        all.entry(row.try_get("session")?).or_default().push(transfer(row)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::{Place, Search, get, search};
    use crate::db::query;
    use crate::db::scratch::{Scratch, run};
    use crate::store::journal::seen;
    use crate::store::sessions::add;
    use common::rpc::{SessionBegin, SessionEnd, SessionEvent, Transfer, TransferResult};
    use sqlx::AnyConnection;

    async fn found(connection: &mut AnyConnection, what: Search<'_>) -> Vec<String> {
        search(connection, &what, 2).await.unwrap().into_iter().map(|(place, _)| place.id).collect()
    }

    #[test]
    fn what_is_looked_for_is_found_a_page_at_a_time() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            seen(&mut connection, "c").await.unwrap();
            for (id, partner) in [("a", "ACME"), ("b", "ACME"), ("c", "BETA"), ("d", "ACME"), ("e", "ACME")] {
                let begin = SessionBegin {
                    session: id.to_owned(),
                    partner: partner.to_owned(),
                    direction: "incoming".to_owned(),
                    address: format!("192.0.2.{}:5", id.as_bytes()[0]),
                    ..SessionBegin::default()
                };
                add(&mut connection, ("c", "c"), &SessionEvent::Begin(begin)).await.unwrap();
            }
            let transfer = Transfer {
                sender: "partner".to_owned(),
                name: "ORDER_7".to_owned(),
                octets: 5,
                result: TransferResult::Accepted,
                reason: None,
            };
            let end = SessionEnd {
                session: "b".to_owned(),
                reason: "normal".to_owned(),
                transfers: vec![transfer],
                ..SessionEnd::default()
            };
            add(&mut connection, ("c", "c"), &SessionEvent::End(end)).await.unwrap();
            // All in one second, so that they are ordered by their IDs.
            query("UPDATE os4x_sessions SET received = 1000").execute(&mut *connection).await.unwrap();
            let first =
                search(&mut connection, &Search { partner: "ACME", ..Search::default() }, 2).await.unwrap();
            let behind = Some(first[1].0.clone());
            assert_eq!(first.iter().map(|(place, _)| place.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
            let more = Search { partner: "ACME", behind, ..Search::default() };
            assert_eq!(found(&mut connection, more).await, ["d", "e"]);
            let end = Some(Place { received: first[0].0.received, id: "e".to_owned() });
            assert!(found(&mut connection, Search { behind: end, ..Search::default() }).await.is_empty());

            for (what, ids) in [
                (Search { state: "ended", ..Search::default() }, &["b"][..]),
                (Search { state: "running", ..Search::default() }, &["a", "c"]),
                (Search { address: "192.0.2.99", ..Search::default() }, &["c"]),
                (Search { reason: "normal", ..Search::default() }, &["b"]),
                (Search { file: "order_", ..Search::default() }, &["b"]),
                (Search { file: "order%", ..Search::default() }, &[]),
                (Search { direction: "outgoing", ..Search::default() }, &[]),
                (Search { since: Some(i64::MAX), ..Search::default() }, &[]),
                (Search { until: Some(1), ..Search::default() }, &[]),
            ] {
                let words = format!("{what:?}");
                assert_eq!(found(&mut connection, what).await, ids, "{words}");
            }
            let one = get(&mut connection, "b").await.unwrap().unwrap();
            assert_eq!((one.state, one.transfers[0].name.as_str()), ("ended", "ORDER_7"));
            assert!(get(&mut connection, "x").await.unwrap().is_none());
        });
    }
}

//! Totals that only rise, for metrics: ended sessions with their octets and files, and refusals. The lists lose their
//! old rows; the totals keep what these have counted. Data from the DMZ is limited: a total has only servers and
//! partners of our tables, and reasons that this program knows, so there are few rows whatever is reported.

use crate::db::{self, DbError};
use common::process::end_reasons::Status;
use common::rpc::SessionEnd;
use common::state::OTHERS;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

/// Most that one report may add to a total.
const MOST: i64 = 1 << 50;

/// The totals of sessions that are equal in this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionTotals {
    /// Proxy ID of the server; empty: it is not known.
    pub(crate) server: String,
    /// `incoming` or `outgoing`; empty: it is not known.
    pub(crate) direction: String,
    pub(crate) reason: String,
    /// Short name; empty: it is not one of ours.
    pub(crate) partner: String,
    pub(crate) sessions: i64,
    pub(crate) octets_in: i64,
    pub(crate) octets_out: i64,
    pub(crate) files_accepted: i64,
    pub(crate) files_refused: i64,
}

/// A reason that this program knows.
fn known(reason: &str) -> &str {
    if Status::from_word(reason).is_some() { reason } else { OTHERS }
}

/// A number that a total can take any number of times.
pub(super) fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(MOST).min(MOST)
}

/// Adds a session that has ended, whose row is stored already.
pub(super) async fn add_session(connection: &mut AnyConnection, end: &SessionEnd) -> Result<(), DbError> {
    // Half of the largest number: the other half is for what the next report adds.
    db::query(
        "INSERT INTO os4x_totals (server, direction, reason, partner, sessions, octets_in, octets_out, files_accepted, \
         files_refused) SELECT \
         COALESCE((SELECT proxy_id FROM os4x_proxies WHERE proxy_id = s.server), ''), \
         CASE WHEN s.direction IN ('incoming', 'outgoing') THEN s.direction ELSE '' END, CAST($1 AS TEXT), \
         COALESCE((SELECT short_name FROM os4x_partners WHERE short_name = s.partner), ''), 1, CAST($2 AS BIGINT), \
         CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT) FROM os4x_sessions s WHERE s.session = $6 \
         ON CONFLICT (server, direction, reason, partner) DO UPDATE SET \
         sessions = os4x_totals.sessions + 1, \
         octets_in = os4x_totals.octets_in % 4611686018427387904 + excluded.octets_in, \
         octets_out = os4x_totals.octets_out % 4611686018427387904 + excluded.octets_out, \
         files_accepted = os4x_totals.files_accepted + excluded.files_accepted, \
         files_refused = os4x_totals.files_refused + excluded.files_refused",
    )
    .bind(known(&end.reason).to_owned())
    .bind(bounded(end.octets_in))
    .bind(bounded(end.octets_out))
    .bind(i64::from(end.files.saturating_sub(end.files_refused)))
    .bind(i64::from(end.files_refused))
    .bind(super::journal::clean(&end.session))
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds refusals of a server: reasons, and how often each was the reason.
pub(super) async fn add_refusals<'a>(
    connection: &mut AnyConnection,
    proxy_id: &str,
    counts: impl Iterator<Item = (&'a str, u64)>,
) -> Result<(), DbError> {
    let mut all: BTreeMap<&str, i64> = BTreeMap::new();
    for (reason, count) in counts {
        let times = all.entry(known(reason)).or_default();
        *times = times.saturating_add(bounded(count)).min(MOST);
    }
    for (reason, times) in all {
        db::query(
            "INSERT INTO os4x_refusal_totals (server, reason, times) VALUES \
             (COALESCE((SELECT proxy_id FROM os4x_proxies WHERE proxy_id = $1), ''), $2, $3) \
             ON CONFLICT (server, reason) DO UPDATE SET \
             times = os4x_refusal_totals.times % 4611686018427387904 + excluded.times",
        )
        .bind(proxy_id.to_owned())
        .bind(reason.to_owned())
        .bind(times)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The totals of sessions.
pub(crate) async fn sessions(connection: &mut AnyConnection) -> Result<Vec<SessionTotals>, DbError> {
    let rows = db::query(
        "SELECT server, direction, reason, partner, sessions, octets_in, octets_out, files_accepted, files_refused \
         FROM os4x_totals",
    );
    let totals = |row: &AnyRow| {
        Ok(SessionTotals {
            server: row.try_get(0)?,
            direction: row.try_get(1)?,
            reason: row.try_get(2)?,
            partner: row.try_get(3)?,
            sessions: row.try_get(4)?,
            octets_in: row.try_get(5)?,
            octets_out: row.try_get(6)?,
            files_accepted: row.try_get(7)?,
            files_refused: row.try_get(8)?,
        })
    };
    rows.fetch_all(connection).await?.iter().map(totals).collect()
}

/// The totals of refusals: server, reason, and number.
pub(crate) async fn refusals(connection: &mut AnyConnection) -> Result<Vec<(String, String, i64)>, DbError> {
    let rows =
        db::query("SELECT server, reason, times FROM os4x_refusal_totals").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::{MOST, SessionTotals, refusals, sessions};
    use crate::db::scratch::{Scratch, run};
    use crate::store::sessions::add;
    use common::rpc::{SessionBegin, SessionEnd, SessionEvent};
    use common::state::{RefusalCount, Refused, this_minute};

    #[test]
    fn a_total_rises_once_for_each_end_and_has_no_row_for_what_is_made_up() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            for (session, reason) in
                [("a", "normal"), ("b", "normal"), ("c", "made-up"), ("d", "also-made-up")]
            {
                let begin = SessionBegin {
                    session: session.to_owned(),
                    direction: "sideways".to_owned(),
                    partner: "NOBODY".to_owned(),
                    ..SessionBegin::default()
                };
                add(&mut connection, ("c", "c"), &SessionEvent::Begin(begin)).await.unwrap();
                let end = SessionEnd {
                    session: session.to_owned(),
                    reason: reason.to_owned(),
                    octets_in: u64::MAX,
                    octets_out: 7,
                    files: 3,
                    files_refused: 1,
                    ..SessionEnd::default()
                };
                // Both daemons report it.
                for _ in 0..2 {
                    add(&mut connection, ("c", "c"), &SessionEvent::End(end.clone())).await.unwrap();
                }
            }
            let mut all = sessions(&mut connection).await.unwrap();
            all.sort_by(|one, other| one.reason.cmp(&other.reason));
            let expected = |reason: &str| SessionTotals {
                server: String::new(),
                direction: String::new(),
                reason: reason.to_owned(),
                partner: String::new(),
                sessions: 2,
                octets_in: 2 * MOST,
                octets_out: 14,
                files_accepted: 4,
                files_refused: 2,
            };
            assert_eq!(all, [expected("normal"), expected("others")]);
        });
    }

    #[test]
    fn refusals_are_added_up_by_reason() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            let count = |reason: &str, count| RefusalCount {
                minute: this_minute(),
                what: Refused { reason: reason.to_owned(), ..Refused::default() },
                count,
            };
            let counts = [count("tls", 2), count("tls", 3), count("made-up", 1), count("others", u64::MAX)];
            for _ in 0..2 {
                crate::store::refusals::add(&mut connection, "unlisted", &counts).await.unwrap();
            }
            let mut all = refusals(&mut connection).await.unwrap();
            all.sort();
            let row = |reason: &str, times| (String::new(), reason.to_owned(), times);
            assert_eq!(all, [row("others", 2 * MOST), row("tls", 10)]);
        });
    }
}

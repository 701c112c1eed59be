//! The sums of each hour: sessions that began in it with their octets, and connections that were refused. Each report
//! adds to them in its own transaction, so a chart reads a few rows however many sessions there are. They outlive the
//! rows that `journal` removes because there are too many. Data from the DMZ is limited: a session counts only if its
//! beginning is near the time of its report, so there are few hours whatever is reported.

use super::journal::clean;
use super::totals::bounded;
use crate::db::{self, DbError};
use sqlx::{AnyConnection, AssertSqlSafe};

/// Seconds of an hour.
const HOUR: i64 = 3_600;

/// Most octets that a session counts for: `totals::bounded` has the same limit.
fn octets(column: &str) -> String {
    let most = bounded(u64::MAX);
    format!("CASE WHEN {column} > {most} THEN {most} ELSE COALESCE({column}, 0) END")
}

/// Adds a session to an hour; its row is stored already and is the last place of the statement. `time` is the column
/// with the time; `counts` are the values for sessions and both numbers of octets.
fn statement(time: &str, direction: &str, counts: [&str; 3], condition: &str) -> String {
    let [sessions, octets_in, octets_out] = counts;
    // Half of the largest number: the other half is for what the next report adds.
    format!(
        "INSERT INTO os4x_hours (hour, direction, sessions, octets_in, octets_out, refused) \
         SELECT {time} / {HOUR}, {direction}, {sessions}, {octets_in}, {octets_out}, 0 FROM os4x_sessions \
         WHERE session = $1 AND {time} BETWEEN received - 604800 AND received + {HOUR} AND {condition} \
         ON CONFLICT (hour, direction) DO UPDATE SET \
         sessions = os4x_hours.sessions + excluded.sessions, \
         octets_in = os4x_hours.octets_in % 4611686018427387904 + excluded.octets_in, \
         octets_out = os4x_hours.octets_out % 4611686018427387904 + excluded.octets_out"
    )
}

const DIRECTION: &str = "CASE WHEN direction IN ('incoming', 'outgoing') THEN direction ELSE '' END";

async fn count(connection: &mut AnyConnection, statement: String, session: &str) -> Result<(), DbError> {
    // Safe: the text is fixed, and the session has a place.
    db::query(AssertSqlSafe(statement)).bind(clean(session)).execute(connection).await?;
    Ok(())
}

/// Adds a session whose beginning has just been stored. If its end was reported before, it has been counted for the
/// hour of that report and without a direction: it is moved.
pub(super) async fn add_begin(connection: &mut AnyConnection, session: &str) -> Result<(), DbError> {
    let [octets_in, octets_out] = ["octets_in", "octets_out"].map(octets);
    let less = [format!("-({octets_in})"), format!("-({octets_out})")];
    let moved = statement("received", "''", ["-1", &less[0], &less[1]], "ended IS NOT NULL");
    count(connection, moved, session).await?;
    let whole =
        [octets_in, octets_out].map(|octets| format!("CASE WHEN ended IS NULL THEN 0 ELSE {octets} END"));
    count(
        connection,
        statement("began", DIRECTION, ["1", &whole[0], &whole[1]], "began IS NOT NULL"),
        session,
    )
    .await
}

/// Adds what a session has carried, whose end has just been stored. If its beginning was not reported, the session
/// itself has not been counted yet.
pub(super) async fn add_end(connection: &mut AnyConnection, session: &str) -> Result<(), DbError> {
    let [octets_in, octets_out] = ["octets_in", "octets_out"].map(octets);
    let sessions = "CASE WHEN began IS NULL THEN 1 ELSE 0 END";
    let added = [sessions, &octets_in, &octets_out];
    count(connection, statement("COALESCE(began, received)", DIRECTION, added, "ended IS NOT NULL"), session)
        .await
}

/// Adds the refusals of a minute.
pub(super) async fn add_refusals(
    connection: &mut AnyConnection,
    minute: i64,
    times: i64,
) -> Result<(), DbError> {
    let insert = db::query(
        "INSERT INTO os4x_hours (hour, direction, sessions, octets_in, octets_out, refused) \
         VALUES ($1, '', 0, 0, 0, $2) ON CONFLICT (hour, direction) DO UPDATE SET \
         refused = os4x_hours.refused % 4611686018427387904 + excluded.refused",
    );
    insert.bind(minute.div_euclid(HOUR)).bind(times).execute(connection).await?;
    Ok(())
}

/// Removes the hours that were over before this time.
pub(super) async fn forget(connection: &mut AnyConnection, before: i64) -> Result<(), DbError> {
    let old = db::query("DELETE FROM os4x_hours WHERE hour < $1").bind(before.div_euclid(HOUR));
    old.execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::HOUR;
    use crate::db::query;
    use crate::db::scratch::{Scratch, run};
    use crate::store::sessions::add;
    use crate::store::traffic::{Periods, Traffic, of_all};
    use common::rpc::{SessionBegin, SessionEnd, SessionEvent};
    use common::text::clock;
    use sqlx::{AnyConnection, Row};

    fn begin(session: &str, time: i64) -> SessionEvent {
        let (session, direction) = (session.to_owned(), "outgoing".to_owned());
        let time = time.try_into().unwrap();
        SessionEvent::Begin(SessionBegin { session, direction, time, ..SessionBegin::default() })
    }

    fn end(session: &str, octets: u64) -> SessionEvent {
        let (session, reason) = (session.to_owned(), "normal".to_owned());
        let time = clock::now().try_into().unwrap();
        let (octets_in, octets_out) = (octets, 1);
        SessionEvent::End(SessionEnd {
            session,
            reason,
            time,
            octets_in,
            octets_out,
            ..SessionEnd::default()
        })
    }

    async fn report(connection: &mut AnyConnection, events: &[SessionEvent]) {
        for event in events {
            add(connection, ("c", "c"), event).await.unwrap();
        }
    }

    /// The sums of all hours together, and of the one before this.
    async fn sums(connection: &mut AnyConnection, now: i64) -> ([i64; 4], Traffic) {
        let all = of_all(connection, Periods { length: HOUR, count: 24, now }).await.unwrap();
        let sum = |of: fn(&Traffic) -> i64| all.iter().map(of).sum();
        let whole = [
            sum(|one| one.incoming),
            sum(|one| one.outgoing),
            sum(|one| one.octets_in),
            sum(|one| one.octets_out),
        ];
        (whole, all[22])
    }

    #[test]
    fn a_session_counts_once_for_the_hour_in_which_it_began_whatever_is_reported_first() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            let now = clock::now();
            let before = now - HOUR;
            let (first, last) = (begin("a", before), end("a", 5));
            report(&mut connection, &[first.clone(), first.clone()]).await;
            let (whole, hour) = sums(&mut connection, now).await;
            assert_eq!((whole, hour.outgoing), ([0, 1, 0, 0], 1));
            report(&mut connection, &[last.clone(), first, last]).await;
            let (whole, hour) = sums(&mut connection, now).await;
            assert_eq!((whole, hour.octets_in), ([0, 1, 5, 1], 5));
            report(&mut connection, &[end("b", 7)]).await;
            assert_eq!(sums(&mut connection, now).await.0, [1, 1, 12, 2], "no direction is known");
            report(&mut connection, &[begin("b", before)]).await;
            let (whole, hour) = sums(&mut connection, now).await;
            assert_eq!((whole, hour.outgoing, hour.octets_in), ([0, 2, 12, 2], 2, 12));
        });
    }

    #[test]
    fn there_are_few_hours_and_no_sum_overflows_whatever_is_reported() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            let now = clock::now();
            for number in 1..=50_i64 {
                let wild = if number % 2 == 0 { number * HOUR } else { i64::MAX / number };
                report(
                    &mut connection,
                    &[begin(&number.to_string(), wild), end(&number.to_string(), u64::MAX)],
                )
                .await;
            }
            for number in 51..=60_i64 {
                report(
                    &mut connection,
                    &[begin(&number.to_string(), now), end(&number.to_string(), u64::MAX)],
                )
                .await;
            }
            let rows = query("SELECT COUNT(*), MAX(octets_in) FROM os4x_hours")
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            let (count, most): (i64, i64) = (rows.try_get(0).unwrap(), rows.try_get(1).unwrap());
            assert_eq!((count, most), (1, 10 << 50));
        });
    }
}

//! How many sessions and octets there were in each hour or day, and how many connections were refused: for charts.
//! Only reads, with one statement for each table, which looks at the rows of that time alone.

use crate::db::{DbError, query};
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// The sums of one period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Traffic {
    /// Its first second, since 1970-01-01 UTC.
    pub(crate) time: i64,
    /// Sessions that began in it, by direction.
    pub(crate) incoming: i64,
    pub(crate) outgoing: i64,
    /// Connections that were refused in it.
    pub(crate) refused: i64,
    /// The octets of the sessions that began in it.
    pub(crate) octets_in: i64,
    pub(crate) octets_out: i64,
}

/// Periods that follow each other, the last of which is not over yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Periods {
    /// Seconds of each.
    pub(crate) length: i64,
    pub(crate) count: i64,
    pub(crate) now: i64,
}

impl Periods {
    /// The number of the first one, counted from 1970-01-01 UTC.
    fn first(self) -> i64 {
        self.now.div_euclid(self.length) - self.count + 1
    }

    /// The first second of the first one.
    fn start(self) -> i64 {
        self.first() * self.length
    }

    /// Without sums yet.
    fn empty(self) -> Vec<Traffic> {
        let first = self.first();
        let period = |number| Traffic { time: (first + number) * self.length, ..Traffic::default() };
        (0..self.count).map(period).collect()
    }
}

/// Refused connections by period; the places: its length, and the first second.
const REFUSALS: &str =
    "SELECT minute / $1, CAST(SUM(times) AS BIGINT) FROM os4x_refusals WHERE received >= $2 GROUP BY 1";

/// No session counts for more octets: whatever a hostile host reports, the sum of all rows that are kept does not
/// overflow.
const MOST: i64 = 1 << 46;

/// Sessions and octets by period and direction. A session is reported after its beginning, so the rows that were
/// received since the first second are those that matter.
fn sessions_where(further: &str) -> String {
    let sum = |column: &str| {
        let bounded = format!("CASE WHEN {column} > {MOST} THEN {MOST} ELSE COALESCE({column}, 0) END");
        format!("CAST(SUM({bounded}) AS BIGINT)")
    };
    let (octets_in, octets_out) = (sum("octets_in"), sum("octets_out"));
    format!(
        "SELECT COALESCE(began, received) / $1, direction, CAST(COUNT(*) AS BIGINT), {octets_in}, {octets_out} \
         FROM os4x_sessions WHERE received >= $2 {further} GROUP BY 1, 2"
    )
}

/// The sums of these periods, of all partners.
pub(crate) async fn of_all(
    connection: &mut AnyConnection,
    periods: Periods,
) -> Result<Vec<Traffic>, DbError> {
    // Safe: the text is fixed.
    let sessions = query(AssertSqlSafe(sessions_where("")));
    let sessions = sessions.bind(periods.length).bind(periods.start());
    let mut all = of_rows(&sessions.fetch_all(&mut *connection).await?, periods)?;
    let refusals = query(REFUSALS).bind(periods.length).bind(periods.start());
    for row in &refusals.fetch_all(connection).await? {
        if let Some(sums) = place(&mut all, periods, row.try_get(0)?) {
            sums.refused = row.try_get(1)?;
        }
    }
    Ok(all)
}

/// The sums of these periods, of the sessions of one partner, without refusals.
pub(crate) async fn of_partner(
    connection: &mut AnyConnection,
    periods: Periods,
    partner: &str,
) -> Result<Vec<Traffic>, DbError> {
    // Safe: the text is fixed, and the name has a place.
    let sessions = query(AssertSqlSafe(sessions_where("AND partner = $3")));
    let sessions = sessions.bind(periods.length).bind(periods.start()).bind(partner.to_owned());
    of_rows(&sessions.fetch_all(connection).await?, periods)
}

fn of_rows(rows: &[AnyRow], periods: Periods) -> Result<Vec<Traffic>, DbError> {
    let mut all = periods.empty();
    for row in rows {
        let Some(sums) = place(&mut all, periods, row.try_get(0)?) else { continue };
        let (direction, count): (Option<String>, i64) = (row.try_get(1)?, row.try_get(2)?);
        match direction.as_deref() {
            Some("outgoing") => sums.outgoing += count,
            _ => sums.incoming += count,
        }
        sums.octets_in = sums.octets_in.saturating_add(row.try_get(3)?);
        sums.octets_out = sums.octets_out.saturating_add(row.try_get(4)?);
    }
    Ok(all)
}

/// The period of this number, if it is one of these.
fn place(all: &mut [Traffic], periods: Periods, number: i64) -> Option<&mut Traffic> {
    all.get_mut(usize::try_from(number - periods.first()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{Periods, REFUSALS, Traffic, of_all, of_partner, sessions_where};
    use crate::db::query;
    use crate::db::scratch::{Scratch, run};
    use sqlx::{AssertSqlSafe, Row};

    const PERIODS: Periods = Periods { length: 3_600, count: 24, now: 100 * 3_600 + 5 };

    #[test]
    fn each_hour_has_its_sessions_and_refusals_and_what_is_older_has_none() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            for (id, partner, direction, began, octets) in [
                ("a", "ACME", Some("incoming"), 100 * 3_600, Some(5)),
                ("b", "ACME", Some("outgoing"), 100 * 3_600 + 5, None),
                ("c", "BETA", Some("incoming"), 77 * 3_600, Some(7)),
                ("d", "BETA", Some("incoming"), 77 * 3_600 - 1, Some(9)),
                ("e", "BETA", None, 99 * 3_600, Some(i64::MAX)),
                ("f", "BETA", None, 99 * 3_600, Some(i64::MAX)),
            ] {
                let insert = query(
                    "INSERT INTO os4x_sessions (session, client, received, partner, direction, began, octets_in, \
                     octets_out, orphaned) VALUES ($1, 'c', $2, $3, $4, $2, $5, $5, 0)",
                );
                let insert = insert.bind(id).bind(began).bind(partner).bind(direction).bind(octets);
                insert.execute(&mut *connection).await.unwrap();
            }
            let refuse = query(
                "INSERT INTO os4x_refusals (minute, proxy_id, direction, reason, address, ssid, partner, subject, \
                 times, received) VALUES ($1, 'p', '', 'tls', '', '', '', '', 3, $1), ($1 + 60, 'p', '', 'tls', '', \
                 '', '', '', 4, $1), ($2, 'p', '', 'tls', '', '', '', '', 9, $1)",
            );
            refuse.bind(99 * 3_600_i64).bind(60_i64).execute(&mut *connection).await.unwrap();
            let all = of_all(&mut connection, PERIODS).await.unwrap();
            assert_eq!((all.len(), all[0].time, all[23].time), (24, 77 * 3_600, 100 * 3_600));
            let first =
                Traffic { time: 77 * 3_600, incoming: 1, octets_in: 7, octets_out: 7, ..Traffic::default() };
            assert_eq!(all[0], first);
            assert_eq!((all[22].incoming, all[22].refused, all[23].refused), (2, 7, 0));
            assert_eq!(all[22].octets_in, 1 << 47, "no more than 2^46 for each session");
            assert_eq!((all[23].incoming, all[23].outgoing, all[23].octets_in), (1, 1, 5));
            let acme = of_partner(&mut connection, PERIODS, "ACME").await.unwrap();
            assert_eq!((acme[23].incoming, acme[23].outgoing, acme[0].incoming), (1, 1, 0));
        });
    }

    #[test]
    fn the_rows_are_found_by_an_index() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            for (statement, index) in [
                (sessions_where(""), "os4x_sessions_received"),
                (sessions_where("AND partner = 'ACME'"), "os4x_sessions_partner"),
                (REFUSALS.to_owned(), "os4x_refusals_received"),
            ] {
                let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
                let rows = query(explain).bind(PERIODS.length).bind(0_i64).fetch_all(&mut *connection).await;
                let plan: String =
                    rows.unwrap().iter().map(|row| row.try_get::<String, _>("detail").unwrap()).collect();
                assert!(plan.contains(index), "{plan}");
            }
        });
    }
}

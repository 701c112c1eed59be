//! How many sessions and octets there were in each hour or day, and how many connections were refused: for charts.
//! Only reads: the sums of all partners from the kept hours, those of one partner from its sessions of that time.

use crate::db::{DbError, query};
use serde::Serialize;
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

impl Traffic {
    fn add_sessions(&mut self, direction: &str, sessions: i64, octets_in: i64, octets_out: i64) {
        let count = if direction == "outgoing" { &mut self.outgoing } else { &mut self.incoming };
        *count = count.saturating_add(sessions);
        self.octets_in = self.octets_in.saturating_add(octets_in);
        self.octets_out = self.octets_out.saturating_add(octets_out);
    }
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

/// The sums of all hours since this one, with the time in which each begins.
const HOURS: &str = "SELECT hour * 3600, direction, sessions, octets_in, octets_out, refused FROM os4x_hours \
    WHERE hour >= $1";

/// The octets so far of the sessions that have not ended: the hours do not have them yet.
const OPEN: &str = "SELECT COALESCE(began, received), COALESCE(octets_in, 0), COALESCE(octets_out, 0) \
    FROM os4x_sessions WHERE ended IS NULL AND received >= $1";

/// No session counts for more octets: whatever a hostile host reports, the sum of all rows that are kept does not
/// overflow.
const MOST: i64 = 1 << 46;

/// Sessions and octets of a partner by period and direction. A session is reported after its beginning, so the rows
/// that were received since the first second are those that matter.
fn of_partner_since() -> String {
    let sum = |column: &str| {
        let bounded = format!("CASE WHEN {column} > {MOST} THEN {MOST} ELSE COALESCE({column}, 0) END");
        format!("CAST(SUM({bounded}) AS BIGINT)")
    };
    let (octets_in, octets_out) = (sum("octets_in"), sum("octets_out"));
    format!(
        "SELECT COALESCE(began, received) / $1, direction, CAST(COUNT(*) AS BIGINT), {octets_in}, {octets_out} \
         FROM os4x_sessions WHERE received >= $2 AND partner = $3 GROUP BY 1, 2"
    )
}

/// The sums of these periods, which are whole hours, of all partners.
pub(crate) async fn of_all(
    connection: &mut AnyConnection,
    periods: Periods,
) -> Result<Vec<Traffic>, DbError> {
    let mut all = periods.empty();
    let hours = query(HOURS).bind(periods.start().div_euclid(3_600));
    for row in &hours.fetch_all(&mut *connection).await? {
        if let Some(sums) = place(&mut all, periods, row.try_get(0)?) {
            let (direction, sessions): (String, i64) = (row.try_get(1)?, row.try_get(2)?);
            sums.add_sessions(&direction, sessions, row.try_get(3)?, row.try_get(4)?);
            sums.refused = sums.refused.saturating_add(row.try_get(5)?);
        }
    }
    for row in &query(OPEN).bind(periods.start()).fetch_all(connection).await? {
        if let Some(sums) = place(&mut all, periods, row.try_get(0)?) {
            sums.add_sessions("", 0, row.try_get(1)?, row.try_get(2)?);
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
    let sessions = query(AssertSqlSafe(of_partner_since()));
    let sessions = sessions.bind(periods.length).bind(periods.start()).bind(partner.to_owned());
    let mut all = periods.empty();
    for row in &sessions.fetch_all(connection).await? {
        let number: i64 = row.try_get(0)?;
        if let Some(sums) = place(&mut all, periods, number.saturating_mul(periods.length)) {
            let direction: Option<String> = row.try_get(1)?;
            let (octets_in, octets_out) = (row.try_get(3)?, row.try_get(4)?);
            sums.add_sessions(&direction.unwrap_or_default(), row.try_get(2)?, octets_in, octets_out);
        }
    }
    Ok(all)
}

/// The period that contains this time, if it is one of these.
fn place(all: &mut [Traffic], periods: Periods, time: i64) -> Option<&mut Traffic> {
    all.get_mut(usize::try_from(time.div_euclid(periods.length) - periods.first()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{HOURS, OPEN, Periods, Traffic, of_all, of_partner, of_partner_since};
    use crate::db::query;
    use crate::db::scratch::{Scratch, run};
    use sqlx::{AssertSqlSafe, Row};

    const PERIODS: Periods = Periods { length: 3_600, count: 24, now: 100 * 3_600 + 5 };

    #[test]
    fn each_hour_has_its_sums_and_the_octets_of_sessions_that_run() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            let insert = query(
                "INSERT INTO os4x_hours (hour, direction, sessions, octets_in, octets_out, refused) VALUES \
                 (100, 'incoming', 1, 5, 0, 0), (100, 'outgoing', 2, 0, 6, 0), (77, '', 1, 7, 7, 9), \
                 (76, 'incoming', 8, 8, 8, 8), (101, 'incoming', 8, 8, 8, 8)",
            );
            insert.execute(&mut *connection).await.unwrap();
            let open = query(
                "INSERT INTO os4x_sessions (session, client, received, partner, direction, began, octets_in, \
                 octets_out, orphaned) VALUES ('a', 'c', $1, 'ACME', 'outgoing', $1, 9, 1, 0)",
            );
            open.bind(100 * 3_600_i64).execute(&mut *connection).await.unwrap();
            let all = of_all(&mut connection, PERIODS).await.unwrap();
            assert_eq!((all.len(), all[0].time, all[23].time), (24, 77 * 3_600, 100 * 3_600));
            let first =
                Traffic { incoming: 1, octets_in: 7, octets_out: 7, refused: 9, ..Traffic::default() };
            assert_eq!(all[0], Traffic { time: 77 * 3_600, ..first });
            let last =
                Traffic { incoming: 1, outgoing: 2, octets_in: 14, octets_out: 7, ..Traffic::default() };
            assert_eq!(all[23], Traffic { time: 100 * 3_600, ..last });
            let acme = of_partner(&mut connection, PERIODS, "ACME").await.unwrap();
            assert_eq!((acme[23].incoming, acme[23].outgoing, acme[23].octets_in), (0, 1, 9));
            assert_eq!(acme[0], Traffic { time: 77 * 3_600, ..Traffic::default() });
        });
    }

    #[test]
    fn the_rows_are_found_by_an_index() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            for (statement, index) in [
                (of_partner_since(), "os4x_sessions_partner"),
                (HOURS.to_owned(), "os4x_hours"),
                (OPEN.to_owned(), "os4x_sessions_open"),
            ] {
                let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
                let places = 1 + ["$2", "$3"].iter().filter(|place| statement.contains(*place)).count();
                let explain = (0..places).fold(query(explain), |explain, _| explain.bind(1_i64));
                let rows = explain.fetch_all(&mut *connection).await;
                let plan: String =
                    rows.unwrap().iter().map(|row| row.try_get::<String, _>("detail").unwrap()).collect();
                assert!(plan.contains("SEARCH") && plan.contains(index), "{plan}");
            }
        });
    }
}

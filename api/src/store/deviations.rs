//! The deviations from the RFC in each partner's sessions: a row for each number and side. The API writes them from the
//! ends of sessions, `partner show` reads them. There are at most as many rows as numbers, and they are removed with
//! their partner.

use super::journal::{clean, seconds};
use crate::db::{self, DbError};
use common::oftp::{Deviation, Deviations};
use common::rpc::SessionEnd;
use serde::Serialize;
use sqlx::{AnyConnection, Row};

/// One deviation of a partner's sessions.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    /// Its number in `man/doc/deviations.md`.
    pub(crate) number: String,
    /// The side that showed it: `partner` or `station`.
    pub(crate) sender: String,
    /// The number of sessions with it.
    pub(crate) sessions: i64,
    /// When the last of them ended, seconds since 1970-01-01 UTC.
    pub(crate) last: i64,
    /// Its description.
    pub(crate) text: &'static str,
}

/// Counts the deviations of a session that has just ended. Its beginning tells its partner; a partner that is not
/// listed (any more) has no rows.
pub(crate) async fn count(connection: &mut AnyConnection, end: &SessionEnd) -> Result<(), DbError> {
    for (sender, numbers) in [("partner", end.deviations.partner), ("station", end.deviations.station)] {
        count_of(connection, end, sender, numbers).await?;
    }
    Ok(())
}

async fn count_of(
    connection: &mut AnyConnection,
    end: &SessionEnd,
    sender: &str,
    numbers: Deviations,
) -> Result<(), DbError> {
    for number in numbers.iter() {
        db::query(
            "INSERT INTO os4x_partner_deviations (partner, sender, number, sessions, last) \
             SELECT p.short_name, CAST($1 AS TEXT), CAST($2 AS TEXT), 1, CAST($3 AS BIGINT) FROM os4x_partners p \
             JOIN os4x_sessions s ON s.partner = p.short_name WHERE s.session = $4 \
             ON CONFLICT (partner, sender, number) DO UPDATE SET \
             sessions = os4x_partner_deviations.sessions + 1, last = excluded.last",
        )
        .bind(sender.to_owned())
        .bind(number.to_string())
        .bind(seconds(end.time))
        .bind(clean(&end.session))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The deviations of one partner, by side and number.
pub(crate) async fn of_partner(connection: &mut AnyConnection, partner: &str) -> Result<Vec<Shown>, DbError> {
    let rows =
        db::query("SELECT sender, number, sessions, last FROM os4x_partner_deviations WHERE partner = $1")
            .bind(partner.to_owned())
            .fetch_all(connection)
            .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        let (sender, number): (String, String) = (row.try_get("sender")?, row.try_get("number")?);
        // A newer os4xapi may have stored others.
        if let Some(deviation) = Deviation::numbered(&number) {
            let (sessions, last) = (row.try_get("sessions")?, row.try_get("last")?);
            all.push((deviation as u32, Shown { number, sender, sessions, last, text: deviation.text() }));
        }
    }
    all.sort_by(|(number, shown), (other, than)| (&shown.sender, number).cmp(&(&than.sender, other)));
    Ok(all.into_iter().map(|(_, shown)| shown).collect())
}

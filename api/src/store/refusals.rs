//! The refusals of servers, by minute. Data from the DMZ is limited: a minute of a server has a fixed number of rows
//! and one for all others, whatever the server sends. The daemons see none of it.

use super::journal::{clean, seconds};
use super::{hours, totals};
use crate::db::{self, DbError};
use common::state::{MAX_REFUSALS, MAX_TEXT, OTHERS, RefusalCount, Refused, minute_of};
use common::text::clock;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The largest difference of a minute to this clock, ahead and behind, in seconds; for any other minute its own time is
/// not known, so the present one is used.
const PLAUSIBLE: (i64, i64) = (300, clock::DAY);

/// Equal refusals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Group {
    #[serde(flatten)]
    pub(crate) what: Refused,
    /// Their number.
    pub(crate) times: i64,
    /// First seconds of the first minute and the last one, since 1970-01-01 UTC.
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// Rows of one statement. A call may have hundreds: a statement for each would cost a round trip.
const PAGE: usize = 100;
/// Columns of a row.
const WIDTH: usize = 10;

/// Adds the counts of a server; must be the first statement of a transaction.
pub(crate) async fn add(
    connection: &mut AnyConnection,
    proxy_id: &str,
    refusals: &[RefusalCount],
) -> Result<(), DbError> {
    // The first statement writes, although no row: SQLite waits for its turn here.
    db::query("UPDATE os4x_refusals SET times = times WHERE minute IS NULL")
        .execute(&mut *connection)
        .await?;
    for (minute, counts) in by_minute(refusals) {
        let mut known = known(connection, proxy_id, minute).await?;
        let mut rows: HashMap<Refused, i64> = HashMap::new();
        for (what, count) in counts {
            let has_room = known.contains(&what) || known.len() < MAX_REFUSALS;
            let what = if has_room { what } else { Refused::others() };
            if what.reason != OTHERS {
                known.insert(what.clone());
            }
            let sum = rows.entry(what).or_default();
            *sum = sum.saturating_add(count).min(i64::from(u32::MAX));
        }
        hours::add_refusals(connection, minute, rows.values().sum()).await?;
        let rows: Vec<(Refused, i64)> = rows.into_iter().collect();
        for page in rows.chunks(PAGE) {
            put(connection, proxy_id, minute, page).await?;
        }
    }
    let counts = refusals.iter().map(|one| (one.what.reason.as_str(), one.count));
    totals::add_refusals(connection, proxy_id, counts).await?;
    Ok(())
}

/// The counts by minute. Sums of them do not overflow.
fn by_minute(refusals: &[RefusalCount]) -> BTreeMap<i64, Vec<(Refused, i64)>> {
    let ((ahead, behind), now) = (PLAUSIBLE, clock::now());
    let mut all: BTreeMap<i64, Vec<(Refused, i64)>> = BTreeMap::new();
    for RefusalCount { minute, what, count } in refusals {
        let is_plausible = (now - behind..=now + ahead).contains(minute);
        let minute = minute_of(if is_plausible { *minute } else { now });
        all.entry(minute).or_default().push((bounded(what), seconds(*count).min(i64::from(u32::MAX))));
    }
    all
}

fn bounded(what: &Refused) -> Refused {
    let short = |text: &str| clean(text).chars().take(MAX_TEXT).collect::<String>();
    Refused {
        direction: short(&what.direction),
        reason: short(&what.reason),
        address: what.address,
        ssid: short(&what.ssid),
        partner: short(&what.partner),
        subject: short(&what.subject),
    }
}

/// The refusals of one minute of a server that have rows of their own, without "all others".
async fn known(
    connection: &mut AnyConnection,
    proxy_id: &str,
    minute: i64,
) -> Result<HashSet<Refused>, DbError> {
    let rows = db::query(
        "SELECT direction, reason, address, ssid, partner, subject FROM os4x_refusals \
         WHERE minute = $1 AND proxy_id = $2 AND reason <> $3",
    );
    let rows = rows.bind(minute).bind(proxy_id.to_owned()).bind(OTHERS).fetch_all(connection).await?;
    rows.iter().map(refused).collect()
}

/// Adds to existing rows, and adds new ones.
async fn put(
    connection: &mut AnyConnection,
    proxy_id: &str,
    minute: i64,
    page: &[(Refused, i64)],
) -> Result<(), DbError> {
    let statement = AssertSqlSafe(format!(
        "INSERT INTO os4x_refusals (times, received, minute, proxy_id, direction, reason, address, ssid, partner, \
         subject) VALUES {} ON CONFLICT (minute, proxy_id, direction, reason, address, ssid, partner, subject) \
         DO UPDATE SET times = os4x_refusals.times + excluded.times, received = excluded.received",
        db::places(page.len(), WIDTH)
    ));
    let mut insert = db::query(statement);
    for (what, times) in page {
        insert = insert
            .bind(*times)
            .bind(clock::now())
            .bind(minute)
            .bind(proxy_id.to_owned())
            .bind(what.direction.clone())
            .bind(what.reason.clone())
            .bind(what.address.map(|address| address.to_string()).unwrap_or_default())
            .bind(what.ssid.clone())
            .bind(what.partner.clone())
            .bind(what.subject.clone());
    }
    insert.execute(connection).await?;
    Ok(())
}

/// Refusals since `time`, equal ones counted together, the most frequent first, `limit` groups at most.
pub(crate) async fn grouped(
    connection: &mut AnyConnection,
    time: i64,
    limit: u32,
) -> Result<Vec<Group>, DbError> {
    let rows = db::query(
        "SELECT direction, reason, address, ssid, partner, subject, CAST(SUM(times) AS BIGINT) AS sum, \
         MIN(minute) AS first, MAX(minute) AS last FROM os4x_refusals WHERE received >= $1 \
         GROUP BY direction, reason, address, ssid, partner, subject \
         ORDER BY 7 DESC, reason, address, ssid, partner, subject LIMIT $2",
    );
    rows.bind(time).bind(i64::from(limit)).fetch_all(connection).await?.iter().map(group).collect()
}

/// The newest refusals of a partner since `time`, those of its SSIDCODE included, the newest first; each minute is a
/// group of its own.
pub(crate) async fn newest_of(
    connection: &mut AnyConnection,
    (partner, ssid): (&str, &str),
    time: i64,
    limit: u32,
) -> Result<Vec<Group>, DbError> {
    let rows = db::query(
        "SELECT direction, reason, address, ssid, partner, subject, CAST(SUM(times) AS BIGINT) AS sum, \
         minute AS first, minute AS last FROM os4x_refusals \
         WHERE received >= $1 AND (partner = $2 OR (partner = '' AND ssid = $3)) \
         GROUP BY minute, direction, reason, address, ssid, partner, subject \
         ORDER BY minute DESC, reason, address LIMIT $4",
    );
    let rows = rows.bind(time).bind(partner.to_owned()).bind(ssid.to_owned()).bind(i64::from(limit));
    rows.fetch_all(connection).await?.iter().map(group).collect()
}

fn group(row: &AnyRow) -> Result<Group, DbError> {
    let (first, last) = (row.try_get("first")?, row.try_get("last")?);
    Ok(Group { what: refused(row)?, times: row.try_get("sum")?, first, last })
}

fn refused(row: &AnyRow) -> Result<Refused, DbError> {
    let address: String = row.try_get("address")?;
    Ok(Refused {
        direction: row.try_get("direction")?,
        reason: row.try_get("reason")?,
        address: address.parse().ok(),
        ssid: row.try_get("ssid")?,
        partner: row.try_get("partner")?,
        subject: row.try_get("subject")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Group, add, grouped, newest_of};
    use crate::db;
    use crate::db::scratch::{Scratch, run};
    use crate::store::journal::{forget, trim};
    use common::state::{MAX_REFUSALS, RefusalCount, Refused, this_minute};
    use common::text::clock;
    use std::net::Ipv4Addr;

    fn row(number: u32, count: u64) -> RefusalCount {
        let address = Some(Ipv4Addr::from(number).into());
        let what =
            Refused { reason: "tls".to_owned(), address, ssid: "O\0".to_owned(), ..Refused::default() };
        RefusalCount { minute: this_minute(), what, count }
    }

    #[test]
    fn a_minute_of_a_server_has_so_many_rows_whatever_it_sends() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            let minute = this_minute();
            let rows: Vec<RefusalCount> =
                (0..500).map(|number| RefusalCount { minute, ..row(number, 2) }).collect();
            for _ in 0..2 {
                add(&mut connection, "a", &rows).await.unwrap();
            }
            let all = grouped(&mut connection, 0, 1_000).await.unwrap();
            assert_eq!(all.len(), MAX_REFUSALS + 1);
            assert_eq!(all.iter().map(|group| group.times).sum::<i64>(), 2_000);
            let others = &all[0];
            assert_eq!(
                (others.what.reason.as_str(), others.times),
                ("others", 1_200),
                "the most frequent first"
            );
            assert!(all[1..].iter().all(|group| group.what.ssid == "O\u{fffd}"));
            add(&mut connection, "b", &rows[..1]).await.unwrap();
            let Group { times, .. } = grouped(&mut connection, 0, 2).await.unwrap()[1];
            assert_eq!(times, 6, "another server has rows of its own, and is in the same group");
        });
    }

    #[test]
    fn the_newest_of_a_partner_are_those_with_its_name_or_its_ssid() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            let minute = this_minute();
            let at = |ago: i64, partner: &str, ssid: &str| RefusalCount {
                minute: minute - 60 * ago,
                what: Refused { partner: partner.to_owned(), ssid: ssid.to_owned(), ..row(1, 1).what },
                count: 2,
            };
            let all = [
                at(2, "ACME", "O1"),
                at(1, "", "O1"),
                at(0, "", "O2"),
                at(3, "BETA", "O1"),
                at(5, "ACME", ""),
            ];
            add(&mut connection, "a", &all).await.unwrap();
            add(&mut connection, "b", &all[..1]).await.unwrap();
            let found = newest_of(&mut connection, ("ACME", "O1"), 0, 2).await.unwrap();
            let found: Vec<(i64, i64)> =
                found.iter().map(|group| ((minute - group.last) / 60, group.times)).collect();
            assert_eq!(found, [(1, 2), (2, 4)]);
        });
    }

    #[test]
    fn a_minute_that_cannot_be_is_the_one_in_which_it_came_and_rows_go_when_they_are_old_or_too_many() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            let (now, early) = (clock::now(), this_minute() - 7_200);
            let at = |number, minute| RefusalCount { minute, ..row(number, u64::MAX) };
            add(&mut connection, "a", &[at(1, i64::MAX), at(2, 0), at(3, early)]).await.unwrap();
            let all = grouped(&mut connection, now - 60, 10).await.unwrap();
            let firsts: Vec<i64> = all.iter().map(|group| group.first).collect();
            assert!(firsts[..2].iter().all(|first| (now - 60..=now + 60).contains(first)), "{firsts:?}");
            assert_eq!(firsts[2], early);
            assert_eq!(grouped(&mut connection, now + 60, 10).await.unwrap(), []);
            let age =
                db::query("UPDATE os4x_refusals SET received = received - $1 WHERE address = '0.0.0.1'");
            age.bind(91 * clock::DAY).execute(&mut *connection).await.unwrap();
            assert_eq!(forget(&mut connection, 90).await.unwrap(), 1);
            let age = db::query("UPDATE os4x_refusals SET received = received - 9 WHERE address = '0.0.0.2'");
            age.execute(&mut *connection).await.unwrap();
            assert_eq!(trim(&mut connection, 1).await.unwrap(), 1);
            assert_eq!(grouped(&mut connection, 0, 10).await.unwrap()[0].first, early);
        });
    }
}

//! The partners whose sessions write DEBUG for a time. They have a table of their own, so that the version of the
//! partner's row does not change. They are part of the configuration, so a change increases its generation; the end of
//! the time changes nothing, because each daemon knows it.

use crate::db::{self, Change, DbError};
use common::config::DebuggedPartner;
use common::text::clock;
use sqlx::{AnyConnection, Row};

/// Partners whose time is not over.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<DebuggedPartner>, DbError> {
    let now = clock::now();
    let rows = db::query("SELECT partner, until FROM os4x_partner_debug WHERE until > $1 ORDER BY partner")
        .bind(now);
    let of_row = |row: &sqlx::any::AnyRow| {
        let until: i64 = row.try_get("until")?;
        let seconds = u32::try_from(until.saturating_sub(now)).unwrap_or(u32::MAX);
        Ok(DebuggedPartner { partner: row.try_get("partner")?, until, seconds })
    };
    rows.fetch_all(connection).await?.iter().map(of_row).collect()
}

/// Sets the end of a partner's time to `until`, and removes all expired rows.
pub(crate) async fn put(change: &mut Change, partner: &str, until: i64) -> Result<(), DbError> {
    let over = db::query("DELETE FROM os4x_partner_debug WHERE until <= $1").bind(clock::now());
    over.execute(&mut **change).await?;
    db::query(
        "INSERT INTO os4x_partner_debug (partner, until) VALUES ($1, $2) \
         ON CONFLICT (partner) DO UPDATE SET until = excluded.until",
    )
    .bind(partner)
    .bind(until)
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Ends a partner's time; false if there is none.
pub(crate) async fn remove(change: &mut Change, partner: &str) -> Result<bool, DbError> {
    let done = db::query("DELETE FROM os4x_partner_debug WHERE partner = $1 AND until > $2");
    let done = done.bind(partner).bind(clock::now()).execute(&mut **change).await?;
    Ok(done.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use super::{all, put, remove};
    use crate::db::scratch::{Scratch, run};
    use crate::store::partners;
    use common::config::Partner;
    use common::text::clock;

    #[test]
    fn a_time_ends_by_itself_or_with_its_partner() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut change = db.change().await.unwrap();
            let now = clock::now();
            for (name, until) in [("a", now + 600), ("b", now), ("c", now + 600)] {
                partners::put(&mut change, &Partner::new(name, name)).await.unwrap();
                put(&mut change, name, until).await.unwrap();
            }
            let found = all(&mut change).await.unwrap();
            let names: Vec<&str> = found.iter().map(|one| one.partner.as_str()).collect();
            assert_eq!(names, ["a", "c"], "the time of one is over");
            assert!(found.iter().all(|one| one.until == now + 600 && (590..=600).contains(&one.seconds)));
            assert!(!remove(&mut change, "b").await.unwrap());
            assert!(remove(&mut change, "a").await.unwrap());
            assert!(!remove(&mut change, "a").await.unwrap());
            partners::remove(&mut change, "c").await.unwrap();
            assert!(all(&mut change).await.unwrap().is_empty());
        });
    }
}

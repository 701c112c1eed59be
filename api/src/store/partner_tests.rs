//! The number of partners that are tested: a test is an act, and is open until its client has reported the outcome. The
//! functions run inside the change that orders another test, so that two orders cannot overlook each other.

use crate::db::{self, DbError};
use common::rpc::ActKind;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeSet;

/// The beginning of all tests in their column.
const BEGIN: &str = r#"{"act":"test-partner""#;

/// Whether the same test is open: ordered since `ordered` and not taken yet, or taken since `taken`.
pub(crate) async fn is_open(
    connection: &mut AnyConnection,
    kind: &ActKind,
    (ordered, taken): (i64, i64),
) -> Result<bool, DbError> {
    let kind = serde_json::to_string(kind).map_err(|_| DbError::Corrupt("act that is no JSON".into()))?;
    let open = db::query(
        "SELECT id FROM os4x_acts WHERE kind = $1 AND outcome IS NULL \
         AND (taken >= $3 OR (taken IS NULL AND made >= $2)) LIMIT 1",
    );
    let open = open.bind(kind).bind(ordered).bind(taken).fetch_optional(connection).await?;
    Ok(open.is_some())
}

/// When the tests since `time` were ordered, oldest first.
pub(crate) async fn since(connection: &mut AnyConnection, time: i64) -> Result<Vec<i64>, DbError> {
    let rows = db::query(
        "SELECT made FROM os4x_acts WHERE SUBSTR(kind, 1, LENGTH($1)) = $1 AND made >= $2 ORDER BY made",
    );
    let rows = rows.bind(BEGIN).bind(time).fetch_all(connection).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, sqlx::Error>>()?)
}

/// The partners whose tests have succeeded lately; acts are forgotten after a day.
pub(crate) async fn passed(connection: &mut AnyConnection) -> Result<BTreeSet<String>, DbError> {
    let rows = db::query("SELECT kind FROM os4x_acts WHERE SUBSTR(kind, 1, LENGTH($1)) = $1 AND done = 1");
    let rows = rows.bind(BEGIN).fetch_all(connection).await?;
    let kinds = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, sqlx::Error>>()?;
    let partner = |kind: &String| match serde_json::from_str(kind) {
        Ok(ActKind::TestPartner { partner }) => Some(partner),
        _ => None,
    };
    Ok(kinds.iter().filter_map(partner).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::scratch::{Scratch, run};
    use crate::store::acts;
    use common::rpc::ActOutcome;
    use common::text::clock;

    const CLIENT: &str = "192.0.2.1 inside";

    fn test(partner: &str) -> ActKind {
        ActKind::TestPartner { partner: partner.to_owned() }
    }

    #[test]
    fn a_test_is_open_until_it_is_over_or_its_time_is_and_each_is_counted() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut change = db.unseen_change().await.unwrap();
            let number = acts::add(&mut change, CLIENT, &test("acme"), "root(0)").await.unwrap();
            let kind = ActKind::EndSession { session: "ab".to_owned() };
            acts::add(&mut change, CLIENT, &kind, "root(0)").await.unwrap();
            change.commit().await.unwrap();
            let mut connection = db.sqlite_connection().await.unwrap();
            let (now, later) = (clock::now() - 5, clock::now() + 5);
            for (partner, since, expected) in
                [("acme", (now, now), true), ("acme", (later, now), false), ("bolt", (now, now), false)]
            {
                assert_eq!(is_open(&mut connection, &test(partner), since).await.unwrap(), expected);
            }
            let found = acts::waiting(&mut connection, CLIENT, &ActKind::all()).await.unwrap();
            acts::take(&db, found).await.unwrap();
            for (since, expected) in [((later, now), true), ((now, later), false)] {
                assert_eq!(is_open(&mut connection, &test("acme"), since).await.unwrap(), expected);
            }
            let number = u64::try_from(number).unwrap();
            let outcome = ActOutcome { number, done: true, text: String::new(), steps: Vec::new() };
            assert!(passed(&mut connection).await.unwrap().is_empty());
            acts::end(&mut connection, CLIENT, &outcome).await.unwrap();
            assert_eq!(passed(&mut connection).await.unwrap(), ["acme".to_owned()].into());
            assert!(!is_open(&mut connection, &test("acme"), (now, now)).await.unwrap());
            assert_eq!(since(&mut connection, now).await.unwrap().len(), 1, "the other act is no test");
            assert!(since(&mut connection, later).await.unwrap().is_empty());
        });
    }

    #[test]
    fn each_test_begins_as_they_are_looked_for() {
        assert!(serde_json::to_string(&test("acme")).unwrap().starts_with(BEGIN));
    }
}

//! Acts: what an administrator requests for running daemons, to be done at once. A command writes them, one for each
//! client that takes part; `proxy_wait` hands each out once, and `proxy_act_done` reports its outcome. The command
//! waits for the outcome, so an act that no client takes ends soon. Also which acts each client takes, so that a client
//! that too old can be named. The daemons see acts only when they ask for them, so the generation does not change.

use super::journal::clean;
use crate::db::{self, Change, Db, DbError};
use common::partner_test::{TestStep, bounded};
use common::rpc::{Act, ActKind, ActOutcome, MAX_ACTS};
use common::text::clock::{self, DAY};
use sqlx::{AnyConnection, Row};

/// How long an act is handed out, seconds: as long as its command waits.
pub(crate) const LIFE: i64 = 30;

/// The progress of an act.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No client has taken it yet.
    Waiting,
    /// A client has it.
    Taken,
    /// It has ended: whether it was carried out, a sentence about it, and the steps of a test.
    Over { done: bool, text: String, steps: Vec<TestStep> },
}

/// Orders an act of the client `caller`; its number.
pub(crate) async fn add(
    change: &mut Change,
    caller: &str,
    kind: &ActKind,
    administrator: &str,
) -> Result<i64, DbError> {
    let kind = serde_json::to_string(kind).map_err(|_| DbError::Corrupt("act that is no JSON".into()))?;
    let row = db::query(
        "INSERT INTO os4x_acts (caller, kind, administrator, made) VALUES ($1, $2, $3, $4) RETURNING id",
    )
    .bind(caller.to_owned())
    .bind(kind)
    .bind(administrator.to_owned())
    .bind(clock::now())
    .fetch_one(&mut **change)
    .await?;
    Ok(row.try_get(0)?)
}

/// The acts that wait for `caller`, of these kinds.
pub(crate) async fn waiting(
    connection: &mut AnyConnection,
    caller: &str,
    kinds: &[String],
) -> Result<Vec<Act>, DbError> {
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    let rows = db::query(
        "SELECT id, kind, administrator FROM os4x_acts \
         WHERE taken IS NULL AND caller = $1 AND made >= $2 ORDER BY id",
    )
    .bind(caller.to_owned())
    .bind(clock::now() - LIFE)
    .fetch_all(connection)
    .await?;
    let mut acts = Vec::new();
    for row in &rows {
        let kind: String = row.try_get("kind")?;
        // An act of a newer os4xapi is left to a newer `serve`.
        let Ok(kind) = serde_json::from_str::<ActKind>(&kind) else { continue };
        let number = row.try_get::<i64, _>("id")?.try_into().unwrap_or_default();
        if kinds.iter().any(|word| word == kind.word()) {
            acts.push(Act { number, administrator: row.try_get("administrator")?, kind });
        }
    }
    acts.truncate(MAX_ACTS);
    Ok(acts)
}

/// Marks these acts as handed out; gives those that no other `serve` has handed out meanwhile.
pub(crate) async fn take(db: &Db, acts: Vec<Act>) -> Result<Vec<Act>, DbError> {
    let mut batch = db.batch().await?;
    let mut taken = Vec::new();
    for act in acts {
        let done = db::query("UPDATE os4x_acts SET taken = $1 WHERE id = $2 AND taken IS NULL")
            .bind(clock::now())
            .bind(id(act.number))
            .execute(&mut *batch)
            .await?;
        if done.rows_affected() > 0 {
            taken.push(act);
        }
    }
    batch.commit().await?;
    Ok(taken)
}

/// Stores the outcome of an act that was handed out to `caller`; the first report counts.
pub(crate) async fn end(
    connection: &mut AnyConnection,
    caller: &str,
    outcome: &ActOutcome,
) -> Result<(), DbError> {
    let steps = serde_json::to_string(&bounded(outcome.steps.clone()));
    let steps = steps.map_err(|_| DbError::Corrupt("steps that are no JSON".into()))?;
    db::query(
        "UPDATE os4x_acts SET done = $1, outcome = $2, steps = $3 \
         WHERE id = $4 AND caller = $5 AND taken IS NOT NULL AND outcome IS NULL",
    )
    .bind(i64::from(outcome.done))
    .bind(clean(&outcome.text))
    .bind(steps)
    .bind(id(outcome.number))
    .bind(caller.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

/// No command waits for these acts any more: acts that no client has taken must not be handed out.
pub(crate) async fn withdraw(db: &Db, ids: &[i64]) -> Result<(), DbError> {
    let mut batch = db.batch().await?;
    for id in ids {
        let gone = db::query("DELETE FROM os4x_acts WHERE id = $1 AND taken IS NULL").bind(*id);
        gone.execute(&mut *batch).await?;
    }
    batch.commit().await
}

/// The progress of this act.
pub(crate) async fn progress(connection: &mut AnyConnection, id: i64) -> Result<Progress, DbError> {
    let row = db::query("SELECT taken, done, outcome, steps FROM os4x_acts WHERE id = $1").bind(id);
    let Some(row) = row.fetch_optional(connection).await? else { return Ok(Progress::Waiting) };
    let (taken, outcome): (Option<i64>, Option<String>) = (row.try_get("taken")?, row.try_get("outcome")?);
    let steps: Option<String> = row.try_get("steps")?;
    Ok(match (outcome, taken) {
        (Some(text), _) => Progress::Over {
            done: row.try_get::<Option<i64>, _>("done")? == Some(1),
            text,
            steps: steps.and_then(|steps| serde_json::from_str(&steps).ok()).unwrap_or_default(),
        },
        (None, Some(_)) => Progress::Taken,
        (None, None) => Progress::Waiting,
    })
}

/// Notes that `caller` waits, and which acts it takes.
pub(crate) async fn note_wait(
    connection: &mut AnyConnection,
    caller: &str,
    kinds: &[String],
) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_waits (caller, acts, seen) VALUES ($1, $2, $3) \
         ON CONFLICT (caller) DO UPDATE SET acts = excluded.acts, seen = excluded.seen",
    )
    .bind(caller.to_owned())
    .bind(clean(&kinds.join(" ")))
    .bind(clock::now())
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether `caller` takes acts of this kind, as it has said since `time`; none: it has not called since.
pub(crate) async fn takes(
    connection: &mut AnyConnection,
    caller: &str,
    kind: &str,
    time: i64,
) -> Result<Option<bool>, DbError> {
    let row = db::query("SELECT acts FROM os4x_waits WHERE caller = $1 AND seen >= $2");
    let row = row.bind(caller.to_owned()).bind(time).fetch_optional(connection).await?;
    let acts = row.map(|row| row.try_get::<String, _>(0)).transpose()?;
    Ok(acts.map(|acts| acts.split(' ').any(|word| word == kind)))
}

/// Forgets the acts of yesterday, and callers that do not wait any more.
pub(crate) async fn forget(connection: &mut AnyConnection) -> Result<(), DbError> {
    for old in ["DELETE FROM os4x_acts WHERE made < $1", "DELETE FROM os4x_waits WHERE seen < $1"] {
        db::query(old).bind(clock::now() - DAY).execute(&mut *connection).await?;
    }
    Ok(())
}

fn id(number: u64) -> i64 {
    i64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::scratch::{Scratch, run};
    use common::partner_test::TestRecord;
    use common::process::end_reasons::Status;
    use std::time::Instant;

    const CLIENT: &str = "192.0.2.1 inside";

    fn steps() -> Vec<TestStep> {
        let mut record = TestRecord::begin(Instant::now());
        record.fail(Status::PartnerDown, "nul \0 \u{1b}".to_owned(), Instant::now())
    }

    #[test]
    fn an_act_is_handed_out_once_to_its_client_and_ends_once() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let kind = ActKind::EndSession { session: "ab".to_owned() };
            let mut change = db.unseen_change().await.unwrap();
            let number = add(&mut change, CLIENT, &kind, "root(0)").await.unwrap();
            change.commit().await.unwrap();
            let kinds = ActKind::all();
            let mut connection = db.sqlite_connection().await.unwrap();
            for (caller, kinds) in [("192.0.2.2", &kinds[..]), (CLIENT, &[][..]), (CLIENT, &["x".to_owned()])]
            {
                assert_eq!(waiting(&mut connection, caller, kinds).await.unwrap(), []);
            }
            let found = waiting(&mut connection, CLIENT, &kinds).await.unwrap();
            let number = (number, u64::try_from(number).unwrap());
            assert_eq!(found, [Act { number: number.1, administrator: "root(0)".to_owned(), kind }]);
            let outcome = |text: &str| ActOutcome {
                number: number.1,
                done: true,
                text: text.to_owned(),
                steps: steps(),
            };
            end(&mut connection, CLIENT, &outcome("too early")).await.unwrap();
            assert_eq!(progress(&mut connection, number.0).await.unwrap(), Progress::Waiting);
            assert_eq!(take(&db, found.clone()).await.unwrap(), found);
            assert_eq!(take(&db, found).await.unwrap(), [], "another one has it");
            assert_eq!(waiting(&mut connection, CLIENT, &kinds).await.unwrap(), []);
            end(&mut connection, "192.0.2.2", &outcome("not its own")).await.unwrap();
            assert_eq!(progress(&mut connection, number.0).await.unwrap(), Progress::Taken);
            for text in ["done", "done twice"] {
                end(&mut connection, CLIENT, &outcome(text)).await.unwrap();
                let over = Progress::Over { done: true, text: "done".to_owned(), steps: steps() };
                assert_eq!(progress(&mut connection, number.0).await.unwrap(), over);
            }
        });
    }

    #[test]
    fn what_nobody_takes_is_soon_over() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let kind = ActKind::EndSession { session: "ab".to_owned() };
            let mut change = db.unseen_change().await.unwrap();
            add(&mut change, CLIENT, &kind, "root(0)").await.unwrap();
            change.commit().await.unwrap();
            let mut connection = db.sqlite_connection().await.unwrap();
            let late = db::query("UPDATE os4x_acts SET made = made - $1").bind(LIFE + 1);
            late.execute(&mut *connection).await.unwrap();
            assert_eq!(waiting(&mut connection, CLIENT, &ActKind::all()).await.unwrap(), []);
            let mut change = db.unseen_change().await.unwrap();
            let withdrawn = add(&mut change, CLIENT, &kind, "root(0)").await.unwrap();
            let taken = add(&mut change, CLIENT, &kind, "root(0)").await.unwrap();
            change.commit().await.unwrap();
            let mut found = waiting(&mut connection, CLIENT, &ActKind::all()).await.unwrap();
            found.retain(|act| id(act.number) == taken);
            take(&db, found).await.unwrap();
            withdraw(&db, &[withdrawn, taken]).await.unwrap();
            assert_eq!(waiting(&mut connection, CLIENT, &ActKind::all()).await.unwrap(), []);
            assert_eq!(progress(&mut connection, taken).await.unwrap(), Progress::Taken);
        });
    }

    #[test]
    fn each_client_says_which_acts_it_takes() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let mut connection = db.sqlite_connection().await.unwrap();
            let now = clock::now();
            for (kinds, expected) in [(Vec::new(), false), (ActKind::all(), true)] {
                note_wait(&mut connection, CLIENT, &kinds).await.unwrap();
                let says = takes(&mut connection, CLIENT, "end-session", now - 1).await.unwrap();
                assert_eq!(says, Some(expected));
            }
            assert_eq!(takes(&mut connection, CLIENT, "end-session", now + 100).await.unwrap(), None);
        });
    }
}

//! Acts on what runs, for the commands that order them: the wait for what becomes of one, and who is at fault if
//! nothing does. `change::requests` orders them.

use super::error::CliError;
use super::output;
use crate::change::heard;
use crate::change::requests::{Ordered, Patience};
use crate::db::Db;
use crate::language::Language;
use crate::store::acts::{self, Progress};
use crate::store::journal;
use common::partner_test::TestStep;
use common::text::clock;
use std::time::Duration;
use tokio::time::{self, Instant};

/// How often the database is asked for the outcome of an act.
const LOOK: Duration = Duration::from_millis(100);
/// A client waits again within half a minute; a slow one may need a little more.
const WAITS_ANEW: i64 = 60;

/// What has become of an act.
pub(super) struct Done {
    /// The client that has carried it out.
    pub(super) caller: String,
    /// What was done.
    pub(super) text: String,
    /// The steps of a test.
    pub(super) steps: Vec<TestStep>,
}

/// The outcome of the acts, as soon as one was carried out, or all have failed, or the time is over: what was done, or
/// why nothing was done.
pub(super) async fn outcome(db: &Db, ordered: &[Ordered], patience: Patience) -> Result<Done, CliError> {
    let told = wait(db, ordered, patience).await;
    if told.is_err() {
        let numbers: Vec<i64> = ordered.iter().map(|one| one.number).collect();
        acts::withdraw(db, &numbers).await?;
    }
    told
}

async fn wait(db: &Db, ordered: &[Ordered], patience: Patience) -> Result<Done, CliError> {
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        let mut snapshot = db.snapshot().await?;
        let (mut faults, mut is_open, mut is_taken) = (Vec::new(), false, false);
        for one in ordered {
            match acts::progress(&mut snapshot, one.number).await? {
                Progress::Over { done: true, text, steps } => {
                    return Ok(Done { caller: one.caller.clone(), text, steps });
                }
                Progress::Over { done: false, text, .. } => {
                    faults.push(format!("client {}: {text}", one.caller));
                }
                open => {
                    let waits = clock::now() - WAITS_ANEW;
                    let takes = acts::takes(&mut snapshot, &one.caller, one.kind.word(), waits).await?;
                    (is_open, is_taken) =
                        (is_open || takes != Some(false), is_taken || open == Progress::Taken);
                    let seen = journal::calls(&mut snapshot, 0).await?;
                    let seen = seen.iter().find(|(caller, _)| *caller == one.caller).map(|(_, seen)| *seen);
                    faults.push(why_not(one, &open, takes, (patience.to_take, seen)));
                }
            }
        }
        drop(snapshot);
        if is_taken && !is_told && patience.to_do > 0 {
            is_told = true;
            output::tell_terminal(&format!(
                "a client has taken it, which may last {} s",
                patience.to_take + patience.to_do
            ));
        }
        let most = patience.to_take + if is_taken { patience.to_do } else { 0 };
        if !is_open || begun.elapsed() >= Duration::from_secs(most) {
            return Err(CliError::Refused(faults.join("; ")));
        }
        time::sleep(LOOK).await;
    }
}

/// Why an act has no outcome. `takes`: whether the client takes such acts; none: it waits for no act. `waited`: for how
/// long the command has waited, seconds. `seen`: when the client has called last.
fn why_not(
    Ordered { caller, version, .. }: &Ordered,
    progress: &Progress,
    takes: Option<bool>,
    (waited, seen): (u64, Option<i64>),
) -> String {
    let last =
        seen.map(|seen| format!("; it was last {}", heard(Language::English, seen))).unwrap_or_default();
    match (progress, takes) {
        (Progress::Taken, _) => {
            format!(
                "client {caller} has taken it and has not reported an outcome: see that it runs and is joined. \
                 It is not tried again by itself: check whether it is done, otherwise run the command again{last}"
            )
        }
        (_, Some(true)) => {
            format!("client {caller} did not take it in {waited} s: see that it runs and is joined{last}")
        }
        (_, Some(false)) => {
            format!("client {caller}{version} is too old for it: install this version there")
        }
        (_, None) => format!(
            "client {caller} does not wait for acts: either it is not joined, or it or 'os4xapi serve' is too old for \
             it{last}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ordered, Progress, why_not};
    use common::rpc::ActKind;

    #[test]
    fn it_is_said_who_is_at_fault() {
        let kind = ActKind::EndSession { session: String::new() };
        let ordered =
            Ordered { number: 1, caller: "c".to_owned(), version: ", of version 1,".to_owned(), kind };
        for (progress, takes, words) in [
            (Progress::Taken, Some(true), "has taken it"),
            (
                Progress::Waiting,
                Some(true),
                "did not take it in 30 s: see that it runs and is joined; it was last heard",
            ),
            (Progress::Waiting, Some(false), "client c, of version 1, is too old"),
            (Progress::Waiting, None, "'os4xapi serve' is too old"),
        ] {
            let said = why_not(&ordered, &progress, takes, (30, Some(1)));
            assert!(said.contains(words), "{said}");
        }
    }
}

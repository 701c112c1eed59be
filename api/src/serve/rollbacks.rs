//! Automatic reverts of acts that may have shut their author out and that nobody has confirmed in time. The time
//! slice runs them. If several `serve` run, one of them reverts the act and the others find it done.

use super::app::App;
use super::error::ServeError;
use super::reports::report;
use crate::change::rollback::{self, Outcome};
use crate::settings::Values;
use crate::store::rollbacks;
use common::rpc::Level;
use common::text::clock;
use common::text::escape::escape;
use std::cmp::Reverse;

/// Reverts the acts that are due, and reports each. The newest is the first: an earlier act can be reverted only when
/// the later ones that have changed the same object are.
pub(super) async fn take_back_due(app: &App, values: &Values) -> Result<(), ServeError> {
    let all = rollbacks::all(&mut *app.db.snapshot().await?).await?;
    let now = clock::now();
    let mut due: Vec<i64> = all.iter().filter(|one| one.due <= now).map(|one| one.number).collect();
    due.sort_unstable_by_key(|number| Reverse(*number));
    for number in due {
        let (text, detail) = match rollback::take_back(&app.db, number).await? {
            Outcome::Reverted(object) => (
                "a change was taken back, since nobody has said in time that it stays",
                format!("rolled_back number={number} object={}", escape(&object)),
            ),
            Outcome::Stays(why) => (
                "a change that nobody has kept could not be taken back",
                format!("not_rolled_back number={number} cause={}", escape(&why)),
            ),
            Outcome::Waits | Outcome::Decided => continue,
        };
        report(app, values, Level::Warn, text, &detail).await?;
    }
    Ok(())
}

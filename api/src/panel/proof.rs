//! Verifies the password and the code of a user together. Whatever is wrong, the answer and its delay are the same,
//! so nobody learns which of them was wrong. Passwords are hashed on another thread, one at a time, and only a few
//! requests may wait: a flood of bad logins costs one processor at most. After each failure a user has to wait
//! longer, and after ten in a row a quarter of an hour.

use super::Panel;
use super::gate::Visitor;
use super::page::Fault;
use crate::change::users::name_of;
use crate::credentials::{password, recovery, totp};
use crate::db::DbError;
use crate::serve::{failed_logins, reports};
use crate::store::users::{self, LOCKED_AFTER, Proof, User};
use common::rpc::Level;
use common::text::clock;
use sqlx::AnyConnection;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::{task, time};

/// Most requests that are waiting or being verified at a time. Further ones are asked to try again later.
const WAITING: usize = 16;
/// How long an address that is locked waits for its answer.
const SLOW: Duration = Duration::from_secs(1);
/// After ten failures in a row the user is locked for so many seconds; before that, for one, two, four ... seconds.
const LOCK: i64 = 900;

/// Lets one request at a time hash a password.
pub(super) struct Turns {
    seats: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { seats: Arc::new(Semaphore::new(WAITING)), turn: Arc::new(Semaphore::new(1)) }
    }
}

/// The name, the password and the code that were entered.
pub(super) struct Given<'a> {
    pub(super) name: &'a str,
    pub(super) password: &'a str,
    /// A code of the authenticator app, or a recovery code.
    pub(super) code: &'a str,
}

/// The user, if everything is correct; otherwise `None`, which does not tell what was wrong.
pub(super) async fn prove(
    panel: &Panel,
    visitor: &Visitor,
    given: &Given<'_>,
) -> Result<Option<User>, Fault> {
    if panel.app.logins.is_locked(visitor.address, Instant::now()) {
        time::sleep(SLOW).await;
        return Err(Fault::TooMany);
    }
    let _seat = panel.turns.seats.try_acquire().map_err(|_| Fault::Busy)?;
    let turn = panel.turns.turn.acquire().await.map_err(|_| Fault::Busy)?;
    let name = name_of(given.name).unwrap_or_default();
    let user = users::get(&mut *panel.app.db.snapshot().await?, &name).await?;
    let is_right = is_password(given.password, user.as_ref()).await?;
    let proven = match user.filter(|user| user.enabled) {
        Some(user) if is_right && user.locked_until <= clock::now() => {
            let mut batch = panel.app.db.batch().await?;
            let good = use_code(&mut batch, &user, given.code).await?;
            batch.commit().await?;
            if good { Ok(user) } else { Err(Some(user)) }
        }
        user => Err(user),
    };
    match proven {
        Ok(user) => Ok(Some(user)),
        Err(user) => {
            note_failure(panel, visitor, given.name, user).await?;
            drop(turn);
            Ok(None)
        }
    }
}

async fn is_password(given: &str, user: Option<&User>) -> Result<bool, Fault> {
    let hash = user.and_then(|user| Some(user.proof.as_ref()?.password.clone()));
    let given = given.to_owned();
    let hashing = task::spawn_blocking(move || password::is_right(&given, hash.as_deref()));
    hashing.await.map_err(|_| Fault::Busy)
}

/// The hash of a new password. It takes its turn like the passwords of logins.
pub(super) async fn hash(panel: &Panel, given: &str) -> Result<String, Fault> {
    let _seat = panel.turns.seats.try_acquire().map_err(|_| Fault::Busy)?;
    let _turn = panel.turns.turn.acquire().await.map_err(|_| Fault::Busy)?;
    let given = given.to_owned();
    let hashed = task::spawn_blocking(move || password::hash(&given)).await.map_err(|_| Fault::Busy)?;
    hashed.ok().flatten().ok_or(Fault::Busy)
}

/// Whether the code is one of this user's that was not used yet. Marks it as used.
async fn use_code(connection: &mut AnyConnection, user: &User, code: &str) -> Result<bool, DbError> {
    let Some(Proof { totp_secret, recovery, .. }) = &user.proof else { return Ok(false) };
    if let Some(step) = totp::step_of(totp_secret, code, clock::unix_time()) {
        return users::use_step(connection, &user.name, step).await;
    }
    match recovery::use_up(recovery, code) {
        Some(left) => users::use_recovery(connection, &user.name, (recovery, &left)).await,
        None => Ok(false),
    }
}

/// Counts and logs a failure, and locks the user if there were too many.
async fn note_failure(panel: &Panel, visitor: &Visitor, name: &str, user: Option<User>) -> Result<(), Fault> {
    failed_logins::note(&panel.app, visitor.address, "login", name);
    let now = clock::now();
    let Some(user) = user.filter(|user| user.locked_until <= now) else { return Ok(()) };
    let failed = user.failed + 1;
    let is_locked = failed % LOCKED_AFTER == 0;
    let pause = if is_locked { LOCK } else { pause(failed) };
    let mut batch = panel.app.db.batch().await?;
    users::note_failure(&mut batch, &user.name, failed, now + pause).await?;
    batch.commit().await?;
    if is_locked {
        let detail = format!(
            "panel_user_locked user={} address={} seconds={LOCK} failed={failed} cause=\"somebody tries, or it is the \
             user: 'os4xapi user unlock' lets it in at once\"",
            user.name, visitor.address
        );
        let text = "a user of the panel is locked after too many bad logins";
        reports::report(&panel.app, &visitor.values, Level::Warn, text, &detail).await?;
    }
    Ok(())
}

/// Seconds that a user has to wait after this many failures.
fn pause(failed: i64) -> i64 {
    let steps = u32::try_from((failed % LOCKED_AFTER).max(1) - 1).unwrap_or_default();
    1_i64 << steps.min(8)
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn each_failure_in_a_row_doubles_the_pause() {
        assert_eq!([1, 2, 3, 4, 9].map(pause), [1, 2, 4, 8, 256]);
        assert_eq!(pause(11), 1, "after the lock it begins anew");
    }
}

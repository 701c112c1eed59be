//! Acts that may shut their author out, such as a change of the port or of a network. Each is reverted automatically
//! after a while, unless a user who can still log in confirms it.

use super::{Act, Author, ChangeError, Difference, Obstacle, Order, revert};
use crate::db::{Db, DbError};
use crate::store::audit::{self, Recorded};
use crate::store::rollbacks::{self, Rollback};
use crate::store::{configuration, proxies, states};
use common::state::{DaemonState, FOR_PARTNERS, OpenListener};
use serde_json::json;
use sqlx::AnyConnection;

/// Seconds within which an act has to be confirmed.
pub(crate) const PATIENCE: i64 = 600;
/// The name of the act that reverts another one.
const REVERT: &str = "audit revert";

/// The pending act with this number, and its row of the audit; `None` if it is not pending any more.
pub(crate) async fn get(
    connection: &mut AnyConnection,
    number: i64,
) -> Result<Option<(Rollback, Recorded)>, DbError> {
    let all = rollbacks::all(&mut *connection).await?;
    let Some(found) = all.into_iter().find(|one| one.number == number) else { return Ok(None) };
    Ok(audit::get(connection, number).await?.map(|row| (found, row)))
}

/// The servers that have not applied the newest configuration yet, or do not listen on their port.
pub(crate) async fn behind(connection: &mut AnyConnection) -> Result<Vec<String>, DbError> {
    let global = configuration::values(&mut *connection).await?;
    let servers = proxies::all(&mut *connection).await?;
    let listens = |id: &str, state: &DaemonState| {
        let own = servers.iter().find(|server| server.id.as_str() == id).map(|server| &server.settings);
        let port = own.map_or_else(|| global.clone(), |own| own.over(global.clone())).port("tcp_port_tls");
        let has_port = |one: &OpenListener| one.purpose == FOR_PARTNERS && one.address.port() == port;
        // A server that takes no new sessions does not listen.
        state.draining.is_some() || state.listeners.iter().any(has_port)
    };
    let lagging = states::lagging(connection, listens).await?;
    Ok(lagging.into_iter().map(|server| server.address).collect())
}

/// Confirms an act. False if it is not pending any more, because it was reverted or confirmed already.
pub(crate) async fn keep(db: &Db, author: Author, number: i64) -> Result<bool, ChangeError> {
    let mut act = Act::begin_unseen(db, Order::of(author, "audit keep")).await?;
    let late = behind(&mut act).await?;
    if !late.is_empty() {
        return Err(Obstacle::NotInForce(late).into());
    }
    if !rollbacks::remove(&mut act, number).await? {
        return Ok(false);
    }
    act.note(format!("audit {number}"), json!("kept"));
    act.commit().await?;
    Ok(true)
}

/// The result of an attempt to revert an act that is due.
pub(crate) enum Outcome {
    /// The act is reverted; its objects.
    Reverted(String),
    /// The act cannot be reverted, so it stays; the reason.
    Stays(String),
    /// A later pending act has changed the same object, so the act stays pending until that one is due.
    Waits,
    /// The act is not pending any more.
    Decided,
}

/// Reverts an act that nobody has confirmed. An act whose object was changed later cannot be reverted. It waits if a
/// pending act has made that change: when that act is reverted, too, the object gets the last value that somebody has
/// confirmed.
pub(crate) async fn take_back(db: &Db, number: i64) -> Result<Outcome, ChangeError> {
    let mut act = Act::begin(db, Order::system(REVERT)).await?;
    let pending = rollbacks::all(&mut act).await?;
    if pending.iter().all(|one| one.number != number) {
        return Ok(Outcome::Decided);
    }
    let Some(row) = audit::get(&mut act, number).await? else {
        drop(act);
        return forget(db, number, "the audit has no such row".to_owned()).await;
    };
    let later = due_of_later(&mut act, &pending, &row).await?;
    match (revert::revert(&mut act, &row).await, later) {
        (Ok(()), _) => {
            act.commit().await?;
            Ok(Outcome::Reverted(row.entry.object))
        }
        (Err(ChangeError::Db(fault)), _) => Err(fault.into()),
        (Err(_), Some(due)) => {
            drop(act);
            postpone(db, number, due).await
        }
        (Err(why), None) => {
            drop(act);
            forget(db, number, why.to_string()).await
        }
    }
}

/// When the last of the later pending acts is due that have changed an object of this row; `None`: there is none.
async fn due_of_later(
    connection: &mut AnyConnection,
    pending: &[Rollback],
    row: &Recorded,
) -> Result<Option<i64>, DbError> {
    let objects = Difference::of(row)?.old;
    let mut last = None;
    for later in pending.iter().filter(|one| one.number > row.number) {
        let Some(row) = audit::get(&mut *connection, later.number).await? else { continue };
        if Difference::of(&row)?.old.keys().any(|object| objects.contains_key(object)) {
            last = last.max(Some(later.due));
        }
    }
    Ok(last)
}

async fn postpone(db: &Db, number: i64, due: i64) -> Result<Outcome, ChangeError> {
    let mut act = Act::begin_unseen(db, Order::system(REVERT)).await?;
    rollbacks::postpone(&mut act, number, due).await?;
    act.commit().await?;
    Ok(Outcome::Waits)
}

async fn forget(db: &Db, number: i64, why: String) -> Result<Outcome, ChangeError> {
    let mut act = Act::begin_unseen(db, Order::system(REVERT)).await?;
    if rollbacks::remove(&mut act, number).await? {
        act.note(format!("audit {number}"), json!({"not_reverted": why}));
        act.commit().await?;
    }
    Ok(Outcome::Stays(why))
}

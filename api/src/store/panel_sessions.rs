//! The sessions of the panel: for each the hash of its cookie, its user, and its address. Not part of the audit; the
//! API's log has each login.

use crate::db::{self, DbError};
use common::text::clock;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// Longest name of a browser that is kept, characters.
const LONGEST_AGENT: usize = 200;
/// A session that was not ended is forgotten after this number of seconds: the setting for its longest life is smaller.
const FORGOTTEN: i64 = 8 * clock::DAY;

const COLUMNS: &str = "hash, user_name, created, seen, address, agent, failed_before, login_before, \
                       address_before, proven_until";

/// A session.
#[derive(Debug, Clone)]
pub(crate) struct PanelSession {
    /// Hash of its cookie.
    pub(crate) hash: String,
    pub(crate) user: String,
    pub(crate) created: i64,
    /// Its last use, accurate to about a minute.
    pub(crate) seen: i64,
    pub(crate) address: String,
    pub(crate) agent: String,
    /// Known when it began: failures since the previous login, and that login.
    pub(crate) failed_before: i64,
    pub(crate) login_before: Option<i64>,
    pub(crate) address_before: Option<String>,
    /// Until then dangerous acts need no second proof.
    pub(crate) proven_until: i64,
}

impl PanelSession {
    fn of(row: &AnyRow) -> Result<Self, DbError> {
        Ok(Self {
            hash: row.try_get("hash")?,
            user: row.try_get("user_name")?,
            created: row.try_get("created")?,
            seen: row.try_get("seen")?,
            address: row.try_get("address")?,
            agent: row.try_get("agent")?,
            failed_before: row.try_get("failed_before")?,
            login_before: row.try_get("login_before")?,
            address_before: row.try_get("address_before")?,
            proven_until: row.try_get("proven_until")?,
        })
    }
}

/// Begins a session.
pub(crate) async fn add(connection: &mut AnyConnection, session: &PanelSession) -> Result<(), DbError> {
    let agent: String = session.agent.chars().filter(|c| !c.is_control()).take(LONGEST_AGENT).collect();
    db::query(AssertSqlSafe(format!(
        "INSERT INTO os4x_panel_sessions ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    )))
    .bind(session.hash.as_str())
    .bind(session.user.as_str())
    .bind(session.created)
    .bind(session.seen)
    .bind(session.address.as_str())
    .bind(agent)
    .bind(session.failed_before)
    .bind(session.login_before)
    .bind(session.address_before.clone())
    .bind(session.proven_until)
    .execute(connection)
    .await?;
    Ok(())
}

/// The session with this hash.
pub(crate) async fn get(connection: &mut AnyConnection, hash: &str) -> Result<Option<PanelSession>, DbError> {
    let row = db::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM os4x_panel_sessions WHERE hash = $1")));
    row.bind(hash).fetch_optional(connection).await?.as_ref().map(PanelSession::of).transpose()
}

/// All sessions of a user, the newest first.
pub(crate) async fn of_user(
    connection: &mut AnyConnection,
    user: &str,
) -> Result<Vec<PanelSession>, DbError> {
    let rows = db::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM os4x_panel_sessions WHERE user_name = $1 ORDER BY created DESC, hash"
    )));
    rows.bind(user).fetch_all(connection).await?.iter().map(PanelSession::of).collect()
}

/// Notes that a session is used.
pub(crate) async fn seen(connection: &mut AnyConnection, hash: &str, now: i64) -> Result<(), DbError> {
    let update = db::query("UPDATE os4x_panel_sessions SET seen = $1 WHERE hash = $2");
    update.bind(now).bind(hash).execute(connection).await?;
    Ok(())
}

/// Notes that its user was proven anew, and until when that counts.
pub(crate) async fn prove(connection: &mut AnyConnection, hash: &str, until: i64) -> Result<(), DbError> {
    let update = db::query("UPDATE os4x_panel_sessions SET proven_until = $1 WHERE hash = $2");
    update.bind(until).bind(hash).execute(connection).await?;
    Ok(())
}

/// Ends a session of this user; false if it has none such.
pub(crate) async fn end(connection: &mut AnyConnection, user: &str, hash: &str) -> Result<bool, DbError> {
    let delete = db::query("DELETE FROM os4x_panel_sessions WHERE user_name = $1 AND hash = $2");
    Ok(delete.bind(user).bind(hash).execute(connection).await?.rows_affected() > 0)
}

/// Ends all sessions of this user except one.
pub(crate) async fn end_others(connection: &mut AnyConnection, user: &str, but: &str) -> Result<(), DbError> {
    let delete = db::query("DELETE FROM os4x_panel_sessions WHERE user_name = $1 AND hash <> $2");
    delete.bind(user).bind(but).execute(connection).await?;
    Ok(())
}

/// Removes sessions that have ended long ago.
pub(crate) async fn forget(connection: &mut AnyConnection) -> Result<(), DbError> {
    let delete = db::query("DELETE FROM os4x_panel_sessions WHERE seen < $1");
    delete.bind(clock::now() - FORGOTTEN).execute(connection).await?;
    Ok(())
}

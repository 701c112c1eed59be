//! The users of the panel: their roles, and their credentials. The decisions of an administrator about a user are part
//! of the audit; the traces of a login (failures, the last step of the app) are not.

use crate::db::{self, Change, DbError};
use crate::store::partners::{of_word, word};
use common::text::clock;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// The columns of a user.
const COLUMNS: &str = "name, role, enabled, created, password, password_set, totp_secret, totp_last_step, recovery, \
                       failed, locked_until, last_login, last_address, language, theme";

/// Failures in a row after which a user is locked for a while.
pub(crate) const LOCKED_AFTER: i64 = 10;

/// The rights of a user. A role that comes earlier has all rights of the later ones, except to see the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Everything.
    Administrator,
    /// Daily work: nothing with keys, trust, users or settings.
    Operator,
    /// See everything, also the audit, and change nothing.
    Auditor,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Administrator, Self::Operator, Self::Auditor];

    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }

    /// Whether it sees the audit.
    pub(crate) fn sees_audit(self) -> bool {
        self != Self::Operator
    }

    /// The one with this word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// A user.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) enabled: bool,
    /// Seconds since 1970-01-01 UTC, as all times here.
    pub(crate) created: i64,
    /// The credentials; none: the link was not used yet.
    pub(crate) proof: Option<Proof>,
    /// Logins that failed since the last one.
    pub(crate) failed: i64,
    /// Before this time the user cannot log in.
    pub(crate) locked_until: i64,
    pub(crate) last_login: Option<i64>,
    pub(crate) last_address: Option<String>,
    /// Empty: the language that the browser asks for.
    pub(crate) language: String,
    /// Empty: the colours of the system.
    pub(crate) theme: String,
}

/// The credentials of a user.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    /// Hash of the password.
    pub(crate) password: String,
    /// When the password was set.
    pub(crate) set: i64,
    /// Secret of the app.
    pub(crate) totp_secret: String,
    /// The last step of the app that was accepted.
    pub(crate) totp_last_step: i64,
    /// Hashes of the recovery codes.
    pub(crate) recovery: String,
}

impl User {
    /// How it is; `link`: until when its one-time link works.
    pub(crate) fn condition(&self, link: Option<i64>, now: i64) -> &'static str {
        match self {
            Self { enabled: false, .. } => "disabled",
            // A pause of some seconds is none.
            Self { locked_until, failed, .. } if *locked_until > now && *failed >= LOCKED_AFTER => "locked",
            Self { proof: None, .. } if link.is_some_and(|until| until >= now) => "invited",
            Self { proof: None, .. } => "not set up",
            _ => "good",
        }
    }

    fn of(row: &AnyRow) -> Result<Self, DbError> {
        let name: String = row.try_get("name")?;
        let corrupt = || DbError::Corrupt(format!("user '{name}'"));
        let (password, set): (Option<String>, Option<i64>) =
            (row.try_get("password")?, row.try_get("password_set")?);
        let totp_secret: Option<String> = row.try_get("totp_secret")?;
        let (totp_last_step, recovery) = (row.try_get("totp_last_step")?, row.try_get("recovery")?);
        let proof = match (password, set, totp_secret) {
            (Some(password), Some(set), Some(totp_secret)) => {
                Some(Proof { password, set, totp_secret, totp_last_step, recovery })
            }
            _ => None,
        };
        Ok(Self {
            role: of_word(row.try_get("role")?).ok_or_else(corrupt)?,
            enabled: row.try_get::<i64, _>("enabled")? != 0,
            created: row.try_get("created")?,
            proof,
            failed: row.try_get("failed")?,
            locked_until: row.try_get("locked_until")?,
            last_login: row.try_get("last_login")?,
            last_address: row.try_get("last_address")?,
            language: row.try_get("language")?,
            theme: row.try_get("theme")?,
            name,
        })
    }
}

/// All users by name.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<User>, DbError> {
    let rows = db::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM os4x_users ORDER BY name")));
    rows.fetch_all(connection).await?.iter().map(User::of).collect()
}

/// The user of this name.
pub(crate) async fn get(connection: &mut AnyConnection, name: &str) -> Result<Option<User>, DbError> {
    let row =
        db::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM os4x_users WHERE name = $1"))).bind(name);
    row.fetch_optional(connection).await?.as_ref().map(User::of).transpose()
}

/// Adds a user without credentials.
pub(crate) async fn add(change: &mut Change, name: &str, role: Role) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_users (name, role, enabled, created, totp_last_step, recovery, failed, locked_until, \
         language, theme) VALUES ($1, $2, 1, $3, 0, '', 0, 0, '', '')",
    )
    .bind(name)
    .bind(word(&role))
    .bind(clock::now())
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Sets a user's role, and whether the user may log in.
pub(crate) async fn set(change: &mut Change, name: &str, role: Role, enabled: bool) -> Result<(), DbError> {
    let update = db::query("UPDATE os4x_users SET role = $1, enabled = $2 WHERE name = $3");
    update.bind(word(&role)).bind(i64::from(enabled)).bind(name).execute(&mut **change).await?;
    Ok(())
}

/// Sets a user's credentials; none: the account has to be set up again.
pub(crate) async fn prove(change: &mut Change, name: &str, proof: Option<&Proof>) -> Result<(), DbError> {
    db::query(
        "UPDATE os4x_users SET password = $1, password_set = $2, totp_secret = $3, totp_last_step = $4, recovery = $5 \
         WHERE name = $6",
    )
    .bind(proof.map(|proof| proof.password.clone()))
    .bind(proof.map(|proof| proof.set))
    .bind(proof.map(|proof| proof.totp_secret.clone()))
    .bind(proof.map_or(0, |proof| proof.totp_last_step))
    .bind(proof.map(|proof| proof.recovery.clone()).unwrap_or_default())
    .bind(name)
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Removes a user.
pub(crate) async fn remove(change: &mut Change, name: &str) -> Result<(), DbError> {
    db::query("DELETE FROM os4x_users WHERE name = $1").bind(name).execute(&mut **change).await?;
    Ok(())
}

/// Stores a failed login: the number of failures since the last good one, and the time before which no login is
/// possible.
pub(crate) async fn note_failure(
    connection: &mut AnyConnection,
    name: &str,
    failed: i64,
    locked_until: i64,
) -> Result<(), DbError> {
    let update = db::query("UPDATE os4x_users SET failed = $1, locked_until = $2 WHERE name = $3");
    update.bind(failed).bind(locked_until).bind(name).execute(connection).await?;
    Ok(())
}

/// Unlocks a user.
pub(crate) async fn unlock(change: &mut Change, name: &str) -> Result<(), DbError> {
    note_failure(change, name, 0, 0).await
}

/// Stores that this step of the app was used; false if this step, or a later one, was used before.
pub(crate) async fn use_step(connection: &mut AnyConnection, name: &str, step: i64) -> Result<bool, DbError> {
    let update =
        db::query("UPDATE os4x_users SET totp_last_step = $1 WHERE name = $2 AND totp_last_step < $1");
    Ok(update.bind(step).bind(name).execute(connection).await?.rows_affected() > 0)
}

/// Replaces the recovery codes with the remaining ones; false if one was used meanwhile.
pub(crate) async fn use_recovery(
    connection: &mut AnyConnection,
    name: &str,
    (was, left): (&str, &str),
) -> Result<bool, DbError> {
    let update = db::query("UPDATE os4x_users SET recovery = $1 WHERE name = $2 AND recovery = $3");
    Ok(update.bind(left).bind(name).bind(was).execute(connection).await?.rows_affected() > 0)
}

/// Stores a login, and its address.
pub(crate) async fn note_login(
    connection: &mut AnyConnection,
    name: &str,
    address: &str,
) -> Result<(), DbError> {
    db::query(
        "UPDATE os4x_users SET failed = 0, locked_until = 0, last_login = $1, last_address = $2 WHERE name = $3",
    )
    .bind(clock::now())
    .bind(address)
    .bind(name)
    .execute(connection)
    .await?;
    Ok(())
}

/// The preferences of a user; not an act of an administrator.
pub(crate) async fn prefer(
    connection: &mut AnyConnection,
    name: &str,
    language: &str,
    theme: &str,
) -> Result<(), DbError> {
    let update = db::query("UPDATE os4x_users SET language = $1, theme = $2 WHERE name = $3");
    update.bind(language).bind(theme).bind(name).execute(connection).await?;
    Ok(())
}

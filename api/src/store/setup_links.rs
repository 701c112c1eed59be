//! The one-time links with which users set up their accounts. The database has the hash of a link, and the secret for
//! the user's app; a user has one link at most.

use crate::db::{self, Change, DbError};
use common::text::clock;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// How long a link works, seconds.
pub(crate) const LIFE: i64 = 72 * 3_600;

/// A link that is valid.
#[derive(Debug, Clone)]
pub(crate) struct SetupLink {
    /// Its user.
    pub(crate) user: String,
    /// The secret for the app.
    pub(crate) totp_secret: String,
}

/// Gives a user a link, which replaces an earlier one; gives its end.
pub(crate) async fn put(
    change: &mut Change,
    user: &str,
    hash: &str,
    totp_secret: &str,
) -> Result<i64, DbError> {
    remove(change, user).await?;
    let until = clock::now() + LIFE;
    db::query(
        "INSERT INTO os4x_setup_links (hash, user_name, valid_until, totp_secret) VALUES ($1, $2, $3, $4)",
    )
    .bind(hash)
    .bind(user)
    .bind(until)
    .bind(totp_secret)
    .execute(&mut **change)
    .await?;
    Ok(until)
}

/// The link with this hash, if it still works.
pub(crate) async fn get(connection: &mut AnyConnection, hash: &str) -> Result<Option<SetupLink>, DbError> {
    let row = db::query(
        "SELECT user_name, totp_secret FROM os4x_setup_links WHERE hash = $1 AND valid_until >= $2",
    );
    let row = row.bind(hash).bind(clock::now()).fetch_optional(connection).await?;
    row.map(|row| Ok(SetupLink { user: row.try_get(0)?, totp_secret: row.try_get(1)? })).transpose()
}

/// A user's link as it is in lists and in the audit.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) user: String,
    /// Hash of its secret part.
    pub(crate) hash: String,
    /// Its last second.
    pub(crate) until: i64,
}

/// All links, also expired ones that were not removed yet.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Listed>, DbError> {
    let rows =
        db::query("SELECT user_name, hash, valid_until FROM os4x_setup_links").fetch_all(connection).await?;
    let listed =
        |row: &AnyRow| Ok(Listed { user: row.try_get(0)?, hash: row.try_get(1)?, until: row.try_get(2)? });
    rows.iter().map(listed).collect()
}

/// Removes the link of a user.
pub(crate) async fn remove(change: &mut Change, user: &str) -> Result<(), DbError> {
    db::query("DELETE FROM os4x_setup_links WHERE user_name = $1").bind(user).execute(&mut **change).await?;
    Ok(())
}

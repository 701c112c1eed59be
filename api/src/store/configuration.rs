//! Rows of `os4x_configuration`: the settings that differ from their defaults, and the token. Checks no value:
//! `crate::settings` does. Only `set_token` touches the token.

use crate::db::{self, Change, DbError};
use crate::settings::{TOKEN, Values};
use common::secret::Secret;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

/// The settings in force.
pub(crate) async fn values(connection: &mut AnyConnection) -> Result<Values, DbError> {
    Ok(Values::new(rows(connection).await?))
}

/// All stored settings, with the token.
pub(crate) async fn rows(connection: &mut AnyConnection) -> Result<BTreeMap<String, String>, DbError> {
    let rows = db::query("SELECT name, value FROM os4x_configuration").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Restores the default of a setting.
pub(crate) async fn unset(change: &mut Change, name: &str) -> Result<(), DbError> {
    db::query("DELETE FROM os4x_configuration WHERE name = $1").bind(name).execute(&mut **change).await?;
    Ok(())
}

/// Stores a checked value.
pub(crate) async fn set(change: &mut Change, name: &str, value: &str) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_configuration (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// The token's secret half.
pub(crate) async fn token(connection: &mut AnyConnection) -> Result<Secret, DbError> {
    Ok(Secret::new(values(connection).await?.text(TOKEN).to_owned()))
}

/// Stores a new token.
pub(crate) async fn set_token(change: &mut Change, token: &Secret) -> Result<(), DbError> {
    set(change, TOKEN, token.expose()).await
}

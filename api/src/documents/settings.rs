//! The settings with their values, defaults and meanings.

use super::Versions;
use crate::db::DbError;
use crate::settings::{SETTINGS, Setting, Values};
use crate::store::configuration;
use serde_json::{Value, json};
use sqlx::AnyConnection;

/// All settings.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Value>, DbError> {
    let values = configuration::values(connection).await?;
    let versions = Versions::of(connection, "config").await?;
    let document = |setting: &Setting| {
        json!({
            "name": setting.name,
            "value": shown(setting, &values),
            "default": setting.default,
            "help": setting.help,
            "version": versions.get(setting.name),
        })
    };
    Ok(SETTINGS.iter().map(document).collect())
}

/// The value of a setting as it may be shown.
pub(crate) fn shown(setting: &Setting, values: &Values) -> String {
    if setting.is_secret() {
        "(see os4xapi token show)".to_owned()
    } else {
        setting.shown(values.text(setting.name))
    }
}

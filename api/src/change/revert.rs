//! Takes an act back: each object gets the value that the row of the audit has as the old one. Only where each of them
//! is as that act has left it; what a person did since is never undone silently. What the audit does not hold, as keys
//! and CRLs, it cannot put back.

use super::put::put;
use super::{Act, ChangeError, Difference};
use crate::db::DbError;
use crate::store::audit::Recorded;
use crate::store::{configuration, versions};
use serde_json::{Value, json};

/// Takes back what `row` tells, within `act`.
pub(crate) async fn revert(act: &mut Act, row: &Recorded) -> Result<(), ChangeError> {
    let number = row.number;
    let Difference { old, new } = Difference::of(row)?;
    if old.is_empty() {
        return Err(ChangeError::Refused(format!("row {number} tells of nothing that could be put back")));
    }
    for object in old.keys() {
        let left = new.get(object).unwrap_or(&Value::Null);
        if act.before().get(object).unwrap_or(&Value::Null) != left {
            return Err(changed_since(act, object, number).await?);
        }
    }
    // What is to go gives way to what comes back; a listener comes after the partner that it is tied to.
    let (go, come): (Vec<_>, Vec<_>) = old.iter().partition(|(_, value)| value.is_null());
    for (object, value) in go.into_iter().chain(come) {
        put(act, object, value, new.get(object).unwrap_or(&Value::Null)).await?;
    }
    configuration::values(act).await?.check_order()?;
    act.note(format!("audit {number}"), json!("reverted"));
    Ok(())
}

async fn changed_since(act: &mut Act, object: &str, number: i64) -> Result<ChangeError, DbError> {
    let version = versions::get(act, object).await?;
    let who = if version > number {
        format!("'os4xapi audit show {version}' tells who and what")
    } else {
        "'serve' has done that by itself".to_owned()
    };
    Ok(ChangeError::Refused(format!(
        "'{object}' is not as row {number} has left it, and nothing was changed: {who}"
    )))
}

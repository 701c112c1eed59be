//! Reverts an act: each object gets the old value in the row of the audit. This is possible only if each object is
//! still as that act has left it; later changes of a person are never undone silently. Values that the audit does not
//! have, such as keys and CRLs, cannot be restored.

use super::put::put;
use super::{Act, ChangeError, Difference, Obstacle};
use crate::db::DbError;
use crate::store::audit::Recorded;
use crate::store::{configuration, rollbacks, versions};
use serde_json::{Value, json};

/// Reverts the act of `row`, within `act`.
pub(crate) async fn revert(act: &mut Act, row: &Recorded) -> Result<(), ChangeError> {
    let number = row.number;
    let Difference { old, new } = Difference::of(row)?;
    if old.is_empty() {
        return Err(Obstacle::NothingToRevert(number).into());
    }
    for object in old.keys() {
        let left = new.get(object).unwrap_or(&Value::Null);
        if act.before().get(object).unwrap_or(&Value::Null) != left {
            return Err(changed_since(act, object, number).await?);
        }
    }
    // Objects are removed before others are added; a listener is added after the partner to which it is tied.
    let (go, come): (Vec<_>, Vec<_>) = old.iter().partition(|(_, value)| value.is_null());
    for (object, value) in go.into_iter().chain(come) {
        put(act, object, value, new.get(object).unwrap_or(&Value::Null)).await?;
    }
    configuration::values(act).await?.check_order()?;
    rollbacks::remove(act, number).await?;
    act.note(format!("audit {number}"), json!("reverted"));
    Ok(())
}

async fn changed_since(act: &mut Act, object: &str, number: i64) -> Result<ChangeError, DbError> {
    let version = versions::get(act, object).await?;
    let by = (version > number).then_some(version);
    Ok(Obstacle::ChangedSince { object: object.to_owned(), row: number, by }.into())
}

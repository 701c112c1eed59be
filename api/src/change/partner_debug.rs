//! Lets the sessions of one partner write DEBUG for a time, in both daemons.

use super::{Act, ChangeError, Obstacle, rules};
use crate::store::partner_debug;
use common::text::clock;
use serde_json::json;

/// The time if none is given, seconds.
pub(crate) const DEFAULT: i64 = 3_600;

/// Begins it, or changes its end, which is so many seconds from now; gives the end.
pub(crate) async fn begin(act: &mut Act, name: &str, seconds: i64) -> Result<i64, ChangeError> {
    rules::need_partner(act, name).await?;
    let until = clock::now() + seconds;
    partner_debug::put(act, name, until).await?;
    act.note(format!("debug {name}"), json!({"until": clock::rfc3339(until)}));
    Ok(until)
}

/// Ends it before its time.
pub(crate) async fn end(act: &mut Act, name: &str) -> Result<(), ChangeError> {
    rules::need_partner(act, name).await?;
    if !partner_debug::remove(act, name).await? {
        return Err(Obstacle::NoDebug(name.to_owned()).into());
    }
    act.note(format!("debug {name}"), json!("ended early"));
    Ok(())
}

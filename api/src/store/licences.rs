//! The licences that were issued, as the audit has them. Only reads.

use super::audit::{self, Filter};
use crate::db::DbError;
use serde_json::Value;
use sqlx::AnyConnection;
use std::collections::BTreeMap;

/// A licence.
pub(crate) struct Licence {
    /// Its end, seconds since 1970-01-01 UTC.
    pub(crate) until: i64,
    /// The licence itself in PEM; earlier versions did not record it.
    pub(crate) pem: Option<String>,
}

/// The newest licence of each server, by Proxy ID.
pub(crate) async fn newest(connection: &mut AnyConnection) -> Result<BTreeMap<String, Licence>, DbError> {
    let filter = Filter { act: "licence issue".to_owned(), ..Filter::default() };
    let mut newest = BTreeMap::new();
    for row in audit::list(connection, &filter, u32::MAX).await? {
        let new: BTreeMap<String, Value> = serde_json::from_str(&row.entry.new).unwrap_or_default();
        newest.extend(new.into_iter().filter_map(|(name, facts)| {
            let pem = facts["pem"].as_str().map(str::to_owned);
            let licence = Licence { until: facts["until"].as_i64()?, pem };
            Some((name.strip_prefix("licence ")?.to_owned(), licence))
        }));
    }
    Ok(newest)
}

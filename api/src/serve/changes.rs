//! Each act of the audit is also a line in the API's log, so that systems that collect logs have it.

use crate::db::DbError;
use crate::store::audit;
use common::text::escape::escape;
use sqlx::AnyConnection;

/// Lines at a time; the other acts follow with the next time slice.
const MOST: i64 = 200;

/// The last act that was logged.
pub(super) struct Changes {
    told: i64,
}

impl Changes {
    /// Begins after the newest act.
    pub(super) async fn from_now(connection: &mut AnyConnection) -> Result<Self, DbError> {
        Ok(Self { told: audit::head(connection).await?.number })
    }

    /// Logs the acts since the last time.
    pub(super) async fn log(&mut self, connection: &mut AnyConnection) -> Result<(), DbError> {
        // If the database was replaced after a fault, it may have fewer acts.
        self.told = self.told.min(audit::head(connection).await?.number);
        for row in audit::after(connection, self.told, MOST).await? {
            let (number, entry) = (row.number, row.entry);
            log::info!(
                "change number={number} way={} actor={} address={} act={} object={}",
                entry.way,
                escape(&entry.actor),
                entry.address.as_deref().unwrap_or("-"),
                escape(&entry.act),
                escape(&entry.object)
            );
            self.told = number;
        }
        Ok(())
    }
}

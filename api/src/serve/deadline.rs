//! The time limit of the database for a call. If the database hangs, the call fails, and its changes are undone. The
//! caller tries again.

use super::call_refusal::CallRefusal;
use common::text::escape::escape;
use std::time::Duration;
use tokio::time;

/// The limit for reading the settings once.
pub(super) const LOOK: Duration = Duration::from_secs(3);
/// The limit for everything that a call does. Both together are below 10 seconds, the time that daemons wait for it.
pub(super) const CALL: Duration = Duration::from_secs(6);

/// The result of `work`, if it comes in time.
pub(super) async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, CallRefusal>>,
) -> Result<T, CallRefusal> {
    time::timeout(limit, work).await.unwrap_or_else(|_| {
        let cause = format!(
            "the database did not answer in {} seconds: see that it runs and is not overloaded",
            limit.as_secs()
        );
        log::error!("call_failed cause={}", escape(&cause));
        Err(CallRefusal::Internal)
    })
}

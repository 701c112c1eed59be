//! The size limit of a day's log file. Above the limit only lines of ERROR and graver are written, so that a flood of
//! lines cannot fill the disk. The lines that are left out are counted.

use super::priority::Priority;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

static MOST: AtomicU64 = AtomicU64::new(u64::MAX);

/// The error for a line that was left out because the file has reached its limit.
#[derive(Debug)]
pub(super) struct LeftOut;

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file of the day has reached proxy_log_max_bytes")
    }
}

impl std::error::Error for LeftOut {}

/// From this size on, octets, a day's file takes only lines of ERROR and graver. Holds for this process and for the
/// children that it forks from now on.
pub fn set_max_bytes(most: u64) {
    MOST.store(most, Ordering::Relaxed);
}

/// Whether a line of this priority is left out of a file of this size, octets.
pub(super) fn leaves_out(priority: Option<Priority>, size: u64) -> bool {
    size >= MOST.load(Ordering::Relaxed) && priority.is_none_or(|priority| priority > Priority::Error)
}

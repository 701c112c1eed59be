//! How large the log file of a day may grow: beyond that only what is grave is written, so that a flood of lines fills
//! no disk, whatever causes it. What is left out is counted.

use super::priority::Priority;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

static MOST: AtomicU64 = AtomicU64::new(u64::MAX);

/// A line was left out, since the file has grown so far.
#[derive(Debug)]
pub(super) struct LeftOut;

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file of the day has reached proxy_log_max_bytes")
    }
}

impl std::error::Error for LeftOut {}

/// From this size on, octets, a day's file takes ERROR and graver lines alone. Holds for this process and for those
/// that it forks from now on.
pub fn set_max_bytes(most: u64) {
    MOST.store(most, Ordering::Relaxed);
}

/// Whether a line is left out of a file of this size, octets.
pub(super) fn leaves_out(priority: Option<Priority>, size: u64) -> bool {
    size >= MOST.load(Ordering::Relaxed) && priority.is_none_or(|priority| priority > Priority::Error)
}

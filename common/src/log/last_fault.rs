//! The last line of ERROR or graver of this process, for the report about its state.

use super::priority::Priority;
use crate::state::{Fault, MAX_TEXT};
use crate::text::shortened;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The last line of ERROR or graver.
static LAST: Mutex<Option<Fault>> = Mutex::new(None);

/// Keeps this line if its priority is ERROR or graver.
pub(super) fn note(priority: Priority, millis: u64, text: fmt::Arguments<'_>) {
    if priority <= Priority::Error {
        let time = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
        let fault = Fault { time, text: shortened(text.to_string(), MAX_TEXT) };
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}

/// The last line of ERROR or graver that this process has written, or its parent before the fork.
pub fn last_fault() -> Option<Fault> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[cfg(test)]
mod tests {
    use super::{Priority, last_fault, note};

    #[test]
    fn the_last_grave_line_is_kept_and_others_are_not() {
        note(Priority::Error, 7_999, format_args!("listener_error reason={}", "x".repeat(1000)));
        note(Priority::Warn, 9_000, format_args!("of no weight"));
        let fault = last_fault().unwrap();
        assert!(
            fault.text.starts_with("listener_error reason=xxx") && fault.text.len() <= 200,
            "{}",
            fault.text
        );
    }
}

//! The two values that our records have beside `log`'s own fields: our priority and the time. Layout, appender and
//! filter all read the time here, so the printed time and the day of the file never differ.

use super::priority::Priority;
use ::log::Record;
use ::log::kv::{Key, Value};
use std::fmt;

const PRIORITY: &str = "priority";
const MILLIS: &str = "millis";

/// Passes a record of `category` (dotted) at `millis` to `sink`.
pub(super) fn with_record<R>(
    priority: Priority,
    category: &str,
    millis: u64,
    text: fmt::Arguments<'_>,
    sink: impl FnOnce(&Record<'_>) -> R,
) -> R {
    let facts = [(PRIORITY, Value::from(priority.value())), (MILLIS, Value::from(millis))];
    let mut record = Record::builder();
    record.level(priority.log_level()).target(category).key_values(&facts);
    sink(&record.args(text).build())
}

/// The record's priority; none: the record comes from a library.
pub(super) fn priority(record: &Record<'_>) -> Option<Priority> {
    number(record, PRIORITY).and_then(Priority::from_value)
}

/// The record's time, milliseconds since the epoch.
pub(super) fn millis(record: &Record<'_>) -> u64 {
    number(record, MILLIS).unwrap_or(0)
}

/// The record's time, whole seconds since the epoch.
pub(super) fn seconds(record: &Record<'_>) -> i64 {
    i64::try_from(millis(record) / 1000).unwrap_or(0)
}

fn number(record: &Record<'_>, key: &str) -> Option<u64> {
    record.key_values().get(Key::from(key)).and_then(|value| value.to_u64())
}

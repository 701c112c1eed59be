//! The wall clock, in seconds since 1970-01-01 UTC, and its formats. Deadlines are not here: they use the monotonic
//! clock (`Instant`).

use crate::sys::localtime;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// Now, in seconds since 1970-01-01 UTC; 0 on a clock before that.
pub fn now() -> i64 {
    seconds(SystemTime::now())
}

/// The same in the type of calls, reports and lists.
pub fn unix_time() -> u64 {
    now().unsigned_abs()
}

/// Now, in milliseconds since 1970-01-01 UTC; 0 on a clock before that.
pub fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `when` in whole seconds since 1970-01-01 UTC; 0 if it is before that.
pub fn seconds(when: SystemTime) -> i64 {
    let since = when.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// `seconds` as `2026-11-22T09:21:10Z` (RFC 3339), for programs.
pub fn rfc3339(seconds: i64) -> String {
    date_and_time(seconds, 'T', "Z")
}

/// `seconds` as `20261122T092110Z` (ISO 8601, basic form), for names of files and calendars.
pub fn basic(seconds: i64) -> String {
    rfc3339(seconds).replace(['-', ':'], "")
}

/// `seconds` as `2026-11-22 09:21:10 UTC`, for people.
pub fn readable(seconds: i64) -> String {
    date_and_time(seconds, ' ', " UTC")
}

fn date_and_time(seconds: i64, between: char, zone: &str) -> String {
    let localtime::CivilTime { year, month, day, hour, minute, second } = localtime::utc(seconds);
    format!("{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}{zone}")
}

#[cfg(test)]
mod tests {
    use super::{basic, now, readable, rfc3339, seconds, unix_time};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn known_times_read_well() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_339_270, "2026-11-22T09:21:10Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), expected);
            assert_eq!(basic(seconds), expected.replace(['-', ':'], ""));
        }
        assert_eq!(readable(1_795_339_270), "2026-11-22 09:21:10 UTC");
    }

    #[test]
    fn a_clock_before_the_epoch_is_at_the_epoch() {
        assert_eq!(seconds(UNIX_EPOCH - Duration::from_secs(5)), 0);
        assert_eq!(seconds(UNIX_EPOCH + Duration::from_millis(5_999)), 5);
        let before = now();
        assert!(before > 1_700_000_000 && i64::try_from(unix_time()).unwrap() >= before);
    }
}

//! Wall clock values: seconds since 1970-01-01 UTC, as the database and the protocol hold them,
//! and how people read them. Used by commands and by `serve`. No deadlines: those are monotonic
//! and belong to whoever waits.

use common::sys::localtime;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// Now, in seconds since 1970-01-01 UTC; 0 on a clock before that.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// `seconds` as `2026-11-22T09:21:10Z`.
pub(crate) fn text(seconds: i64) -> String {
    let time = localtime::utc(seconds);
    let (year, month, day) = (time.year, time.month, time.day);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time.hour, time.minute, time.second)
}

/// A certificate's or CRL's time in seconds since 1970-01-01 UTC.
pub(crate) fn of_asn1(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let difference = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(difference.days) * DAY + i64::from(difference.secs))
}

#[cfg(test)]
mod tests {
    use super::{of_asn1, text};
    use openssl::asn1::Asn1Time;

    #[test]
    fn known_times_read_well() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_339_270, "2026-11-22T09:21:10Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(text(seconds), expected);
        }
    }

    #[test]
    fn a_certificates_time_comes_back() {
        for seconds in [0, 1_795_339_270, 4_107_542_399] {
            assert_eq!(of_asn1(&Asn1Time::from_unix(seconds).unwrap()).unwrap(), seconds);
        }
    }
}

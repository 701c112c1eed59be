//! Wall clock values: seconds since 1970-01-01 UTC, and how people read them. No deadlines: those are monotonic.

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
    let (day, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Year, month and day of the day `days` after 1970-01-01 (H. Hinnant's days-to-civil: eras of 400 years that begin in March).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
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

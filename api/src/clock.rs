//! Wall clock values: seconds since 1970-01-01 UTC, as the database and the protocol hold them, and as people read
//! them. Used by commands and by `serve`. Has no deadlines: those are monotonic, and each waiting function has its own.

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

/// The reverse of `text`; a date alone means its last second.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T').unwrap_or((text, "23:59:59Z"));
    let digits = |part: &str, lengths: &[usize], separator: char| {
        let parts: Vec<&str> = part.split(separator).collect();
        let fits = parts.iter().map(|part| part.len()).eq(lengths.iter().copied())
            && parts.iter().all(|part| part.bytes().all(|octet| octet.is_ascii_digit()));
        fits.then(|| parts.concat())
    };
    let date = digits(date, &[4, 2, 2], '-')?;
    let time = digits(time.strip_suffix('Z')?, &[2, 2, 2], ':')?;
    of_asn1(&*Asn1Time::from_str(&format!("{date}{time}Z")).ok()?).ok()
}

/// A certificate's or CRL's time in seconds since 1970-01-01 UTC.
pub(crate) fn of_asn1(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let difference = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(difference.days) * DAY + i64::from(difference.secs))
}

#[cfg(test)]
mod tests {
    use super::{of_asn1, parse, text};
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
            assert_eq!(parse(expected), Some(seconds));
        }
    }

    #[test]
    fn a_date_is_the_whole_day_and_what_is_none_is_refused() {
        assert_eq!(parse("2100-02-28"), Some(4_107_542_399));
        for bad in [
            "",
            "2026",
            "2026-2-28",
            "2026-02-30",
            "2026-12-31T24:00:00Z",
            "2026-12-31T12:00:00",
            "2026-12-3x",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_certificates_time_comes_back() {
        for seconds in [0, 1_795_339_270, 4_107_542_399] {
            assert_eq!(of_asn1(&Asn1Time::from_unix(seconds).unwrap()).unwrap(), seconds);
        }
    }
}

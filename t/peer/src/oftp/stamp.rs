//! The date and time that are part of a file's identity (RFC 5024 §1.5.2), in the width of each level.

use super::codec::Level;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Date and time of a file: `CCYYMMDD` and `HHMMSScccc`, or as they came at levels 1 and 2: `YYMMDD` and `HHMMSS`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// 8 or 6 digits.
    pub date: String,
    /// 10 or 6 digits; the last four of ten are a counter from 0001.
    pub time: String,
}

impl Stamp {
    /// The stamp of this moment; two calls never give the same one within 9999 of a second.
    pub fn next() -> Self {
        static COUNTER: AtomicU16 = AtomicU16::new(0);
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed) % 9999;
        Self::of(SystemTime::now(), counter + 1)
    }

    /// The stamp of `when` (UTC) with `counter` 1 to 9999.
    pub fn of(when: SystemTime, counter: u16) -> Self {
        let seconds = when.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        Self {
            date: format!("{year:04}{month:02}{day:02}"),
            time: format!("{hour:02}{minute:02}{second:02}{counter:04}"),
        }
    }

    /// In the form of `level`: the century and the counter are cut off, or added if they never came.
    #[must_use]
    pub fn at(&self, level: Level) -> Self {
        let (date, time) = (self.date.as_str(), self.time.as_str());
        if level < Level::Four {
            let from = date.len().saturating_sub(6);
            Self { date: date[from..].to_owned(), time: time.get(..6).unwrap_or(time).to_owned() }
        } else {
            Self {
                date: if date.len() == 6 { format!("20{date}") } else { date.to_owned() },
                time: if time.len() == 6 { format!("{time}0001") } else { time.to_owned() },
            }
        }
    }
}

/// Year, month, day of a day counted from 1 January 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut left) = (1970, days);
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn known_days() {
        for (seconds, date, time) in [
            (0, "19700101", "0000000001"),
            (951_827_696, "20000229", "1234560001"),
            (1_795_341_600, "20261122", "1000000001"),
        ] {
            let stamp = Stamp::of(UNIX_EPOCH + Duration::from_secs(seconds), 1);
            assert_eq!((stamp.date.as_str(), stamp.time.as_str()), (date, time));
        }
    }

    #[test]
    fn low_levels_lose_century_and_counter() {
        let stamp = Stamp::of(UNIX_EPOCH + Duration::from_secs(951_827_696), 7);
        let low = stamp.at(Level::Two);
        assert_eq!((low.date.as_str(), low.time.as_str()), ("000229", "123456"));
        assert_eq!(low.at(Level::Five), Stamp { date: "20000229".into(), time: "1234560001".into() });
    }
}

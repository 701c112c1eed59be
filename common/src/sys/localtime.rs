//! Broken-down time of the C library: local time (zone rules read once, by `load_zone`) and UTC.
//! Every process uses it for each log line. It never reads the clock, and `local` never reads a file: a process that
//! cannot see /etc/localtime any more keeps the zone of its start.

use std::mem::MaybeUninit;

unsafe extern "C" {
    /// POSIX `tzset`; the libc crate does not declare it for Linux.
    safe fn tzset();
}

/// A calendar date and time of day, without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CivilTime {
    /// Year of the Common Era.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: i32,
    /// Day of the month, 1 to 31.
    pub day: i32,
    /// Hour, 0 to 23.
    pub hour: i32,
    /// Minute, 0 to 59.
    pub minute: i32,
    /// Second, 0 to 60.
    pub second: i32,
}

/// Reads the zone (`TZ`, else /etc/localtime). Call it once at start, while there is one thread and no jail.
pub fn load_zone() {
    tzset();
}

/// Local time of `seconds` since the epoch; the epoch's date where the calendar cannot hold it.
pub fn local(seconds: i64) -> CivilTime {
    broken_down(seconds, libc::localtime_r)
}

/// UTC of `seconds` since the epoch; the epoch's date where the calendar cannot hold it.
pub fn utc(seconds: i64) -> CivilTime {
    broken_down(seconds, libc::gmtime_r)
}

type Convert = unsafe extern "C" fn(*const libc::time_t, *mut libc::tm) -> *mut libc::tm;

fn broken_down(seconds: i64, convert: Convert) -> CivilTime {
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call, and the function writes a whole `tm` or returns null.
    let done = unsafe { !convert(&raw const seconds, tm.as_mut_ptr()).is_null() };
    if !done {
        return CivilTime { year: 1970, month: 1, day: 1, ..CivilTime::default() };
    }
    // SAFETY: `tm` was zeroed, which is valid for each of its fields, and then filled.
    let tm = unsafe { tm.assume_init() };
    CivilTime {
        year: i64::from(tm.tm_year) + 1900,
        month: tm.tm_mon + 1,
        day: tm.tm_mday,
        hour: tm.tm_hour,
        minute: tm.tm_min,
        second: tm.tm_sec,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_of_known_instants() {
        let leap_day = CivilTime { year: 2024, month: 2, day: 29, hour: 23, minute: 59, second: 59 };
        assert_eq!(utc(1_709_251_199), leap_day);
        assert_eq!(utc(0), CivilTime { year: 1970, month: 1, day: 1, ..CivilTime::default() });
    }

    #[test]
    fn an_instant_beyond_the_calendar_is_the_epoch() {
        assert_eq!(utc(i64::MAX).year, 1970);
    }
}

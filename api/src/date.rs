//! Times as people type them: a second, or a day, in UTC.

use common::x509::times::unix_time_of;
use openssl::asn1::Asn1Time;

/// The seconds since 1970-01-01 UTC of `YYYY-MM-DDTHH:MM:SSZ`, or of the last second of the day `YYYY-MM-DD`.
pub(crate) fn end(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T').unwrap_or((text, "23:59:59Z"));
    let digits = |part: &str, lengths: &[usize], separator: char| {
        let parts: Vec<&str> = part.split(separator).collect();
        let fits = parts.iter().map(|part| part.len()).eq(lengths.iter().copied())
            && parts.iter().all(|part| part.bytes().all(|octet| octet.is_ascii_digit()));
        fits.then(|| parts.concat())
    };
    let date = digits(date, &[4, 2, 2], '-')?;
    let time = digits(time.strip_suffix('Z')?, &[2, 2, 2], ':')?;
    unix_time_of(&*Asn1Time::from_str(&format!("{date}{time}Z")).ok()?).ok()
}

/// The same as `end`, but for a day its first second.
pub(crate) fn beginning(text: &str) -> Option<i64> {
    if text.contains('T') { end(text) } else { end(&format!("{text}T00:00:00Z")) }
}

#[cfg(test)]
mod tests {
    use super::end;

    #[test]
    fn a_time_is_read_to_the_second() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2026-11-22T09:21:10Z", 1_795_339_270),
        ] {
            assert_eq!(end(text), Some(seconds));
        }
    }

    #[test]
    fn a_date_is_the_whole_day_and_other_texts_are_refused() {
        assert_eq!(end("2100-02-28"), Some(4_107_542_399));
        for bad in [
            "",
            "2026",
            "2026-2-28",
            "2026-02-30",
            "2026-12-31T24:00:00Z",
            "2026-12-31T12:00:00",
            "2026-12-3x",
        ] {
            assert_eq!(end(bad), None, "{bad}");
        }
    }
}

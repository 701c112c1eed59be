//! Times as an operator types them.

use super::args::{Invocation, wrong};
use super::error::CliError;
use common::text::clock;
use common::x509::times::unix_time_of;
use openssl::asn1::Asn1Time;

/// The seconds since 1970-01-01 UTC of `YYYY-MM-DDTHH:MM:SSZ`, or of the last second of the day `YYYY-MM-DD`.
fn parse(text: &str) -> Option<i64> {
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

/// What `--until` says, where an empty one is no end; `before`, if it is not there.
pub(super) fn until(invocation: &Invocation, before: Option<i64>) -> Result<Option<i64>, CliError> {
    match invocation.value("until").as_deref() {
        None => Ok(before),
        Some("") => Ok(None),
        Some(text) => to_come(text).map(Some),
    }
}

/// The value of `--until`, which is not over yet.
pub(super) fn to_come(text: &str) -> Result<i64, CliError> {
    let wanted = "a time that is to come, as 2026-12-31 or 2026-12-31T12:00:00Z";
    parse(text).filter(|until| *until >= clock::now()).ok_or_else(|| wrong("until", text, wanted))
}

/// The value of `--since`.
pub(super) fn since(text: &str) -> Result<i64, CliError> {
    beginning(text).ok_or_else(|| wrong("since", text, "a time, as 2026-12-31 or 2026-12-31T12:00:00Z"))
}

/// The value of `--from`, which is to come.
pub(super) fn from(text: &str) -> Result<i64, CliError> {
    let wanted = "a time that is to come, as 2026-12-31 or 2026-12-31T12:00:00Z";
    beginning(text).filter(|from| *from > clock::now()).ok_or_else(|| wrong("from", text, wanted))
}

/// The same as `parse`, but of a day its first second.
fn beginning(text: &str) -> Option<i64> {
    if text.contains('T') { parse(text) } else { parse(&format!("{text}T00:00:00Z")) }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_time_is_read_to_the_second() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2026-11-22T09:21:10Z", 1_795_339_270),
        ] {
            assert_eq!(parse(text), Some(seconds));
        }
    }

    #[test]
    fn a_date_is_the_whole_day_and_other_texts_are_refused() {
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
}

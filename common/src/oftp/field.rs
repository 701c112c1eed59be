//! One field: whether its content fits its format (RFC 5024 §5.2, §5.4; time stamps §5.3.3).
//!
//! Works on octets of known length, and knows neither the message nor the session.

use super::charset::{
    climbs, is_alphanumeric, is_nearly_alphanumeric, is_printable, is_readable, is_ssid_code_octet,
};
use super::deviation::Deviation;
use super::escape::trimmed;
use super::layout::Format;
use super::level::Level;

/// The verdict on a field's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldVerdict {
    Fits,
    /// Only the tolerant profile accepts it.
    Tolerated(Deviation),
    Refused,
}

/// Judges `octets` by `format`. Without `level`, a value is valid if any level defines it.
pub(super) fn judge(format: Format, octets: &[u8], level: Option<Level>) -> FieldVerdict {
    let plain = |fits: bool| if fits { FieldVerdict::Fits } else { FieldVerdict::Refused };
    match format {
        Format::Code | Format::Octets | Format::Subrecords => FieldVerdict::Fits,
        Format::Literal(literal) => plain(octets == literal),
        Format::Cr => plain(matches!(octets, [0x0D | 0x8D])),
        Format::OneOf(values) => plain(matches!(octets, [octet] if values.contains(octet))),
        Format::Number(from, to) => plain(number(octets).is_some_and(|n| (from..=to).contains(&n))),
        Format::Amount(most) => match (number(octets), padded_number(octets)) {
            (Some(n), _) => plain(n <= most),
            (None, Some(n)) if n <= most => FieldVerdict::Tolerated(Deviation::C16),
            _ => FieldVerdict::Refused,
        },
        Format::Count9 => plain(number(octets).is_some()),
        Format::Count2(from, to) => plain(big_endian(octets).is_some_and(|n| (from..=to).contains(&n))),
        Format::Reason(codes) => {
            let defined = |n: u64| {
                codes.iter().any(|(from, to, levels)| {
                    (u64::from(*from)..=u64::from(*to)).contains(&n)
                        && level.is_none_or(|level| levels.has(level))
                })
            };
            match number(octets) {
                Some(n) if defined(n) => FieldVerdict::Fits,
                Some(_) => FieldVerdict::Tolerated(Deviation::C9),
                None => FieldVerdict::Refused,
            }
        }
        Format::Name if blank(octets) || climbs(octets) => FieldVerdict::Refused,
        Format::Text | Format::Password | Format::Name => text(octets),
        Format::Ident | Format::OwnIdent => ident(format, octets),
        Format::Reserved if blank(octets) => FieldVerdict::Fits,
        Format::Reserved => FieldVerdict::Tolerated(Deviation::C17),
        Format::Date6 => plain(date(true, octets)),
        Format::Date8 => plain(date(false, octets)),
        Format::Time6 => plain(time(octets)),
        Format::Time10 => match octets.split_at_checked(6) {
            Some((clock, b"0000")) if time(clock) => FieldVerdict::Tolerated(Deviation::C4),
            Some((clock, counter)) => plain(time(clock) && number(counter).is_some()),
            None => FieldVerdict::Refused,
        },
        Format::Utf8 if std::str::from_utf8(octets).is_ok() => FieldVerdict::Fits,
        Format::Utf8 if is_readable(octets) => FieldVerdict::Tolerated(Deviation::C14),
        Format::Utf8 => FieldVerdict::Refused,
    }
}

/// The values that the format allows, for the log.
pub(super) fn expectation(format: Format) -> String {
    match format {
        Format::Code | Format::Octets | Format::Subrecords => "any octets".into(),
        Format::Literal(literal) => super::escape::quoted(literal),
        Format::Cr => "0x0d or 0x8d".into(),
        Format::OneOf(values) => {
            let values: Vec<_> = values.iter().map(|&value| char::from(value).to_string()).collect();
            format!("one of {}", values.join(" "))
        }
        Format::Number(from, to) => format!("decimal digits, {from} to {to}"),
        Format::Amount(most) => format!("decimal digits, 0 to {most}"),
        Format::Count9 => "three decimal digits".into(),
        Format::Count2(from, to) => format!("{from} to {to} octets"),
        Format::Reason(codes) => {
            let codes: Vec<_> = codes
                .iter()
                .map(
                    |(from, to, _)| {
                        if from == to { format!("{from:02}") } else { format!("{from:02}-{to:02}") }
                    },
                )
                .collect();
            format!("a reason code of this level, out of {}", codes.join(" "))
        }
        Format::Text | Format::Password => "0-9 A-Z / - . & ( ) padded right with spaces".into(),
        Format::Name => "0-9 A-Z / - . & ( ) padded right with spaces, not blank".into(),
        Format::Ident | Format::OwnIdent => "an identification code".into(),
        Format::Reserved => "spaces".into(),
        Format::Date6 => "a date YYMMDD".into(),
        Format::Date8 => "a date CCYYMMDD".into(),
        Format::Time6 => "a time HHMMSS".into(),
        Format::Time10 => "a time HHMMSScccc with a counter from 0001".into(),
        Format::Utf8 => "UTF-8".into(),
    }
}

/// The section with the rules of a format, if it is not the command's section.
pub(super) fn section(format: Format) -> Option<&'static str> {
    match format {
        Format::Text | Format::Password | Format::Name => Some("RFC 5024 §5.2"),
        Format::Ident | Format::OwnIdent => Some("RFC 5024 §5.4"),
        _ => None,
    }
}

/// The value of decimal digits, at most 19 of them.
pub(super) fn number(octets: &[u8]) -> Option<u64> {
    if octets.is_empty() || octets.len() > 19 {
        return None;
    }
    octets.iter().try_fold(0_u64, |value, octet| {
        let digit = octet.is_ascii_digit().then(|| octet.wrapping_sub(b'0'))?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The same, with spaces in place of leading zeros.
pub(super) fn padded_number(octets: &[u8]) -> Option<u64> {
    number(octets.get(octets.iter().position(|&octet| octet != b' ')?..)?)
}

/// The value of a binary length field.
pub(super) fn big_endian(octets: &[u8]) -> Option<u16> {
    octets.try_into().ok().map(u16::from_be_bytes)
}

fn blank(octets: &[u8]) -> bool {
    octets.iter().all(|&octet| octet == b' ')
}

fn text(octets: &[u8]) -> FieldVerdict {
    let value = trimmed(octets);
    if value.iter().all(|&octet| is_alphanumeric(octet)) {
        FieldVerdict::Fits
    } else if value.iter().all(|&octet| is_nearly_alphanumeric(octet)) {
        FieldVerdict::Tolerated(Deviation::C3)
    } else if is_printable(value) {
        FieldVerdict::Tolerated(Deviation::C13)
    } else {
        FieldVerdict::Refused
    }
}

/// A code has five padded parts, so inner spaces are right (SIOOID 1, SIOICD 4, SIOORG 14, SIOCSA 6). The character set
/// of SIOORG is a rule of the Odette scheme, so it is only checked in codes that begin with `O`. The RFC calls SIOICD
/// both 9(4) and String(4); it is judged as String(4). SSIDCODE identifies a partner, so it may have no octet that
/// could be read in two ways.
fn ident(format: Format, octets: &[u8]) -> FieldVerdict {
    if blank(octets) {
        return FieldVerdict::Refused;
    }
    if !octets.iter().all(|&octet| is_nearly_alphanumeric(octet)) {
        let is_tolerable = match format {
            Format::OwnIdent => octets.iter().all(|&octet| is_ssid_code_octet(octet)),
            _ => is_printable(trimmed(octets)),
        };
        return if is_tolerable { FieldVerdict::Tolerated(Deviation::C13) } else { FieldVerdict::Refused };
    }
    let narrow = |octet: &u8| matches!(octet, b'0'..=b'9' | b'A'..=b'Z' | b' ' | b'-');
    let organisation = octets.get(5..19).unwrap_or_default();
    let right = match octets.first() {
        Some(b' ') | None => false,
        Some(b'O') => organisation.iter().all(narrow),
        Some(_) => true,
    };
    if right && octets.iter().all(|&octet| octet == b' ' || is_alphanumeric(octet)) {
        FieldVerdict::Fits
    } else {
        FieldVerdict::Tolerated(Deviation::C3)
    }
}

/// Whether the day exists: YYMMDD if `short` (year 00 counts as a leap year, as 2000 was), else CCYYMMDD.
fn date(short: bool, octets: &[u8]) -> bool {
    let width = if short { 2 } else { 4 };
    let Some((year, rest)) = octets.split_at_checked(width) else { return false };
    let Some((month, day)) = rest.split_at_checked(2) else { return false };
    let (Some(year), Some(month), Some(day)) = (number(year), number(month), number(day)) else {
        return false;
    };
    let multiple = |of: u64| year.checked_rem(of) == Some(0);
    let leap = multiple(4) && (short || !multiple(100) || multiple(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn time(octets: &[u8]) -> bool {
    let limits = [24, 60, 60];
    octets.len() == 6
        && octets.chunks(2).zip(limits).all(|(part, limit)| number(part).is_some_and(|value| value < limit))
}

#[cfg(test)]
mod tests {
    use super::{FieldVerdict, date, ident, judge, number, padded_number, text, time};
    use crate::oftp::Deviation;
    use crate::oftp::layout::Format;

    #[test]
    fn numbers_are_digits_and_never_blank() {
        assert_eq!(number(b"00042"), Some(42));
        assert_eq!(number(b"99999999999999999"), Some(99_999_999_999_999_999));
        for bad in [&b""[..], b" 2048", b"+1", b"1e3", b"     ", b"99999999999999999999"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn stamps_are_days_and_times_that_exist() {
        assert!(date(false, b"20240229") && date(false, b"20000229") && date(true, b"240229"));
        for bad in [&b"20230229"[..], b"19000229", b"20241301", b"20240431", b"20240400", b"2024 101"] {
            assert!(!date(false, bad), "{bad:?}");
        }
        assert!(time(b"235959") && time(b"000000"));
        assert!(!time(b"240000") && !time(b"006000") && !time(b"000060") && !time(b"12345"));
    }

    #[test]
    fn alphanumeric_text_is_padded_right() {
        assert_eq!(text(b"A-Z/09.&()  "), FieldVerdict::Fits);
        assert_eq!(text(b"        "), FieldVerdict::Fits);
        for nearly in [&b"A B"[..], b" AB", b"a_b"] {
            assert_eq!(text(nearly), FieldVerdict::Tolerated(Deviation::C3));
        }
        for printable in [&b"ABC#+@~\xc4  "[..], "ABC#+@~Ä".as_bytes(), b"pa#s!", b"A%", b"\""] {
            assert_eq!(text(printable), FieldVerdict::Tolerated(Deviation::C13));
        }
        for bad in [&b"A\n"[..], b"A\x80", b"A\0", b"\xc4\x1b"] {
            assert_eq!(text(bad), FieldVerdict::Refused);
        }
    }

    #[test]
    fn identification_codes_have_parts() {
        let own = |octets| ident(Format::OwnIdent, octets);
        assert_eq!(own(b"O0013000000ALPHA   HOST01"), FieldVerdict::Fits);
        assert_eq!(own(b"O0055client              "), FieldVerdict::Tolerated(Deviation::C3));
        assert_eq!(own(b" O0055CLIENT             "), FieldVerdict::Tolerated(Deviation::C3));
        for bad in [&b"                         "[..], b"O0055CLIENT\x1b             "] {
            assert_eq!((own(bad), ident(Format::Ident, bad)), (FieldVerdict::Refused, FieldVerdict::Refused));
        }
        for printable in [&b"O0055M\xdcLLER             "[..], b"O0055CLIENT'1            "] {
            let verdict = ident(Format::Ident, printable);
            assert_eq!(verdict, FieldVerdict::Tolerated(Deviation::C13));
            assert_eq!(own(printable), FieldVerdict::Refused, "who it is stands in no doubt");
        }
        assert_eq!(own(b"O0055CLIENT#1+@~         "), FieldVerdict::Tolerated(Deviation::C13));
    }

    #[test]
    fn spaces_may_stand_in_place_of_leading_zeros_of_an_amount() {
        let amount = |octets| judge(Format::Amount(99_999), octets, None);
        assert_eq!(amount(b"00080"), FieldVerdict::Fits);
        for padded in [&b"   80"[..], b"    0", b" 9999"] {
            assert_eq!(amount(padded), FieldVerdict::Tolerated(Deviation::C16), "{padded:?}");
        }
        for bad in [&b"     "[..], b"80   ", b" 8 0 ", b"  -80", b"100000"] {
            assert_eq!(amount(bad), FieldVerdict::Refused, "{bad:?}");
        }
        assert_eq!(judge(Format::Number(0, 99_999), b"   80", None), FieldVerdict::Refused);
        assert_eq!(
            (padded_number(b"   80"), padded_number(b"00080"), padded_number(b" ")),
            (Some(80), Some(80), None)
        );
    }
}

//! Character sets: the alphanumeric set of RFC 5024 §5.2, the octets that are tolerated beside it, and printable text.
//!
//! Pure functions on octets without padding. Unprintable text is refused in both profiles, so that no name of a peer
//! can control a terminal or split a line, whatever program shows it.

use crate::text::escape::is_hazardous;

/// The alphanumeric set without its padding (RFC 5024 §5.2).
pub(super) fn is_alphanumeric(octet: u8) -> bool {
    matches!(octet, b'0'..=b'9' | b'A'..=b'Z' | b'/' | b'-' | b'.' | b'&' | b'(' | b')')
}

/// Octets that most stacks send beside that set (C3).
pub(super) fn is_nearly_alphanumeric(octet: u8) -> bool {
    is_alphanumeric(octet) || matches!(octet, b' ' | b'_' | b'a'..=b'z')
}

/// Octets that an SSIDCODE may have beside its set (C13): ASCII characters that cannot be confused with others and need
/// no care where codes are quoted.
pub fn is_ssid_code_octet(octet: u8) -> bool {
    matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\'' | b'`' | b'\\')
}

/// Printable text in UTF-8 or in Latin-1 (C13). Valid UTF-8 is judged as UTF-8; a last character that was cut off at
/// the width of the field is ignored.
pub(super) fn is_printable(octets: &[u8]) -> bool {
    match whole_characters(octets) {
        Some(text) => text.chars().all(is_visible),
        None => is_latin(octets, |_| false),
    }
}

/// A readable text that should be UTF-8 and is not (C14): Latin-1, or UTF-8 that ends within a character. It may
/// contain tabs and line ends, as UTF-8 text may.
pub(super) fn is_readable(octets: &[u8]) -> bool {
    whole_characters(octets).is_some() || is_latin(octets, |octet| matches!(octet, b'\t' | b'\n' | b'\r'))
}

/// A name with a path that leads upwards with `\`: the set has no `\`, and no honest name needs this.
pub(super) fn climbs(octets: &[u8]) -> bool {
    octets.contains(&b'\\')
        && octets.split(|octet| matches!(octet, b'\\' | b'/')).any(|part| part.starts_with(b".."))
}

/// The characters of `octets` if they are UTF-8, without a last one that was cut off.
fn whole_characters(octets: &[u8]) -> Option<&str> {
    match std::str::from_utf8(octets) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            octets.get(..error.valid_up_to()).and_then(|whole| std::str::from_utf8(whole).ok())
        }
        Err(_) => None,
    }
}

/// No-break spaces are found in names that people copy, and do no harm.
fn is_visible(character: char) -> bool {
    character == '\u{a0}' || !is_hazardous(character)
}

/// Latin-1 without control characters. 0xC0 and 0xC1 before a continuation octet are not taken as letters: they can
/// encode ASCII in a form that UTF-8 forbids, to get past a filter.
fn is_latin(octets: &[u8], is_allowed: impl Fn(u8) -> bool) -> bool {
    let is_overlong = |pair: &[u8]| matches!(pair, [0xC0 | 0xC1, 0x80..=0xBF]);
    octets.iter().all(|&octet| is_allowed(octet) || is_visible(char::from(octet)))
        && !octets.windows(2).any(is_overlong)
}

#[cfg(test)]
mod tests {
    use super::{climbs, is_printable, is_readable};

    #[test]
    fn printable_is_what_a_person_can_read() {
        for text in [
            &b"ABC#+@~'\"!$%*,:;<=>?[]^`{|}\\"[..],
            b"PR\xdcFUNG \xe4\xf6\xfc\xdf",
            "PRÜFUNG äöüß €".as_bytes(),
            "Чертёж".as_bytes(),
            b"RECHNUNG\xa012",
            "RECHNUNG\u{a0}12".as_bytes(),
            // Cut after 26 octets, in the middle of a character.
            "ABCDEFGHIJKLMNOPQRSTUVWXYÄ".as_bytes().get(..26).unwrap(),
        ] {
            assert!(is_printable(text), "{text:02x?}");
        }
        for text in [
            &b"A\x00"[..],
            b"A\nB",
            b"A\x1b[2J",
            b"A\x7f",
            b"A\x80",
            b"A\x9b2J",
            b"\xdcA\x85",
            b"A\xadB",
            "A\u{85}B".as_bytes(),
            "A\u{202e}B".as_bytes(),
            "\u{feff}A".as_bytes(),
            b"..\xc0\xaf..",
            b"\xed\xa0\x80",
        ] {
            assert!(!is_printable(text), "{text:02x?}");
        }
    }

    #[test]
    fn readable_texts_may_have_lines() {
        for text in [&b"ung\xfcltig\r\n\tsiehe unten"[..], b"\xc3(", b"\xff", b"ung\xc3\xbc\xc3"] {
            assert!(is_readable(text), "{text:02x?}");
        }
        for text in [&b"\x80"[..], b"ung\xfcltig\x1b[2J", b"\xfc\0", b"\xc0\xaf", b"\xed\xa0\x80"] {
            assert!(!is_readable(text), "{text:02x?}");
        }
    }

    #[test]
    fn only_a_path_that_leads_upwards_climbs() {
        for name in [&b"..\\..\\ETC"[..], b"A\\..\\B", b"A/..\\B", b"C:\\OUT\\.."] {
            assert!(climbs(name), "{name:?}");
        }
        for name in [&b"C:\\OUT\\FILE"[..], b"A\\B..C", b"..", b"../UP", b"A..B"] {
            assert!(!climbs(name), "{name:?}");
        }
    }
}

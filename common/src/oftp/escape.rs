//! A peer's octets as text for logs and people: printable ASCII as it is, all else as `\xNN`, with limited length.
//!
//! It never lets a control character, quote or backslash of a peer through, so no value can forge a log line.

use crate::text::escape::is_hazardous;
use std::fmt::{self, Write};

/// Octets shown of one value; a longer value ends in `...`.
const SHOWN: usize = 64;

/// Writes `octets` escaped, without trailing spaces (the padding of X fields) and at most 64 of them.
pub(super) fn write(f: &mut impl Write, octets: &[u8]) -> fmt::Result {
    write_exact(f, trimmed(octets))
}

/// The same with the padding: a fault is often there.
pub(super) fn write_exact(f: &mut impl Write, octets: &[u8]) -> fmt::Result {
    for &octet in octets.iter().take(SHOWN) {
        match octet {
            b'"' | b'\\' => write!(f, "\\{}", char::from(octet))?,
            b' '..=b'~' => f.write_char(char::from(octet))?,
            _ => write!(f, "\\x{octet:02x}")?,
        }
    }
    if octets.len() > SHOWN { f.write_str("...") } else { Ok(()) }
}

/// `octets` in quotes, escaped.
pub(super) fn quoted(octets: &[u8]) -> String {
    let mut text = String::from("\"");
    // Writing to a String cannot fail.
    let _ = write_exact(&mut text, octets);
    text.push('"');
    text
}

/// UTF-8 text in quotes: letters of all scripts as they are, controls and broken octets escaped, at most 64
/// characters.
pub(super) fn quoted_text(octets: &[u8]) -> String {
    let mut text = String::from("\"");
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '"' || character == '\\' || is_hazardous(character) {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for octet in chunk.invalid() {
            let _ = write!(text, "\\x{octet:02x}");
        }
    }
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push_str("...");
    }
    text.push('"');
    text
}

/// `octets` without trailing spaces, which only pad X fields.
pub(super) fn trimmed(octets: &[u8]) -> &[u8] {
    let end = octets.iter().rposition(|&octet| octet != b' ').map_or(0, |last| last.saturating_add(1));
    octets.get(..end).unwrap_or(octets)
}

#[cfg(test)]
mod tests {
    use super::{quoted, trimmed};

    #[test]
    fn no_value_of_a_peer_can_leave_its_quotes() {
        assert_eq!(quoted(b"A\"B\\\n\x1b\xff "), r#""A\"B\\\x0a\x1b\xff ""#);
        assert_eq!(quoted(&[b'A'; 70]).len(), 2 + 64 + 3);
        assert_eq!(trimmed(b"AB  "), b"AB");
        assert_eq!(trimmed(b"  "), b"");
    }
}

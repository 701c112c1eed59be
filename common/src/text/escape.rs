//! Makes text from outside safe for a log line, a terminal and a table: it can neither end the line, nor begin a field,
//! nor control the terminal. The only list of hazardous characters is here. Pure functions.

use std::fmt::{self, Display, Write};

/// `value` for a `key=value` line. Printable text stays as it is; text with a space, `=`, `"`, `\`, a control
/// character or octets that are not UTF-8 stands in quotes, the last four escaped: `\"` `\\` `\n` `\r` `\t`, `\xNN`
/// for an octet, `\u{N}` for a control or direction mark outside ASCII.
pub fn escape(value: &(impl AsRef<[u8]> + ?Sized)) -> Escaped<'_> {
    Escaped(value.as_ref())
}

/// The result of [`escape`]; its `Display` is the escaped text.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(&'a [u8]);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Ok(text) = std::str::from_utf8(self.0)
            && !text.is_empty()
            && text.chars().all(is_plain)
        {
            return f.write_str(text);
        }
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' | '\\' => write!(f, "\\{character}")?,
                    _ => write_visible(f, character)?,
                }
            }
            for octet in chunk.invalid() {
                write!(f, "\\x{octet:02x}")?;
            }
        }
        f.write_char('"')
    }
}

fn is_plain(character: char) -> bool {
    !matches!(character, ' ' | '=' | '"' | '\\') && !is_hazardous(character)
}

/// Control characters, invisible characters, and characters that change the direction or the line breaks of the text
/// around them: they must not reach a log or a terminal unescaped.
pub fn is_hazardous(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(character, '\u{e0000}'..='\u{e007f}')
}

/// `text` with its hazardous characters escaped as in [`escape`], and all else unchanged: for a terminal.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // Writing to a String cannot fail.
    let _ = OneLine(&mut shown).write_str(text);
    shown
}

fn write_visible(f: &mut (impl Write + ?Sized), character: char) -> fmt::Result {
    match character {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        _ if !is_hazardous(character) => f.write_char(character),
        _ if character.is_ascii() => write!(f, "\\x{:02x}", u32::from(character)),
        _ => write!(f, "\\u{{{:x}}}", u32::from(character)),
    }
}

/// Passes text on with its hazardous characters escaped: the last protection, for text that no field has escaped.
#[derive(Debug)]
pub struct OneLine<W>(pub W);

impl<W: Write> Write for OneLine<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| write_visible(&mut self.0, character))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_stay_as_they_are() {
        for value in ["O0013ACME", "203.0.113.9", "[2001:db8::1]:6619", "CN/Müller,O", "a'b;c|d"] {
            assert_eq!(escape(value).to_string(), value);
        }
    }

    #[test]
    fn everything_that_could_mislead_is_quoted_and_escaped() {
        let table: [(&[u8], &str); 11] = [
            (b"", r#""""#),
            (b"two words", r#""two words""#),
            (b"a=b", r#""a=b""#),
            (b"say \"x\"", r#""say \"x\"""#),
            (b"C:\\x", r#""C:\\x""#),
            (b"x\r\n20261122 09:21:10.167 INFO", r#""x\r\n20261122 09:21:10.167 INFO""#),
            (b"\x1b[2J\0\x7f\t", r#""\x1b[2J\x00\x7f\t""#),
            (b"M\xfcller", r#""M\xfcller""#),
            ("\u{85}\u{202e}\u{feff}".as_bytes(), r#""\u{85}\u{202e}\u{feff}""#),
            ("A\u{ad}B\u{e0041}".as_bytes(), r#""A\u{ad}B\u{e0041}""#),
            ("a\u{a0}b\u{2028}".as_bytes(), r#""a\u{a0}b\u{2028}""#),
        ];
        for (value, expected) in table {
            assert_eq!(escape(value).to_string(), expected);
        }
    }

    #[test]
    fn no_octet_string_breaks_the_line_or_leaves_the_quotes() {
        for first in 0..=255_u8 {
            for second in 0..=255_u8 {
                let text = escape(&[first, second]).to_string();
                assert!(!text.chars().any(char::is_control), "{first} {second}");
                let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&text);
                let bare = inner.replace("\\\\", "").replace("\\\"", "");
                assert!(!bare.contains('"'), "{first} {second}");
            }
        }
    }

    #[test]
    fn free_text_keeps_its_backslashes_and_loses_its_line_ends() {
        assert_eq!(visible("a \"b\" = c\\d \u{1b}[2J\n\u{202e}"), "a \"b\" = c\\d \\x1b[2J\\n\\u{202e}");
        let mut out = String::new();
        write!(OneLine(&mut out), "a\nb \"c\" {}", escape("d e")).unwrap();
        assert_eq!(out, "a\\nb \"c\" \"d e\"");
    }
}

//! The fields of a log line, read back: the inverse of `escape`. Pure functions.

/// The `key=value` fields after the first word of `text`, each value without its quotes and escapes. None if anything
/// else stands there, as in free text. An octet that is not UTF-8 stays `\xNN`.
pub fn fields(text: &str) -> Option<Vec<(&str, String)>> {
    let mut fields = Vec::new();
    let mut rest = text.split_once(' ').map_or("", |(_, rest)| rest);
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        if key.is_empty() || !key.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'_')) {
            return None;
        }
        let (value, after) = value(after)?;
        fields.push((key, value));
        rest = match after.strip_prefix(' ') {
            Some(more) if !more.is_empty() => more,
            None if after.is_empty() => after,
            _ => return None,
        };
    }
    Some(fields)
}

/// The value at the beginning of `text`, and the text after it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (plain, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
        return (!plain.is_empty() && !plain.contains(['"', '\\', '='])).then(|| (plain.to_owned(), rest));
    };
    let mut value = String::with_capacity(quoted.len());
    let mut rest = quoted;
    loop {
        let at = rest.find(['"', '\\'])?;
        let (plain, mark) = rest.split_at(at);
        value.push_str(plain);
        if let Some(after) = mark.strip_prefix('"') {
            return Some((value, after));
        }
        rest = unescape(mark, &mut value)?;
    }
}

/// Adds the character that the escape at the beginning of `text` stands for; the text after the escape.
fn unescape<'a>(text: &'a str, value: &mut String) -> Option<&'a str> {
    let escaped = text.strip_prefix('\\')?;
    let kind = escaped.chars().next()?;
    let after = escaped.get(kind.len_utf8()..)?;
    let plain = match kind {
        '"' | '\\' => kind,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'x' => {
            let (digits, after) = after.split_at_checked(2)?;
            match u8::from_str_radix(digits, 16).ok()? {
                ascii @ ..0x80 => value.push(char::from(ascii)),
                _ => value.extend(["\\x", digits]),
            }
            return Some(after);
        }
        'u' => {
            let (digits, after) = after.strip_prefix('{')?.split_once('}')?;
            value.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
            return Some(after);
        }
        _ => return None,
    };
    value.push(plain);
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::fields;
    use crate::text::escape::escape;

    #[test]
    fn what_was_escaped_is_read_back() {
        for value in
            ["", "plain", "two words", "a=b", "say \"x\" \\ y\r\n\t", "\0\x1b\x7f", "M\u{fc}ller\u{202e}"]
        {
            let text = format!("event a={} b=1", escape(value));
            assert_eq!(fields(&text).unwrap(), [("a", value.to_owned()), ("b", "1".to_owned())], "{text}");
        }
        assert_eq!(fields(&format!("event a={}", escape(b"M\xfcller"))).unwrap()[0].1, "M\\xfcller");
        assert_eq!(fields("event").unwrap(), []);
    }

    #[test]
    fn free_text_has_no_fields() {
        for text in [
            "a b",
            "a b=",
            "a b=c ",
            "a b=c d",
            "a b=\"c",
            "a b=\"c\"d=e",
            "a =b",
            "a B=c",
            "a b=c  d=e",
            "a b=c\"d",
            "a b=c=d",
            "a b=\"\\",
            "a b=\"\\q\"",
            "a b=\"\\x\"",
            "a b=\"\\x\u{fc}1\"",
            "a b=\"\\u{110000}\"",
            "a b=\"\\u{41\"",
        ] {
            assert_eq!(fields(text), None, "{text}");
        }
    }
}

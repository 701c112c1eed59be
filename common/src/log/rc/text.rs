//! Converts an rc file to text, whatever editor wrote it: UTF-8, ISO-8859-1 or, with a byte order mark, UTF-16.

/// Reads it as ISO-8859-1 if the file declares that or is not UTF-8; log4c's own samples declare it. A byte order mark
/// counts more than the declaration.
pub(super) fn decode(octets: &[u8]) -> String {
    match octets {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        _ => match std::str::from_utf8(octets) {
            Ok(text) if !declares_latin_1(octets) => text.to_owned(),
            _ => octets.iter().copied().map(char::from).collect(),
        },
    }
}

fn utf_16(octets: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = octets.as_chunks().0.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16_lossy(&units)
}

fn declares_latin_1(octets: &[u8]) -> bool {
    let declaration = octets.split(|octet| *octet == b'>').next().unwrap_or_default();
    let declaration = String::from_utf8_lossy(declaration).to_ascii_lowercase();
    declaration.starts_with("<?xml")
        && ["iso-8859-1", "iso8859-1", "latin1"].iter().any(|name| declaration.contains(name))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn every_encoding_is_the_same_text() {
        let text = "<log4c>f\u{fc}r</log4c>";
        let latin = b"<log4c>f\xfcr</log4c>";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for octets in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            latin.to_vec(),
            [b"\xff\xfe", &little[..]].concat(),
            [b"\xfe\xff", &big[..]].concat(),
        ] {
            assert_eq!(decode(&octets), text, "{octets:?}");
        }
        let declared = [b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>", &latin[..]].concat();
        assert!(decode(&declared).ends_with(text));
    }
}

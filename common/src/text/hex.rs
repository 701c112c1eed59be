//! Octets as hex digits. Writes lower case, reads both cases. Never reads half an octet or a sign.

/// The value of a hex digit, 0 to 15.
pub fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// `octets` as lower-case hex digits, two for each.
pub fn encode(octets: &[u8]) -> String {
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' + value - 10 });
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 0x0f)]).collect()
}

/// The octets of `text`; none unless it consists of pairs of hex digits only.
pub fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_ref().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|pair| octet(*pair)).collect()
}

/// The `N` octets of `text`; none unless it consists of 2 * `N` hex digits.
pub fn decode_array<const N: usize>(text: impl AsRef<[u8]>) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_ref().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    // Written directly into the result, because the text may be a secret and no copy of it must be left.
    let mut octets = [0; N];
    for (place, pair) in octets.iter_mut().zip(pairs) {
        *place = octet(*pair)?;
    }
    Some(octets)
}

fn octet([high, low]: [u8; 2]) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_array, encode};

    #[test]
    fn every_octet_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(encode(&all)), Some(all));
        assert_eq!(encode(&[0x00, 0x9a, 0xff]), "009aff");
        assert_eq!(decode("10fFa0"), Some(vec![0x10, 0xff, 0xa0]));
        assert_eq!(decode(""), Some(Vec::new()));
    }

    #[test]
    fn what_is_not_pairs_of_digits_is_refused() {
        for text in ["1", "100", "1g", "+1", " 1", "0x", "\u{e9}"] {
            assert_eq!(decode(text), None, "{text}");
            assert_eq!(decode_array::<1>(text), None, "{text}");
        }
    }

    #[test]
    fn an_array_has_its_length() {
        assert_eq!(decode_array("0aFF"), Some([0x0a, 0xff]));
        assert_eq!(decode_array::<2>("0aFF00"), None);
        assert_eq!(decode_array::<2>("0a"), None);
    }
}

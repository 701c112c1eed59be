//! A writer of DER, as far as CRLs and two extensions need it.

/// Tag and length in front of `content`.
pub(super) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut octets = vec![tag];
    if length < 128 {
        octets.extend(u8::try_from(length));
    } else {
        let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|&octet| octet == 0).collect();
        octets.push(0x80 | u8::try_from(bytes.len()).unwrap_or(0));
        octets.extend(bytes);
    }
    octets.extend_from_slice(content);
    octets
}

/// SEQUENCE of finished elements.
pub(super) fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &elements.concat())
}

/// INTEGER of a positive number, big-endian.
pub(super) fn integer(magnitude: &[u8]) -> Vec<u8> {
    let mut octets: Vec<u8> = magnitude.iter().copied().skip_while(|&octet| octet == 0).collect();
    if octets.first().is_none_or(|octet| octet & 0x80 != 0) {
        octets.insert(0, 0);
    }
    tlv(0x02, &octets)
}

/// Time: UTCTime up to 2049, GeneralizedTime from then on (RFC 5280 §5.1.2.4). `date` = CCYYMMDD, `time` = HHMMSS.
pub(super) fn time(date: &str, time: &str) -> Vec<u8> {
    if date < "20500101" {
        tlv(0x17, format!("{}{time}Z", date.get(2..).unwrap_or(date)).as_bytes())
    } else {
        tlv(0x18, format!("{date}{time}Z").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_signs() {
        assert_eq!(tlv(0x04, &[1]), [4, 1, 1]);
        assert_eq!(tlv(0x04, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(tlv(0x04, &[0; 300])[..4], [4, 0x82, 1, 44]);
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
    }
}

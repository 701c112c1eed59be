//! The part of DER (X.690) that is needed to find the parts of a revocation list.

/// Tags of values.
pub(super) mod tag {
    pub(in crate::trust) const INTEGER: u8 = 0x02;
    pub(in crate::trust) const BIT_STRING: u8 = 0x03;
    pub(in crate::trust) const OCTET_STRING: u8 = 0x04;
    pub(in crate::trust) const OID: u8 = 0x06;
    pub(in crate::trust) const UTC_TIME: u8 = 0x17;
    pub(in crate::trust) const GENERALIZED_TIME: u8 = 0x18;
    pub(in crate::trust) const SEQUENCE: u8 = 0x30;
}

/// One value: all its octets, and the octets of its content.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) whole: &'a [u8],
    pub(super) content: &'a [u8],
}

/// The values of a content, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Values<'a>(pub(super) &'a [u8]);

impl<'a> Values<'a> {
    /// Whether all values have been read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next one, if it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<Value<'a>> {
        let (value, rest) = split(self.0)?;
        (value.tag == tag).then(|| self.0 = rest).map(|()| value)
    }
}

/// The first value of `octets`, and the octets behind it.
fn split(octets: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // No list is as large as 4 GiB.
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(length)?;
    let whole = octets.get(..octets.len() - behind.len())?;
    Some((Value { tag, whole, content }, behind))
}

/// A value with this tag and content.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|octet| *octet != 0).unwrap_or(length.len() - 1);
    let length = length.get(significant..).unwrap_or_default();
    let mut whole = vec![tag];
    if content.len() >= 0x80 {
        whole.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
    }
    whole.extend_from_slice(length);
    whole.extend_from_slice(content);
    whole
}

#[cfg(test)]
mod tests {
    use super::{Values, tag, value};

    #[test]
    fn values_are_read_as_they_were_written() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let whole = value(tag::OCTET_STRING, &content);
            let mut values = Values(&whole);
            assert!(values.take(tag::INTEGER).is_none());
            let read = values.take(tag::OCTET_STRING).unwrap();
            assert_eq!((read.content, read.whole), (&content[..], &whole[..]), "{length}");
            assert!(values.is_empty());
            let mut cut = Values(&whole[..whole.len() - 1]);
            assert!(cut.take(tag::OCTET_STRING).is_none(), "cut off: {length}");
        }
        assert!(Values(&[2, 0x85, 0, 0, 0, 0, 1, 7]).take(tag::INTEGER).is_none(), "longer than any");
        assert!(Values(&[2, 0x80, 7, 0, 0]).take(tag::INTEGER).is_none(), "DER has no such length");
    }
}

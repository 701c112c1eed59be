//! Fields that the openssl crate does not read: the scope of a CRL (issuingDistributionPoint, RFC 5280
//! section 5.2.5), the identifier of its issuer's key (5.2.1), whether it is a delta CRL
//! (5.2.4), and the CRLs in PKCS#7. Reads DER that OpenSSL has parsed already; gives octets, interprets nothing.
//! Never panics on any input.

/// Tag of a SEQUENCE.
const SEQUENCE: u8 = 0x30;
/// Tag of an OCTET STRING.
const OCTET_STRING: u8 = 0x04;
/// Tag `[0]`, constructed: the extensions of a CRL.
const EXTENSIONS: u8 = 0xa0;
/// The same tag: the content of a PKCS#7 object.
const CONTENT: u8 = EXTENSIONS;
/// Tag `[1]`, constructed: its CRLs.
const CRLS: u8 = 0xa1;
/// id-ce-issuingDistributionPoint, 2.5.29.28, as an OBJECT IDENTIFIER.
const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x1c];

/// id-ce-deltaCRLIndicator, 2.5.29.27, as an OBJECT IDENTIFIER.
const DELTA_CRL_INDICATOR: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x1b];

/// id-ce-authorityKeyIdentifier, 2.5.29.35, as an OBJECT IDENTIFIER.
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x23];
/// Tag `[0]`, primitive: the keyIdentifier in it.
const KEY_IDENTIFIER: u8 = 0x80;

/// The issuingDistributionPoint of a CRL in DER; empty if there is none, so that the CRL covers its whole issuer.
pub(super) fn crl_scope(crl: &[u8]) -> &[u8] {
    extension(crl, ISSUING_DISTRIBUTION_POINT).unwrap_or_default()
}

/// The meaning of a scope (`crl_scope`), for lists: the URLs of the certificates for which the CRL is, and their kind;
/// none if it is for all certificates of its issuer.
pub(super) fn scope_text(scope: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    for part in elements(inside(scope, SEQUENCE)?) {
        match *part.first()? {
            // distributionPoint, fullName, uniformResourceIdentifier
            0xa0 => {
                let names = inside(part, 0xa0).and_then(|point| inside(point, 0xa0)).unwrap_or_default();
                let urls = elements(names).filter_map(|name| inside(name, 0x86));
                parts.extend(urls.map(|url| String::from_utf8_lossy(url).into_owned()));
            }
            0x81 => parts.push("no CAs".to_owned()),
            0x82 => parts.push("CAs only".to_owned()),
            0x83 => parts.push("some reasons only".to_owned()),
            0x84 => parts.push("of other CAs too".to_owned()),
            0x85 => parts.push("attribute certificates only".to_owned()),
            _ => {}
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The identifier that distinguishes a CRL's issuer key from others under the same name (RFC 5280 section 5.2.1): the
/// keyIdentifier, else the whole authorityKeyIdentifier; empty if there is none.
pub(super) fn crl_key_identifier(crl: &[u8]) -> &[u8] {
    let Some(whole) = extension(crl, AUTHORITY_KEY_IDENTIFIER) else { return &[] };
    let mut parts = inside(whole, SEQUENCE).into_iter().flat_map(elements);
    parts.find(|part| part.first() == Some(&KEY_IDENTIFIER)).unwrap_or(whole)
}

/// Whether a CRL in DER is a delta CRL (RFC 5280 section 5.2.4), which has only the changes since a whole one.
pub(super) fn is_delta(crl: &[u8]) -> bool {
    extension(crl, DELTA_CRL_INDICATOR).is_some()
}

/// The CRLs in a PKCS#7 object (RFC 2315 section 9.1).
pub(super) fn crls_of_pkcs7(der: &[u8]) -> impl Iterator<Item = &[u8]> {
    let signed = inside(der, SEQUENCE)
        .and_then(|info| elements(info).find_map(|element| inside(element, CONTENT)))
        .and_then(|content| inside(content, SEQUENCE));
    let crls = signed.and_then(|signed| elements(signed).find_map(|element| inside(element, CRLS)));
    elements(crls.unwrap_or_default())
}

fn extension<'a>(crl: &'a [u8], oid: &[u8]) -> Option<&'a [u8]> {
    let list = inside(crl, SEQUENCE)?;
    let to_be_signed = inside(list, SEQUENCE)?;
    let extensions = elements(to_be_signed).find_map(|element| inside(element, EXTENSIONS))?;
    elements(inside(extensions, SEQUENCE)?)
        .filter_map(|extension| inside(extension, SEQUENCE))
        .find(|extension| extension.starts_with(oid))
        .and_then(|extension| elements(extension).find_map(|part| inside(part, OCTET_STRING)))
}

/// The content of the element at the start of `octets`, if it has this tag.
fn inside(octets: &[u8], tag: u8) -> Option<&[u8]> {
    let (&first, _) = octets.split_first()?;
    let (header, length) = header(octets)?;
    (first == tag).then(|| octets.get(header..header.saturating_add(length))).flatten()
}

/// The elements in `octets`, one after the other.
fn elements(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (header, length) = header(rest)?;
        let (element, after) = rest.split_at_checked(header.saturating_add(length))?;
        rest = after;
        Some(element)
    })
}

/// Lengths of the header and of the content of the element at the start of `octets`. (Tags above 30 do not occur here.)
fn header(octets: &[u8]) -> Option<(usize, usize)> {
    let short = usize::from(*octets.get(1)?);
    if short < 0x80 {
        return Some((2, short));
    }
    let count = short & 0x7f;
    let digits = octets.get(2..2 + count).filter(|digits| (1..=4).contains(&digits.len()))?;
    Some((2 + count, digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit))))
}

#[cfg(test)]
mod tests {
    use super::{crl_key_identifier, crl_scope, is_delta, scope_text};

    /// An element: tag, length of one or three octets, content.
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = match u8::try_from(content.len()) {
            Ok(short @ ..0x80) => vec![short],
            _ => [vec![0x82], u16::try_from(content.len()).unwrap().to_be_bytes().to_vec()].concat(),
        };
        [vec![tag], length, content.to_vec()].concat()
    }

    fn crl(extensions: &[Vec<u8>], filler: usize) -> Vec<u8> {
        let extensions = element(0xa0, &element(0x30, &extensions.concat()));
        let revoked = element(0x30, &vec![0x05; filler]);
        let signed = element(0x30, &[element(0x02, &[1]), revoked, extensions].concat());
        element(0x30, &[signed, element(0x03, &[0])].concat())
    }

    #[test]
    fn the_scope_is_found_among_other_extensions() {
        let number = element(0x30, &[vec![0x06, 3, 0x55, 0x1d, 0x14], element(4, &[2, 1, 7])].concat());
        let scope = |critical: &[u8]| {
            element(
                0x30,
                &[vec![0x06, 3, 0x55, 0x1d, 0x1c], critical.to_vec(), element(4, b"SCOPE")].concat(),
            )
        };
        assert_eq!(crl_scope(&crl(&[number.clone(), scope(&[1, 1, 0xff])], 2)), b"SCOPE");
        assert_eq!(crl_scope(&crl(&[scope(&[]), number.clone()], 400)), b"SCOPE");
        assert_eq!(crl_scope(&crl(std::slice::from_ref(&number), 400)), b"");
        let delta = element(0x30, &[vec![0x06, 3, 0x55, 0x1d, 0x1b], element(4, &[2, 1, 6])].concat());
        assert!(is_delta(&crl(&[number.clone(), delta], 2)));
        assert!(!is_delta(&crl(&[number, scope(&[])], 2)));
    }

    #[test]
    fn a_scope_is_told_in_words() {
        let point = element(
            0xa0,
            &element(0xa0, &[element(0x86, b"http://a/"), element(0x86, b"ldap:///b")].concat()),
        );
        let scope = element(0x30, &[point, element(0x81, &[0xff])].concat());
        assert_eq!(scope_text(&scope).as_deref(), Some("http://a/, ldap:///b, no CAs"));
        assert_eq!(scope_text(&element(0x30, &element(0x82, &[0xff]))).as_deref(), Some("CAs only"));
        assert_eq!(scope_text(b""), None);
        assert_eq!(scope_text(&element(0x30, b"")), None);
    }

    #[test]
    fn a_key_is_told_by_its_identifier_however_it_is_dressed() {
        let identifier = |content: &[u8]| {
            let value = element(4, &element(0x30, content));
            crl(&[element(0x30, &[vec![0x06, 3, 0x55, 0x1d, 0x23], value].concat())], 2)
        };
        let (key, serial) = (element(0x80, b"KEY"), element(0x82, &[7]));
        assert_eq!(crl_key_identifier(&identifier(&key)), key);
        assert_eq!(crl_key_identifier(&identifier(&[&key[..], &serial].concat())), key);
        assert_eq!(crl_key_identifier(&identifier(&serial)), element(0x30, &serial));
        assert_eq!(crl_key_identifier(&crl(&[], 2)), b"");
    }

    #[test]
    fn every_torn_or_altered_crl_is_read_without_harm() {
        let scope = element(0x30, &[vec![0x06, 3, 0x55, 0x1d, 0x1c], element(4, b"SCOPE")].concat());
        let key = element(4, &element(0x30, &element(0x80, b"KEY")));
        let key = element(0x30, &[vec![0x06, 3, 0x55, 0x1d, 0x23], key].concat());
        let whole = crl(&[key, scope], 300);
        for end in 0..whole.len() {
            assert!(crl_scope(&whole[..end]).is_empty() || end > whole.len() - 4);
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut altered = whole.clone();
                altered[end] = value;
                assert!(crl_scope(&altered).len() <= whole.len());
                assert!(crl_key_identifier(&altered).len() <= whole.len());
            }
        }
    }
}

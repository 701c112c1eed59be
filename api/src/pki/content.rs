//! The kinds of objects in a file of an operator: PEM, DER or plain base64, whatever its name is. For a kind that is
//! not wanted, the message names it and says what to do. Decides nothing about trust.

use super::der;
use openssl::base64;
use openssl::error::ErrorStack;
use openssl::pkcs7::{Pkcs7, Pkcs7SignedRef};
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509Crl, X509Req};
use zeroize::Zeroizing;

/// A kind of object, or of a file that is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Certificate,
    Crl,
    /// PKCS#7: certificates without a key.
    Pkcs7,
    /// PKCS#12: certificates and a key, with a password.
    Pkcs12,
    PrivateKey,
    EncryptedKey,
    PublicKey,
    Request,
    SshKey,
    JavaStore,
    Archive,
    Page,
    /// An unknown kind.
    Unknown,
}

impl Kind {
    /// Its name with an article.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Certificate => "a certificate",
            Self::Crl => "a certificate revocation list (CRL)",
            Self::Pkcs7 => "a PKCS#7 file",
            Self::Pkcs12 => "a PKCS#12 file",
            Self::PrivateKey | Self::EncryptedKey => "a private key",
            Self::PublicKey => "a public key",
            Self::Request => "a certificate request (CSR)",
            Self::SshKey => "a key of SSH",
            Self::JavaStore => "a Java keystore",
            Self::Archive => "an archive (ZIP)",
            Self::Page => "an HTML or XML page",
            Self::Unknown => "something unknown",
        }
    }

    /// What to do with it.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Certificate => "trust a CA's with 'os4xapi trust add', and give here what is asked for",
            Self::Crl => "bring it with 'os4xapi crl add'",
            Self::Pkcs7 | Self::Pkcs12 => "give it where a certificate is asked for",
            Self::PrivateKey | Self::EncryptedKey => {
                "keep it secret; only 'os4xapi cert set --key' takes our own"
            }
            Self::PublicKey => "ask its owner for the certificate of that key",
            Self::Request => "send it to a CA, and give the certificate that comes back",
            Self::SshKey => "ask its owner for a certificate",
            Self::JavaStore => {
                "make a PKCS#12 file of it (keytool -importkeystore -srckeystore FILE -destkeystore NEW \
                 -deststoretype PKCS12), and give that"
            }
            Self::Archive => "unpack it, and give the file in it",
            Self::Page => "download the file itself: a portal may have asked for a login instead",
            Self::Unknown => "give a file in PEM or DER",
        }
    }

    /// The kind of a PEM block's label (RFC 7468).
    fn of_label(label: &str) -> Self {
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => Self::Certificate,
            "X509 CRL" => Self::Crl,
            "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => Self::Pkcs7,
            "ENCRYPTED PRIVATE KEY" => Self::EncryptedKey,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Self::Request,
            "OPENSSH PRIVATE KEY" | "SSH2 PUBLIC KEY" => Self::SshKey,
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => Self::PrivateKey,
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Self::PublicKey,
            _ => Self::Unknown,
        }
    }

    /// The kind of DER, by what OpenSSL can read it as; of another file, by its beginning.
    fn of_octets(octets: &[u8]) -> Self {
        let starts = |text: &str| {
            let start = octets.trim_ascii_start().get(..text.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(text.as_bytes()))
        };
        if octets.first() != Some(&0x30) {
            return match octets {
                [0xfe, 0xed, 0xfe, 0xed, ..] => Self::JavaStore,
                [b'P', b'K', 3, 4, ..] => Self::Archive,
                _ if ["<!doctype", "<html", "<?xml"].into_iter().any(starts) => Self::Page,
                _ if starts("ssh-") || starts("ecdsa-sha2-") => Self::SshKey,
                _ => Self::Unknown,
            };
        }
        if X509::from_der(octets).is_ok() {
            Self::Certificate
        } else if X509Crl::from_der(octets).is_ok() {
            Self::Crl
        } else if Pkcs12::from_der(octets).is_ok() {
            Self::Pkcs12
        } else if Pkcs7::from_der(octets).is_ok() {
            Self::Pkcs7
        } else if X509Req::from_der(octets).is_ok() {
            Self::Request
        } else if is_encrypted_key(octets) {
            Self::EncryptedKey
        } else if PKey::private_key_from_der(octets).is_ok() {
            Self::PrivateKey
        } else if PKey::public_key_from_der(octets).is_ok() {
            Self::PublicKey
        } else {
            Self::Unknown
        }
    }
}

/// Whether DER is an EncryptedPrivateKeyInfo (RFC 5958 section 3): it begins with a password-based algorithm, of PKCS#5
/// or PKCS#12.
fn is_encrypted_key(der: &[u8]) -> bool {
    const PKCS5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05];
    const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];
    let start = der.get(..der.len().min(24)).unwrap_or_default();
    [PKCS5, PKCS12_PBE].iter().any(|oid| start.windows(oid.len()).any(|window| window == *oid))
}

/// A certificate; if OpenSSL's trust settings follow it, only the certificate.
pub(super) fn certificate(part: &Part<'_>) -> Result<X509, ErrorStack> {
    if !part.is_pem {
        return X509::from_der(part.octets);
    }
    let text = String::from_utf8_lossy(part.octets).replace("TRUSTED CERTIFICATE", "CERTIFICATE");
    X509::from_pem(text.as_bytes())
}

/// All certificates of a PKCS#7 object.
pub(super) fn of_pkcs7(part: &Part<'_>) -> Result<Vec<X509>, ErrorStack> {
    let found = if part.is_pem { Pkcs7::from_pem(part.octets)? } else { Pkcs7::from_der(part.octets)? };
    Ok(found
        .signed()
        .and_then(Pkcs7SignedRef::certificates)
        .into_iter()
        .flatten()
        .map(ToOwned::to_owned)
        .collect())
}

/// A CRL.
pub(super) fn crl(part: &Part<'_>) -> Result<X509Crl, ErrorStack> {
    if part.is_pem { X509Crl::from_pem(part.octets) } else { X509Crl::from_der(part.octets) }
}

/// All CRLs of a PKCS#7 object.
pub(super) fn crls_of_pkcs7(part: &Part<'_>) -> Result<Vec<X509Crl>, ErrorStack> {
    let der = if part.is_pem { Pkcs7::from_pem(part.octets)?.to_der()? } else { part.octets.to_vec() };
    der::crls_of_pkcs7(&der).map(X509Crl::from_der).collect()
}

/// One object of a file: a block of PEM with its frame, or DER.
pub(super) struct Part<'a> {
    pub(super) kind: Kind,
    pub(super) octets: &'a [u8],
    pub(super) is_pem: bool,
}

/// The objects in `octets`, in their order. Empty if there is nothing at all.
pub(super) fn parts(octets: &[u8]) -> Vec<Part<'_>> {
    let blocks = pem_blocks(octets);
    if !blocks.is_empty() || octets.trim_ascii().is_empty() {
        return blocks;
    }
    vec![Part { kind: Kind::of_octets(octets), octets, is_pem: false }]
}

/// The blocks of PEM in `octets`, in their order.
pub(super) fn pem_blocks(octets: &[u8]) -> Vec<Part<'_>> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let mut blocks = Vec::new();
    let mut rest = octets;
    while let Some(found) = find(rest, BEGIN).and_then(|at| rest.get(at..)) {
        let after = found.get(BEGIN.len()..).unwrap_or_default();
        let label = find(after, b"-----").and_then(|end| std::str::from_utf8(after.get(..end)?).ok());
        let end = label.map(|label| format!("-----END {label}-----"));
        let length = end.and_then(|end| Some(find(found, end.as_bytes())? + end.len()));
        let Some((block, next)) = length.and_then(|length| found.split_at_checked(length)) else {
            rest = after;
            continue;
        };
        let start = block.get(..block.len().min(200)).unwrap_or_default();
        let is_locked = find(start, b"Proc-Type: 4,ENCRYPTED").is_some();
        let kind = if is_locked { Kind::EncryptedKey } else { Kind::of_label(label.unwrap_or_default()) };
        blocks.push(Part { kind, octets: block, is_pem: true });
        rest = next;
    }
    blocks
}

fn find(octets: &[u8], part: &[u8]) -> Option<usize> {
    octets.windows(part.len()).position(|window| window == part)
}

/// A file's content without additions of editors and exports: UTF-16, a byte order mark, base64 without a frame.
pub(super) fn plain(octets: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let wide = |octets: &[u8], of: fn([u8; 2]) -> u16| {
        let units = octets.as_chunks::<2>().0.iter().map(|pair| of(*pair));
        Zeroizing::new(char::decode_utf16(units).flatten().collect::<String>().into_bytes())
    };
    match octets.as_slice() {
        [0xff, 0xfe, text @ ..] => wide(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => wide(text, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, text @ ..] => Zeroizing::new(text.to_vec()),
        text => bare_base64(text).unwrap_or(octets),
    }
}

/// The DER in a text that is only base64.
fn bare_base64(octets: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b) || b.is_ascii_whitespace();
    // A SEQUENCE whose length has more than one octet begins with this.
    if !octets.trim_ascii_start().starts_with(b"MI") || !octets.iter().all(is_base64) {
        return None;
    }
    let text: String = octets.iter().filter(|b| !b.is_ascii_whitespace()).map(|b| char::from(*b)).collect();
    base64::decode_block(&text).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::{Kind, parts, plain};
    use zeroize::Zeroizing;

    fn kinds(octets: &[u8]) -> Vec<Kind> {
        parts(&plain(Zeroizing::new(octets.to_vec()))).iter().map(|part| part.kind).collect()
    }

    #[test]
    fn blocks_of_pem_are_known_by_their_labels() {
        let block =
            |label: &str| format!("text\r\n-----BEGIN {label}-----\r\nAA==\r\n-----END {label}-----\r\n");
        let text = ["CERTIFICATE", "EC PARAMETERS", "ENCRYPTED PRIVATE KEY", "PKCS7"].map(block).concat();
        let expected = [Kind::Certificate, Kind::Unknown, Kind::EncryptedKey, Kind::Pkcs7];
        assert_eq!(kinds(text.as_bytes()), expected);
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(kinds(&[&[0xff, 0xfe], &wide[..]].concat()), expected);
        assert_eq!(kinds(&[b"\xef\xbb\xbf", text.as_bytes()].concat()), expected);
        assert_eq!(
            kinds(
                b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n\
            -----END RSA PRIVATE KEY-----"
            ),
            [Kind::EncryptedKey]
        );
    }

    #[test]
    fn what_is_none_of_ours_is_known_by_how_it_begins() {
        for (octets, kind) in [
            (&b"\n<!DOCTYPE html><html>"[..], Kind::Page),
            (b"\xfe\xed\xfe\xed\0\0", Kind::JavaStore),
            (b"PK\x03\x04", Kind::Archive),
            (b"ssh-ed25519 AAAA", Kind::SshKey),
            (b"0\x03\x02\x01\x01", Kind::Unknown),
            (b"MIIBAA==", Kind::Unknown),
            (b"-----BEGIN CERTIFICATE-----", Kind::Unknown),
            (b"junk", Kind::Unknown),
        ] {
            assert_eq!(kinds(octets), [kind], "{octets:?}");
        }
        assert_eq!(kinds(b" \n"), []);
    }
}

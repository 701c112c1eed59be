//! A request for a certificate (PKCS#10) with a new key, with which a CA certifies us towards partners: they see the
//! certificate as a server's and as a client's.

use super::ca::{Issued, add_hosts, key_pem, new_key};
use super::{Doing, PkiError};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::x509::extension::{ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509Name, X509NameBuilder, X509NameRef, X509Req, X509ReqBuilder};

/// Bits of a new RSA key.
const RSA_BITS: u32 = 3_072;

/// Kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// 3072 bits: every partner knows it.
    Rsa,
    /// ECDSA on P-256.
    Ec,
}

/// A new key, and the request for it in PEM.
pub(crate) fn create(
    subject: &X509NameRef,
    hosts: &[String],
    algorithm: Algorithm,
) -> Result<Issued, PkiError> {
    let doing = "making a request for a certificate";
    let key = match algorithm {
        Algorithm::Rsa => PKey::from_rsa(Rsa::generate(RSA_BITS).doing(doing)?).doing(doing)?,
        Algorithm::Ec => new_key()?,
    };
    let mut builder = X509ReqBuilder::new().doing(doing)?;
    builder.set_version(0).doing(doing)?;
    builder.set_subject_name(subject).doing(doing)?;
    builder.set_pubkey(&key).doing(doing)?;
    let mut usage = KeyUsage::new();
    usage.critical().digital_signature();
    if algorithm == Algorithm::Rsa {
        usage.key_encipherment();
    }
    let mut extensions = Stack::new().doing(doing)?;
    extensions.push(usage.build().doing(doing)?).doing(doing)?;
    let purpose = ExtendedKeyUsage::new().server_auth().client_auth().build();
    extensions.push(purpose.doing(doing)?).doing(doing)?;
    if !hosts.is_empty() {
        let mut names = SubjectAlternativeName::new();
        add_hosts(&mut names, hosts);
        let names = names.build(&builder.x509v3_context(None));
        extensions.push(names.doing(doing)?).doing(doing)?;
    }
    builder.add_extensions(&extensions).doing(doing)?;
    builder.sign(&key, MessageDigest::sha256()).doing(doing)?;
    let pem = builder.build().to_pem().doing(doing)?;
    Ok(Issued { certificate: String::from_utf8_lossy(&pem).into_owned(), key: key_pem(&key)? })
}

/// Whom a request is for.
pub(crate) fn subject(request: &str) -> Result<String, PkiError> {
    let request = X509Req::from_pem(request.as_bytes()).doing("reading a request for a certificate")?;
    Ok(common::x509::subject::text(request.subject_name()))
}

/// A name as `O=Example GmbH, CN=we.example`; none if it is not written so. A comma in a value stands behind `\`.
pub(crate) fn name(text: &str) -> Option<X509Name> {
    let mut builder = X509NameBuilder::new().ok()?;
    for part in parts(text) {
        let (kind, value) = part.split_once('=')?;
        let (kind, value) = (kind.trim(), value.trim());
        if value.is_empty() || value.chars().any(char::is_control) {
            return None;
        }
        builder.append_entry_by_text(kind, value).ok()?;
    }
    Some(builder.build())
}

/// The parts between commas.
fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut characters) = (vec![String::new()], text.chars());
    while let Some(character) = characters.next() {
        let character = match character {
            ',' => {
                parts.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, create, name, subject};
    use openssl::x509::X509Req;

    #[test]
    fn a_name_is_read_as_it_is_shown() {
        for (text, shown) in [
            ("O=Example GmbH, CN=we.example", "O=Example GmbH, CN=we.example"),
            (
                "C=DE,O=M\u{fc}ller\\, AG,serialNumber=O0013WE",
                "C=DE, O=M\u{fc}ller, AG, serialNumber=O0013WE",
            ),
        ] {
            assert_eq!(common::x509::subject::text(&name(text).unwrap()), shown);
        }
        for bad in ["", "we.example", "CN=", "CN=a,", "nonsense=x", "CN=a\nb", "C=Germany"] {
            assert!(name(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_request_is_for_both_roles_and_signed_by_its_key() {
        for algorithm in [Algorithm::Rsa, Algorithm::Ec] {
            let hosts = ["we.example".to_owned(), "192.0.2.1".to_owned()];
            let made = create(&name("CN=we.example").unwrap(), &hosts, algorithm).unwrap();
            let request = X509Req::from_pem(made.certificate.as_bytes()).unwrap();
            assert!(request.verify(&request.public_key().unwrap()).unwrap());
            assert_eq!(request.extensions().unwrap().len(), 3);
            assert_eq!(subject(&made.certificate).unwrap(), "CN=we.example");
            assert!(made.key.expose().contains("PRIVATE KEY"));
        }
    }
}

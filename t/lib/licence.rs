//! Licences for servers under test, as the backend issues them, by a CA made for the occasion.

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

/// The URI by which a certificate says that it is a licence.
const LICENCE: &str = "urn:os4x:smartproxy:licence";

/// A licence file for `proxy_id` (64 hex digits and `px`), valid from `days.0` to `days.1` days from now.
pub fn licence(proxy_id: &str, days: (i32, i32)) -> Result<Vec<u8>, ErrorStack> {
    let octets: Vec<u8> =
        (0..32).filter_map(|i| u8::from_str_radix(proxy_id.get(2 * i..2 * i + 2)?, 16).ok()).collect();
    let server = PKey::public_key_from_raw_bytes(&octets, Id::ED25519)?;
    let (authority, key) = authority()?;
    let mut builder = builder("Example GmbH", &server, days)?;
    let context = builder.x509v3_context(Some(&authority), None);
    let name = SubjectAlternativeName::new().uri(LICENCE).build(&context)?;
    builder.append_extension(name)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    builder.sign(&key, MessageDigest::null())?;
    Ok([builder.build().to_pem()?, authority.to_pem()?].concat())
}

fn authority() -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = PKey::generate_ed25519()?;
    let mut builder = builder(AUTHORITY, &key, (-400, 4000))?;
    builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    builder.sign(&key, MessageDigest::null())?;
    Ok((builder.build(), key))
}

const AUTHORITY: &str = "OS4Xapi of the tests";

fn builder<T: HasPublic>(
    subject: &str,
    key: &PKeyRef<T>,
    days: (i32, i32),
) -> Result<X509Builder, ErrorStack> {
    let moment = |days: i32| {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
        // A minute more, so that 30 days are still 30 whole ones while the test runs.
        Asn1Time::from_unix(now.cast_signed() + i64::from(days) * 86_400 + 60)
    };
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_subject_name(&*name(subject)?)?;
    builder.set_issuer_name(&*name(AUTHORITY)?)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*moment(days.0)?)?;
    builder.set_not_after(&*moment(days.1)?)?;
    Ok(builder)
}

fn name(organisation: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("O", organisation)?;
    Ok(name.build())
}

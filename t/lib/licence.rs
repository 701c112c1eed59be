//! Licences for servers under test, in the form of the backend's: from a CA that is made for the test, or from the
//! backend's own CA, with exact times.

use crate::site::{Role, Site, SiteError};
use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder, X509NameRef};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The URI that marks a certificate as a licence.
const LICENCE: &str = "urn:os4x:smartproxy:licence";
/// The name of the CA that is made for the test.
const AUTHORITY: &str = "OS4Xapi of the tests";
const DAY: i64 = 86_400;

/// A licence file for `proxy_id` (64 hex digits and `px`), valid from `days.0` to `days.1` days from now.
pub fn licence(proxy_id: &str, days: (i32, i32)) -> Result<Vec<u8>, ErrorStack> {
    let octets: Vec<u8> =
        (0..32).filter_map(|i| u8::from_str_radix(proxy_id.get(2 * i..2 * i + 2)?, 16).ok()).collect();
    let server = PKey::public_key_from_raw_bytes(&octets, Id::ED25519)?;
    let (authority, key) = authority()?;
    // One minute more, so that 30 days are still 30 whole days while the test runs.
    let moment = |days: i32| now() + i64::from(days) * DAY + 60;
    issue(&server, (&authority, &key), (moment(days.0), moment(days.1)))
}

/// Replaces the licence of the site's server by one of the site's backend that is valid for this time from now.
pub fn renew(site: &Site, lasts: Duration) -> Result<(), SiteError> {
    let path = site.folder(Role::Server).join("os4x_proxy.lic");
    let held = X509::stack_from_pem(&fs::read(&path)?)?;
    let [old, authority] = held.as_slice() else { return Err("the licence is not two certificates".into()) };
    let key = backend_key(site, authority)?;
    let until = now() + i64::try_from(lasts.as_secs())?;
    let licence = issue(&*old.public_key()?, (authority, &key), (now() - 60, until))?;
    // Written completely or not at all, because the server may read it at any time.
    let new = path.with_extension("new");
    fs::write(&new, licence)?;
    Ok(fs::rename(new, path)?)
}

/// The key of the backend's CA, which is in the backend's database in PEM form.
fn backend_key(site: &Site, authority: &X509) -> Result<PKey<Private>, SiteError> {
    let folder = site.folder(Role::Api);
    let files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, SiteError>>()?;
    let public = authority.public_key()?;
    for file in files.iter().filter(|file| file.to_string_lossy().contains("os4xapi.db")) {
        let text = String::from_utf8_lossy(&fs::read(file)?).into_owned();
        for part in text.split("-----BEGIN PRIVATE KEY-----").skip(1) {
            let inner = part.split("-----END PRIVATE KEY-----").next().unwrap_or_default();
            let pem = format!("-----BEGIN PRIVATE KEY-----{inner}-----END PRIVATE KEY-----\n");
            if let Ok(key) = PKey::private_key_from_pem(pem.as_bytes())
                && key.public_eq(&public)
            {
                return Ok(key);
            }
        }
    }
    Err("the backend's database does not hold its CA's key in PEM form".into())
}

fn issue<T: HasPublic>(
    server: &PKeyRef<T>,
    (authority, key): (&X509, &PKey<Private>),
    validity: (i64, i64),
) -> Result<Vec<u8>, ErrorStack> {
    let mut builder = builder("Example GmbH", authority.subject_name(), server, validity)?;
    let context = builder.x509v3_context(Some(authority), None);
    let name = SubjectAlternativeName::new().uri(LICENCE).build(&context)?;
    builder.append_extension(name)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    let digest = if key.id() == Id::ED25519 { MessageDigest::null() } else { MessageDigest::sha256() };
    builder.sign(key, digest)?;
    Ok([builder.build().to_pem()?, authority.to_pem()?].concat())
}

fn authority() -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = PKey::generate_ed25519()?;
    let mut builder = builder(AUTHORITY, &*name(AUTHORITY)?, &key, (now() - 400 * DAY, now() + 4000 * DAY))?;
    builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    builder.sign(&key, MessageDigest::null())?;
    Ok((builder.build(), key))
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()).cast_signed()
}

fn builder<T: HasPublic>(
    subject: &str,
    issuer: &X509NameRef,
    key: &PKeyRef<T>,
    (from, until): (i64, i64),
) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_subject_name(&*name(subject)?)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::from_unix(from)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(until)?)?;
    Ok(builder)
}

fn name(organisation: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("O", organisation)?;
    Ok(name.build())
}

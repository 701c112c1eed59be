//! Reads the certificates, keys and CRLs that operators bring, in whatever form: in files that commands name, or as a
//! browser sends them with the name of a file. Decides nothing about trust.

use super::content::{self, Kind, Part};
use super::{Doing, PkiError};
use common::secret::Secret;
use openssl::error::ErrorStack;
use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12};
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Crl};
use std::path::Path;
use zeroize::Zeroizing;

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, PkiError> {
    let octets = std::fs::read(path).map_err(|cause| PkiError::Read(path.to_path_buf(), cause))?;
    Ok(Zeroizing::new(octets))
}

/// The first line of a file, as a password.
pub(crate) fn password(path: &Path) -> Result<Secret, PkiError> {
    let octets = content::plain(read(path)?);
    let line = octets.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(text) if !text.contains('\0') => Ok(Secret::new(text.to_owned())),
        _ => Err(PkiError::PasswordFile(path.to_path_buf())),
    }
}

/// All certificates of a file, in its order: PEM, DER, PKCS#7, or PKCS#12 with its password.
pub(crate) fn certificates(path: &Path, password: Option<&Secret>) -> Result<Vec<X509>, PkiError> {
    certificates_in(path, read(path)?, password)
}

/// The same of what a file of this name has in it.
pub(crate) fn certificates_in(
    path: &Path,
    octets: Zeroizing<Vec<u8>>,
    password: Option<&Secret>,
) -> Result<Vec<X509>, PkiError> {
    const KIND: &str = "certificate";
    let octets = content::plain(octets);
    let (parts, mut found) = (content::parts(&octets), Vec::new());
    let refused = |cause| PkiError::Parse(path.to_path_buf(), KIND, cause);
    for part in &parts {
        match part.kind {
            Kind::Certificate => found.push(content::certificate(part).map_err(refused)?),
            Kind::Pkcs7 => found.extend(content::of_pkcs7(part).map_err(refused)?),
            Kind::Pkcs12 => {
                let opened = pkcs12(path, part, password)?;
                found.extend(opened.cert.into_iter().chain(opened.ca.into_iter().flatten()));
            }
            _ => {}
        }
    }
    if found.is_empty() { Err(other(path, KIND, &parts, &[Kind::Pkcs7, Kind::Pkcs12])) } else { Ok(found) }
}

/// The error for a file that has no object of the wanted kind; objects of `may_hold` can contain one.
fn other(path: &Path, wanted: &'static str, parts: &[Part<'_>], may_hold: &[Kind]) -> PkiError {
    match parts.first() {
        Some(part) if !may_hold.contains(&part.kind) => {
            PkiError::Other(path.to_path_buf(), wanted, part.kind)
        }
        _ => PkiError::Nothing(path.to_path_buf(), wanted),
    }
}

/// Opens a PKCS#12 object: with the password, or else with none or an empty one. The password may be for another file.
fn pkcs12(path: &Path, part: &Part<'_>, password: Option<&Secret>) -> Result<ParsedPkcs12_2, PkiError> {
    let file = || path.to_path_buf();
    let archive = Pkcs12::from_der(part.octets).map_err(|cause| PkiError::Parse(file(), "PKCS#12", cause))?;
    let open = archive.parse2(password.map_or("", Secret::expose));
    if let (Err(_), Some(_), Ok(opened)) = (&open, password, archive.parse2("")) {
        return Ok(opened);
    }
    open.map_err(|cause| {
        let says =
            |what| cause.errors().iter().any(|error| error.reason().is_some_and(|why| why.contains(what)));
        match password {
            _ if says("unsupported") => PkiError::Legacy(file()),
            None => PkiError::Encrypted(file(), part.kind),
            Some(_) => PkiError::Password(file()),
        }
    })
}

/// The private key of a file, and as PEM without a password (PKCS#8): PEM, DER or PKCS#12, with `password` if it is
/// encrypted.
pub(crate) fn private_key(
    path: &Path,
    password: Option<&Secret>,
) -> Result<(PKey<Private>, Secret), PkiError> {
    private_key_in(path, read(path)?, password)
}

/// The same of what a file of this name has in it.
pub(crate) fn private_key_in(
    path: &Path,
    octets: Zeroizing<Vec<u8>>,
    password: Option<&Secret>,
) -> Result<(PKey<Private>, Secret), PkiError> {
    const KIND: &str = "private key";
    let octets = content::plain(octets);
    let parts = content::parts(&octets);
    let keys = [Kind::PrivateKey, Kind::EncryptedKey, Kind::Pkcs12];
    let Some(part) = parts.iter().find(|part| keys.contains(&part.kind)) else {
        return Err(other(path, KIND, &parts, &[]));
    };
    let refused = |cause| PkiError::Parse(path.to_path_buf(), KIND, cause);
    let key = match (part.kind, password) {
        (Kind::Pkcs12, _) => {
            pkcs12(path, part, password)?.pkey.ok_or_else(|| PkiError::Nothing(path.to_path_buf(), KIND))?
        }
        (Kind::EncryptedKey, None) => return Err(PkiError::Encrypted(path.to_path_buf(), part.kind)),
        (Kind::EncryptedKey, Some(password)) => {
            let word = password.expose().as_bytes();
            let open = if part.is_pem {
                PKey::private_key_from_pem_passphrase(part.octets, word)
            } else {
                PKey::private_key_from_pkcs8_passphrase(part.octets, word)
            };
            open.map_err(|_| PkiError::Password(path.to_path_buf()))?
        }
        _ if part.is_pem => PKey::private_key_from_pem(part.octets).map_err(refused)?,
        _ => PKey::private_key_from_der(part.octets).map_err(refused)?,
    };
    let pem = key.private_key_to_pem_pkcs8().doing("writing a key")?;
    Ok((key, zeroize_on_drop(pem)))
}

/// A key in PEM as a secret; it is ASCII, so nothing is lost.
fn zeroize_on_drop(octets: Vec<u8>) -> Secret {
    match String::from_utf8(octets) {
        Ok(text) => Secret::new(text),
        Err(_) => Secret::default(),
    }
}

/// All CRLs of a file: any number in PEM, one in DER, or those of a PKCS#7 object.
pub(crate) fn crls(path: &Path) -> Result<Vec<X509Crl>, PkiError> {
    crls_of(path, read(path)?)
}

/// The same of what a file of this name has in it.
pub(crate) fn crls_of(path: &Path, octets: Zeroizing<Vec<u8>>) -> Result<Vec<X509Crl>, PkiError> {
    const KIND: &str = "CRL";
    let octets = content::plain(octets);
    let (parts, mut found) = (content::parts(&octets), Vec::new());
    let refused = |cause| PkiError::Parse(path.to_path_buf(), KIND, cause);
    for part in &parts {
        match part.kind {
            Kind::Crl => found.push(content::crl(part).map_err(refused)?),
            Kind::Pkcs7 => found.extend(content::crls_of_pkcs7(part).map_err(refused)?),
            _ => {}
        }
    }
    if found.is_empty() { Err(other(path, KIND, &parts, &[Kind::Pkcs7])) } else { Ok(found) }
}

/// All CRLs in `octets`: any number in PEM, or one in DER.
pub(crate) fn crls_in(octets: &[u8]) -> Result<Vec<X509Crl>, ErrorStack> {
    let blocks = content::pem_blocks(octets);
    if blocks.is_empty() {
        return Ok(vec![X509Crl::from_der(octets)?]);
    }
    let crls = blocks.iter().filter(|block| block.kind == Kind::Crl);
    crls.map(|block| X509Crl::from_pem(block.octets)).collect()
}

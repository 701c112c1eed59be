//! The credentials of a user of the panel: the password, the codes of an app (`totp`), the recovery codes for the case
//! that the app is lost, and the random texts of links, cookies and keys of programs. Values that need not be shown
//! again are stored as hashes.

pub(crate) mod password;
pub(crate) mod recovery;
pub(crate) mod totp;

use crate::pki::{Doing, PkiError};
use common::text::hex;

/// This number of random octets, for a secret.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], PkiError> {
    let mut octets = [0; N];
    openssl::rand::rand_priv_bytes(&mut octets).doing("drawing random numbers")?;
    Ok(octets)
}

/// 256 random bits in hex: a link, or a cookie.
pub(crate) fn random_text() -> Result<String, PkiError> {
    Ok(hex::encode(&random::<32>()?))
}

/// A new key of a program. Its beginning tells tools that search for secrets what it is.
pub(crate) fn new_api_key() -> Result<String, PkiError> {
    Ok(format!("os4x_{}", random_text()?))
}

/// The stored hash of a text of many random bits: nobody can find the text by trying.
pub(crate) fn hash_of(text: &str) -> String {
    hex::encode(&openssl::sha::sha256(text.as_bytes()))
}

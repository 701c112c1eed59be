//! The issuer of a certificate, and its fingerprint.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::x509::{X509Ref, X509VerifyResult};

/// SHA-256 of a certificate.
///
/// # Errors
/// OpenSSL has no memory.
pub fn fingerprint(certificate: &X509Ref) -> Result<Vec<u8>, ErrorStack> {
    Ok(certificate.digest(MessageDigest::sha256())?.to_vec())
}

/// Whether the key of `upper` has signed `lower`.
pub fn is_signed_by(lower: &X509Ref, upper: &X509Ref) -> bool {
    let signed = upper.public_key().and_then(|key| lower.verify(&key)).unwrap_or(false);
    // A wrong signature leaves an error in OpenSSL's queue, where the next call would find it.
    drop(ErrorStack::get());
    signed
}

/// Whether `upper` issued `lower`: by its name and by its signature, because anybody can use any name.
pub fn is_issued_by(lower: &X509Ref, upper: &X509Ref) -> bool {
    upper.issued(lower) == X509VerifyResult::OK && is_signed_by(lower, upper)
}

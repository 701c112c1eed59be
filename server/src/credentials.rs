//! Our certificate towards partners and its private key. They are set on each connection, never on a context, because a
//! connection can drop them but a context keeps them.

use common::x509::times::unix_time_of;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::SslRef;
use openssl::x509::X509;
use std::fmt;

/// The certificate with the certificates of its issuers, and the key.
pub(crate) struct Credentials {
    leaf: X509,
    issuers: Vec<X509>,
    key: PKey<Private>,
    until: i64,
}

/// Why certificate and key cannot be used.
#[derive(Debug)]
pub(crate) enum CredentialsError {
    /// Not in PEM form.
    Certificate(ErrorStack),
    /// It contains no certificate.
    Missing,
    /// Not a private key in PEM form.
    Key(ErrorStack),
    /// The key belongs to another certificate.
    Mismatch,
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(_) => {
                f.write_str("our certificate towards partners is no certificate in PEM form")
            }
            Self::Missing => f.write_str("there is no certificate towards partners in the configuration"),
            Self::Key(_) => f.write_str("our private key towards partners is no private key in PEM form"),
            Self::Mismatch => {
                f.write_str("our private key towards partners does not belong to our certificate")
            }
        }
    }
}

impl std::error::Error for CredentialsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Certificate(e) | Self::Key(e) => Some(e),
            Self::Missing | Self::Mismatch => None,
        }
    }
}

impl Credentials {
    /// `chain` in PEM, leaf first; `key` in PEM, without passphrase.
    pub(crate) fn parse(chain: &str, key: &str) -> Result<Self, CredentialsError> {
        let mut certificates =
            X509::stack_from_pem(chain.as_bytes()).map_err(CredentialsError::Certificate)?.into_iter();
        let leaf = certificates.next().ok_or(CredentialsError::Missing)?;
        // OpenSSL would ask on the terminal for a passphrase.
        let key =
            PKey::private_key_from_pem_callback(key.as_bytes(), |_| Ok(0)).map_err(CredentialsError::Key)?;
        if !leaf.public_key().map_err(CredentialsError::Certificate)?.public_eq(&key) {
            return Err(CredentialsError::Mismatch);
        }
        let until = unix_time_of(leaf.not_after()).map_err(CredentialsError::Certificate)?;
        Ok(Self { leaf, issuers: certificates.collect(), key, until })
    }

    /// Last second of the certificate, since 1970-01-01 UTC.
    pub(crate) fn until(&self) -> i64 {
        self.until
    }

    /// Presents them on this connection.
    pub(crate) fn show_on(&self, ssl: &mut SslRef) -> Result<(), ErrorStack> {
        ssl.set_certificate(&self.leaf)?;
        ssl.set_private_key(&self.key)?;
        for issuer in &self.issuers {
            ssl.add_chain_cert(issuer.clone())?;
        }
        Ok(())
    }
}

//! Keys and certificates: `ca` makes them, `read` reads those that operators bring, `der` finds the fields that the
//! openssl crate does not read. All work in memory: the database stores the results, and the commands read and write
//! files.

pub(crate) mod ca;
mod der;
pub(crate) mod read;

use openssl::error::ErrorStack;
use std::fmt;
use std::path::PathBuf;

/// What is wrong with a key, a certificate or a CRL.
#[derive(Debug)]
pub(crate) enum PkiError {
    /// OpenSSL refused something that is ours; what was being done.
    OpenSsl(&'static str, ErrorStack),
    /// A file cannot be read.
    Read(PathBuf, std::io::Error),
    /// A file holds nothing of the wanted kind; the kind.
    Nothing(PathBuf, &'static str),
    /// A file's content does not parse; the kind.
    Parse(PathBuf, &'static str, ErrorStack),
    /// An encrypted private key.
    Encrypted(PathBuf),
    /// The key does not belong to the chain's first certificate.
    KeyMismatch,
    /// The chain's certificate after this one did not issue it; subject.
    Chain(String),
    /// The certificate is expired or not yet valid; subject and its times.
    Validity(String, String, String),
    /// A key that we do not certify.
    Key(&'static str),
    /// A holder's name that does not fit into a certificate.
    Holder,
    /// Certificate would outlive its CA, which ends at this time.
    BeyondCa(String),
    /// A delta CRL; issuer.
    DeltaCrl(String),
    /// A CRL whose signature is not its issuer's; issuer.
    CrlSignature(String),
}

impl fmt::Display for PkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenSsl(doing, _) => write!(f, "OpenSSL failed while {doing}"),
            Self::Read(path, _) => write!(f, "the file {} cannot be read", path.display()),
            Self::Nothing(path, kind) => write!(f, "the file {} holds no {kind}", path.display()),
            Self::Parse(path, kind, _) => {
                write!(f, "the file {} does not hold a readable {kind} (PEM or DER)", path.display())
            }
            Self::Encrypted(path) => write!(
                f,
                "the private key in {} is encrypted: decrypt it first (openssl pkey -in FILE -out NEW)",
                path.display()
            ),
            Self::KeyMismatch => f.write_str(
                "the private key does not belong to the chain's first certificate: give the chain with \
                 our own certificate first",
            ),
            Self::Chain(subject) => write!(
                f,
                "the chain is out of order: the certificate after '{subject}' did not issue it; put \
                 each issuer after what it issued"
            ),
            Self::Validity(subject, from, to) => {
                write!(f, "the certificate '{subject}' is valid from {from} to {to}, so not now")
            }
            Self::Key(why) => write!(f, "that public key is not certified: {why}"),
            Self::Holder => {
                f.write_str("a holder's name has 1 to 64 characters, none of them a control character")
            }
            Self::BeyondCa(until) => {
                write!(f, "the CA itself is valid until {until} only: choose fewer days")
            }
            Self::DeltaCrl(issuer) => write!(
                f,
                "the CRL of '{issuer}' was not taken: it is a delta CRL, which names only changes; give the whole one"
            ),
            Self::CrlSignature(issuer) => write!(
                f,
                "the signature of the CRL is not that of the trusted certificate '{issuer}': the CRL was not taken"
            ),
        }
    }
}

impl std::error::Error for PkiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::OpenSsl(_, cause) | Self::Parse(_, _, cause) => Some(cause),
            Self::Read(_, cause) => Some(cause),
            _ => None,
        }
    }
}

/// Names what was being done when OpenSSL failed.
pub(crate) trait Doing<T> {
    /// `doing` completes "OpenSSL failed while ...".
    fn doing(self, doing: &'static str) -> Result<T, PkiError>;
}

impl<T> Doing<T> for Result<T, ErrorStack> {
    fn doing(self, doing: &'static str) -> Result<T, PkiError> {
        self.map_err(|cause| PkiError::OpenSsl(doing, cause))
    }
}

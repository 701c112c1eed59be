//! Keys and certificates: `ca` makes them, `read` reads those of operators, `content` recognizes their kinds, and
//! `chain` makes our chain; `request` makes the request for the next certificate. `facts` has the values for lists and
//! the database, `issuers` the certificates that may sign CRLs; `der` finds the fields that the openssl crate does not
//! read. All work in memory: the database stores the results, and the commands read and write files.

pub(crate) mod ca;
pub(crate) mod chain;
mod content;
mod der;
pub(crate) mod description;
pub(crate) mod facts;
pub(crate) mod issuers;
pub(crate) mod read;
pub(crate) mod request;

pub(crate) use content::Kind;
use openssl::error::ErrorStack;
use std::fmt;
use std::path::PathBuf;

/// A fault of a key, a certificate or a CRL.
#[derive(Debug)]
pub(crate) enum PkiError {
    /// OpenSSL refused our own data; the operation.
    OpenSsl(&'static str, ErrorStack),
    /// A file cannot be read.
    Read(PathBuf, std::io::Error),
    /// A file holds nothing of the wanted kind; the kind.
    Nothing(PathBuf, &'static str),
    /// A file holds something else; the kind wanted, and what it is.
    Other(PathBuf, &'static str, Kind),
    /// A file's content does not parse; the kind.
    Parse(PathBuf, &'static str, ErrorStack),
    /// A file that needs a password; what it is.
    Encrypted(PathBuf, Kind),
    /// The password does not open the file.
    Password(PathBuf),
    /// A password file whose first line is no password.
    PasswordFile(PathBuf),
    /// A PKCS#12 file with algorithms that OpenSSL keeps apart.
    Legacy(PathBuf),
    /// The key does not belong to the lowest certificate of the chain.
    KeyMismatch,
    /// Several certificates belong to the key; how many.
    TwoLeaves(usize),
    /// The certificate is expired or not yet valid; subject and its times.
    Validity(String, String, String),
    /// The same at a time in the future.
    NotThen(String, String, String, String),
    /// A key that this CA does not certify.
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
            Self::Other(path, wanted, kind) => write!(
                f,
                "the file {} holds no {wanted}: it is {}; {}",
                path.display(),
                kind.text(),
                kind.remedy()
            ),
            Self::Parse(path, kind, _) => {
                write!(f, "the file {} does not hold a readable {kind} (PEM or DER)", path.display())
            }
            Self::Encrypted(path, kind) => write!(
                f,
                "the file {} is encrypted, {}: give its password with --password-file FILE",
                path.display(),
                kind.text()
            ),
            Self::Password(path) => {
                write!(f, "the password does not open the file {}: give the right one", path.display())
            }
            Self::PasswordFile(path) => write!(
                f,
                "the file {} has no password: its first line takes one in UTF-8, without NUL",
                path.display()
            ),
            Self::Legacy(path) => write!(
                f,
                "the file {0} is encrypted with an old algorithm (RC2) that OpenSSL reads with its legacy provider \
                 only: convert it with 'openssl pkcs12 -legacy -nodes -in {0} -out NEW.pem', and give NEW.pem",
                path.display()
            ),
            Self::KeyMismatch => f.write_str(
                "the private key does not belong to our own certificate in the chain: give the chain with our own \
                 certificate, and the key of that one",
            ),
            Self::TwoLeaves(count) => write!(
                f,
                "{count} certificates of the chain belong to the private key: put the one that partners see first"
            ),
            Self::Validity(subject, from, to) => {
                write!(f, "the certificate '{subject}' is valid from {from} to {to}, so not now")
            }
            Self::NotThen(subject, from, to, then) => {
                write!(f, "the certificate '{subject}' is valid from {from} to {to}, so not at {then}")
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

/// Names the operation in which OpenSSL failed.
pub(crate) trait Doing<T> {
    /// `doing` completes "OpenSSL failed while ...".
    fn doing(self, doing: &'static str) -> Result<T, PkiError>;
}

impl<T> Doing<T> for Result<T, ErrorStack> {
    fn doing(self, doing: &'static str) -> Result<T, PkiError> {
        self.map_err(|cause| PkiError::OpenSsl(doing, cause))
    }
}

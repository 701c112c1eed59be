//! The licence: a PEM file with a certificate for the server's key, issued by the backend's CA, and then that CA's
//! certificate. It is read at the start, by `-V`, and again whenever the file changes. This program never writes it.

use crate::identity::Identity;
use common::identity::{CertificateKind, ProxyId};
use common::text::clock;
use common::text::escape::visible;
use common::x509::{subject, times};
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509PurposeId, X509StoreContext, X509VerifyResult};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The content of a licence file. Only [`Licence::check`] says whether it is valid.
#[derive(Debug)]
pub(crate) struct Licence {
    /// The server's certificate, which it also shows on the control connection.
    pub(crate) certificate: X509,
    /// The backend's CA, which also issues the clients' certificates.
    pub(crate) ca: X509,
    /// First and last second in which both certificate and CA are valid, since 1970-01-01 UTC.
    pub(crate) valid: (i64, i64),
    path: PathBuf,
}

impl Licence {
    /// Reads the file without checking it.
    pub(crate) fn read(path: &Path) -> Result<Self, LicenceError> {
        let at = |fault| LicenceError { path: path.to_owned(), fault };
        let pem = fs::read(path).map_err(|cause| at(Fault::Read(cause)))?;
        let certificates = X509::stack_from_pem(&pem).map_err(|_| at(Fault::Form))?;
        let [certificate, ca] = <[X509; 2]>::try_from(certificates).map_err(|_| at(Fault::Form))?;
        let valid = validity(&certificate, &ca).map_err(|cause| at(Fault::Crypto(cause)))?;
        Ok(Self { certificate, ca, valid, path: path.to_owned() })
    }

    /// Whether this is a licence for `own` at the time `now`.
    pub(crate) fn check(&self, own: &Identity, now: SystemTime) -> Result<(), LicenceError> {
        self.judge(own, clock::seconds(now)).map_err(|fault| LicenceError { path: self.path.clone(), fault })
    }

    fn judge(&self, own: &Identity, now: i64) -> Result<(), Fault> {
        if CertificateKind::of(&self.certificate) != Some(CertificateKind::Licence) {
            return Err(Fault::Kind);
        }
        if !self.certificate.public_key().map_err(Fault::Crypto)?.public_eq(&own.key) {
            return Err(Fault::Foreign(self.proxy_id().map_err(Fault::Crypto)?));
        }
        let signed = self.signed().map_err(Fault::Crypto)?;
        if signed != X509VerifyResult::OK {
            return Err(Fault::Signature(signed));
        }
        let (from, until) = self.valid;
        if now < from {
            return Err(Fault::NotYet(from));
        }
        if now > until { Err(Fault::Expired(until)) } else { Ok(()) }
    }

    /// Whether the CA is self-signed and has issued the certificate for a server.
    fn signed(&self) -> Result<X509VerifyResult, ErrorStack> {
        let mut store = X509StoreBuilder::new()?;
        store.add_cert(self.ca.clone())?;
        store.set_purpose(X509PurposeId::SSL_SERVER)?;
        // Dates are checked separately, because they have their own errors.
        store.set_flags(X509VerifyFlags::NO_CHECK_TIME)?;
        X509StoreContext::new()?.init(&store.build(), &self.certificate, Stack::new()?.as_ref(), |context| {
            context.verify_cert()?;
            Ok(context.error())
        })
    }

    /// The Proxy ID of the licence holder; none if the key is of another kind.
    pub(crate) fn proxy_id(&self) -> Result<Option<ProxyId>, ErrorStack> {
        ProxyId::of_key(&*self.certificate.public_key()?)
    }

    /// The licence holder: the subject's attributes, hazardous characters escaped.
    pub(crate) fn holder(&self) -> String {
        visible(&subject::text(self.certificate.subject_name()))
    }

    /// Whether its last second has passed.
    pub(crate) fn expired(&self) -> bool {
        clock::now() > self.valid.1
    }

    /// Whole days from `now` to the end; negative once it is over.
    pub(crate) fn days_left(&self, now: SystemTime) -> i64 {
        (self.valid.1 - clock::seconds(now)).div_euclid(clock::DAY)
    }
}

/// What `-V` prints of a licence.
impl fmt::Display for Licence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy_id = self.proxy_id().ok().flatten();
        writeln!(f, "Licence:       {}", self.path.display())?;
        writeln!(f, "Holder:        {}", self.holder())?;
        writeln!(f, "OS4X Proxy ID: {}", proxy_id.as_ref().map_or("none", ProxyId::as_str))?;
        writeln!(f, "Valid from:    {}", clock::readable(self.valid.0))?;
        writeln!(f, "Valid until:   {}", clock::readable(self.valid.1))?;
        writeln!(f, "Days left:     {}", self.days_left(SystemTime::now()).max(0))
    }
}

fn validity(certificate: &X509, ca: &X509) -> Result<(i64, i64), ErrorStack> {
    let (own, issuer) = (times::validity(certificate)?, times::validity(ca)?);
    Ok((own.0.max(issuer.0), own.1.min(issuer.1)))
}

/// The licence is not valid.
#[derive(Debug)]
pub(crate) struct LicenceError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Read(io::Error),
    Form,
    Kind,
    Foreign(Option<ProxyId>),
    Signature(X509VerifyResult),
    NotYet(i64),
    Expired(i64),
    Crypto(ErrorStack),
}

impl fmt::Display for LicenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "licence file {} ", self.path.display())?;
        match &self.fault {
            Fault::Read(cause) => write!(f, "cannot be read: {cause}"),
            Fault::Form => {
                f.write_str("does not hold two certificates in PEM: the licence, then the CA that issued it")
            }
            Fault::Kind => f.write_str("holds a certificate that is no licence"),
            Fault::Foreign(Some(id)) => write!(f, "is for another server, with OS4X Proxy ID {id}"),
            Fault::Foreign(None) => f.write_str("is for a key that is no OS4X Proxy ID"),
            Fault::Signature(result) => {
                write!(f, "holds a licence that the CA in it has not issued: {}", result.error_string())
            }
            Fault::NotYet(from) => {
                write!(f, "is not valid before {}; is this host's clock right?", clock::readable(*from))
            }
            Fault::Expired(until) => write!(f, "expired on {}", clock::readable(*until)),
            Fault::Crypto(cause) => write!(f, "cannot be checked: OpenSSL says {cause}"),
        }
    }
}

impl std::error::Error for LicenceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Read(cause) => Some(cause),
            Fault::Crypto(cause) => Some(cause),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

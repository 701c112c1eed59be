//! Why a call of the backend failed: one enum, each fault with its remedy. Values of the backend are passed on
//! unchanged; log lines escape them. It never has the token, a password or the content of an answer.

use common::identity::CertificateKind;
use common::net::TlsFailure;
use common::rpc::{ApiError, Call, UNKNOWN_FUNCTION, without_values};
use common::x509::codes::verify as codes;
use openssl::error::ErrorStack;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// OpenSSL's codes for a chain without an issuer or without a trusted one.
const UNTRUSTED: [i32; 5] = [
    codes::UNABLE_TO_GET_ISSUER_CERT,
    codes::DEPTH_ZERO_SELF_SIGNED_CERT,
    codes::SELF_SIGNED_CERT_IN_CHAIN,
    codes::UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    codes::UNABLE_TO_VERIFY_LEAF_SIGNATURE,
];

/// Why a call failed. Its text continues the sentence `the backend <URL> `.
#[derive(Debug)]
pub(super) enum Fault {
    /// A signal ends this process; nobody waits for the call any more.
    Ended,
    /// OpenSSL could not be set up.
    OpenSsl(ErrorStack),
    /// The host name has no address.
    UnknownHost(String),
    /// No address of the host answered; the error of the last one.
    Unreachable(SocketAddr, io::Error),
    /// There was no verified connection in time.
    NoConnection(Duration),
    /// Connected, but the answer was not complete in time.
    NoAnswer(Duration),
    /// The handshake failed; the flag says whether the token names the CA.
    Handshake(TlsFailure, bool),
    /// No certificate was verified.
    NoCertificate,
    /// The certificate is of the right CA, but for another purpose.
    Kind(Option<CertificateKind>),
    /// The connection broke off before the answer was complete.
    Broken(io::Error),
    /// The answer is larger than this limit, octets.
    TooLarge(u64),
    /// The backend answered with an error; with its HTTP status.
    Refused(u16, ApiError),
    /// The answer is not from the backend, but for example a web server's page; with its HTTP status.
    Foreign(u16),
    /// The JSON of the answer does not match the protocol.
    Json(serde_json::Error),
    /// The answer is not HTTP as we know it.
    Http(ureq::Error),
}

impl Fault {
    /// The backend does not have the function, because it is older.
    pub(super) fn is_unknown_function(&self) -> bool {
        matches!(self, Self::Refused(404, error) if error.code == UNKNOWN_FUNCTION)
    }

    /// Another backend of the same database may do better.
    pub(super) fn is_of_the_place(&self) -> bool {
        let is_ours = matches!(self, Self::Ended | Self::OpenSsl(_));
        let is_broken =
            matches!(self, Self::NoAnswer(_) | Self::Broken(_) | Self::Foreign(_) | Self::Http(_));
        (self.is_untaken() && !is_ours) || is_broken
    }

    /// The backend has not carried out the call: it has not received it, or reports its own failure (HTTP 5xx), and it
    /// does everything for a call in one transaction. So the call can be repeated. If a web server in front got no
    /// answer (504), it is not known whether the backend carried it out.
    pub(super) fn is_untaken(&self) -> bool {
        matches!(
            self,
            Self::Refused(500..=599, _)
                | Self::Foreign(500..=503 | 505..=599)
                | Self::Ended
                | Self::OpenSsl(_)
                | Self::UnknownHost(_)
                | Self::Unreachable(..)
                | Self::NoConnection(_)
                | Self::Handshake(..)
                | Self::NoCertificate
                | Self::Kind(_)
        )
    }

    /// Whether the call can be repeated: the backend has not carried it out, or it may have done so, and does this call
    /// only once however often it comes. That is so for begins and ends of sessions, which have IDs.
    pub(super) fn allows_again(&self, call: &Call) -> bool {
        let is_unclear = matches!(self, Self::Broken(_) | Self::NoAnswer(_) | Self::Foreign(504));
        self.is_untaken() || (is_unclear && matches!(call, Call::ProxySession { .. }))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("was not asked: the API worker was told to end"),
            Self::OpenSsl(e) => write!(f, "cannot be called: OpenSSL could not be set up: {e}"),
            Self::UnknownHost(host) => {
                write!(
                    f,
                    "cannot be reached: the name {host} has no address; check -U and this host's resolver"
                )
            }
            Self::Unreachable(at, e) => {
                write!(f, "cannot be reached at {at}: {e}; check that it runs, -U, and firewalls between")
            }
            Self::NoConnection(limit) => {
                write!(
                    f,
                    "did not take the connection within {limit:?}; check that it runs, -U, and firewalls between"
                )
            }
            Self::NoAnswer(limit) => {
                write!(f, "did not answer within {limit:?}; look at its load and its log")
            }
            Self::Handshake(failure, pinned) => handshake(f, failure, *pinned),
            Self::NoCertificate => {
                f.write_str("showed no certificate that could be verified; it must offer https")
            }
            Self::Kind(kind) => write!(
                f,
                "is not at this address: the certificate shown is of the right CA, but of the kind {}, \
                 not {}; check -U",
                kind.map_or("'unnamed'", CertificateKind::uri),
                CertificateKind::Https.uri(),
            ),
            Self::Broken(e) => {
                write!(f, "broke the connection off before its answer was whole: {e}; look at its log")
            }
            Self::TooLarge(limit) => {
                write!(f, "sent an answer of more than {limit} octets, which is refused")
            }
            Self::Refused(status, error) => refused(f, *status, error),
            Self::Foreign(status) => foreign(f, *status),
            Self::Json(e) => {
                let e = without_values(e);
                write!(f, "sent an answer that is not of the protocol: {e}; check -U and both versions")
            }
            Self::Http(e) => write!(f, "cannot be spoken to: {e}; check that -U leads to os4xapi"),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::OpenSsl(e) => Some(e),
            Self::Unreachable(_, e) | Self::Broken(e) => Some(e),
            Self::Handshake(e, _) => Some(e),
            Self::Json(e) => Some(e),
            Self::Http(e) => Some(e),
            _ => None,
        }
    }
}

fn handshake(f: &mut fmt::Formatter<'_>, failure: &TlsFailure, pinned: bool) -> fmt::Result {
    let why = failure.verify.error_string();
    let advice = match failure.verify.as_raw() {
        0 => {
            return write!(
                f,
                "did not complete the TLS handshake: {failure}; check that -U leads to an https port"
            );
        }
        codes::CERT_NOT_YET_VALID | codes::CERT_HAS_EXPIRED => "renew it there, or set this host's clock",
        codes::HOSTNAME_MISMATCH | codes::IP_ADDRESS_MISMATCH => {
            "-U must use a name or an address that the certificate lists"
        }
        code if UNTRUSTED.contains(&code) && pinned => {
            "the CA whose SHA-256 the token carries is not in the chain; -T must be what 'os4xapi token show' prints"
        }
        code if UNTRUSTED.contains(&code) => {
            "this host trusts no CA that issued it, and the token names none; \
             -T must be what 'os4xapi token show' prints"
        }
        _ => "it needs another certificate",
    };
    write!(f, "showed a certificate that is refused: {why}; {advice}. Nothing was sent")
}

fn refused(f: &mut fmt::Formatter<'_>, status: u16, error: &ApiError) -> fmt::Result {
    let ApiError { code, message } = error;
    match status {
        401 => {
            write!(f, "refuses the token ({code}: {message}); -T must be what 'os4xapi token show' prints")
        }
        404 => write!(
            f,
            "answers {status} {code}: {message} Check the path of -U, and that both are of one version"
        ),
        _ => write!(f, "answers {status} {code}: {message}"),
    }
}

fn foreign(f: &mut fmt::Formatter<'_>, status: u16) -> fmt::Result {
    let advice = match status {
        200..=299 => "an answer that is not os4xapi's; check the path of -U",
        300..=399 => "a redirect, which is not followed; give the final URL with -U",
        401 => "a web server's wish for user and password; give them in the URL of -U",
        403 => "a web server's refusal; look at its rules",
        404 => "that there is nothing at this path; check -U",
        413 => "that the request is too large for a web server in front; raise its limit",
        500..=599 => "an error of a web server in front; check that os4xapi runs, and the web server's log",
        _ => "nothing of the protocol; check -U",
    };
    write!(f, "answers with status {status}: {advice}")
}

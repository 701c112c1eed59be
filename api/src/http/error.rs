//! Why a request to the outside failed, in words for people.

use super::proxy::{FORM, NoProxy};
use axum::http::StatusCode;
use openssl::error::ErrorStack;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum HttpError {
    /// Not http or https, without a host, or with a user in it.
    Url,
    /// A host without an address.
    Lookup(String, io::Error),
    /// A host whose address is not a public one.
    Private(String, IpAddr),
    /// The address does not accept the connection.
    Connect(SocketAddr, io::Error),
    /// The TLS handshake failed; the host and why.
    Tls(String, String),
    /// The connection broke, or the answer is not HTTP.
    Http(hyper::Error),
    /// The body broke off.
    Body(axum::Error),
    /// A setting or environment variable that should name a proxy and does not.
    NoProxy(&'static str),
    /// The proxy does not let us through; its address and its answer.
    Proxy(String, StatusCode),
    /// A status outside of 200 to 299.
    Status(StatusCode),
    /// A redirect without a target, or one too many.
    Redirect,
    /// The answer is larger than this, octets.
    TooLarge(usize),
    /// Not done within this time.
    Late(Duration),
    /// OpenSSL refused our own settings.
    OpenSsl(ErrorStack),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => {
                f.write_str("a URL begins with http:// or https://, names a host, and has no user in it")
            }
            Self::Lookup(host, _) => {
                write!(f, "the host {host} has no address: check its name and the resolver")
            }
            Self::Private(host, ip) => write!(
                f,
                "the host {host} has the address {ip}, which is not a public one: set \
                 proxy_crl_allow_private if that is right"
            ),
            Self::Connect(at, _) => write!(f, "the address {at} does not accept a connection"),
            Self::Tls(host, why) => write!(f, "TLS with the host {host} failed: {why}"),
            Self::Http(_) => f.write_str("the connection broke, or the answer is no HTTP"),
            Self::Body(_) => f.write_str("the answer broke off"),
            Self::NoProxy(name) => write!(f, "{name} does not name a proxy: it takes {FORM}, or nothing"),
            Self::Proxy(proxy, StatusCode::PROXY_AUTHENTICATION_REQUIRED) => write!(
                f,
                "the proxy {proxy} does not accept this user and password: set others in http_proxy and https_proxy"
            ),
            Self::Proxy(proxy, status) => {
                write!(
                    f,
                    "the proxy {proxy} answered {status}: ask its operator, or name the host in no_proxy"
                )
            }
            Self::Status(status) => write!(f, "the host answered {status}"),
            Self::Redirect => f.write_str("the host redirects too often, or to nowhere"),
            Self::TooLarge(most) => write!(f, "the answer is larger than {most} octets"),
            Self::Late(limit) => write!(f, "it took more than {} seconds", limit.as_secs()),
            Self::OpenSsl(_) => f.write_str("OpenSSL does not set a TLS client up"),
        }
    }
}

impl Error for HttpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Lookup(_, cause) | Self::Connect(_, cause) => Some(cause),
            Self::Http(cause) => Some(cause),
            Self::Body(cause) => Some(cause),
            Self::OpenSsl(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<NoProxy> for HttpError {
    fn from(NoProxy(name): NoProxy) -> Self {
        Self::NoProxy(name)
    }
}

impl From<hyper::Error> for HttpError {
    fn from(cause: hyper::Error) -> Self {
        Self::Http(cause)
    }
}

impl From<ErrorStack> for HttpError {
    fn from(cause: ErrorStack) -> Self {
        Self::OpenSsl(cause)
    }
}

//! The HTTP client: one request on a connection of its own, with one deadline and a limit for every size. `serve` and
//! `crl fetch` download CRLs with it, and `serve` posts events. It checks the address after it resolved the name, again
//! for each redirect. It uses no proxy, keeps no cookie and no connection, and sends no password.

use crate::causes::on_one_line;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use common::net::is_public;
use common::text::url::escaped;
use http_body_util::LengthLimitError;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslMethod, SslVersion};
use std::error::Error;
use std::fmt;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time;
use tokio_openssl::SslStream;

/// One address has so long to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Addresses of a host that are tried.
const ADDRESSES: usize = 8;
/// Redirects that are followed.
const REDIRECTS: usize = 3;
/// Largest answer to a POST, octets; it is not used.
const REPLY: usize = 64 << 10;
/// Largest head of an answer, octets.
const HEAD: usize = 16 << 10;

/// Why a request was not answered as it should be.
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
    /// The connection broke, or what came is no HTTP.
    Http(hyper::Error),
    /// The body broke off.
    Body(axum::Error),
    /// Another status than 200 to 299.
    Status(StatusCode),
    /// A redirect that leads nowhere, or one too many.
    Redirect,
    /// The answer is larger than this, octets.
    TooLarge(usize),
    /// Not done within this time.
    Late(Duration),
    /// OpenSSL refused something that is ours.
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

/// Whether reading a body ended at its bound: one of the causes says so.
pub(crate) fn is_too_large(error: &axum::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if cause.is::<LengthLimitError>() {
            return true;
        }
        next = cause.source();
    }
    false
}

/// Fields as application/x-www-form-urlencoded.
pub(crate) fn form(fields: &[(&str, String)]) -> String {
    let encoded = |text: &str| {
        text.bytes().fold(String::new(), |mut encoded, octet| {
            if octet.is_ascii_alphanumeric() || b"-._*".contains(&octet) {
                encoded.push(octet.into());
            } else {
                // Writing to a String does not fail.
                let _ = write!(encoded, "%{octet:02X}");
            }
            encoded
        })
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.join("&")
}

/// An http or https URL that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target(Uri);

impl Target {
    /// From its text.
    pub(crate) fn parse(url: &str) -> Result<Self, HttpError> {
        let uri: Uri = url.parse().map_err(|_| HttpError::Url)?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.authority().is_some_and(|authority| {
            let port_is_good = match authority.as_str().rsplit_once(':') {
                Some((_, port)) if !port.ends_with(']') => authority.port_u16().is_some_and(|port| port > 0),
                _ => true,
            };
            !authority.host().is_empty() && !authority.as_str().contains('@') && port_is_good
        });
        if web && host { Ok(Self(uri)) } else { Err(HttpError::Url) }
    }

    /// Where a redirect leads (RFC 9110 section 10.2.2).
    fn follow(&self, location: &str) -> Result<Self, HttpError> {
        let location = &*escaped(location);
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.authority();
        if location.starts_with("//") {
            return Self::parse(&format!("{scheme}:{location}"));
        }
        if location.starts_with('/') {
            return Self::parse(&format!("{scheme}://{authority}{location}"));
        }
        if location.contains("://") {
            return Self::parse(location);
        }
        let folder = self.0.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        Self::parse(&format!("{scheme}://{authority}{folder}/{location}"))
    }

    fn is_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    fn host(&self) -> &str {
        self.0.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_tls() { 443 } else { 80 })
    }

    fn request(&self, method: Method, body: Body) -> Result<Request<Body>, HttpError> {
        let path = self.0.path_and_query().map_or("/", |path| path.as_str());
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.authority())
            .header(header::USER_AGENT, "os4xapi")
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close")
            .body(body)
            .map_err(|_| HttpError::Url)
    }
}

/// The hosts that a client may talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Every host: the operator named it.
    Anywhere,
    /// Hosts with public addresses: a stranger named it.
    PublicOnly,
}

/// A client. https is checked against the system's CAs.
pub(crate) struct Client {
    tls: SslConnector,
    reach: Reach,
}

struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: Bytes,
}

impl Client {
    /// A client for `reach`.
    pub(crate) fn new(reach: Reach) -> Result<Self, HttpError> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        Ok(Self { tls: builder.build(), reach })
    }

    /// What is at `url`, of at most `most` octets, within `limit`.
    pub(crate) async fn get(&self, url: &str, most: usize, limit: Duration) -> Result<Bytes, HttpError> {
        let all = async {
            let mut target = Target::parse(url)?;
            for _ in 0..=REDIRECTS {
                let request = target.request(Method::GET, Body::empty())?;
                let answer = self.call(&target, request, most).await?;
                if answer.status.is_success() {
                    return Ok(answer.body);
                }
                if !answer.status.is_redirection() {
                    return Err(HttpError::Status(answer.status));
                }
                target = target.follow(&answer.location.ok_or(HttpError::Redirect)?)?;
            }
            Err(HttpError::Redirect)
        };
        time::timeout(limit, all).await.unwrap_or(Err(HttpError::Late(limit)))
    }

    /// Posts a form to `url`. A redirect is a refusal; the caller sets the deadline.
    pub(crate) async fn post(&self, url: &str, form: String) -> Result<(), HttpError> {
        let target = Target::parse(url)?;
        let mut request = target.request(Method::POST, Body::from(form))?;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        let answer = self.call(&target, request, REPLY).await?;
        if answer.status.is_success() { Ok(()) } else { Err(HttpError::Status(answer.status)) }
    }

    async fn call(&self, target: &Target, request: Request<Body>, most: usize) -> Result<Answer, HttpError> {
        let tcp = self.connect(target).await?;
        if !target.is_tls() {
            return exchange(tcp, request, most).await;
        }
        let ssl = self.tls.configure()?.into_ssl(target.host())?;
        let mut stream = SslStream::new(ssl, tcp)?;
        if let Err(cause) = Pin::new(&mut stream).connect().await {
            let verified = stream.ssl().verify_result();
            let why = match verified.as_raw() {
                0 => on_one_line(&cause),
                _ => verified.to_string(),
            };
            return Err(HttpError::Tls(target.host().to_owned(), why));
        }
        exchange(stream, request, most).await
    }

    /// A connection to the first address that may be talked to and accepts.
    async fn connect(&self, target: &Target) -> Result<TcpStream, HttpError> {
        let host = target.host();
        let lookup = |cause| HttpError::Lookup(host.to_owned(), cause);
        let found = lookup_host((host, target.port())).await.map_err(lookup)?;
        let mut fault = lookup(io::ErrorKind::NotFound.into());
        for address in found.take(ADDRESSES) {
            if self.reach == Reach::PublicOnly && !is_public(address.ip()) {
                fault = HttpError::Private(host.to_owned(), address.ip());
                continue;
            }
            match time::timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(cause)) => fault = HttpError::Connect(address, cause),
                Err(_) => fault = HttpError::Connect(address, io::ErrorKind::TimedOut.into()),
            }
        }
        Err(fault)
    }
}

/// One request and its answer; the body only of a good one.
async fn exchange<S>(stream: S, request: Request<Body>, most: usize) -> Result<Answer, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await?;
    // Dropped, it takes the connection along, whichever way this function ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let text = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    let location = text(header::LOCATION);
    let announced: Option<usize> = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if !status.is_success() {
        return Ok(Answer { status, location, body: Bytes::new() });
    }
    if announced.is_some_and(|length| length > most) {
        return Err(HttpError::TooLarge(most));
    }
    let body = to_bytes(Body::new(response.into_body()), most).await.map_err(|cause| {
        if is_too_large(&cause) { HttpError::TooLarge(most) } else { HttpError::Body(cause) }
    })?;
    Ok(Answer { status, location, body })
}

#[cfg(test)]
mod tests {
    use super::{Client, HttpError, Reach, Target, form, is_too_large};
    use crate::db::scratch::run;
    use axum::body::{Body, to_bytes};
    use std::time::Duration;

    #[test]
    fn a_target_has_host_and_port() {
        for (url, host, port) in [
            ("http://crl.example", "crl.example", 80),
            ("HTTPS://crl.example/a?b", "crl.example", 443),
            ("http://[2001:db8::1]/", "2001:db8::1", 80),
            ("http://[2001:db8::1]:8080/", "2001:db8::1", 8080),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.host(), target.port()), (host, port), "{url}");
        }
        for url in ["", "/a", "ftp://a/", "http://a@b/", "http://:80/", "http://a:0/", "http://a:99999/"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn fields_are_encoded_whatever_is_in_them() {
        let fields = [("text", "a b&c=d%\u{fc}\n".to_owned()), ("pid", "7".to_owned())];
        assert_eq!(form(&fields), "text=a%20b%26c%3Dd%25%C3%BC%0A&pid=7");
    }

    #[test]
    fn a_body_that_is_too_large_is_known_by_its_error() {
        let read = |most| run(async move { to_bytes(Body::from("four"), most).await });
        assert!(read(4).is_ok());
        assert!(is_too_large(&read(3).unwrap_err()));
        assert!(!is_too_large(&axum::Error::new(std::io::Error::other("length limit exceeded"))));
    }

    #[test]
    fn a_host_that_is_silent_is_given_up() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let limit = Duration::from_millis(50);
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{}/", silent.local_addr().unwrap());
            let got = run(async { Client::new(Reach::Anywhere).unwrap().get(&url, 10, limit).await });
            assert!(matches!(got, Err(HttpError::Late(_))), "{got:?}");
        }
    }

    #[test]
    fn redirects_are_resolved_against_where_they_came_from() {
        let base = Target::parse("http://a.example:81/x/y?z").unwrap();
        for (location, url) in [
            ("https://b.example/c", "https://b.example/c"),
            ("//b.example/c", "http://b.example/c"),
            ("/c?d", "http://a.example:81/c?d"),
            ("c", "http://a.example:81/x/c"),
            (" c d ", "http://a.example:81/x/c%20d"),
        ] {
            assert_eq!(base.follow(location).unwrap(), Target::parse(url).unwrap(), "{location}");
        }
        for location in ["file:///etc/passwd", "ldap://b.example/", "http://u@b.example/", "//"] {
            assert!(base.follow(location).is_err(), "{location}");
        }
    }
}

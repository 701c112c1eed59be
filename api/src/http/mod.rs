//! The HTTP client: one request on a connection of its own, with one deadline and a limit for every size. `serve` and
//! `crl fetch` download CRLs with it, and `serve` posts events. It checks the address after it has resolved the name,
//! and again for each redirect. With a proxy (`proxy`) it checks the host in the URL: the proxy resolves names. It
//! keeps no cookie and no connection, and sends no password except the proxy's.

mod error;
pub(crate) mod proxy;
mod target;

pub(crate) use error::HttpError;
pub(crate) use target::Target;

use crate::error_text::on_one_line;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use common::net::is_public;
use http_body_util::LengthLimitError;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use openssl::ssl::{SslConnector, SslMethod, SslVersion};
use proxy::{Proxies, Proxy};
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time;
use tokio_openssl::SslStream;

/// How long one address may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Most addresses of a host that are tried.
const ADDRESSES: usize = 8;
/// Redirects that are followed.
const REDIRECTS: usize = 3;
/// Largest answer to a POST, octets; it is not used.
const REPLY: usize = 64 << 10;
/// Largest head of an answer, octets.
const HEAD: usize = 16 << 10;

/// Whether reading a body ended at its limit: one of the causes says so.
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

/// The hosts to which a client may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Every host: the operator named it.
    Anywhere,
    /// Hosts with public addresses: a stranger named it.
    PublicOnly,
}

/// The way to a target through a proxy.
type Tunnel = TokioIo<Upgraded>;

/// A client. https is checked against the system's CAs.
pub(crate) struct Client {
    tls: SslConnector,
    reach: Reach,
    proxies: Proxies,
}

struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: Bytes,
}

impl Client {
    /// A client for `reach`.
    pub(crate) fn new(reach: Reach, proxies: Proxies) -> Result<Self, HttpError> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        Ok(Self { tls: builder.build(), reach, proxies })
    }

    /// The document at `url`, of at most `most` octets, within `limit`.
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

    /// Posts a form to `url`. A redirect counts as a failure; the caller sets the deadline.
    pub(crate) async fn post(&self, url: &str, form: String) -> Result<(), HttpError> {
        let target = Target::parse(url)?;
        let mut request = target.request(Method::POST, Body::from(form))?;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        let answer = self.call(&target, request, REPLY).await?;
        if answer.status.is_success() { Ok(()) } else { Err(HttpError::Status(answer.status)) }
    }

    async fn call(&self, target: &Target, request: Request<Body>, most: usize) -> Result<Answer, HttpError> {
        let Some(proxy) = self.proxies.choose(target.is_tls(), target.host(), target.port()) else {
            let tcp = self.connect(target.host(), target.port(), self.reach).await?;
            if !target.is_tls() {
                return exchange(tcp, request, most).await;
            }
            return self.encrypted(target, tcp, request, most).await;
        };
        if let (Reach::PublicOnly, Some(ip)) = (self.reach, target.private_address()) {
            return Err(HttpError::Private(target.host().to_owned(), ip));
        }
        // The operator has named the proxy: it may have any address.
        let tcp = self.connect(&proxy.host, proxy.port, Reach::Anywhere).await?;
        if target.is_tls() {
            let tunnel = tunnel(tcp, target, proxy).await?;
            return self.encrypted(target, tunnel, request, most).await;
        }
        let answer = exchange(tcp, target.through(request, proxy), most).await?;
        match answer.status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Err(HttpError::Proxy(proxy.to_string(), answer.status))
            }
            _ => Ok(answer),
        }
    }

    /// The same over TLS on `stream`, which leads to the target.
    async fn encrypted<S>(
        &self,
        target: &Target,
        stream: S,
        request: Request<Body>,
        most: usize,
    ) -> Result<Answer, HttpError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let ssl = self.tls.configure()?.into_ssl(target.host())?;
        let mut stream = SslStream::new(ssl, stream)?;
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

    /// A connection to the first allowed address that accepts it.
    async fn connect(&self, host: &str, port: u16, reach: Reach) -> Result<TcpStream, HttpError> {
        let lookup = |cause| HttpError::Lookup(host.to_owned(), cause);
        let found = lookup_host((host, port)).await.map_err(lookup)?;
        let mut fault = lookup(io::ErrorKind::NotFound.into());
        for address in found.take(ADDRESSES) {
            if reach == Reach::PublicOnly && !is_public(address.ip()) {
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

/// A tunnel through `proxy` to the target (RFC 9110 section 9.3.6).
async fn tunnel(tcp: TcpStream, target: &Target, proxy: &Proxy) -> Result<Tunnel, HttpError> {
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(tcp)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(connection.with_upgrades());
    let to = target.host_and_port();
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(&to)
        .header(header::HOST, &to)
        .header(header::USER_AGENT, "os4xapi")
        .body(Body::empty())
        .map_err(|_| HttpError::Url)?;
    proxy.introduce(&mut request);
    let response = sender.send_request(request).await?;
    if !response.status().is_success() {
        return Err(HttpError::Proxy(proxy.to_string(), response.status()));
    }
    Ok(TokioIo::new(hyper::upgrade::on(response).await?))
}

/// One request and its answer; the body only for a good status.
async fn exchange<S>(stream: S, request: Request<Body>, most: usize) -> Result<Answer, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await?;
    // When it is dropped, the connection is closed, however this function ends.
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
    use super::{Client, HttpError, Proxies, Reach, form, is_too_large};
    use crate::db::scratch::run;
    use axum::body::{Body, to_bytes};
    use std::time::Duration;

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
            let client = Client::new(Reach::Anywhere, Proxies::default()).unwrap();
            let got = run(async move { client.get(&url, 10, limit).await });
            assert!(matches!(got, Err(HttpError::Late(_))), "{got:?}");
        }
    }
}

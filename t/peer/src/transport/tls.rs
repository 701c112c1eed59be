//! TLS for partner and station: certificate, key, trust, version. Owns no files: it reads them once.
//! Unlike the daemons it is lenient if a test needs a lenient partner.

use super::{Break, Buffered, Conn};
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    HandshakeError, MidHandshakeSslStream, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509NameRef};
use std::fmt;
use std::net::{IpAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why TLS cannot be set up.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read.
    File(PathBuf, std::io::Error),
    /// OpenSSL refuses the content of this object.
    Refused(&'static str, ErrorStack),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, _) => write!(f, "{} cannot be read", path.display()),
            Self::Refused(what, _) => {
                write!(f, "the {what} cannot be used; it must be PEM and fit the others")
            }
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_, error) => Some(error),
            Self::Refused(_, error) => Some(error),
        }
    }
}

/// The data of a TLS end, all PEM.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Own certificate, leaf first, and its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    /// Trusted certificates for the other end; none: any certificate is accepted.
    pub trust: Option<Vec<u8>>,
    /// The only version spoken; none: 1.2 and 1.3.
    pub version: Option<SslVersion>,
    /// The only suites of TLS 1.2 that it has, in OpenSSL's words; none: OpenSSL's default.
    pub suites: Option<String>,
    /// Name or address that the server's certificate must have; none: any name.
    pub server_name: Option<String>,
}

impl Tls {
    /// Reads certificate and key, and the trusted CAs.
    pub fn from_files(identity: Option<(&Path, &Path)>, trust: Option<&Path>) -> Result<Self, TlsError> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| TlsError::File(path.to_owned(), error));
        let identity = match identity {
            Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
            None => None,
        };
        Ok(Self { identity, trust: trust.map(read).transpose()?, ..Self::default() })
    }

    /// The same, speaking only `version`.
    #[must_use]
    pub fn only(mut self, version: SslVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// The same, accepting only a server of this name.
    #[must_use]
    pub fn named(mut self, server_name: &str) -> Self {
        self.server_name = Some(server_name.to_owned());
        self
    }

    /// OpenSSL's context for it: it is built once and used for many connections.
    pub fn context(&self) -> Result<SslContext, TlsError> {
        let refused = |what| move |error| TlsError::Refused(what, error);
        let mut context = SslContext::builder(SslMethod::tls()).map_err(refused("TLS library"))?;
        // Weak keys and old versions are offered on purpose: the other end has to refuse them.
        context.set_security_level(0);
        context.set_mode(SslMode::ACCEPT_MOVING_WRITE_BUFFER | SslMode::ENABLE_PARTIAL_WRITE);
        context
            .set_min_proto_version(Some(self.version.unwrap_or(SslVersion::TLS1_2)))
            .and_then(|()| context.set_max_proto_version(self.version))
            .map_err(refused("TLS version"))?;
        if let Some(suites) = &self.suites {
            context.set_cipher_list(suites).map_err(refused("list of suites"))?;
        }
        // No tickets: after the handshake only OFTP2 may come.
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_num_tickets(0).map_err(refused("TLS library"))?;
        context.set_session_id_context(b"oftp2peer").map_err(refused("TLS library"))?;
        if let Some((chain, key)) = &self.identity {
            set_identity(&mut context, chain, key)?;
        }
        match &self.trust {
            Some(trust) => set_trust(&mut context, trust)?,
            None => context.set_verify(SslVerifyMode::NONE),
        }
        Ok(context.build())
    }
}

fn set_identity(context: &mut SslContextBuilder, chain: &[u8], key: &[u8]) -> Result<(), TlsError> {
    let refused = |error| TlsError::Refused("certificate", error);
    for (at, certificate) in X509::stack_from_pem(chain).map_err(refused)?.into_iter().enumerate() {
        if at == 0 {
            context.set_certificate(&certificate).map_err(refused)?;
        } else {
            context.add_extra_chain_cert(certificate).map_err(refused)?;
        }
    }
    let refused = |error| TlsError::Refused("private key", error);
    let key = PKey::private_key_from_pem(key).map_err(refused)?;
    context.set_private_key(&key).and_then(|()| context.check_private_key()).map_err(refused)
}

fn set_trust(context: &mut SslContextBuilder, trust: &[u8]) -> Result<(), TlsError> {
    let refused = |error| TlsError::Refused("trusted CA", error);
    let mut store = X509StoreBuilder::new().map_err(refused)?;
    for authority in X509::stack_from_pem(trust).map_err(refused)? {
        context.add_client_ca(&authority).map_err(refused)?;
        store.add_cert(authority).map_err(refused)?;
    }
    context.set_cert_store(store.build());
    context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    Ok(())
}

/// TLS as the server, which is OFTP2's Responder; `timeout` bounds each wait of the handshake.
pub fn accept(tcp: TcpStream, context: &SslContext, timeout: Duration) -> Result<Conn, Break> {
    handshake(tcp, context, timeout, Ssl::accept)
}

/// TLS as the client, which is OFTP2's Initiator.
pub fn connect(
    tcp: TcpStream,
    context: &SslContext,
    server_name: Option<&str>,
    timeout: Duration,
) -> Result<Conn, Break> {
    handshake(tcp, context, timeout, |ssl, stream| named(ssl, server_name)?.connect(stream))
}

fn named(mut ssl: Ssl, server_name: Option<&str>) -> Result<Ssl, ErrorStack> {
    if let Some(name) = server_name {
        if let Ok(address) = name.parse::<IpAddr>() {
            ssl.param_mut().set_ip(address)?;
        } else {
            ssl.set_hostname(name)?;
            ssl.param_mut().set_host(name)?;
        }
    }
    Ok(ssl)
}

/// The handshake of a client that has sent only its first message.
#[derive(Debug)]
pub struct Begun(MidHandshakeSslStream<Buffered>);

impl Begun {
    /// Sends the first message; `timeout` limits each wait.
    pub fn new(
        tcp: TcpStream,
        context: &SslContext,
        server_name: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, Break> {
        let mut stream = Buffered::new(bounded(tcp, timeout)?);
        stream.is_deaf = true;
        let ssl = Ssl::new(context).and_then(|ssl| named(ssl, server_name));
        match ssl.map_err(HandshakeError::from).and_then(|ssl| ssl.connect(stream)) {
            Err(HandshakeError::WouldBlock(middle)) => Ok(Self(middle)),
            other => Err(done(other).err().unwrap_or(Break::Fin)),
        }
    }

    /// Completes it.
    pub fn finish(mut self) -> Result<Conn, Break> {
        self.0.get_mut().is_deaf = false;
        done(self.0.handshake())
    }
}

fn handshake(
    tcp: TcpStream,
    context: &SslContext,
    timeout: Duration,
    step: impl FnOnce(Ssl, Buffered) -> Result<SslStream<Buffered>, HandshakeError<Buffered>>,
) -> Result<Conn, Break> {
    let tcp = bounded(tcp, timeout)?;
    let ssl = Ssl::new(context).map_err(|error| Break::Tls(error.to_string()))?;
    done(step(ssl, Buffered::new(tcp)))
}

fn bounded(tcp: TcpStream, timeout: Duration) -> Result<TcpStream, Break> {
    tcp.set_nodelay(true)
        .and_then(|()| tcp.set_read_timeout(Some(timeout)))
        .and_then(|()| tcp.set_write_timeout(Some(timeout)))
        .map_err(|error| Break::of_io(&error))?;
    Ok(tcp)
}

fn done(result: Result<SslStream<Buffered>, HandshakeError<Buffered>>) -> Result<Conn, Break> {
    match result {
        Ok(stream) => {
            let mut conn = Conn::tls(stream);
            conn.flush()?;
            Ok(conn)
        }
        Err(HandshakeError::SetupFailure(error)) => Err(Break::Tls(error.to_string())),
        // The alert with the reason is still held back.
        Err(HandshakeError::Failure(mut middle)) => {
            let _ = std::io::Write::flush(middle.get_mut());
            Err(verify_words(&middle).unwrap_or_else(|| Break::of_ssl(middle.error())))
        }
        Err(HandshakeError::WouldBlock(_)) => Err(Break::TimedOut),
    }
}

fn verify_words(middle: &MidHandshakeSslStream<Buffered>) -> Option<Break> {
    let result = middle.ssl().verify_result();
    (result.as_raw() != 0).then(|| Break::Tls(format!("certificate refused: {}", result.error_string())))
}

/// A name as `CN=..., serialNumber=...`.
pub fn one_line(name: &X509NameRef) -> String {
    let part = |entry: &openssl::x509::X509NameEntryRef| {
        let value = entry.data().to_string().unwrap_or_else(|_| String::from("?"));
        format!("{}={value}", entry.object().nid().short_name().unwrap_or("?"))
    };
    name.entries().map(part).collect::<Vec<_>>().join(", ")
}

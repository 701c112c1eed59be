//! The TLS contexts of the link: TLS 1.3 only, both ends authenticated, no session resumption.

use crate::identity::{CertificateKind, ProxyId};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKeyRef, Private};
use openssl::ssl::{
    SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef, SslSessionCacheMode,
    SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509PurposeId, X509Ref};
use std::fmt;

/// SSL_OP_CLEANSE_PLAINTEXT of OpenSSL 3.0, which the openssl crate does not name.
const CLEANSE_PLAINTEXT: SslOptions = SslOptions::from_bits_retain(1 << 1);

/// The settings that all our contexts share: write modes for a relay, and no resumption, because a resumed session
/// would skip the check of the certificate and its CRL.
///
/// # Errors
/// OpenSSL has no memory or does not know the version.
pub fn hardened(min: SslVersion) -> Result<SslContextBuilder, ErrorStack> {
    let mut context = SslContextBuilder::new(SslMethod::tls())?;
    context.set_min_proto_version(Some(min))?;
    context.set_mode(
        SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER | SslMode::RELEASE_BUFFERS,
    );
    context.set_options(SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION);
    context.set_num_tickets(0)?;
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    Ok(context)
}

/// The same for connections that carry keys and tokens: octets that were read are also wiped from OpenSSL's buffers.
///
/// # Errors
/// As [`hardened`].
pub fn hardened_for_secrets(min: SslVersion) -> Result<SslContextBuilder, ErrorStack> {
    let mut context = hardened(min)?;
    context.set_options(CLEANSE_PLAINTEXT);
    Ok(context)
}

/// The server's context: presents its licence, requires a certificate that the licence's CA issued to a client.
///
/// # Errors
/// OpenSSL has no memory, or the key is not the certificate's.
pub fn server_context(
    licence: &X509Ref,
    key: &PKeyRef<Private>,
    ca: &X509Ref,
) -> Result<SslContext, ErrorStack> {
    let mut context = mutual(ca, X509PurposeId::SSL_CLIENT)?;
    context.set_certificate(licence)?;
    context.set_private_key(key)?;
    context.check_private_key()?;
    Ok(context.build())
}

/// The client's context: presents the certificate of its enrolment, requires a licence of the same CA.
///
/// # Errors
/// As [`server_context`].
pub fn client_context(
    certificate: &X509Ref,
    key: &PKeyRef<Private>,
    ca: &X509Ref,
) -> Result<SslContext, ErrorStack> {
    let mut context = mutual(ca, X509PurposeId::SSL_SERVER)?;
    context.set_certificate(certificate)?;
    context.set_private_key(key)?;
    context.check_private_key()?;
    Ok(context.build())
}

fn mutual(ca: &X509Ref, purpose: X509PurposeId) -> Result<SslContextBuilder, ErrorStack> {
    let mut context = hardened_for_secrets(SslVersion::TLS1_3)?;
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(ca.to_owned())?;
    store.set_purpose(purpose)?;
    // This CA is the only one that we trust: a chain may end at it even if another CA has issued it.
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    context.set_cert_store(store.build());
    context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    Ok(context)
}

/// Why the peer of a control connection is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum WrongPeer {
    /// It showed no certificate.
    NoCertificate,
    /// Its certificate is of another kind than the one that belongs here.
    Kind(Option<CertificateKind>),
    /// A licence, but of a server that the backend does not list.
    ProxyId(Option<ProxyId>),
}

impl fmt::Display for WrongPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("it showed no certificate"),
            Self::Kind(Some(kind)) => write!(f, "its certificate is of the kind {}", kind.uri()),
            Self::Kind(None) => f.write_str("its certificate names no kind of the backend's CA"),
            Self::ProxyId(Some(id)) => write!(f, "the backend does not list its Proxy ID {id}"),
            Self::ProxyId(None) => f.write_str("its licence is not for an Ed25519 identity key"),
        }
    }
}

impl std::error::Error for WrongPeer {}

/// The server's check of a client's certificate; gives its common name.
///
/// # Errors
/// The peer has shown no certificate, or one of another kind.
pub fn check_client(ssl: &SslRef) -> Result<String, WrongPeer> {
    let certificate = ssl.peer_certificate().ok_or(WrongPeer::NoCertificate)?;
    match CertificateKind::of(&certificate) {
        Some(CertificateKind::Client) => Ok(common_name(&certificate)),
        other => Err(WrongPeer::Kind(other)),
    }
}

/// The client's check of a server: the backend must list it.
///
/// # Errors
/// The peer has presented no certificate, one of another kind, or one with a Proxy ID that is not accepted.
pub fn check_server(ssl: &SslRef, accepted: &[ProxyId]) -> Result<ProxyId, WrongPeer> {
    let certificate = ssl.peer_certificate().ok_or(WrongPeer::NoCertificate)?;
    match CertificateKind::of(&certificate) {
        Some(CertificateKind::Licence) => {}
        other => return Err(WrongPeer::Kind(other)),
    }
    let id = certificate.public_key().ok().and_then(|key| ProxyId::of_key(&key).ok().flatten());
    match id {
        Some(id) if accepted.contains(&id) => Ok(id),
        other => Err(WrongPeer::ProxyId(other)),
    }
}

fn common_name(certificate: &X509Ref) -> String {
    certificate
        .subject_name()
        .entries_by_nid(Nid::COMMONNAME)
        .next()
        .and_then(|entry| entry.data().to_string().ok())
        .unwrap_or_default()
}

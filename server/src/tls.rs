//! TLS towards partners: versions, suites, groups. Our certificate and key are set on each connection, not here.

use crate::trust::anchors::Anchors;
use crate::trust::{self, Peer, Policy, Seen};
use common::link::tls;
use openssl::bn::BigNum;
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::pkey::Params;
use openssl::ssl::{SslContext, SslVersion};
use std::sync::Arc;

/// Cipher suites of TLS 1.2: ephemeral keys and AEAD only. Those of TLS 1.3 are OpenSSL's.
const CIPHERS: &str = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!PSK";
/// Groups of the key exchange, the preferred one first.
const GROUPS: &str = "X25519:P-256:P-384:P-521";

/// What of a context cannot be used.
pub(crate) struct TlsError {
    /// The part, as a subject.
    pub(crate) what: &'static str,
    /// OpenSSL's reason.
    pub(crate) cause: ErrorStack,
}

fn of(what: &'static str) -> impl Fn(ErrorStack) -> TlsError {
    move |cause| TlsError { what, cause }
}

/// TLS 1.2 and 1.3 towards partners that connect, or that we connect.
///
/// # Errors
///
/// OpenSSL refuses a suite, a group or an anchor.
pub(crate) fn partner_context(
    peer: Peer,
    anchors: &Arc<Anchors>,
    policy: Policy,
    seen: Seen,
) -> Result<SslContext, TlsError> {
    let mut context = tls::hardened(SslVersion::TLS1_2).map_err(of("TLS"))?;
    context.set_cipher_list(CIPHERS).map_err(of("the list of cipher suites"))?;
    context.set_groups_list(GROUPS).map_err(of("the list of groups"))?;
    let group = finite_field().map_err(of("the Diffie-Hellman group"))?;
    context.set_tmp_dh(&group).map_err(of("the Diffie-Hellman group"))?;
    trust::configure(&mut context, peer, anchors, policy, seen).map_err(of("the trusted certificates"))?;
    Ok(context.build())
}

/// Suites with DHE need a group of ours: group 14 of RFC 3526, the 2048 bits that old systems can do as well.
fn finite_field() -> Result<Dh<Params>, ErrorStack> {
    Dh::from_pqg(BigNum::get_rfc3526_prime_2048()?, None, BigNum::from_u32(2)?)
}

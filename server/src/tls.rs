//! TLS towards partners: versions, suites, groups. Our certificate and key are set on each connection, not here.

use common::link::tls;
use common::trust::{Peer, Seen, Trust};
use openssl::bn::BigNum;
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::pkey::Params;
use openssl::ssl::{ClientHelloResponse, SslContext, SslOptions, SslRef, SslVersion};

/// Cipher suites of TLS 1.2: only ephemeral keys and AEAD. For TLS 1.3 OpenSSL's list is used.
const CIPHERS: &str = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!PSK";
/// Additional suites for partners with old TLS: ephemeral keys, CBC with SHA-2.
const LEGACY_CIPHERS: [&str; 4] = [
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
];
/// SSL_OP_LEGACY_SERVER_CONNECT, which the openssl crate does not name: the peer may lack RFC 5746.
const LEGACY_SERVER_CONNECT: SslOptions = SslOptions::from_bits_retain(1 << 2);
/// Most suites of a partner in a log line.
const SUITES_TOLD: usize = 12;
/// Groups of the key exchange, the preferred one first.
const GROUPS: &str = "X25519:P-256:P-384:P-521";

/// The part of a context that cannot be used.
pub(crate) struct TlsError {
    /// The part, as the subject of a sentence.
    pub(crate) what: &'static str,
    /// OpenSSL's reason.
    pub(crate) cause: ErrorStack,
}

fn of(what: &'static str) -> impl Fn(ErrorStack) -> TlsError {
    move |cause| TlsError { what, cause }
}

/// Which suites a partner may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suites {
    /// Only `CIPHERS`.
    Modern,
    /// Also `LEGACY_CIPHERS`, after the others.
    Legacy,
}

/// Whether this suite, by its OpenSSL name, is one of the old ones.
pub(crate) fn is_legacy(suite: &str) -> bool {
    LEGACY_CIPHERS.contains(&suite)
}

/// The names of the suites in a ClientHello, as many as a log line may have; the number of a suite that OpenSSL does
/// not know.
pub(crate) fn suite_names(ssl: &SslRef, suites: &[[u8; 2]]) -> Vec<String> {
    let name = |suite: &[u8; 2]| {
        let known =
            ssl.bytes_to_cipher_list(suite, false).ok().map(|lists| (lists.suites, lists.signalling_suites));
        // An unknown suite leaves an error in OpenSSL's queue.
        drop(ErrorStack::get());
        match known {
            Some((_, signals)) if !signals.is_empty() => None,
            Some((suites, _)) if !suites.is_empty() => suites.get(0).map(|suite| suite.name().to_owned()),
            _ => Some(format!("0x{:04X}", u16::from_be_bytes(*suite))),
        }
    };
    suites.iter().filter_map(name).take(SUITES_TOLD).collect()
}

/// The context of TLS 1.2 and 1.3 for partners that connect to us, or that we connect to.
///
/// # Errors
///
/// OpenSSL refuses a suite, a group or an anchor.
pub(crate) fn partner_context(
    peer: Peer,
    suites: Suites,
    trust: &Trust,
    seen: Seen,
) -> Result<SslContext, TlsError> {
    let mut context = tls::hardened(SslVersion::TLS1_2).map_err(of("TLS"))?;
    let list = match suites {
        Suites::Modern => CIPHERS.to_owned(),
        Suites::Legacy => {
            // A partner that also has a modern suite gets it, independent of the partner's order.
            context.set_options(SslOptions::CIPHER_SERVER_PREFERENCE | LEGACY_SERVER_CONNECT);
            [&[CIPHERS][..], &LEGACY_CIPHERS].concat().join(":")
        }
    };
    context.set_cipher_list(&list).map_err(of("the list of cipher suites"))?;
    context.set_groups_list(GROUPS).map_err(of("the list of groups"))?;
    let group = finite_field().map_err(of("the Diffie-Hellman group"))?;
    context.set_tmp_dh(&group).map_err(of("the Diffie-Hellman group"))?;
    let hello = seen.clone();
    context.set_client_hello_callback(move |ssl, _| {
        hello.note_offered(ssl.client_hello_ciphers().unwrap_or_default());
        Ok(ClientHelloResponse::SUCCESS)
    });
    trust.configure(&mut context, peer, seen).map_err(of("the trusted certificates"))?;
    Ok(context.build())
}

/// Suites with DHE need a group from us: group 14 of RFC 3526, whose 2048 bits old systems support, too.
fn finite_field() -> Result<Dh<Params>, ErrorStack> {
    Dh::from_pqg(BigNum::get_rfc3526_prime_2048()?, None, BigNum::from_u32(2)?)
}

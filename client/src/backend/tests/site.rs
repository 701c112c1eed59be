//! A backend for tests: a CA, its certificates, and an https server in a thread that accepts one connection, sends the
//! given answer, and returns all octets that it received. It ends with the test that started it.

use crate::backend::Access;
use crate::backend_url::BackendUrl;
use common::identity::CertificateKind;
use common::secret::Secret;
use common::text::{clock, hex};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod, SslStream};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

pub(super) const TOKEN: &str = "s3cret";

pub(super) struct Pair {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
}

/// The properties of a test certificate.
#[derive(Clone, Copy)]
pub(super) struct Leaf {
    pub(super) name: &'static str,
    pub(super) kind: Option<CertificateKind>,
    /// Validity, days from now.
    pub(super) days: (i64, i64),
}

/// The certificate of a good backend.
pub(super) const SOUND: Leaf =
    Leaf { name: "IP:127.0.0.1", kind: Some(CertificateKind::Https), days: (-1, 1) };

fn unsigned(name: &str, issuer: Option<&Pair>, days: (i64, i64)) -> (X509Builder, PKey<Private>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name())).unwrap();
    builder.set_pubkey(&key).unwrap();
    let now = clock::now();
    builder.set_not_before(&Asn1Time::from_unix(now + days.0 * clock::DAY).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(now + days.1 * clock::DAY).unwrap()).unwrap();
    (builder, key)
}

/// A new CA.
pub(super) fn authority() -> Pair {
    let (mut builder, key) = unsigned("Test CA", None, (-2, 2));
    builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    Pair { certificate: builder.build(), key }
}

/// A server certificate of `ca`. Its common name is a host name, which must be ignored.
pub(super) fn issue(ca: &Pair, leaf: Leaf) -> Pair {
    let (mut builder, key) = unsigned("127.0.0.1", Some(ca), leaf.days);
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build().unwrap()).unwrap();
    let mut names = SubjectAlternativeName::new();
    match leaf.name.split_once(':') {
        Some(("IP", address)) => names.ip(address),
        _ => names.dns(leaf.name),
    };
    if let Some(kind) = leaf.kind {
        names.uri(kind.uri());
    }
    let names = names.build(&builder.x509v3_context(Some(&ca.certificate), None)).unwrap();
    builder.append_extension(names).unwrap();
    builder.sign(&ca.key, MessageDigest::sha256()).unwrap();
    Pair { certificate: builder.build(), key }
}

/// The token that names `ca`.
pub(super) fn token(ca: &Pair) -> String {
    let pin = ca.certificate.digest(MessageDigest::sha256()).unwrap();
    format!("{TOKEN}.{}", hex::encode(&pin))
}

/// The behaviour of a server after it has a request.
pub(super) enum Conduct {
    /// Sends these octets and closes with close_notify.
    Answer(Vec<u8>),
    /// Sends these octets and closes without close_notify.
    Break(Vec<u8>),
    /// Reads until the client is gone.
    GreetingError,
}

/// Answers `status` with a JSON body.
pub(super) fn json(status: u16, body: &str) -> Conduct {
    Conduct::Answer(
        format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes(),
    )
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    thread: JoinHandle<String>,
}

impl Server {
    /// Serves one connection with the certificate `leaf`, whose chain ends at `ca`.
    pub(super) fn start(ca: &Pair, leaf: Leaf, conduct: Conduct) -> Self {
        let pair = issue(ca, leaf);
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_certificate(&pair.certificate).unwrap();
        acceptor.set_private_key(&pair.key).unwrap();
        acceptor.add_extra_chain_cert(ca.certificate.clone()).unwrap();
        let acceptor = acceptor.build();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            // A client that refuses the certificate sends nothing.
            acceptor.accept(socket).map_or(String::new(), |stream| serve(stream, &conduct))
        });
        Self { address, thread }
    }

    /// The octets that the client sent, once it is gone.
    pub(super) fn received(self) -> String {
        self.thread.join().unwrap()
    }

    /// How a client reaches it with `token`.
    pub(super) fn access(&self, token: &str) -> Access {
        access(&format!("https://{}/api?x=1", self.address), token)
    }
}

/// How a client reaches `url`, one or several, with `token`.
pub(super) fn access(url: &str, token: &str) -> Access {
    Access {
        backends: BackendUrl::parse_list(url).unwrap(),
        token: Secret::new(token.to_owned()),
        name: None,
    }
}

fn serve(mut stream: SslStream<TcpStream>, conduct: &Conduct) -> String {
    let received = request(&mut stream);
    match conduct {
        Conduct::Answer(octets) => {
            // A client may close early.
            let _ = stream.write_all(octets).and_then(|()| stream.shutdown().map_err(std::io::Error::other));
        }
        Conduct::Break(octets) => stream.write_all(octets).unwrap(),
        Conduct::GreetingError => while matches!(stream.read(&mut [0; 64]), Ok(1..)) {},
    }
    received
}

/// Head and body, as much as arrives.
fn request(stream: &mut SslStream<TcpStream>) -> String {
    let mut octets = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => octets.extend_from_slice(&chunk[..count]),
        }
        let text = String::from_utf8_lossy(&octets).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.is_some_and(|length| body.len() >= length.parse().unwrap()) {
            break;
        }
    }
    String::from_utf8(octets).unwrap()
}

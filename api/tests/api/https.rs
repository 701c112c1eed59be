//! A caller of the API: one TLS connection and one HTTP/1.1 request at a time, over the openssl crate, blocking, with a
//! deadline on every read. Checks the API's certificate only against the CA, as a client does.

use crate::site::PATIENCE;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

pub(crate) struct Client {
    /// The address to which it connects.
    pub(crate) host: &'static str,
    port: u16,
    /// The context that trusts only the API's CA.
    tls: SslContext,
    pub(crate) token: String,
    pub(crate) path: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Answer {
    /// The error's code.
    pub(crate) fn code(&self) -> &str {
        assert_eq!(self.body["ok"], false, "{self:?}");
        assert!(self.body["error"]["message"].as_str().unwrap().ends_with('.'), "{self:?}");
        self.body["error"]["code"].as_str().unwrap()
    }
}

impl Client {
    pub(crate) fn new(port: u16, ca: &str, token: &str) -> Self {
        Self {
            host: "127.0.0.1",
            port,
            tls: context(Some(X509::from_pem(ca.as_bytes()).unwrap())),
            token: token.to_owned(),
            path: "/os4xapi/index.php".to_owned(),
        }
    }

    pub(crate) fn tcp(&self) -> TcpStream {
        tcp(self.host, self.port)
    }

    pub(crate) fn tls(&self) -> SslStream<TcpStream> {
        over_tls(&self.tls, self.tcp())
    }

    /// The certificate that the API shows, DER, whoever has issued it.
    pub(crate) fn shown_certificate(&self) -> Vec<u8> {
        let stream = over_tls(&context(None), self.tcp());
        stream.ssl().peer_certificate().unwrap().to_der().unwrap()
    }

    /// Sends octets as they are; gives the whole answer.
    pub(crate) fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.tls();
        stream.write_all(request).unwrap();
        parse(&read_to_end(&mut stream))
    }

    pub(crate) fn post(&self, body: &[u8], headers: &str) -> Answer {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            self.path,
            body.len()
        );
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// Calls a function with this client's token.
    pub(crate) fn call(&self, members: &Value) -> Answer {
        self.call_from(members, "")
    }

    /// The same with more headers.
    pub(crate) fn call_from(&self, members: &Value, headers: &str) -> Answer {
        let mut members = members.clone();
        members["token"] = json!(self.token);
        self.post(members.to_string().as_bytes(), headers)
    }

    /// Calls a function that must succeed; its answer without `ok`.
    pub(crate) fn ok(&self, members: &Value) -> Value {
        let answer = self.call(members);
        assert_eq!((answer.status, &answer.body["ok"]), (200, &json!(true)), "{answer:?}");
        let mut body = answer.body;
        body.as_object_mut().unwrap().remove("ok");
        body
    }

    /// The generation in force.
    pub(crate) fn generation(&self) -> u64 {
        self.ok(&json!({"function": "proxy_client_config"}))["config"]["generation"].as_u64().unwrap()
    }
}

/// A connection to a port of this host.
pub(crate) fn connect(tls: &SslContext, port: u16) -> SslStream<TcpStream> {
    over_tls(tls, tcp("127.0.0.1", port))
}

fn tcp(host: &str, port: u16) -> TcpStream {
    let stream = TcpStream::connect((host, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn over_tls(tls: &SslContext, stream: TcpStream) -> SslStream<TcpStream> {
    let mut ssl = Ssl::new(tls).unwrap();
    ssl.param_mut().set_ip("127.0.0.1".parse().unwrap()).unwrap();
    ssl.connect(stream).unwrap()
}

/// A context that trusts `ca`, or any certificate. It does not read the CAs of the system, which takes longer than a
/// call.
pub(crate) fn context(ca: Option<X509>) -> SslContext {
    let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(if ca.is_some() { SslVerifyMode::PEER } else { SslVerifyMode::NONE });
    if let Some(ca) = ca {
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(ca).unwrap();
        builder.set_cert_store(store.build());
    }
    builder.build()
}

/// Reads until the other side closes; a reset counts as the end too.
pub(crate) fn read_to_end(stream: &mut impl Read) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => return all,
            Ok(count) => all.extend_from_slice(&part[..count]),
            Err(cause) => {
                let kind = cause.kind();
                assert!(
                    !matches!(kind, std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
                    "the connection stays open"
                );
                return all;
            }
        }
    }
}

fn parse(octets: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(octets);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

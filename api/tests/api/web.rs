//! A web server for tests, on a free port of loopback, http or https: answers each path as the test sets it, and stores
//! the requests. Ends with its owner.

use crate::pki::Identity;
use openssl::ssl::{SslAcceptor, SslMethod};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The requests: head and body of each.
type Asked = Arc<Mutex<Vec<String>>>;
/// The answers by path: each is the whole answer.
type Answers = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// The server.
pub(crate) struct Web {
    scheme: &'static str,
    port: u16,
    answers: Answers,
    asked: Asked,
}

impl Web {
    /// Over http.
    pub(crate) fn new() -> Self {
        Self::start("http", None)
    }

    /// Over https, with this certificate.
    pub(crate) fn https(identity: &Identity) -> Self {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        builder.set_certificate(&identity.certificate).unwrap();
        builder.set_private_key(&identity.key).unwrap();
        Self::start("https", Some(builder.build()))
    }

    fn start(scheme: &'static str, tls: Option<SslAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answers, asked) = (Answers::default(), Asked::default());
        let shared = (Arc::clone(&answers), Arc::clone(&asked));
        // The thread ends with the test's process; it only waits for the next connection.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = stream.set_read_timeout(Some(crate::site::PATIENCE));
                match &tls {
                    None => serve(stream, &shared),
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream) {
                            serve(stream, &shared);
                        }
                    }
                }
            }
        });
        Self { scheme, port, answers, asked }
    }

    /// A proxy whose every CONNECT leads to `web`, whatever host it names.
    pub(crate) fn tunnel_to(web: &Self) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answers, asked) = (Answers::default(), Asked::default());
        let (told, to) = (Arc::clone(&asked), web.port);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                told.lock().unwrap().push(request(&mut stream));
                let far = TcpStream::connect(("127.0.0.1", to)).unwrap();
                let _ = stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n");
                for (mut from, mut into) in [(stream.try_clone(), far.try_clone()), (Ok(far), Ok(stream))]
                    .map(|(from, into)| (from.unwrap(), into.unwrap()))
                {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut into);
                        let _ = into.shutdown(std::net::Shutdown::Write);
                    });
                }
            }
        });
        Self { scheme: "http", port, answers, asked }
    }

    /// The URL of `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.port)
    }

    /// Puts `octets` at `path`; gives its URL.
    pub(crate) fn put(&self, path: &str, octets: &[u8]) -> String {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", octets.len());
        self.answer(path, &[head.as_bytes(), octets].concat())
    }

    /// Puts a redirect to `location` at `path`; gives its URL.
    pub(crate) fn redirect(&self, path: &str, location: &str) -> String {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        self.answer(path, head.as_bytes())
    }

    /// Sets the exact answer for `path`; gives its URL.
    pub(crate) fn answer(&self, path: &str, octets: &[u8]) -> String {
        self.answers.lock().unwrap().insert(path.to_owned(), octets.to_vec());
        self.url(path)
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve<S: Read + Write>(mut stream: S, (answers, asked): &(Answers, Asked)) {
    let request = request(&mut stream);
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap().push(request);
    let answer = answers.lock().unwrap().get(&path).cloned();
    let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    // A client that closes early is one of the cases.
    let _ = stream.write_all(&answer.unwrap_or(missing)).and_then(|()| stream.flush());
}

/// A request: its head, and the part of the body that it announces.
fn request(stream: &mut impl Read) -> String {
    let mut octets = Vec::new();
    let mut one = [0];
    let is_whole = |octets: &[u8]| {
        let text = String::from_utf8_lossy(octets).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        body.len() >= length.unwrap_or(0)
    };
    while !is_whole(&octets) && stream.read(&mut one).is_ok_and(|count| count > 0) {
        octets.push(one[0]);
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// A port of loopback on which nobody listens.
pub(crate) fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    // The system does not give out a port again at once that was bound, unless it is asked for by number.
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    port
}

//! A browser without a screen: one https request after the other, with the cookie that it got and the forms of the
//! pages. And the app on a telephone, which makes codes.

use crate::https::{connect, context, read_to_end};
use crate::site::{Serve, Site};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::ssl::{SslContext, SslStream};
use openssl::x509::X509;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) struct Browser {
    port: u16,
    tls: SslContext,
    /// The host by which it calls the panel.
    pub(crate) host: String,
    /// Further headers, each with its line end.
    pub(crate) headers: String,
    pub(crate) cookie: Option<String>,
}

/// The answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn parse(octets: &[u8]) -> Self {
        let text = String::from_utf8_lossy(octets);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_ascii_lowercase(), value.to_owned()))
        };
        Self { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
    }
}

impl Browser {
    /// At the panel of this `serve`.
    pub(crate) fn of(site: &Site, serve: &Serve) -> Self {
        Self::at(site, serve.panel_port)
    }

    /// At a port of `serve`.
    pub(crate) fn at(site: &Site, port: u16) -> Self {
        let ca = X509::from_pem(site.ok(&["cert", "show", "ca"]).as_bytes()).unwrap();
        let host = format!("127.0.0.1:{port}");
        Self { port, tls: context(Some(ca)), host, headers: String::new(), cookie: None }
    }

    /// Trusts this CA from now on, and no other.
    pub(crate) fn trust(&mut self, ca: X509) {
        self.tls = context(Some(ca));
    }

    /// Accepts any certificate from now on, as a person does who ignores the warning.
    pub(crate) fn trust_any(&mut self) {
        self.tls = context(None);
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.send(&format!("GET {path} HTTP/1.1\r\n"), "")
    }

    /// Sends a form.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let head = format!(
            "POST {path} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            body.len()
        );
        self.send(&head, &body)
    }

    /// Sends a document in JSON.
    pub(crate) fn request(&mut self, method: &str, path: &str, document: &Value) -> Reply {
        let body = document.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        self.send(&head, &body)
    }

    /// The token that pages of this session have.
    fn form_token(&mut self) -> String {
        let page = self.get("/account").body;
        let token =
            page.split("name=\"form_token\" value=\"").nth(1).map(|rest| rest.split('"').next().unwrap());
        token.unwrap_or_default().to_owned()
    }

    /// Sends a form with that token.
    pub(crate) fn post_signed(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let token = self.form_token();
        self.post(path, &[fields, &[("form_token", &token)]].concat())
    }

    /// Sends a form that brings a file, with that token.
    pub(crate) fn upload(&mut self, path: &str, fields: &[(&str, &str)], file: (&str, &str)) -> Reply {
        let token = self.form_token();
        let mut body = String::new();
        for (name, value) in fields.iter().chain(&[("form_token", token.as_str())]) {
            let part = format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.push_str(&part);
        }
        let (name, content) = file;
        let disposition = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
        body.push_str(&["--xyz\r\n", &disposition, "\r\n\r\n", content, "\r\n--xyz--\r\n"].concat());
        let kind = "Content-Type: multipart/form-data; boundary=xyz";
        let length = body.len();
        self.send(&format!("POST {path} HTTP/1.1\r\n{kind}\r\nContent-Length: {length}\r\n"), &body)
    }

    /// The value of a field that nobody sees on this page.
    pub(crate) fn hidden(page: &str, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no '{name}': {page}"));
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// Sends a form that needs a second look, and gives what that asks for: what has to be typed, password and code.
    pub(crate) fn post_proven(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        (typed, password, code): (&str, &str, &str),
    ) -> Reply {
        let proof =
            [("confirmed", "yes"), ("typed", typed), ("present_password", password), ("present_code", code)];
        self.post_signed(path, &[fields, &proof].concat())
    }

    pub(crate) fn log_in(&mut self, name: &str, password: &str, code: &str) -> Reply {
        self.post("/login", &[("name", name), ("password", password), ("code", code)])
    }

    /// A connection for `poll`.
    pub(crate) fn connect(&self) -> SslStream<TcpStream> {
        connect(&self.tls, self.port)
    }

    /// Asks for a page as the script of a live page does, and keeps the connection; gives the status.
    pub(crate) fn poll(&self, stream: &mut SslStream<TcpStream>, path: &str) -> u16 {
        let cookie = self.cookie.as_deref().unwrap_or_default();
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nOs4x-Poll: 1\r\n\r\n", self.host);
        stream.write_all(head.as_bytes()).unwrap();
        let (mut octets, mut part) = (Vec::new(), [0; 16_384]);
        loop {
            let count = stream.read(&mut part).unwrap();
            assert!(count > 0, "the panel has closed the connection: {path}");
            octets.extend_from_slice(&part[..count]);
            let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let reply = Reply::parse(&octets[..end + 4]);
            let length: usize = reply.header("content-length").unwrap().parse().unwrap();
            if octets.len() >= end + 4 + length {
                return reply.status;
            }
        }
    }

    fn send(&mut self, head: &str, body: &str) -> Reply {
        let cookie = self.cookie.as_ref().map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
        let request =
            format!("{head}Host: {}\r\nConnection: close\r\n{}{cookie}\r\n{body}", self.host, self.headers);
        let mut stream = connect(&self.tls, self.port);
        stream.write_all(request.as_bytes()).unwrap();
        let reply = Reply::parse(&read_to_end(&mut stream));
        if let Some(set) = reply.header("set-cookie") {
            let pair = set.split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        reply
    }
}

/// The code that an app with this key shows in this number of steps of 30 seconds (RFC 6238).
pub(crate) fn code_of(key: &str, steps: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let key = PKey::hmac(&from_base32(key)).unwrap();
    let mut signer = Signer::new(MessageDigest::sha1(), &key).unwrap();
    let mac = signer.sign_oneshot_to_vec(&(now / 30 + steps).to_be_bytes()).unwrap();
    let at = usize::from(mac[19] & 15);
    let number = u32::from_be_bytes(mac[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

fn from_base32(text: &str) -> Vec<u8> {
    let (mut octets, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            octets.push((bits >> count & 0xff).try_into().unwrap());
        }
    }
    octets
}

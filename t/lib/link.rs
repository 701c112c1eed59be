//! A scripted end of the link: a client that enrols with the backend as the real one does, or a server. It sends the
//! messages that a test wants. It was written from the documents and shares no code with the daemons.

use crate::site::{Role, Site, SiteError};
use crate::tamper::address_of;
use crate::wait::{PATIENCE, wait_for};
use nix::sys::socket::{Shutdown, shutdown};
use oftp2peer::oftp::codec::hex;
use oftp2peer::transport::{Conn, tls};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslStream, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// The begin of a preamble; the 16 octets of the pair's ID follow.
const PREAMBLE: &[u8] = b"OS4XPR/1";
/// The version of the link in this script.
const VERSION: u32 = 1;

/// Calls a function of the site's backend with the client's token; returns the text of its answer.
pub fn call(site: &Site, function: &str, members: &Value) -> Result<String, SiteError> {
    let mut body = members.clone();
    let token = fs::read_to_string(site.folder(Role::Client).join("token"))?;
    // The part after the dot identifies the backend's CA.
    body["token"] = json!(token.split('.').next().unwrap_or_default());
    body["function"] = json!(function);
    let (status, text) = post(&site.api_url, &body.to_string())?;
    if status == 200 { Ok(text) } else { Err(format!("{status} {text}").into()) }
}

/// Posts `body` to `url`, an address with https: status and body of the answer.
pub fn post(url: &str, body: &str) -> Result<(u16, String), SiteError> {
    let (address, path) = address_of(url)?;
    let mut context = SslContext::builder(SslMethod::tls())?;
    // This script does not check the certificate; the real client does.
    context.set_verify(SslVerifyMode::NONE);
    let mut stream = connect(&context.build(), tcp(address)?)?;
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    // The backend may end without close_notify: the octets that arrived count.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer)?;
    let (head, text) = answer.split_once("\r\n\r\n").ok_or("the backend gave no whole answer")?;
    let status = head.split(' ').nth(1).ok_or("the backend gave no status")?;
    Ok((status.parse()?, text.to_owned()))
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: X509,
    /// Its key.
    pub key: PKey<Private>,
}

impl Identity {
    /// A client's identity, certified by the site's backend.
    pub fn enrolled(site: &Site) -> Result<Self, SiteError> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let public = String::from_utf8(key.public_key_to_pem()?)?;
        let answer: Value =
            serde_json::from_str(&call(site, "proxy_enrol", &json!({"public_key": public}))?)?;
        let certificate = answer["certificate"].as_str().ok_or("the backend issued no certificate")?;
        Ok(Self { certificate: X509::from_pem(certificate.as_bytes())?, key })
    }

    /// The server's own: its licence.
    pub fn licence(site: &Site) -> Result<Self, SiteError> {
        let folder = site.folder(Role::Server);
        Ok(Self {
            certificate: X509::from_pem(&fs::read(folder.join("os4x_proxy.lic"))?)?,
            key: PKey::private_key_from_pem(&fs::read(folder.join("os4x_proxyserver.key"))?)?,
        })
    }
}

/// A control connection.
pub struct Control {
    stream: SslStream<TcpStream>,
}

impl Control {
    /// TLS to the internal port with this certificate or none. A refusal by the server is only noticed in `receive`.
    pub fn open(site: &Site, identity: Option<&Identity>) -> Result<Self, SiteError> {
        Self::open_with(site, identity, SslVersion::TLS1_3)
    }

    /// The same with only this version of TLS.
    pub fn open_with(
        site: &Site,
        identity: Option<&Identity>,
        version: SslVersion,
    ) -> Result<Self, SiteError> {
        let mut context = only(version)?;
        if let Some(Identity { certificate, key }) = identity {
            context.set_certificate(certificate)?;
            context.set_private_key(key)?;
        }
        context.set_verify(SslVerifyMode::NONE);
        Ok(Self { stream: connect(&context.build(), tcp(site.internal)?)? })
    }

    /// The server's end: accepts the next client at `listener`, and presents this certificate.
    pub fn accept(listener: &TcpListener, identity: &Identity) -> Result<Self, SiteError> {
        let mut context = only(SslVersion::TLS1_3)?;
        context.set_certificate(&identity.certificate)?;
        context.set_private_key(&identity.key)?;
        // Accepts every client.
        context.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        context.set_num_tickets(0)?;
        let (tcp, _) = listener.accept()?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: Ssl::new(&context.build())?.accept(tcp).map_err(|e| e.to_string())? })
    }

    /// A client that is joined.
    pub fn join(site: &Site) -> Result<Self, SiteError> {
        let mut control = Self::open(site, Some(&Identity::enrolled(site)?))?;
        control.hello()?;
        match control.receive()? {
            welcome if welcome["welcome"]["version"] == VERSION => Ok(control),
            other => Err(format!("not Welcome but {other}").into()),
        }
    }

    /// Sends Hello, which must be the first frame.
    pub fn hello(&mut self) -> Result<(), SiteError> {
        self.send(&json!({"hello": {"version": VERSION}}))
    }

    /// Sends a frame.
    pub fn send(&mut self, message: &Value) -> Result<(), SiteError> {
        send(&mut self.stream, message)
    }

    /// Sends octets unchanged.
    pub fn send_raw(&mut self, octets: &[u8]) -> Result<(), SiteError> {
        Ok(self.stream.write_all(octets)?)
    }

    /// The next frame that is not a ping.
    pub fn receive(&mut self) -> Result<Value, SiteError> {
        loop {
            let message = receive(&mut self.stream)?;
            if message != "ping" {
                return Ok(message);
            }
        }
    }

    /// Answers the server's question for its configuration as the real client does.
    pub fn pass_config(&mut self, site: &Site) -> Result<(), SiteError> {
        let text = self.config(site)?;
        while self.receive()?.get("get-config").is_none() {}
        self.hand_config(&text)
    }

    /// The backend's answer for the joined server.
    pub fn config(&self, site: &Site) -> Result<String, SiteError> {
        let certificate = self.stream.ssl().peer_certificate().ok_or("the server showed no certificate")?;
        let octets = certificate.public_key()?.raw_public_key()?;
        call(site, "proxy_config", &json!({"proxy_id": format!("{}px", hex(&octets))}))
    }

    /// Sends the server an answer of the backend, in parts as the real client does.
    pub fn hand_config(&mut self, text: &str) -> Result<(), SiteError> {
        let octets: Vec<char> = text.chars().collect();
        let mut parts = octets.chunks(100_000).peekable();
        while let Some(part) = parts.next() {
            let (part, last) = (String::from_iter(part), parts.peek().is_none());
            self.send(&json!({"config-part": {"text": part, "last": last}}))?;
        }
        Ok(())
    }

    /// The next pair that the server asks for.
    pub fn next_pair(&mut self) -> Result<Pair, SiteError> {
        loop {
            let message = self.receive()?;
            if let Some(pair) = message.get("pair") {
                return Pair::read(pair).ok_or_else(|| format!("{message} is no pair").into());
            }
        }
    }

    /// The server's answer to a request for an outgoing pair: the pair, or the reason of a refusal.
    pub fn outgoing_pair(&mut self) -> Result<Result<Pair, String>, SiteError> {
        self.send(&json!("want-outgoing"))?;
        loop {
            let message = self.receive()?;
            if let Some(reason) = message["no-outgoing"]["reason"].as_str() {
                return Ok(Err(reason.to_owned()));
            }
            if let Some(pair) = message.get("pair").filter(|pair| pair["direction"] == "outgoing") {
                return Ok(Ok(Pair::read(pair).ok_or("this is no pair")?));
            }
        }
    }

    /// This client's address, as in the server's log.
    pub fn address(&self) -> Result<SocketAddr, SiteError> {
        Ok(self.stream.get_ref().local_addr()?)
    }
}

/// A pair as the server named it.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Its ID, 32 hex digits.
    pub id: String,
    /// Its ticket.
    pub ticket: Vec<u8>,
}

impl Pair {
    fn read(message: &Value) -> Option<Self> {
        let id = message["pair"].as_str()?.to_owned();
        Some(Self { id, ticket: from_hex(message["ticket"].as_str()?)? })
    }

    /// The preamble of its data connection.
    pub fn preamble(&self) -> Vec<u8> {
        [PREAMBLE, &from_hex(&self.id).unwrap_or_default()].concat()
    }

    /// Connects for it.
    pub fn dial(&self, site: &Site) -> Result<TcpStream, SiteError> {
        let mut stream = tcp(site.internal)?;
        stream.write_all(&self.preamble())?;
        Ok(stream)
    }

    /// Takes part in the join that the server's child begins on the data connection.
    pub fn join(&self, data: TcpStream) -> Result<Data, SiteError> {
        let mut context = only(SslVersion::TLS1_3)?;
        context.set_ciphersuites("TLS_AES_128_GCM_SHA256")?;
        let ticket = self.ticket.clone();
        context.set_psk_server_callback(move |_, _, key| {
            key[..ticket.len()].copy_from_slice(&ticket);
            Ok(ticket.len())
        });
        Ok(Data { stream: Ssl::new(&context.build())?.accept(data).map_err(|e| e.to_string())? })
    }

    /// Begins the join on the data connection, as a child with a station does.
    pub fn begin(&self, data: TcpStream) -> Result<Data, SiteError> {
        Ok(Data { stream: connect(&self.initiator()?, data)? })
    }

    fn initiator(&self) -> Result<SslContext, SiteError> {
        let mut context = only(SslVersion::TLS1_3)?;
        context.set_ciphersuites("TLS_AES_128_GCM_SHA256")?;
        let Self { id, ticket } = self.clone();
        context.set_psk_client_callback(move |_, _, identity, key| {
            identity[..id.len()].copy_from_slice(id.as_bytes());
            identity[id.len()] = 0;
            key[..ticket.len()].copy_from_slice(&ticket);
            Ok(ticket.len())
        });
        Ok(context.build())
    }
}

/// A data connection whose join is done.
#[derive(Debug)]
pub struct Data {
    stream: SslStream<TcpStream>,
}

impl Data {
    /// The next frame.
    pub fn receive(&mut self) -> Result<Value, SiteError> {
        receive(&mut self.stream)
    }

    /// Sends a frame.
    pub fn send(&mut self, message: &Value) -> Result<(), SiteError> {
        send(&mut self.stream, message)
    }
}

/// A server of the test that the client has joined: a DMZ host under an attacker's control, which knows everything that
/// the real one knows.
pub struct Dmz {
    listener: TcpListener,
    control: Control,
    pairs: u128,
    pinged: Instant,
}

impl Dmz {
    /// Starts the site's client and lets it join.
    pub fn take_over(site: &mut Site) -> Result<Self, SiteError> {
        Self::welcome(site, &json!({"version": VERSION}))
    }

    /// The same with these members in the Welcome.
    pub fn welcome(site: &mut Site, members: &Value) -> Result<Self, SiteError> {
        let listener = TcpListener::bind(site.internal)?;
        site.restart(Role::Client)?;
        let mut control = Control::accept(&listener, &Identity::licence(site)?)?;
        control.receive()?;
        control.send(&json!({"welcome": members}))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, control, pairs: 0, pinged: Instant::now() })
    }

    /// Answers one ping of the client. Each is answered, so there is a pause; otherwise this would never end.
    fn ping(&mut self) -> Result<(), SiteError> {
        if self.pinged.elapsed() < Duration::from_secs(1) {
            return Ok(());
        }
        self.pinged = Instant::now();
        self.control.send(&json!("ping"))
    }

    /// Sends the client this message.
    pub fn tell(&mut self, message: &Value) -> Result<(), SiteError> {
        self.control.send(message)
    }

    /// Waits until the client requests a pair for a station.
    pub fn wait_wish(&mut self) -> Result<(), SiteError> {
        self.wait_message("want-outgoing").map(|_| ())
    }

    /// Waits for this message of the client; returns its earlier messages.
    pub fn wait_message(&mut self, message: &str) -> Result<Vec<Value>, SiteError> {
        let mut before = Vec::new();
        loop {
            match self.control.receive()? {
                said if said == message => return Ok(before),
                said => before.push(said),
            }
        }
    }

    /// Waits until the client renews, however long that takes; returns its new connection, on which nothing was sent
    /// yet.
    pub fn wait_renewal(&mut self) -> Result<TcpStream, SiteError> {
        loop {
            let message = receive(&mut self.control.stream)?;
            if message == "ping" {
                self.ping()?;
            } else if message.get("renewing").is_some() {
                return Ok(wait_for("the new connection", || self.listener.accept().ok()).0);
            }
        }
    }

    /// Stops listening, as the server does while it expects nobody.
    pub fn go_deaf(&self) -> Result<(), SiteError> {
        Ok(shutdown(self.listener.as_raw_fd(), Shutdown::Both)?)
    }

    /// Grants a pair and gives it up at once, as after a change of the configuration.
    pub fn give_up_a_pair(&mut self) -> Result<(), SiteError> {
        self.pairs += 1;
        let (id, ticket) = (format!("{:032x}", self.pairs), "5a".repeat(32));
        self.control.send(&json!({"pair": {"pair": id, "ticket": ticket, "direction": "outgoing"}}))?;
        self.control.send(&json!({"retire": {"pair": id}}))
    }

    /// Asks for the configuration; returns the backend's answer, or the reason of a failure.
    pub fn ask_config(&mut self) -> Result<Result<String, String>, SiteError> {
        self.control.send(&json!({"get-config": {"generation": null}}))?;
        let mut whole = String::new();
        // The client's own time limit, and a report that is sent before.
        let deadline = Instant::now() + Duration::from_secs(40) + PATIENCE;
        loop {
            let message = receive(&mut self.control.stream)?;
            if Instant::now() > deadline {
                return Err("the client has not answered".into());
            }
            if message == "ping" {
                // The answer may be late.
                self.ping()?;
            } else if let Some(reason) = message["config-failed"]["reason"].as_str() {
                return Ok(Err(reason.to_owned()));
            } else if let Some(part) = message["config-part"]["text"].as_str() {
                whole.push_str(part);
                if message["config-part"]["last"] == true {
                    return Ok(Ok(whole));
                }
            }
        }
    }

    /// A joined data connection on which the station was asked for; the client now calls the station.
    pub fn open(&mut self, ssid: &str) -> Result<Conn, SiteError> {
        self.pairs += 1;
        let (id, ticket) = (format!("{:032x}", self.pairs), vec![0x5a; 32]);
        // Also counts as a sign of life, so that the client stays, however long this takes.
        self.control.send(&json!("ping"))?;
        self.control.send(&json!({"pair": {"pair": id, "ticket": hex(&ticket), "direction": "incoming"}}))?;
        let mut tcp = wait_for("the data connection", || self.listener.accept().ok()).0;
        tcp.set_nonblocking(false)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let mut preamble = [0; 24];
        tcp.read_exact(&mut preamble)?;
        let context = Pair { id, ticket }.initiator()?;
        let mut data = tls::connect(tcp, &context, None, PATIENCE)?;
        let open =
            json!({"address": "192.0.2.1:6619", "partner": "any", "ssid": ssid, "profile": "tolerant"});
        data.write(&frame(&open)?)?;
        data.flush()?;
        Ok(data)
    }

    /// Reads on `data` that the station has sent its SSRM.
    pub fn hear_ready(data: &mut Conn) -> Result<(), SiteError> {
        let due = frame(&json!("ready"))?;
        let mut came = vec![0; due.len()];
        data.read_exact(&mut came)?;
        if came == due { Ok(()) } else { Err(format!("not ready but {}", came.escape_ascii()).into()) }
    }
}

/// A connection with short time limits for reading and writing.
pub fn tcp(to: SocketAddr) -> Result<TcpStream, SiteError> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn only(version: SslVersion) -> Result<SslContextBuilder, SiteError> {
    let mut context = SslContext::builder(SslMethod::tls())?;
    context.set_min_proto_version(Some(version))?;
    context.set_max_proto_version(Some(version))?;
    Ok(context)
}

fn connect(context: &SslContext, tcp: TcpStream) -> Result<SslStream<TcpStream>, SiteError> {
    Ok(Ssl::new(context)?.connect(tcp).map_err(|e| e.to_string())?)
}

/// A frame: its length in four octets, then JSON.
fn frame(message: &Value) -> Result<Vec<u8>, SiteError> {
    let text = message.to_string();
    Ok([&u32::try_from(text.len())?.to_be_bytes(), text.as_bytes()].concat())
}

fn send(to: &mut impl Write, message: &Value) -> Result<(), SiteError> {
    Ok(to.write_all(&frame(message)?)?)
}

fn receive(from: &mut impl Read) -> Result<Value, SiteError> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut text = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    from.read_exact(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

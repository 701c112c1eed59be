//! A web server between the client and the site's backend, in a thread of the test: it passes calls on, or changes the
//! answers of a function as the test says. It uses https with its own CA, which it writes into the client's token. It
//! counts calls.

use crate::link::post;
use crate::site::{Role, Site, SiteError};
use crate::wait::{PATIENCE, wait_for};
use common::rpc::UNKNOWN_FUNCTION;
use oftp2peer::ca::{Authority, Request};
use oftp2peer::oftp::codec::hex;
use openssl::hash::MessageDigest;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Changes a backend's answer.
pub type Edit = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// What the web server does with the calls of a function.
#[derive(Clone)]
pub enum Conduct {
    /// Passes the backend's answer on.
    Pass,
    /// Changes the backend's answer.
    Edit(Edit),
    /// Answers with this status and body; the backend is not asked.
    Answer(u16, String),
    /// Sends half of the backend's answer, then ends the connection.
    Cut,
    /// Ends the connection at once, without an answer.
    Break,
    /// Sends octets without end.
    Flood,
    /// Sends no answer until the conduct changes; then follows the new conduct.
    Stall,
}

impl Conduct {
    /// The conduct of a backend that is older than the function.
    pub fn older() -> Self {
        let error = json!({"code": UNKNOWN_FUNCTION, "message": "There is no such function."});
        Self::Answer(404, json!({"ok": false, "error": error}).to_string())
    }

    /// The backend's answer with this change.
    pub fn edit(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::Edit(Arc::new(change))
    }

    /// 200 with this body.
    pub fn body(text: &str) -> Self {
        Self::Answer(200, text.to_owned())
    }
}

#[derive(Default)]
struct State {
    conduct: HashMap<String, Conduct>,
    calls: Vec<Value>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call; returns what to do with it, once that is known.
    fn take(&self, call: Value) -> Conduct {
        let function = call["function"].as_str().unwrap_or_default().to_owned();
        let mut state = self.state();
        state.calls.push(call);
        let stalls = |state: &mut State| matches!(state.conduct.get(&function), Some(Conduct::Stall));
        let state = self.changed.wait_while(state, stalls).unwrap_or_else(PoisonError::into_inner);
        state.conduct.get(&function).cloned().unwrap_or(Conduct::Pass)
    }
}

/// The web server. It serves while the test's process runs.
pub struct Tamper {
    shared: Arc<Shared>,
}

impl Tamper {
    /// From its next start on, the client of a prepared site uses this server as its backend.
    pub fn before(site: &mut Site) -> Result<Self, SiteError> {
        let authority = Authority::new("Tampering CA")?;
        let listener = TcpListener::bind((site.address, 0))?;
        site.asked_url = format!("https://{}/os4xapi/index.php", listener.local_addr()?);
        let token = site.folder(Role::Client).join("token");
        let pin = hex(&authority.certificate().digest(MessageDigest::sha256())?);
        let secret =
            fs::read_to_string(&token)?.rsplit_once('.').ok_or("the token names no CA")?.0.to_owned();
        fs::write(&token, format!("{secret}.{pin}\n"))?;
        let context = context(&authority, site)?;
        let tamper = Self { shared: Arc::default() };
        let (shared, backend) = (Arc::clone(&tamper.shared), site.api_url.clone());
        thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let (context, shared, backend) = (context.clone(), Arc::clone(&shared), backend.clone());
                // A client that breaks off needs no answer.
                thread::spawn(move || serve(tcp, &context, &shared, &backend).is_ok());
            }
        });
        Ok(tamper)
    }

    /// Sets the conduct for calls of `function`.
    pub fn set(&self, function: &str, conduct: Conduct) {
        self.shared.state().conduct.insert(function.to_owned(), conduct);
        self.shared.changed.notify_all();
    }

    /// The calls of `function` so far, each with its members.
    pub fn calls(&self, function: &str) -> Vec<Value> {
        self.shared.state().calls.iter().filter(|call| call["function"] == function).cloned().collect()
    }

    /// Waits until `function` was called this many times.
    ///
    /// # Panics
    /// If it is not in time.
    #[track_caller]
    pub fn wait_calls(&self, function: &str, count: usize) -> Vec<Value> {
        wait_for(&format!("{count} calls of {function}"), || {
            Some(self.calls(function)).filter(|calls| calls.len() >= count)
        })
    }
}

/// The context of an https server with a certificate like the backend's, from this CA.
fn context(authority: &Authority, site: &Site) -> Result<SslContext, SiteError> {
    let request = Request::new("tamper").host(&site.address.to_string()).host("urn:os4x:smartproxy:https");
    let own = authority.issue(&request)?;
    let mut context = SslContext::builder(SslMethod::tls())?;
    context.set_certificate(&own.certificate)?;
    context.set_private_key(&own.key)?;
    context.add_extra_chain_cert(authority.certificate().clone())?;
    Ok(context.build())
}

fn serve(tcp: TcpStream, context: &SslContext, shared: &Shared, backend: &str) -> Result<(), SiteError> {
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    let mut stream = Ssl::new(context)?.accept(tcp).map_err(|e| e.to_string())?;
    let text = request(&mut stream)?;
    let ask = || post(backend, &text);
    match shared.take(serde_json::from_str(&text)?) {
        Conduct::Pass => {
            let (status, body) = ask()?;
            answer(&mut stream, status, &body, body.len())?;
        }
        Conduct::Edit(change) => {
            let (status, body) = ask()?;
            let mut body = serde_json::from_str(&body)?;
            change(&mut body);
            let body = body.to_string();
            answer(&mut stream, status, &body, body.len())?;
        }
        Conduct::Answer(status, body) => answer(&mut stream, status, &body, body.len())?,
        Conduct::Cut => {
            let (status, body) = ask()?;
            answer(&mut stream, status, body.get(..body.len() / 2).unwrap_or_default(), body.len())?;
        }
        Conduct::Flood => {
            answer(&mut stream, 200, r#"{"ok":true,"x":""#, usize::MAX / 4)?;
            while stream.write_all(&[b'x'; 16 * 1024]).is_ok() {}
        }
        Conduct::Break | Conduct::Stall => return Ok(()),
    }
    stream.shutdown()?;
    Ok(())
}

fn answer(to: &mut impl Write, status: u16, body: &str, length: usize) -> Result<(), SiteError> {
    let head = "Content-Type: application/json\r\nConnection: close";
    Ok(write!(to, "HTTP/1.1 {status} Answer\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}")?)
}

/// The body of a request.
fn request(stream: &mut SslStream<TcpStream>) -> Result<String, SiteError> {
    let mut octets = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Err("no whole request".into());
        }
        octets.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let text = String::from_utf8_lossy(&octets);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if body.len() >= length.parse()? {
            return Ok(body.to_owned());
        }
    }
}

/// The address of a URL such as the backend's.
pub(crate) fn address_of(url: &str) -> Result<(SocketAddr, &str), SiteError> {
    let (host, path) = url.trim_start_matches("https://").split_once('/').ok_or("no path in the URL")?;
    Ok((host.parse()?, path))
}

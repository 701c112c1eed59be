//! One session of the load: only the commands that every partner sends, so that its own cost is small.

use oftp2peer::Partner;
use oftp2peer::oftp::codec::{HEADER, Level};
use oftp2peer::oftp::command::{Command, Features, FileId, Receipt, Ssid};
use oftp2peer::oftp::settings::{OutFile, Settings};
use oftp2peer::oftp::stamp::Stamp;
use oftp2peer::transport::Conn;
use oftp2peer::transport::dial::Dial;
use openssl::ssl::SslContext;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The addresses from which sessions come, in turn.
pub(crate) struct Sources {
    /// The first one.
    pub(crate) first: Ipv4Addr,
    /// How many there are.
    pub(crate) count: u32,
}

impl Sources {
    fn of(&self, number: u64) -> IpAddr {
        let turn = u32::try_from(number % u64::from(self.count.max(1))).unwrap_or_default();
        IpAddr::V4(Ipv4Addr::from(u32::from(self.first).wrapping_add(turn)))
    }
}

/// The caller.
pub(crate) struct Caller {
    /// TLS with its certificate.
    pub(crate) context: SslContext,
    /// Its code and password.
    pub(crate) settings: Settings,
    /// How long one measure lasts.
    pub(crate) time: Duration,
    /// Number of sessions after which it ends in any case.
    pub(crate) sessions: u64,
    /// Its addresses.
    pub(crate) sources: Sources,
}

/// The time of each stage of a session.
#[derive(Clone, Copy)]
pub(crate) struct Stages {
    /// The connection and TLS were ready.
    pub(crate) tls: Duration,
    /// The station's SSRM had come: the way to the station is open.
    pub(crate) ready: Duration,
    /// Its SSID had come.
    pub(crate) started: Duration,
    /// Its ESID had come.
    pub(crate) ended: Duration,
}

/// A session that has begun: both SSIDs have passed.
pub(crate) struct Open {
    conn: Conn,
    began: Instant,
    stages: Stages,
}

impl Open {
    /// Its own end, `ADDRESS:PORT`.
    pub(crate) fn own_address(&self) -> String {
        let own = self.conn.socket().and_then(|socket| socket.local_addr());
        own.map_or_else(|_| "-".to_owned(), |own| own.to_string())
    }

    /// This number of receipts, each answered with RTR before the next one; the time of one.
    pub(crate) fn exchange(&mut self, count: u32) -> Result<Duration, String> {
        let began = Instant::now();
        for _ in 0..count {
            send(&mut self.conn, &Command::Receipt(receipt()))?;
            expect(&mut self.conn, "RTR")?;
        }
        Ok(began.elapsed() / count)
    }

    /// CD, ESID, and the close of both sides.
    pub(crate) fn end(mut self, patience: Duration) -> Result<Stages, String> {
        send(&mut self.conn, &Command::Cd)?;
        expect(&mut self.conn, "ESID")?;
        self.stages.ended = self.began.elapsed();
        self.conn.close();
        self.conn.drain(patience);
        Ok(self.stages)
    }
}

impl Caller {
    /// One session without files.
    pub(crate) fn call(&self, address: &str, number: u64) -> Result<Stages, String> {
        self.open(address, number)?.end(self.settings.timeout)
    }

    /// Begins one: SSRM, both SSIDs.
    pub(crate) fn open(&self, address: &str, number: u64) -> Result<Open, String> {
        let began = Instant::now();
        let mut conn = self.dial(address, number).open().map_err(|error| error.to_string())?;
        let tls = began.elapsed();
        conn.set_timeout(Some(self.settings.timeout)).map_err(|end| end.to_string())?;
        expect(&mut conn, "SSRM")?;
        let ready = began.elapsed();
        send(&mut conn, &Command::Ssid(self.ssid()))?;
        expect(&mut conn, "SSID")?;
        let started = began.elapsed();
        Ok(Open { conn, began, stages: Stages { tls, ready, started, ended: started } })
    }

    /// One session with a file of this size.
    pub(crate) fn send_file(&self, address: &str, number: u64, octets: &Arc<[u8]>) -> Result<(), String> {
        let partner = Partner::new(self.dial(address, number), self.settings.clone());
        let report = partner.send([OutFile::octets(&format!("LOAD{number}"), Arc::clone(octets))]);
        if report.is_good() { Ok(()) } else { Err(format!("{report:?}")) }
    }

    fn dial(&self, address: &str, number: u64) -> Dial {
        let mut dial = Dial::to(&address);
        dial.from = Some(self.sources.of(number));
        dial.tls = Some((self.context.clone(), None));
        dial.timeout = self.settings.timeout;
        dial
    }

    fn ssid(&self) -> Ssid {
        let settings = &self.settings;
        Ssid {
            level: settings.level,
            code: settings.code.clone(),
            password: settings.password.clone(),
            buffer: settings.buffer,
            mode: settings.mode,
            features: Features { compression: false, restart: true, special: false },
            credit: settings.credit,
            authentication: false,
            user: String::new(),
        }
    }
}

/// A receipt of about 128 octets.
fn receipt() -> Receipt {
    let stamp = Stamp { date: "20260101".to_owned(), time: "1200000000".to_owned() };
    let code = "O0013009000STATION".to_owned();
    let id = FileId { name: "LOAD".to_owned(), stamp, destination: code.clone(), originator: code };
    Receipt { id, user: String::new(), refusal: None, hash: Vec::new(), signature: Vec::new() }
}

fn send(conn: &mut Conn, command: &Command) -> Result<(), String> {
    let octets = command.encode(Level::Five).map_err(|error| error.to_string())?;
    let [_, length @ ..] = u32::try_from(octets.len() + HEADER).unwrap_or(u32::MAX).to_be_bytes();
    let whole = [&[0x10], &length[..], &octets].concat();
    conn.write(&whole).and_then(|()| conn.flush()).map_err(|end| end.to_string())
}

fn expect(conn: &mut Conn, name: &str) -> Result<(), String> {
    let failed = |end| format!("while {name} was due: {end}");
    let mut header = [0; HEADER];
    conn.read_exact(&mut header).map_err(failed)?;
    let length = header[1..].iter().fold(0, |sum, octet| sum * 256 + usize::from(*octet));
    let mut octets = vec![0; length.saturating_sub(HEADER)];
    conn.read_exact(&mut octets).map_err(failed)?;
    let command = Command::decode(&octets, Level::Five).map_err(|error| error.to_string())?;
    if command.name() == name { Ok(()) } else { Err(format!("{command:?} came where {name} was due")) }
}

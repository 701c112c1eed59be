//! One session of the load: no more than what every partner does, so that it costs little beside what is measured.

use oftp2peer::oftp::codec::{HEADER, Level};
use oftp2peer::oftp::command::{Command, Features, Ssid};
use oftp2peer::oftp::settings::Settings;
use oftp2peer::transport::Conn;
use oftp2peer::transport::dial::Dial;
use openssl::ssl::SslContext;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// Source addresses among which sessions take turns.
const ADDRESSES: u64 = 200;

/// Who calls.
pub(crate) struct Caller {
    /// TLS with its certificate.
    pub(crate) context: SslContext,
    /// Its code and password.
    pub(crate) settings: Settings,
    /// How long one measure lasts.
    pub(crate) time: Duration,
    /// After so many sessions it ends all the same.
    pub(crate) sessions: u64,
}

/// How far a session had come after which time.
#[derive(Clone, Copy)]
pub(crate) struct Stages {
    /// TCP and TLS were there.
    pub(crate) tls: Duration,
    /// The station's SSRM had come: the way to it stands.
    pub(crate) ready: Duration,
    /// Its SSID had come.
    pub(crate) started: Duration,
    /// Its ESID had come.
    pub(crate) ended: Duration,
}

impl Caller {
    /// One session without files: SSRM, both SSIDs, CD, ESID, and the close of both sides.
    pub(crate) fn call(&self, address: &str, number: u64) -> Result<Stages, String> {
        let began = Instant::now();
        let mut conn = self.dial(address, number).open().map_err(|error| error.to_string())?;
        let tls = began.elapsed();
        conn.set_timeout(Some(self.settings.timeout)).map_err(|end| end.to_string())?;
        expect(&mut conn, "SSRM")?;
        let ready = began.elapsed();
        send(&mut conn, &Command::Ssid(self.ssid()))?;
        expect(&mut conn, "SSID")?;
        let started = began.elapsed();
        send(&mut conn, &Command::Cd)?;
        expect(&mut conn, "ESID")?;
        let ended = began.elapsed();
        conn.close();
        conn.drain(self.settings.timeout);
        Ok(Stages { tls, ready, started, ended })
    }

    fn dial(&self, address: &str, number: u64) -> Dial {
        let mut dial = Dial::to(&address);
        let [.., last] = (number % ADDRESSES).to_be_bytes();
        dial.from = Some(IpAddr::V4(Ipv4Addr::new(127, 0, 12, 1 + last)));
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

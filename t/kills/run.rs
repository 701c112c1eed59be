//! The session of a cell: its messages, how far it has come, and how partner and station see its end.

use super::table::Cell;
use oftp2peer::oftp::codec::Level;
use oftp2peer::oftp::command::{Command, Features, FileId, Format, Receipt, Sfid, Ssid};
use oftp2peer::oftp::session::Role as End;
use oftp2peer::oftp::stamp::Stamp;
use oftp2peer::transport::tls::{self, Begun};
use oftp2peer::transport::{Break, Conn};
use std::net::TcpStream;
use std::os::fd::AsFd;
use t::ends::{Ending, Ends, Session};
use t::wait::PATIENCE;
use t::wire::Step;

/// SSIDCODE of the partner.
pub(super) const SSID: &str = "O0013ACME";
const STATION: &str = "O0013STATION";

fn step(by: End, command: &Command) -> Step {
    let octets = command.encode(Level::Five).unwrap();
    let length = u32::try_from(octets.len() + 4).unwrap() | 0x1000_0000;
    let octets = [&length.to_be_bytes()[..], &octets].concat();
    Step { by, octets, label: command.name().to_owned() }
}

/// A session with one file and its receipt. The credit is two buffers.
pub(super) fn session() -> Vec<Step> {
    let ssid = |code: &str| {
        Command::Ssid(Ssid {
            level: Level::Five,
            code: code.to_owned(),
            password: "SECRET".to_owned(),
            buffer: 2048,
            mode: 'B',
            features: Features { compression: false, restart: false, special: false },
            credit: 2,
            authentication: false,
            user: String::new(),
        })
    };
    let id = |destination: &str, originator: &str, stamp: &Stamp| FileId {
        name: "FILE".to_owned(),
        stamp: stamp.clone(),
        destination: destination.to_owned(),
        originator: originator.to_owned(),
    };
    let stamp = Stamp::next();
    let file = Sfid::plain(id(STATION, SSID, &stamp), Format::Unstructured, 1);
    let id = id(SSID, STATION, &stamp);
    let receipt = Receipt { id, user: String::new(), refusal: None, hash: Vec::new(), signature: Vec::new() };
    let (ours, theirs) = (End::Initiator, End::Responder);
    [
        (theirs, Command::Ssrm),
        (ours, ssid(SSID)),
        (theirs, ssid(STATION)),
        (ours, Command::Sfid(file)),
        (theirs, Command::Sfpa(0)),
        (ours, Command::Data(b"\x05hello".to_vec())),
        (ours, Command::Data(b"\x85world".to_vec())),
        (theirs, Command::Cdt),
        (ours, Command::Efid { records: 0, octets: 10 }),
        (theirs, Command::Efpa(true)),
        (ours, Command::Cd),
        (theirs, Command::Receipt(receipt)),
        (ours, Command::Rtr),
        (theirs, Command::Cd),
        (ours, Command::Esid { reason: 0, text: String::new() }),
    ]
    .iter()
    .map(|(by, command)| step(*by, command))
    .collect()
}

/// How far a session has come.
pub(super) enum Stand<'a> {
    Tcp(TcpStream),
    Handshake(Begun),
    Session(Session<'a>),
}

/// A cell's session.
pub(super) struct Run<'a> {
    pub(super) cell: Cell,
    pub(super) steps: Vec<Step>,
    /// The partner's socket.
    pub(super) socket: TcpStream,
    pub(super) stand: Stand<'a>,
}

impl Run<'_> {
    /// How partner and station see the end if the session continues.
    pub(super) fn go_on(self, ends: &Ends) -> [String; 2] {
        let (context, name) = ends.dial().tls.as_ref().unwrap();
        let is_called = self.cell.due[1] != "-";
        let conn = match self.stand {
            Stand::Session(session) => {
                return resume(session, &self.steps[self.cell.passed()..], is_called);
            }
            Stand::Tcp(tcp) => tls::connect(tcp, context, name.as_deref(), PATIENCE),
            Stand::Handshake(begun) => begun.finish(),
        };
        match conn {
            Ok(conn) => resume(ends.begin_on(conn).unwrap(), &self.steps, is_called),
            Err(end) => [end.word().to_owned(), "-".to_owned()],
        }
    }

    /// How both see the end if nobody does anything more.
    pub(super) fn wait(self) -> [String; 2] {
        if let Stand::Session(session) = self.stand {
            return both(&session.ending());
        }
        self.socket.set_nonblocking(false).unwrap();
        let mut conn = Conn::plain(self.socket).unwrap();
        [conn.drain(PATIENCE).word().to_owned(), "-".to_owned()]
    }

    /// The partner or the station is killed, or resets its connection.
    pub(super) fn die(self) -> [String; 2] {
        let reset = self.cell.how == "RST";
        let act = move |mut conn: Conn| {
            if reset {
                conn.reset();
            }
            None
        };
        let by = if self.cell.victim == "partner" { End::Initiator } else { End::Responder };
        let Stand::Session(session) = self.stand else {
            if reset {
                common::sys::linger_reset(self.socket.as_fd()).unwrap();
            }
            return ["killed".to_owned(), "-".to_owned()];
        };
        drop(self.socket);
        let other = session.dies(by, act);
        let other = other.map_or_else(|| "-".to_owned(), |ending| seen(opposite(by), &ending));
        if by == End::Initiator { ["killed".to_owned(), other] } else { [other, "killed".to_owned()] }
    }
}

fn opposite(side: End) -> End {
    if side == End::Initiator { End::Responder } else { End::Initiator }
}

/// Plays the rest of a session, and ends it in the regular way. If the station must not be called, plays only the
/// partner's SSID.
fn resume(mut session: Session<'_>, steps: &[Step], is_called: bool) -> [String; 2] {
    if !is_called {
        // The partner has got SSRM from the server; if SSRM does not come, the connection ends.
        let ready = steps.iter().take_while(|step| step.by == End::Responder).count();
        let _ = session.play(&steps[..ready], usize::MAX);
        let ssid = steps.iter().find(|step| step.by == End::Initiator).unwrap();
        session.send(End::Initiator, &ssid.octets);
        return both(&session.ending());
    }
    match session.play(steps, usize::MAX) {
        Ok(()) => match both(&session.finish()) {
            [partner, station] if partner == "close" && station == "close" => {
                ["goes on", "goes on"].map(str::to_owned)
            }
            other => other,
        },
        Err(_) => both(&session.ending()),
    }
}

fn both((partner, station): &(Ending, Option<Ending>)) -> [String; 2] {
    let station = station.as_ref().map_or_else(|| "-".to_owned(), |ending| seen(End::Responder, ending));
    [seen(End::Initiator, partner), station]
}

/// The last thing that a side sees: the last octets, and how its connection ended. Only the partner has TLS.
fn seen(side: End, ending: &Ending) -> String {
    let how = match (side, &ending.how) {
        (End::Initiator, Break::CloseNotify) | (End::Responder, Break::Fin) => "close",
        (_, other) => other.word(),
    };
    match ending.octets.get(4..7) {
        None if ending.octets.is_empty() => how.to_owned(),
        Some([b'F', tens, ones]) if how == "close" => {
            format!("ESID {}{}", char::from(*tens), char::from(*ones))
        }
        _ => format!("{ending:?}"),
    }
}

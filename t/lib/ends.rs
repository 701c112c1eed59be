//! Plays both ends of a site, partner and station, in one thread of the test, step by step. So the buffers pass through
//! both daemons in the order of the trace, and each must arrive unchanged.

use crate::link::Dmz;
use crate::site::{Site, SiteError};
use crate::wait::wait_for;
use crate::wire::{Departure, Step, play};
use oftp2peer::oftp::session::Role;
use oftp2peer::transport::dial::Dial;
use oftp2peer::transport::{Break, Conn};
use std::fmt;
use std::net::TcpListener;
use std::time::Duration;

/// How long a daemon may be silent. It is less than the 10 s that a daemon gives a peer to close: so a daemon that
/// waits for these is found.
const LIMIT: Duration = Duration::from_secs(8);

/// A partner and a station, as a trace has them.
pub struct Ends {
    dial: Dial,
    station: TcpListener,
}

/// A session between the two.
pub struct Session<'a> {
    station: &'a TcpListener,
    partner: Conn,
    inner: Option<Conn>,
    /// The station's first buffer. The partner gets it from the server.
    ready: Option<Vec<u8>>,
}

/// The last thing that an end saw.
#[derive(PartialEq, Eq)]
pub struct Ending {
    /// All octets that arrived.
    pub octets: Vec<u8>,
    /// How the connection ended.
    pub how: Break,
}

impl Ends {
    /// For a site that was built without a station. The partner's certificate has `ssid`.
    pub fn new(site: &Site, ssid: &str) -> Result<Self, SiteError> {
        let station = TcpListener::bind(site.station_address)?;
        station.set_nonblocking(true)?;
        Ok(Self { dial: site.partner(ssid)?.dial, station })
    }

    /// How the partner connects.
    pub fn dial(&self) -> &Dial {
        &self.dial
    }

    /// The partner connects.
    pub fn begin(&self) -> Result<Session<'_>, SiteError> {
        self.begin_on(self.dial.open()?)
    }

    /// For a partner that has connected.
    pub fn begin_on(&self, partner: Conn) -> Result<Session<'_>, SiteError> {
        partner.set_timeout(Some(LIMIT)).map_err(|end| end.to_string())?;
        Ok(Session { station: &self.station, partner, inner: None, ready: None })
    }

    /// The same for a test that plays the server: `data` is a data connection on which the station was asked for, and
    /// `ready` is the station's first buffer.
    pub fn begin_in_dmz(&self, data: Conn, ready: Step) -> Result<Session<'_>, SiteError> {
        data.set_timeout(Some(LIMIT)).map_err(|end| end.to_string())?;
        let octets = Some(ready.octets.clone());
        let mut session = Session { station: &self.station, partner: data, inner: None, ready: octets };
        play(session.inside(), &[ready], Role::Responder, usize::MAX)?;
        Dmz::hear_ready(&mut session.partner)?;
        Ok(session)
    }

    /// Whether the station was called, although no session has noticed it.
    pub fn is_called(&self) -> bool {
        self.station.accept().is_ok()
    }
}

impl Session<'_> {
    /// Plays `steps`, each in writes of at most `piece` octets.
    pub fn play(&mut self, steps: &[Step], piece: usize) -> Result<(), Departure> {
        for (at, step) in steps.iter().enumerate() {
            self.step(step, piece).map_err(|departure| departure.at(at))?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, piece: usize) -> Result<(), Departure> {
        let one = std::slice::from_ref(step);
        if self.ready.is_none() && step.by == Role::Responder {
            self.ready = Some(step.octets.clone());
            return play(&mut self.partner, one, Role::Initiator, piece);
        }
        if step.by == Role::Responder {
            play(self.inside(), one, Role::Responder, piece)?;
            return play(&mut self.partner, one, Role::Initiator, piece);
        }
        play(&mut self.partner, one, Role::Initiator, piece)?;
        if self.inner.is_none() {
            let octets = self.ready.clone().unwrap_or_default();
            let ready = Step { by: Role::Responder, octets, label: "SSRM".to_owned() };
            play(self.inside(), &[ready], Role::Responder, piece)?;
        }
        play(self.inside(), one, Role::Responder, piece)
    }

    /// The station's end; the client connects once the partner is known.
    ///
    /// # Panics
    /// If it does not connect.
    fn inside(&mut self) -> &mut Conn {
        let listener = self.station;
        self.inner.get_or_insert_with(|| {
            wait_for("a connection to the station", || {
                let tcp = listener.accept().ok()?.0;
                tcp.set_nonblocking(false).ok()?;
                let conn = Conn::plain(tcp).ok()?;
                conn.set_timeout(Some(LIMIT)).ok()?;
                Some(conn)
            })
        })
    }

    /// Sends octets that need not arrive. If `by` is a station that has not been called, waits for the call first.
    pub fn send(&mut self, by: Role, octets: &[u8]) {
        let conn = if by == Role::Initiator { &mut self.partner } else { self.inside() };
        // The connection may be closed before all is sent: only the end of the session matters here.
        let _ = conn.write(octets).and_then(|()| conn.flush());
    }

    /// The partner closes in the regular way, at any point of the session; returns what the station sees until its
    /// connection ends.
    pub fn close(mut self) -> Option<Ending> {
        self.partner.close();
        let station = self.inner.as_mut().map(ending);
        ending(&mut self.partner);
        station
    }

    /// `by` ends its connection with `act`, which returns the connection unless it is gone. Returns what the other side
    /// sees until its connection ends; it then closes its connection. Both must have been connected.
    pub fn ends(mut self, by: Role, act: impl FnOnce(Conn) -> Option<Conn>) -> Ending {
        self.inside();
        let Some(station) = self.inner else { return ending(&mut self.partner) };
        let (actor, mut other) =
            if by == Role::Initiator { (self.partner, station) } else { (station, self.partner) };
        let actor = act(actor);
        let seen = ending(&mut other);
        other.close();
        drop(actor);
        seen
    }

    /// `by` disappears with `act`, as a killed process does; returns what the other side sees, if it was called.
    pub fn dies(self, by: Role, act: impl FnOnce(Conn) -> Option<Conn>) -> Option<Ending> {
        if self.inner.is_some() {
            return Some(self.ends(by, act));
        }
        act(self.partner);
        None
    }

    /// The partner closes in the regular way, and then the station: returns what both see.
    pub fn finish(mut self) -> (Ending, Option<Ending>) {
        self.partner.close();
        let station = self.inner.as_mut().map(|inner| {
            let station = ending(inner);
            inner.close();
            station
        });
        (ending(&mut self.partner), station)
    }

    /// Returns what the partner sees until its connection ends, which it then closes; then the same for the station, if
    /// it was called.
    pub fn ending(mut self) -> (Ending, Option<Ending>) {
        let partner = ending(&mut self.partner);
        self.partner.close();
        (partner, self.inner.as_mut().map(ending))
    }
}

fn ending(conn: &mut Conn) -> Ending {
    let mut octets = Vec::new();
    let mut room = [0; 4096];
    loop {
        match conn.read(&mut room) {
            Ok(count) => octets.extend(&room[..count]),
            Err(how) => return Ending { octets, how },
        }
    }
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\", then {}", self.octets.escape_ascii(), self.how)
    }
}

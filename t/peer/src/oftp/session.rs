//! One session from the connection to its end: turns, commands, and the result.
//! Half duplex (RFC 5024 §9.3), so it is straight-line code: the side with the turn writes, the other side reads.

use super::codec::{CodecError, HEADER, LARGEST_BUFFER, Level};
use super::command::Command;
use super::queue::Queue;
use super::report::{Agreed, Ending, Report, Side};
use super::settings::{Act, Point, Settings};
use crate::transport::{Break, Conn};
use std::time::{Duration, Instant};

/// The longest wait for the other side's close after an ESID.
const CLOSING: Duration = Duration::from_secs(10);

/// Who opened the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We did; we speak first.
    Initiator,
    /// The other side did.
    Responder,
}

/// Why the session does not continue.
#[derive(Debug)]
pub(super) enum Stop {
    /// The peer's ESID.
    Ended(u8, String),
    /// The peer broke a rule, or we end for another reason: our ESID still has to be sent.
    End(u8, String),
    /// The connection has ended.
    Broken(Break),
    /// We have misbehaved; the reaction of the peer.
    Misbehaviour(Option<Break>),
}

impl From<Break> for Stop {
    fn from(end: Break) -> Self {
        Self::Broken(end)
    }
}

impl From<CodecError> for Stop {
    fn from(error: CodecError) -> Self {
        Self::End(error.reason(), error.to_string())
    }
}

/// One running session.
pub struct Session<'a> {
    pub(super) conn: Conn,
    pub(super) role: Role,
    pub(super) settings: &'a Settings,
    pub(super) queue: &'a Queue,
    pub(super) report: Report,
    pub(super) agreed: Agreed,
    pub(super) peer_code: String,
    buffer: Vec<u8>,
    has_misbehaved: bool,
}

impl<'a> Session<'a> {
    /// A session over `conn`, not begun yet.
    pub fn new(conn: Conn, role: Role, settings: &'a Settings, queue: &'a Queue, number: u64) -> Self {
        let mut report = Report::new(number);
        report.address = conn.peer_address();
        report.tls = conn.tls_facts();
        let agreed = Agreed {
            level: settings.level,
            buffer: settings.buffer,
            credit: settings.credit,
            compression: false,
            restart: false,
            may_send: false,
        };
        let peer_code = String::new();
        let buffer = Vec::new();
        Self { conn, role, settings, queue, report, agreed, peer_code, buffer, has_misbehaved: false }
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Report {
        let began = Instant::now();
        let result = match self.conn.set_timeout(Some(self.settings.timeout)) {
            Ok(()) => self.converse(),
            Err(end) => Err(Stop::Broken(end)),
        };
        (self.report.ending, self.report.close) = self.end(result);
        self.report.octets_in = self.conn.octets_in;
        self.report.octets_out = self.conn.octets_out;
        self.report.took = began.elapsed();
        self.report
    }

    fn converse(&mut self) -> Result<(), Stop> {
        self.misbehave(Point::Connected)?;
        self.start()?;
        self.misbehave(Point::Started)?;
        let mut may_end = false;
        if self.role == Role::Responder {
            may_end = self.listen()?;
        }
        loop {
            if self.speak(may_end)? {
                return Ok(());
            }
            may_end = self.listen()?;
        }
    }

    /// Our turn: receipts, then files, then CD, or ESID(00) if it is due (RFC 5024 §3.4.1). True if it ended.
    fn speak(&mut self, mut may_end: bool) -> Result<bool, Stop> {
        loop {
            if let Some(receipt) = self.queue.take_receipt(&self.peer_code, self.report.session) {
                may_end = false;
                if receipt.refusal.is_some() && self.agreed.level < Level::Four {
                    continue;
                }
                if let Err(stop) = self.send_receipt(&receipt) {
                    self.queue.add_receipt(&self.peer_code, receipt, None);
                    return Err(stop);
                }
            } else if let Some(file) = self.agreed.may_send.then(|| self.queue.take_file()).flatten() {
                may_end = false;
                if self.send_file(&file)? {
                    self.send(&Command::Cd)?;
                    return Ok(false);
                }
            } else if may_end {
                self.send(&Command::Esid { reason: 0, text: String::new() })?;
                return Ok(true);
            } else {
                self.send(&Command::Cd)?;
                return Ok(false);
            }
        }
    }

    /// Their turn, until they give it up; says whether we may end the session with ESID(00).
    fn listen(&mut self) -> Result<bool, Stop> {
        let mut cd_is_due = false;
        loop {
            match self.receive()? {
                Command::Cd => return Ok(!cd_is_due),
                other if cd_is_due => return Err(out_of_order(&other, "CD")),
                Command::Sfid(sfid) => cd_is_due = self.receive_file(&sfid)?,
                Command::Receipt(receipt) => {
                    self.report.receipts.push(receipt);
                    self.send(&Command::Rtr)?;
                }
                other => return Err(out_of_order(&other, "SFID, EERP, NERP or CD")),
            }
        }
    }

    fn end(&mut self, result: Result<(), Stop>) -> (Ending, Option<Break>) {
        match result {
            Ok(()) => {
                let close = self.conn.drain(CLOSING);
                self.conn.close();
                (Ending::Normal(Side::Us), Some(close))
            }
            Err(Stop::Ended(reason, text)) => {
                self.conn.close();
                let close = Some(self.conn.drain(CLOSING));
                match reason {
                    0 => (Ending::Normal(Side::Peer), close),
                    _ => (Ending::Aborted { by: Side::Peer, reason, text }, close),
                }
            }
            Err(Stop::End(reason, text)) => {
                let short = text.chars().take(120).collect();
                let close = match self.send(&Command::Esid { reason, text: short }) {
                    Ok(()) => self.conn.drain(CLOSING),
                    Err(_) => Break::Reset,
                };
                self.conn.close();
                (Ending::Aborted { by: Side::Us, reason, text }, Some(close))
            }
            Err(Stop::Broken(end)) => (Ending::Broken(end.clone()), Some(end)),
            Err(Stop::Misbehaviour(close)) => (Ending::Misbehaviour, close),
        }
    }

    /// Sends one command at once.
    pub(super) fn send(&mut self, command: &Command) -> Result<(), Stop> {
        let octets = command.encode(self.agreed.level)?;
        self.send_encoded(&octets)
    }

    /// Sends one Exchange Buffer as it stands.
    pub(super) fn send_encoded(&mut self, octets: &[u8]) -> Result<(), Stop> {
        let length = u32::try_from(octets.len() + HEADER).unwrap_or(u32::MAX).to_be_bytes();
        let mut whole = vec![0x10, length[1], length[2], length[3]];
        whole.extend_from_slice(octets);
        let written = self.conn.write(&whole).and_then(|()| self.conn.flush());
        written.map_err(|end| self.last_words(end))
    }

    /// Sends a whole DATA buffer; it may be held back until the next one.
    pub(super) fn send_data(&mut self, whole: &[u8]) -> Result<(), Stop> {
        self.conn.write(whole).map_err(|end| self.last_words(end))
    }

    /// If a peer no longer reads what we write, it may have said why: its ESID, or its alert, can still be read.
    fn last_words(&mut self, end: Break) -> Stop {
        let _ = self.conn.set_timeout(Some(Duration::from_secs(1)));
        for _ in 0..16 {
            match self.receive() {
                Ok(_) => {}
                Err(Stop::Broken(Break::TimedOut)) => break,
                Err(stop) => return stop,
            }
        }
        Stop::Broken(end)
    }

    /// The next command; an ESID is the end.
    pub(super) fn receive(&mut self) -> Result<Command, Stop> {
        let level = self.agreed.level;
        match Command::decode(self.receive_octets()?, level)? {
            Command::Esid { reason, text } => Err(Stop::Ended(reason, text)),
            command => Ok(command),
        }
    }

    /// The next Exchange Buffer as octets.
    pub(super) fn receive_octets(&mut self) -> Result<&[u8], Stop> {
        let mut header = [0; HEADER];
        self.conn.read_exact(&mut header)?;
        let length = header[1..].iter().fold(0, |sum, &octet| sum * 256 + usize::from(octet));
        if header[0] != 0x10 || !(HEADER + 1..=HEADER + LARGEST_BUFFER).contains(&length) {
            return Err(CodecError::Header(header).into());
        }
        self.buffer.resize(length - HEADER, 0);
        self.conn.read_exact(&mut self.buffer)?;
        Ok(&self.buffer)
    }

    /// Misbehaves if this is the moment for it.
    pub(super) fn misbehave(&mut self, now: Point) -> Result<(), Stop> {
        let Some(misbehaviour) = &self.settings.misbehaviour else { return Ok(()) };
        let is_time = match (misbehaviour.at, now) {
            (Point::Data(from), Point::Data(at)) => at >= from,
            (wanted, now) => wanted == now,
        };
        if !is_time || self.has_misbehaved {
            return Ok(());
        }
        self.has_misbehaved = true;
        let patience = self.settings.timeout;
        let close = match misbehaviour.act.clone() {
            Act::Delay(pause) => {
                self.conn.flush()?;
                std::thread::sleep(pause);
                return Ok(());
            }
            Act::Close => {
                self.conn.close();
                Some(self.conn.drain(patience))
            }
            Act::Cut => {
                self.conn.cut();
                Some(self.conn.drain(patience))
            }
            Act::Reset => {
                self.conn.reset();
                None
            }
            Act::Silence => {
                self.conn.flush()?;
                return Err(self.read_to_end());
            }
            Act::Stall => {
                self.conn.flush()?;
                self.conn.wait_gone(patience).then_some(Break::Reset)
            }
            Act::Send(octets) => {
                self.conn.write(&octets)?;
                self.conn.flush()?;
                return Err(self.read_to_end());
            }
        };
        Err(Stop::Misbehaviour(close))
    }

    /// Reads everything until an ESID or the end.
    fn read_to_end(&mut self) -> Stop {
        loop {
            let octets = match self.receive_octets() {
                Ok(octets) => octets,
                Err(Stop::Broken(end)) => return Stop::Misbehaviour(Some(end)),
                Err(other) => return other,
            };
            if let Ok(Command::Esid { reason, text }) = Command::decode(octets, Level::Five) {
                return Stop::Ended(reason, text);
            }
        }
    }
}

/// The peer's command is not an expected one.
pub(super) fn out_of_order(found: &Command, due: &str) -> Stop {
    Stop::End(2, format!("{} came where {due} was due", found.name()))
}

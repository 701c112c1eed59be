//! The data that a session child needs from its start to its end: its waiter, its channel, the configuration of its
//! fork, the data connection once it has one, and the facts about the session for its log lines.

use crate::active_config::ActiveConfig;
use crate::messages::{Peer, SessionLimit, ToChild, ToParent};
use crate::report_notes::ReportNotes;
use crate::session::child_init::ChildInit;
use crate::unreported::Unreported;
use common::ipc::channel::{Channel, Received};
use common::link::join;
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::log::{Event, Priority};
use common::net::{Conn, Interrupted, Waiter, Wire};
use common::partner_test::TestRecord;
use common::process::drain::Cause;
use common::process::end_reasons::Status;
use common::rpc::{About, Origin, SessionEvent, SystemLog};
use common::sandbox::Sandbox;
use common::session::end_lines;
use common::session::ledger::EndNotes;
use common::state::{Progress, Refused};
use mio::net::TcpStream;
use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::fd::OwnedFd;
use std::time::Instant;

/// Why a child stops because of its parent.
#[derive(Debug)]
pub(super) enum Halt {
    /// A message of the parent cannot be read, or lacks its descriptor.
    Garbled(String),
    /// The connection is not verified, and another one needs its place.
    MakeWay,
}

/// The data connection of the child's pair, before the join: everything is prepared, and nothing has been sent.
pub(super) struct Data {
    pub(super) pair: SessionId,
    pub(super) conn: Conn,
}

impl Data {
    /// The side with work begins the join: this side once a partner has come, the client's side once a station has.
    fn new(direction: Direction, pair: SessionId, ticket: &Ticket, socket: TcpStream) -> io::Result<Self> {
        let ssl = match direction {
            Direction::Incoming => join::initiate(pair, ticket),
            Direction::Outgoing => join::accept(pair, ticket),
        };
        let mut conn = Conn::tls(ssl?, Wire::new(socket))?;
        if direction == Direction::Incoming {
            conn.prepare();
        }
        Ok(Self { pair, conn })
    }

    /// Whether octets have arrived or the connection has ended. Nothing is read, so a parked connection needs no
    /// buffer.
    pub(super) fn has_moved(&mut self) -> bool {
        !matches!(self.conn.wire().socket().peek(&mut [0]), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }
}

/// The parent's answer: whether the partner may have one more session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Open,
    Admitted,
    Full(SessionLimit),
    Unlicensed,
    /// No new sessions are taken; why.
    Draining(Cause),
}

/// What is known about the session.
pub(super) struct Facts {
    pub(super) direction: Direction,
    /// The destination that the station asked for (outgoing).
    pub(super) target: String,
    pub(super) peer: Option<SocketAddr>,
    /// The address to which the partner has connected: ours, or its balancer's (incoming).
    pub(super) reached: Option<SocketAddr>,
    pub(super) pair: Option<SessionId>,
    pub(super) tls: String,
    pub(super) subject: String,
    pub(super) serial: String,
    /// The certificates that the partner has shown, PEM, its own first.
    pub(super) chain: Vec<String>,
    pub(super) ssid: String,
    pub(super) partner: String,
    /// An administrator tests the partner: there is no station.
    pub(super) is_test: bool,
}

impl Facts {
    fn new(direction: Direction) -> Self {
        let unknown = String::new;
        Self {
            direction,
            target: unknown(),
            peer: None,
            reached: None,
            pair: None,
            tls: unknown(),
            subject: unknown(),
            serial: unknown(),
            chain: Vec::new(),
            ssid: unknown(),
            partner: unknown(),
            is_test: false,
        }
    }

    /// Sets the partner that has connected.
    pub(super) fn set_peer(&mut self, peer: SocketAddr) {
        common::sys::set_title(&format!("incoming {}", peer.ip()));
        self.peer = Some(peer);
    }

    /// The value of the field `test` in its lines.
    pub(super) fn test(&self) -> &'static str {
        if self.is_test { "yes" } else { "" }
    }

    /// The partner's address and port; before these are known, the destination that the station gave.
    pub(super) fn address(&self) -> String {
        self.peer.map_or_else(|| self.target.clone(), |peer| peer.to_string())
    }
}

pub(super) struct SessionContext {
    pub(super) waiter: Waiter,
    pub(super) active: ActiveConfig,
    pub(super) facts: Facts,
    /// The steps of a test, once the call has begun.
    pub(super) record: Option<TestRecord>,
    pub(super) data: Option<Data>,
    pub(super) admission: Admission,
    pub(super) no_pair: Option<String>,
    pub(super) partner: Option<(TcpStream, Peer)>,
    /// The parent's answer whether the partner that a balancer has named may come in.
    pub(super) entry: Option<Result<(), (Status, String)>>,
    pub(super) parent_gone: bool,
    /// Whether a refusal may have a log line.
    pub(super) has_line: bool,
    /// The parent has asked this child to close its connection, because another one needs the place.
    makes_way: bool,
    /// The administrator who ends the session.
    ended_by: Option<String>,
    channel: Channel,
    unreported: Unreported,
    report_notes: ReportNotes,
    end_notes: EndNotes,
    sandbox: Sandbox,
}

impl SessionContext {
    pub(super) fn new(init: ChildInit) -> io::Result<Self> {
        let ChildInit { mut channel, active, direction, unreported, report_notes, end_notes, sandbox } = init;
        // Only a child for a station connects to partners.
        sandbox.enter_session(direction == Direction::Outgoing)?;
        let waiter = Waiter::new()?;
        waiter.watch_parent(&mut channel)?;
        Ok(Self {
            waiter,
            active,
            facts: Facts::new(direction),
            record: None,
            data: None,
            admission: Admission::Open,
            no_pair: None,
            partner: None,
            entry: None,
            parent_gone: false,
            has_line: true,
            makes_way: false,
            ended_by: None,
            channel,
            unreported,
            report_notes,
            end_notes,
            sandbox,
        })
    }

    /// Both connections exist: no other one is made.
    pub(super) fn close_sandbox(&self) -> io::Result<()> {
        Ok(self.sandbox.close()?)
    }

    /// Reads all messages of the parent.
    pub(super) fn read_parent(&mut self) -> Result<(), Halt> {
        let moved = self.waiter.take_parent_moved();
        while moved && !self.parent_gone {
            match self.channel.receive::<ToChild>() {
                Ok(Received::Message(message, descriptor)) => {
                    self.on_message(message, descriptor).map_err(|e| Halt::Garbled(e.to_string()))?;
                }
                Ok(Received::Blocked) => break,
                Ok(Received::Gone) => self.parent_gone = true,
                Err(e) => return Err(Halt::Garbled(e.to_string())),
            }
        }
        if self.makes_way { Err(Halt::MakeWay) } else { Ok(()) }
    }

    fn on_message(&mut self, message: ToChild, descriptor: Option<OwnedFd>) -> io::Result<()> {
        match message {
            ToChild::Data { pair, ticket } => {
                let socket = self.watch_socket(descriptor)?;
                self.no_pair = None;
                self.data = Some(Data::new(self.facts.direction, pair, &ticket, socket)?);
            }
            ToChild::Serve(peer) => {
                let socket = self.watch_socket(descriptor)?;
                self.has_line = peer.has_line;
                self.partner = Some((socket, peer));
            }
            ToChild::Entry { has_line, refusal } => {
                self.has_line = has_line;
                let status = |number| Status::from_number(number).unwrap_or(Status::Internal);
                self.entry = Some(refusal.map_or(Ok(()), |(number, reason)| Err((status(number), reason))));
            }
            ToChild::MakeWay => self.makes_way = true,
            ToChild::End { administrator } => self.ended_by = Some(administrator),
            ToChild::Debug(time) => time.apply(Instant::now()),
            ToChild::Admitted => self.admission = Admission::Admitted,
            ToChild::Full(limit) => self.admission = Admission::Full(limit),
            ToChild::Unlicensed => self.admission = Admission::Unlicensed,
            ToChild::Draining(cause) => self.admission = Admission::Draining(cause),
            ToChild::NoPair { reason } => self.no_pair = Some(reason),
        }
        Ok(())
    }

    /// A socket from the parent, registered with the waiter.
    fn watch_socket(&mut self, descriptor: Option<OwnedFd>) -> io::Result<TcpStream> {
        let descriptor =
            descriptor.ok_or_else(|| io::Error::other("a message came without its descriptor"))?;
        // The parent has accepted it, so it is non-blocking and sends without delay.
        let mut socket = TcpStream::from_std(StdStream::from(descriptor));
        self.waiter.watch(&mut socket)?;
        Ok(socket)
    }

    /// Sends a message to the parent. If the parent is gone, this child notices it when it reads.
    pub(super) fn send_to_parent(&self, message: &ToParent) {
        self.channel.send_to_parent(message);
    }

    /// Writes the end line; none: this end has no line.
    pub(super) fn log_end(&self, line: Option<Event>) {
        end_lines::write(line, &self.end_notes, self.facts.pair, |remains| {
            self.channel.send_to_parent(&ToParent::EndLogged(remains))
        });
    }

    /// A step of the call has succeeded; `text` is only made for a test.
    pub(super) fn pass_step(&mut self, text: impl FnOnce(&Self) -> String) {
        if let Some(mut record) = self.record.take() {
            record.pass(text(self), Instant::now());
            self.record = Some(record);
        }
    }

    /// Reports begin or end of the session to the backend. Without this parent, the next one reports it.
    pub(super) fn report(&self, event: SessionEvent) {
        self.report_notes.note(&event);
        let message = ToParent::Session(Box::new(event));
        if !self.channel.send_to_parent(&message)
            && let ToParent::Session(event) = message
        {
            self.unreported.keep([&*event]);
        }
    }

    /// Asks the parent to count this refusal.
    pub(super) fn count_refusal(&self, reason: Status) {
        let facts = &self.facts;
        self.send_to_parent(&ToParent::Refused(Box::new(Refused {
            direction: facts.direction.word().to_owned(),
            reason: reason.word().to_owned(),
            address: facts.peer.map(|peer| peer.ip()),
            ssid: facts.ssid.clone(),
            partner: facts.partner.clone(),
            subject: facts.subject.clone(),
        })));
    }

    /// Sends an entry for the backend's system log: our words, and the line with the peer's values, at the line's
    /// level.
    pub(super) fn send_system_log(&self, level: Priority, reason: Status, text: &str, line: &Event) {
        let entry = SystemLog::new(Origin::Server, level.into(), text, line.text());
        let facts = &self.facts;
        self.send_to_parent(&ToParent::SystemLog(Box::new(SystemLog {
            address: facts.peer.map(|peer| peer.ip()),
            partner: Some(facts.partner.clone()).filter(|name| !name.is_empty()),
            about: About {
                reason: reason.word().to_owned(),
                session: facts.pair.map(|pair| pair.to_string()).unwrap_or_default(),
                ssid: facts.ssid.clone(),
                subject: facts.subject.clone(),
                ..entry.about
            },
            ..entry
        })));
    }

    /// The three things that a relay needs: the waiter; a function that reports progress, which may fail while the
    /// parent is busy; and a function that reads the parent's messages and names the administrator who ends the
    /// session.
    pub(super) fn for_relay(
        &mut self,
    ) -> (&mut Waiter, impl Fn(Progress) + use<'_>, impl FnMut() -> Option<String> + use<'_>) {
        let Self { waiter, channel, ended_by, .. } = self;
        let channel = &*channel;
        let tell = move |progress| {
            if let Err(e) = channel.send(&ToParent::Progress(progress)) {
                common::debug!("the progress of the session cannot be reported to the parent: {e}");
            }
        };
        let administrator = move || {
            while let Ok(Received::Message(message, _)) = channel.receive::<ToChild>() {
                match message {
                    ToChild::End { administrator } => *ended_by = Some(administrator),
                    ToChild::Debug(time) => time.apply(Instant::now()),
                    _ => {}
                }
            }
            ended_by.take()
        };
        (waiter, tell, administrator)
    }

    /// Closes once everything is sent; at once if another connection needs the place.
    pub(super) fn close(&mut self, conn: Conn) {
        let (channel, makes_way) = (&self.channel, &mut self.makes_way);
        common::net::goodbye_unless(&mut self.waiter, conn, || {
            while let Ok(Received::Message(message, _)) = channel.receive::<ToChild>() {
                *makes_way |= matches!(message, ToChild::MakeWay);
            }
            *makes_way
        });
    }

    /// Waits for the next event.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Result<(), Interrupted> {
        self.waiter.wait(deadline)
    }
}

//! The server as the client's parent sees it: joining it, renewing the certificate, and what it asks. Its messages ask
//! and report; none names an address, a path or a command.

use super::backend::BackendCall;
use super::{CONTROL, Need, Parent, Route};
use common::identity::ProxyId;
use common::link::control::{Control, ControlError, MAX_REPORT, ToClient, ToServer, VERSION};
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::link::tls;
use common::log::{Event, events};
use common::net::{self, Conn, Interrupted, LookupError, Waiter};
use common::process::signals::End;
use common::process::startup::{Finish, Ready};
use common::rpc::{Enrolment, Origin, SystemLog};
use common::sys;
use mio::Interest;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslContext};
use openssl::x509::X509;
use std::fmt;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Connecting, handshake and Welcome together.
const JOIN: Duration = Duration::from_secs(10);
/// A failed renewal is tried again after this.
const RENEW_AGAIN: Duration = Duration::from_secs(300);
/// How long our end may wait for what is queued.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// A certificate of a shorter life would be renewed all the time, seconds.
const LEAST_VALID: u32 = 60;
/// While the server opens its port for a renewal.
const DIAL_AGAIN: Duration = Duration::from_millis(50);

/// What enrolment has given.
pub(super) struct Membership {
    context: SslContext,
    proxies: Vec<ProxyId>,
    renew_at: Instant,
}

impl Membership {
    pub(super) fn renew_at(&self) -> Instant {
        self.renew_at
    }
}

/// The control connection.
pub(super) struct Joined {
    control: Control<ToClient, ToServer>,
    address: SocketAddr,
    proxy_id: ProxyId,
}

impl Joined {
    /// Where the server was reached: data connections go to the same address.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn proxy_id(&self) -> ProxyId {
        self.proxy_id.clone()
    }

    pub(super) fn due(&self) -> Instant {
        self.control.due()
    }
}

/// Why the server was not joined.
#[derive(Debug)]
enum JoinError {
    Reach(LookupError),
    Tls(String),
    WrongServer(tls::WrongPeer),
    Refused(String),
    Version(u32),
    Control(ControlError),
    Interrupted(Interrupted),
    Setup(String),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reach(e) => e.fmt(f),
            Self::Tls(e) => write!(f, "the TLS handshake with the server failed: {e}"),
            Self::WrongServer(e) => write!(f, "this is not the right server: {e}"),
            Self::Refused(reason) => write!(f, "the server refused this client: {reason}"),
            Self::Version(theirs) => {
                write!(f, "the server speaks version {theirs} of the link, this client speaks {VERSION}")
            }
            Self::Control(e) => e.fmt(f),
            Self::Interrupted(Interrupted::Late) => {
                write!(f, "the server did not answer within {} s", JOIN.as_secs())
            }
            Self::Interrupted(e) => e.fmt(f),
            Self::Setup(e) => f.write_str(e),
        }
    }
}

impl From<Interrupted> for JoinError {
    fn from(e: Interrupted) -> Self {
        Self::Interrupted(e)
    }
}

impl From<ControlError> for JoinError {
    fn from(e: ControlError) -> Self {
        Self::Control(e)
    }
}

impl Parent {
    /// A new key for this enrolment, kept until its certificate comes; its public half in PEM.
    pub(super) fn new_key(&mut self) -> Option<String> {
        let made = make_key();
        match made {
            Ok((key, public)) => {
                self.key = Some(key);
                Some(public)
            }
            Err(e) => {
                self.stop = Some(Finish::Failed(format!("no key can be made: {e}")));
                None
            }
        }
    }

    /// Our certificate has come. At the start the configuration is next; later, the control connection is renewed.
    pub(super) fn take_enrolment(&mut self, enrolment: &Enrolment) -> Result<(), String> {
        let Some(key) = self.key.take() else { return Ok(()) };
        let membership = membership(enrolment, &key)
            .map_err(|e| format!("the certificate that the backend issued cannot be used: {e}"))?;
        Event::new(&events::ENROLLED).field_num("seconds", enrolment.valid_seconds).log();
        self.membership = Some(membership);
        if self.joined.is_some() {
            self.renew();
        } else {
            self.ask(BackendCall::ClientConfig);
        }
        Ok(())
    }

    /// The first join: straight through, nothing else is under way yet.
    pub(super) fn join_server(&mut self) {
        match self.dial(None).and_then(|joined| self.watch(joined)) {
            Ok(()) => {
                if let Some(ready) = self.ready.take() {
                    Ready::tell(ready);
                }
                self.hear_server();
            }
            Err(e) => {
                let reason = format!("the server {} was not joined: {e}", self.route);
                self.stop = Some(Finish::Failed(reason));
            }
        }
    }

    pub(super) fn renew_when_due(&mut self) {
        if self.joined.is_some() && self.membership.as_ref().is_some_and(|own| own.renew_at <= Instant::now())
        {
            // BackendCall once; the answer sets the next time.
            self.renewal_failed();
            self.ask(BackendCall::Enrolment);
        }
    }

    pub(super) fn renewal_failed(&mut self) {
        if let Some(own) = &mut self.membership {
            own.renew_at = Instant::now() + RENEW_AGAIN;
        }
    }

    /// A new control connection in the place of the old one; sessions notice nothing.
    fn renew(&mut self) {
        let renewed = (|| {
            let secret = Ticket::random().map_err(|e| JoinError::Setup(e.to_string()))?;
            self.tell_server(&ToServer::Renewing { secret: secret.clone() });
            if let Some(joined) = &mut self.joined {
                joined.control.advance()?;
            }
            let joined = self.dial(Some(secret))?;
            self.read_to_the_end();
            if let Some(mut old) = self.joined.take() {
                let _ = self.poller.registry().deregister(old.control.conn().wire().socket());
            }
            self.watch(joined)
        })();
        // The dialling had this process's signals: what they asked for is done now.
        self.bury();
        self.children.release_parked();
        if let Err(JoinError::Interrupted(Interrupted::Ended(_))) = renewed {
            self.stop = Some(Finish::Told(End::Term));
        } else if let Err(e) = renewed {
            if self.joined.is_none() {
                self.stop = Some(Finish::Failed(format!("the renewed control connection failed: {e}")));
            }
            common::error!("the control connection was not renewed: {e}");
            self.renewal_failed();
        }
    }

    /// What the server said to the old connection before it took the new one in its place.
    fn read_to_the_end(&mut self) {
        let until = Instant::now() + LAST_WORDS;
        while let Some(joined) = &mut self.joined {
            match joined.control.receive() {
                Ok(Some(message)) => self.take(message),
                Ok(None) if Instant::now() < until => joined.control.wait_readable(until),
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Connects, proves both ends, says Hello and hears Welcome.
    fn dial(&mut self, renews: Option<Ticket>) -> Result<Joined, JoinError> {
        let own = self.membership.as_ref().ok_or_else(|| JoinError::Setup("not enrolled".to_owned()))?;
        let mut waiter = Waiter::new().map_err(|e| JoinError::Setup(e.to_string()))?;
        let deadline = Instant::now() + JOIN;
        let mut conn = loop {
            match reach(&mut waiter, &self.route, deadline) {
                // The server opens its port when it has read that we renew.
                Err(JoinError::Reach(LookupError::Unreachable(..)))
                    if renews.is_some() && Instant::now() < deadline =>
                {
                    pause(&mut waiter, DIAL_AGAIN)?;
                }
                other => break other?,
            }
        };
        let address = conn.peer_addr().map_err(|e| JoinError::Setup(e.to_string()))?;
        let ssl = connect_state(&own.context).map_err(|e| JoinError::Setup(e.to_string()))?;
        conn = conn.encrypt(ssl).map_err(|e| JoinError::Setup(e.to_string()))?;
        waiter.drive(Some(deadline), || conn.handshake().map_err(|e| JoinError::Tls(e.to_string())))?;
        let ssl = conn.ssl().ok_or_else(|| JoinError::Setup("no TLS".to_owned()))?;
        let proxy_id = tls::check_server(ssl, &own.proxies).map_err(JoinError::WrongServer)?;
        let mut control = Control::new(conn);
        control.send(&ToServer::Hello { version: VERSION, renews })?;
        welcome(&mut waiter, &mut control, deadline)?;
        waiter.unwatch(control.conn().wire().socket()).map_err(|e| JoinError::Setup(e.to_string()))?;
        Ok(Joined { control, address, proxy_id })
    }

    fn watch(&mut self, mut joined: Joined) -> Result<(), JoinError> {
        let both = Interest::READABLE | Interest::WRITABLE;
        let socket = joined.control.conn().wire().socket();
        self.poller
            .registry()
            .register(socket, CONTROL, both)
            .map_err(|e| JoinError::Setup(e.to_string()))?;
        Event::new(&events::SERVER_JOINED)
            .field_display("address", joined.address)
            .field_display("proxy_id", &joined.proxy_id)
            .log();
        sys::set_title(&format!("joined {}", joined.address));
        self.joined = Some(joined);
        Ok(())
    }

    /// More of the server's messages may be there than one turn takes.
    pub(super) fn server_has_more(&self) -> bool {
        self.joined.as_ref().is_some_and(|joined| joined.control.has_more())
    }

    /// Reads all that the server has sent.
    pub(super) fn hear_server(&mut self) {
        while let Some(joined) = &mut self.joined {
            match joined.control.receive() {
                Ok(Some(message)) => self.take(message),
                Ok(None) => return,
                Err(e) => return self.lose_server(&e),
            }
        }
    }

    fn take(&mut self, message: ToClient) {
        match message {
            ToClient::Ping | ToClient::Welcome { .. } => {}
            ToClient::Refused { reason } => {
                self.stop = Some(Finish::Failed(format!("the server refused this client: {reason}")));
            }
            ToClient::GetConfig { generation } => self.fetch_config(generation),
            ToClient::Pair { pair, ticket, direction: Direction::Incoming } => self.take_pair(pair, ticket),
            ToClient::Pair { pair, ticket, direction: Direction::Outgoing } => {
                self.take_outgoing(pair, ticket);
            }
            ToClient::NoOutgoing { reason } => self.no_outgoing(reason),
            ToClient::Retire { pair } => self.children.retire(pair),
            ToClient::CrlUrl { url } => self.pass_report(BackendCall::CrlUrl(url)),
            // Whatever the DMZ says of itself, this comes from there.
            ToClient::SystemLog(entry) => {
                self.pass_report(BackendCall::SystemLog(Box::new(SystemLog {
                    origin: Origin::Server,
                    ..*entry
                })));
            }
            ToClient::Sessions(events) => self.pass_report(BackendCall::Sessions(events)),
        }
    }

    /// On to the backend, unless it is larger than any that a server of ours sends.
    fn pass_report(&mut self, mut report: BackendCall) {
        let octets = report.octets();
        if octets <= MAX_REPORT {
            if let BackendCall::Sessions(events) = &mut report {
                self.name_stations(events);
            }
            self.tell_backend(report);
        } else if let Some(unlogged) = self.large_reports.admit(Instant::now()) {
            common::warn!(
                "a report of the server for {} is refused: it has {octets} octets, {MAX_REPORT} are allowed; {unlogged} more were refused since the last such line",
                report.function()
            );
        }
    }

    /// One at a time: a server that asks again before it has its answer asks in vain.
    fn fetch_config(&mut self, generation: Option<u64>) {
        let busy = self.joined.as_ref().is_some_and(|joined| joined.control.bulk_pending());
        if busy || self.is_asked("proxy_config") {
            common::debug!("the server asks for its configuration while it is on its way");
            return;
        }
        self.ask(BackendCall::ServerConfig(generation));
    }

    /// A session child is wanted. How many there may be is ours to say, not the DMZ's.
    fn take_pair(&mut self, pair: SessionId, ticket: Ticket) {
        let limits = self.config.as_ref().map(|config| config.limits.clone()).unwrap_or_default();
        let most = limits.sessions as usize + 2 * limits.parked_pairs as usize;
        if !self.pair_rate.take(Instant::now()) {
            return self.pair_failed(
                pair,
                "the server asks for session processes faster than this client makes them",
            );
        }
        let queued = self.needs.iter().filter(|need| matches!(need, Need::Pair(..))).count();
        if self.children.incoming() + queued >= most {
            return self.pair_failed(pair, "this client has as many session processes as it may");
        }
        self.needs.push_back(Need::Pair(pair, ticket));
    }

    pub(super) fn pair_failed(&mut self, pair: SessionId, reason: &str) {
        common::warn!("pair {pair} failed: {}", common::log::escape(reason));
        self.tell_server(&ToServer::PairFailed { pair, reason: reason.to_owned() });
    }

    pub(super) fn tend_server(&mut self) {
        if let Some(joined) = &mut self.joined
            && let Err(e) = joined.control.advance()
        {
            self.lose_server(&e);
        }
    }

    pub(super) fn tell_server(&mut self, message: &ToServer) {
        if let Some(joined) = &mut self.joined
            && let Err(e) = joined.control.send(message)
        {
            self.lose_server(&e);
        }
    }

    pub(super) fn tell_server_bulk(&mut self, message: &ToServer) {
        if let Some(joined) = &mut self.joined
            && let Err(e) = joined.control.send_bulk(message)
        {
            self.lose_server(&e);
        }
    }

    /// This parent ends: the server hears of it at once.
    pub(super) fn leave_server(&mut self) {
        if let Some(joined) = &mut self.joined {
            joined.control.close(LAST_WORDS);
        }
    }

    /// As documented: when the server ends, the client ends.
    fn lose_server(&mut self, e: &ControlError) {
        self.joined = None;
        self.stop.get_or_insert_with(|| Finish::Failed(e.to_string()));
    }
}

fn make_key() -> Result<(PKey<Private>, String), ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let public = String::from_utf8_lossy(&key.public_key_to_pem()?).into_owned();
    Ok((key, public))
}

fn membership(enrolment: &Enrolment, key: &PKey<Private>) -> Result<Membership, String> {
    let readable = |what: &str, pem: &str| {
        X509::from_pem(pem.as_bytes()).map_err(|_| format!("{what} is no certificate in PEM form"))
    };
    let certificate = readable("it", &enrolment.certificate)?;
    let ca = readable("that of its CA", &enrolment.ca)?;
    if enrolment.valid_seconds < LEAST_VALID {
        return Err(format!("it is valid for {} s, {LEAST_VALID} are needed", enrolment.valid_seconds));
    }
    let context = tls::client_context(&certificate, key, &ca)
        .map_err(|_| "it does not belong to this client's key".to_owned())?;
    let half = Duration::from_secs(u64::from(enrolment.valid_seconds / 2));
    Ok(Membership { context, proxies: enrolment.proxies.clone(), renew_at: Instant::now() + half })
}

fn reach(waiter: &mut Waiter, route: &Route, deadline: Instant) -> Result<Conn, JoinError> {
    let addresses = net::resolve(waiter, &route.host, route.port, deadline).map_err(JoinError::Reach)?;
    let mut wire = net::connect(waiter, &addresses, route.source, deadline).map_err(JoinError::Reach)?;
    net::keepalive(wire.socket()).map_err(|e| JoinError::Setup(e.to_string()))?;
    Ok(Conn::Plain(wire))
}

fn connect_state(context: &SslContext) -> Result<Ssl, ErrorStack> {
    let mut ssl = Ssl::new(context)?;
    ssl.set_connect_state();
    Ok(ssl)
}

fn welcome(
    waiter: &mut Waiter,
    control: &mut Control<ToClient, ToServer>,
    deadline: Instant,
) -> Result<(), JoinError> {
    waiter.drive(Some(deadline), || {
        control.advance()?;
        match control.receive()? {
            Some(ToClient::Welcome { version: VERSION }) => Ok(Poll::Ready(())),
            Some(ToClient::Welcome { version }) => Err(JoinError::Version(version)),
            Some(ToClient::Refused { reason }) => Err(JoinError::Refused(reason)),
            Some(_) => Err(JoinError::Setup("the server's first message was not Welcome".to_owned())),
            None => Ok(Poll::Pending),
        }
    })
}

/// Waits out a moment; only signals are watched meanwhile.
fn pause(waiter: &mut Waiter, time: Duration) -> Result<(), JoinError> {
    match waiter.wait(Some(Instant::now() + time)) {
        Ok(()) | Err(Interrupted::Late) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

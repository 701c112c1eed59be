//! A session child of the client: dials in for its pair, waits parked, relays one session, exits.
//!
//! * incoming: when the server's child asks for it, it connects the station (`station`). It knows its station from the
//!   client's own configuration; nothing that comes from the server names an address.
//! * outgoing: a station has come by a local listener (`outgoing`) and says where to (`request`: `connect`, `socks`);
//!   the server's child calls the partner.

mod context;
mod dial;
mod incoming;
mod outgoing;
mod relay;

use crate::messages::ToParent;
use common::config::ClientConfig;
use common::ipc::channel::Channel;
use common::link::join::{self, Open, Opened, Opening};
use common::link::session_id::{Direction, SessionId};
use common::link::ticket::Ticket;
use common::log::{Priority, events};
use common::net::{Conn, Interrupted};
use common::process::status::Status;
use common::session::inspector::Inspector;
use common::session::relay::Side;
use common::sys;
use context::SessionContext;
use dial::Dialled;
use mio::net::TcpStream;
use relay::Attached;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::{Duration, Instant};

/// What a child is born with. Everything else of the parent is gone before `run`.
pub(crate) struct ChildInit {
    /// Its end of the channel to the parent.
    pub(crate) channel: Channel,
    /// Where the server was reached.
    pub(crate) server: SocketAddr,
    /// `-o`
    pub(crate) source: Option<IpAddr>,
    /// The station and the limits.
    pub(crate) config: ClientConfig,
    /// What it is for.
    pub(crate) work: Work,
}

/// What a child is for.
pub(crate) enum Work {
    /// One half of this pair, until a partner comes.
    Partner(SessionId, Ticket),
    /// One half of this pair, until a station comes.
    Parked(SessionId, Ticket),
    /// This station. Its pair is yet to be had.
    Station(Station),
}

/// A station that has come by a local listener.
pub(crate) struct Station {
    /// Nothing was read yet.
    pub(crate) socket: TcpStream,
    /// Its address and port.
    pub(crate) peer: SocketAddr,
    /// The partner that the listener is tied to.
    pub(crate) tied: Option<String>,
}

/// Why a child ends before it relays.
enum Stop {
    /// Not needed any more: nothing to tell.
    Unused(Status),
    /// It could not do what it is for.
    Failed(Status, String),
}

impl Stop {
    fn internal(e: &dyn fmt::Display) -> Self {
        Self::Failed(Status::Internal, e.to_string())
    }
}

impl From<Interrupted> for Stop {
    fn from(e: Interrupted) -> Self {
        match e {
            Interrupted::Failed(e) => Self::internal(&e),
            Interrupted::Ended(_) => {
                Self::Failed(Status::Terminated, "the session process was told to end".to_owned())
            }
            Interrupted::Late => {
                Self::Failed(Status::Timeout, "the server's session process was too slow".to_owned())
            }
        }
    }
}

/// The whole life of a session child; gives its exit status.
pub(crate) fn run(init: ChildInit) -> Status {
    // A signal to the parent's group (a terminal, a service manager) is not meant for a running session.
    let _ = sys::own_process_group();
    sys::set_title("parked");
    let ChildInit { channel, server, source, config, work } = init;
    let direction = match work {
        Work::Partner(..) => Direction::Incoming,
        Work::Parked(..) | Work::Station(_) => Direction::Outgoing,
    };
    let context = SessionContext::new(channel, server, source, config, direction);
    let mut context = match context {
        Ok(context) => context,
        Err(e) => {
            common::error!("a session process cannot start: {e}");
            return Status::Internal;
        }
    };
    let outcome = match work {
        Work::Partner(pair, ticket) => serve_partner(&mut context, pair, &ticket),
        Work::Parked(pair, ticket) => outgoing::park(&mut context, pair, ticket),
        Work::Station(station) => Ok(outgoing::serve(&mut context, station, None)),
    };
    match outcome {
        Ok(status) | Err(Stop::Unused(status)) => status,
        Err(Stop::Failed(status, detail)) => {
            context.send_to_parent(&ToParent::Failed { reason: detail });
            status
        }
    }
}

fn serve_partner(context: &mut SessionContext, pair: SessionId, ticket: &Ticket) -> Result<Status, Stop> {
    context.pair = Some(pair);
    let joined = dial::dial_and_join(context, pair, ticket)?;
    let (data, open) = joined.question(context)?;
    match incoming::connect(context, &open) {
        Ok((station, inspector)) => {
            let mut attached = Attached { data, station, inspector, open };
            match join::send(&mut attached.data, &Opened::Ready) {
                Ok(()) => Ok(attached.relay(context)),
                Err(e) => Ok(attached.give_up(context, &e)),
            }
        }
        Err(failure) => Ok(failure.report(context, data, &open)),
    }
}

impl Dialled {
    /// Which session it is to be. The partner has the server's time limit for its SSID.
    fn question(self, context: &mut SessionContext) -> Result<(Conn, Open), Stop> {
        let limits = &context.config.limits;
        let limit = u64::from(limits.ssid_seconds) + u64::from(limits.handshake_seconds);
        let deadline = Some(Instant::now() + Duration::from_secs(limit));
        let mut data = self.conn;
        let mut opening = Opening::default();
        let open = loop {
            match opening.receive::<Open>(&mut data) {
                Ok(Poll::Ready(open)) => break open,
                Ok(Poll::Pending) => context.waiter.wait(deadline)?,
                // The partner was refused in the DMZ: its SSID was not to be had, or not its own.
                Err(e) => {
                    common::debug!("a pair ends without a session: {e}");
                    return Err(Stop::Unused(Status::Retired));
                }
            }
        };
        let station = incoming::address(&context.config);
        context.send_to_parent(&ToParent::Joined { partner: open.partner.clone(), station });
        Ok((data, open))
    }
}

impl incoming::Failure {
    /// Tells the server's child, the operator and the log why there is no station.
    fn report(self, context: &mut SessionContext, mut data: Conn, open: &Open) -> Status {
        let event = context
            .event(&events::SESSION_REFUSED, open)
            .field("reason", self.status.word())
            .field("detail", &self.detail);
        context.send_system_log(
            open,
            "the station did not take an incoming session",
            event.text().to_owned(),
        );
        event.log_at(Priority::Error);
        context.send_to_parent(&ToParent::EndLogged);
        let answer = Opened::Failed { reason: self.detail };
        if join::send(&mut data, &answer).is_ok() {
            common::net::goodbye(&mut context.waiter, data);
        }
        if let Some(station) = self.told {
            common::net::goodbye(&mut context.waiter, *station);
        }
        self.status
    }
}

/// The session's inspector: the partner began it.
fn inspector(open: &Open, config: &ClientConfig) -> Inspector {
    Inspector::new(open.profile, config.limits.idle_commands, Side::Outer)
}

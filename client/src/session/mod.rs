//! A session child of the client: dials in for its pair, waits parked, connects the station when the server's child
//! asks for it, relays one session, exits. It knows its station from the client's own configuration; nothing that comes
//! from the server names an address.

mod attached;
mod dial;
mod station;

use crate::orders::ToParent;
use attached::Attached;
use common::config::ClientConfig;
use common::exit::Status;
use common::inspector::Inspector;
use common::link::channel::{Channel, Received};
use common::link::join::{self, Open, Opened, Opening};
use common::link::pair::{PairId, Ticket};
use common::log::{Event, events};
use common::net::{Conn, Interrupted, Waiter};
use common::relay::Side;
use common::rpc::{Origin, SystemLog};
use common::sys;
use dial::Dialled;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::{Duration, Instant};

/// What a child is born with. Everything else of the parent is gone before `run`.
pub(crate) struct Born {
    /// Its end of the channel to the parent.
    pub(crate) channel: Channel,
    /// Where the server was reached.
    pub(crate) server: SocketAddr,
    /// `-o`
    pub(crate) source: Option<IpAddr>,
    /// The pair this child is one half of.
    pub(crate) pair: PairId,
    /// For the join.
    pub(crate) ticket: Ticket,
    /// The station and the limits.
    pub(crate) config: ClientConfig,
}

/// The process's own things, all the way.
struct Desk {
    waiter: Waiter,
    channel: Channel,
    server: SocketAddr,
    source: Option<IpAddr>,
    pair: PairId,
    config: ClientConfig,
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
            Interrupted::Ended => {
                Self::Failed(Status::Terminated, "the session process was told to end".to_owned())
            }
            Interrupted::Late => {
                Self::Failed(Status::Timeout, "the server's session process was too slow".to_owned())
            }
        }
    }
}

/// The whole life of a session child; gives its exit status.
pub(crate) fn run(born: Born) -> Status {
    // A signal to the parent's group (a terminal, a service manager) is not meant for a running session.
    let _ = sys::own_process_group();
    sys::set_title("parked");
    let Born { mut channel, server, source, pair, ticket, config } = born;
    let desk = Waiter::new().and_then(|waiter| {
        waiter.watch(&mut channel)?;
        Ok(Desk { waiter, channel, server, source, pair, config })
    });
    let mut desk = match desk {
        Ok(desk) => desk,
        Err(e) => {
            common::error!("a session process cannot start: {e}");
            return Status::Internal;
        }
    };
    match serve(&mut desk, &ticket) {
        Ok(status) | Err(Stop::Unused(status)) => status,
        Err(Stop::Failed(status, detail)) => {
            desk.tell(&ToParent::Failed { reason: detail });
            status
        }
    }
}

fn serve(desk: &mut Desk, ticket: &Ticket) -> Result<Status, Stop> {
    let joined = dial::dial_and_join(desk, ticket)?;
    let (data, open) = joined.question(desk)?;
    match station::connect(desk, &open) {
        Ok((station, inspector)) => {
            let attached = Attached { data, station, inspector, open };
            Ok(attached.relay(desk))
        }
        Err(failure) => Ok(failure.report(desk, data, &open)),
    }
}

impl Dialled {
    /// Which session it is to be. The partner has the server's time limit for its SSID.
    fn question(self, desk: &mut Desk) -> Result<(Conn, Open), Stop> {
        let limits = &desk.config.limits;
        let limit = u64::from(limits.ssid_seconds) + u64::from(limits.handshake_seconds);
        let deadline = Some(Instant::now() + Duration::from_secs(limit));
        let mut data = self.conn;
        let mut opening = Opening::default();
        let open = loop {
            match opening.receive::<Open>(&mut data) {
                Ok(Poll::Ready(open)) => break open,
                Ok(Poll::Pending) => desk.waiter.wait(deadline)?,
                // The partner was refused in the DMZ: its SSID was not to be had, or not its own.
                Err(e) => {
                    common::debug!("pair {} ends without a session: {e}", desk.pair);
                    return Err(Stop::Unused(Status::Retired));
                }
            }
        };
        desk.tell(&ToParent::Joined { partner: open.partner.clone() });
        Ok((data, open))
    }
}

impl Desk {
    /// True once the parent has let this child go.
    fn released(&self) -> bool {
        matches!(self.channel.receive::<()>(), Ok(Received::Gone) | Err(_))
    }

    fn tell(&self, message: &ToParent) {
        if let Err(e) = self.channel.send(message) {
            common::debug!("telling the parent failed: {e}");
        }
    }

    fn tell_operator(&self, open: &Open, text: &str, detail: String) {
        self.tell(&ToParent::SystemLog(Box::new(SystemLog {
            level: "ERROR".to_owned(),
            text: text.to_owned(),
            detail,
            origin: Origin::Client,
            host: common::host_name(),
            pid: std::process::id(),
            time: common::unix_time(),
            address: Some(open.address.clone()),
            partner: Some(open.partner.clone()),
        })));
    }

    /// What every line of this session begins with.
    fn event(&self, name: &'static str, open: &Open) -> Event {
        Event::new(name)
            .field("direction", "incoming")
            .field_display("session", self.pair)
            .field("address", &open.address)
            .field("partner", &open.partner)
            .field("ssid", &open.ssid)
    }
}

impl station::Failure {
    /// Tells the server's child, the operator and the log why there is no station.
    fn report(self, desk: &mut Desk, mut data: Conn, open: &Open) -> Status {
        let event = desk
            .event(events::SESSION_REFUSED, open)
            .field("reason", self.status.word())
            .field("detail", &self.detail);
        desk.tell_operator(open, "the station did not take an incoming session", event.text().to_owned());
        event.error();
        desk.tell(&ToParent::EndLogged);
        let answer = Opened::Failed { reason: self.detail };
        if join::send(&mut data, &answer).is_ok() {
            common::net::goodbye(&mut desk.waiter, data);
        }
        if let Some(station) = self.told {
            common::net::goodbye(&mut desk.waiter, station);
        }
        self.status
    }
}

/// The session's inspector: the partner began it.
fn inspector(open: &Open, config: &ClientConfig) -> Inspector {
    Inspector::new(open.profile, config.limits.idle_commands, Side::Outer)
}

//! The servers of `-S`, and this client's membership of each: looking up, joining, joined or standing by, or a pause
//! before the next attempt. The parent does the steps; this module has their state.

use super::control::{Server, ServerConnection};
use super::join::Join;
use super::place::Place;
use common::state::JoinedServer;
use common::text::host::with_port;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Pause before a server is tried again while others are joined.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The name or address of a server, and its internal port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_port(&self.host, self.port).fmt(f)
    }
}

/// The membership of one server.
pub(super) struct Member {
    pub(super) route: Route,
    /// The join in progress: the first one, a renewal, or one that stands by.
    pub(super) join: Option<Join>,
    pub(super) server: Option<Server>,
    /// The number of the certificate that its connection shows.
    pub(super) certificate: u64,
    /// When to try again; none: it is joined or being joined, or is tried no more.
    pub(super) try_at: Option<Instant>,
    /// Whether a line in the log says that it is not joined.
    pub(super) is_told: bool,
}

impl Member {
    /// The connection on which this client stands by.
    pub(super) fn standby(&self) -> Option<&ServerConnection> {
        self.join.as_ref().and_then(Join::standby)
    }

    /// Whether this client is joined, or stands by.
    pub(super) fn is_settled(&self) -> bool {
        self.server.is_some() || self.standby().is_some()
    }

    /// Begins this join with the certificate of this number.
    pub(super) fn begin(&mut self, join: Join, certificate: u64) {
        (self.join, self.certificate, self.try_at) = (Some(join), certificate, None);
    }

    /// When it needs the loop; `tries`: servers are tried again.
    fn due(&self, tries: bool) -> Option<Instant> {
        let (server, join) = (self.server.as_ref().and_then(Server::due), self.join.as_ref().map(Join::due));
        [server, join, self.try_at.filter(|_| tries)].into_iter().flatten().min()
    }
}

/// All memberships, in the order of `-S`.
pub(super) struct Members(Vec<Member>);

impl Members {
    /// No server is joined yet.
    pub(super) fn new(routes: Vec<Route>) -> Self {
        let member =
            |route| Member { route, join: None, server: None, certificate: 0, try_at: None, is_told: false };
        Self(routes.into_iter().map(member).collect())
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> + use<> {
        Place::all(self.0.len())
    }

    pub(super) fn get(&self, place: Place) -> Option<&Member> {
        self.0.get(place.0)
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Member> {
        self.0.get_mut(place.0)
    }

    pub(super) fn server(&mut self, place: Place) -> Option<&mut Server> {
        self.get_mut(place)?.server.as_mut()
    }

    /// The joined servers.
    pub(super) fn servers(&self) -> impl Iterator<Item = (Place, &Server)> {
        self.0.iter().enumerate().filter_map(|(at, member)| Some((Place(at), member.server.as_ref()?)))
    }

    pub(super) fn is_joined(&self) -> bool {
        self.servers().next().is_some()
    }

    /// Whether a server is joined, or this client stands by.
    pub(super) fn is_settled(&self) -> bool {
        self.0.iter().any(Member::is_settled)
    }

    /// Whether this client only stands by.
    pub(super) fn stands_by(&self) -> bool {
        self.is_settled() && !self.is_joined()
    }

    /// At the start: every server is about to be joined.
    pub(super) fn begin_all(&mut self, now: Instant) {
        for member in &mut self.0 {
            member.try_at = Some(now + TRY_AGAIN);
        }
    }

    /// Whether a first join of one of them may still succeed.
    pub(super) fn is_joining(&self) -> bool {
        let may_join =
            |member: &Member| member.join.is_some() || (member.try_at.is_some() && !member.is_told);
        self.0.iter().any(|member| member.server.is_none() && may_join(member))
    }

    /// The places of the servers of this name.
    pub(super) fn at(&self, host: &str, port: u16) -> Vec<Place> {
        let is_it = |place: &Place| {
            self.get(*place).is_some_and(|member| member.route.host == host && member.route.port == port)
        };
        self.places().filter(is_it).collect()
    }

    /// The places of other servers whose connection shows the same Proxy ID: `-S` names one server twice.
    pub(super) fn same_server(&self, place: Place, connection: &ServerConnection) -> Option<&Route> {
        let is_it =
            |(other, server): &(Place, &Server)| *other != place && server.proxy_id() == connection.proxy_id;
        let (other, _) = self.servers().find(is_it)?;
        self.get(other).map(|member| &member.route)
    }

    /// What this client knows about the joined servers, without their own reports.
    pub(super) fn joined(&self) -> Vec<(Place, JoinedServer)> {
        self.servers().map(|(place, server)| (place, server.joined())).collect()
    }

    /// The addresses of the joined servers.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.servers().map(|(_, server)| server.address()).collect()
    }

    /// The ports of all servers.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.0.iter().map(|member| member.route.port).collect()
    }

    /// When one of them needs the loop. Before the start is over (`tries`), none is tried again.
    pub(super) fn due(&self, tries: bool, now: Instant) -> Option<Instant> {
        if self.servers().any(|(_, server)| server.has_more()) {
            return Some(now);
        }
        self.0.iter().filter_map(|member| member.due(tries)).min()
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, member) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            member.route.fmt(f)?;
        }
        Ok(())
    }
}

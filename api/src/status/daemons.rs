//! The daemons of a site, and the condition of each: from their last reports, and their calls. Pure.

use crate::store::proxies::Proxy;
use crate::store::states::Told;
use common::state::{DaemonState, Use};
use common::text::clock::DAY;
use serde::Serialize;

/// A daemon reports its state every 10 s: without a report for this long it is silent, seconds.
const SILENT: i64 = 35;
/// A client calls at least once a minute, whatever its version: without a call for this long, in seconds, it is lost.
const GONE: i64 = 180;
/// If a client still calls this long after its last state, it does not report states any more, seconds.
const MUTE: i64 = 60;

/// The condition of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition {
    /// A client that runs.
    Running,
    /// A client that waits until another client of its server is gone.
    Standby,
    /// A server that a client has joined.
    Joined,
    /// It runs, and does not report its state: it is older.
    Older,
    /// A client that has reported its end.
    Ended,
    /// A client that does not report any more.
    Silent,
    /// A server that has no client any more.
    Lost,
    /// A server that no client has reported yet.
    NeverJoined,
}

impl Condition {
    /// The word in lists.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Standby => "standby",
            Self::Joined => "joined",
            Self::Older => "older",
            Self::Ended => "ended",
            Self::Silent => "silent",
            Self::Lost => "lost",
            Self::NeverJoined => "never joined",
        }
    }

    /// It works.
    fn is_well(self) -> bool {
        matches!(self, Self::Running | Self::Standby | Self::Joined | Self::Older)
    }
}

/// A daemon of the site.
#[derive(Debug, Serialize)]
pub(crate) struct Daemon {
    /// `client` or `server`.
    #[serde(rename = "daemon")]
    pub(crate) kind: &'static str,
    /// A client's address and name, a server's Proxy ID.
    pub(crate) name: String,
    /// Its name for people.
    pub(crate) title: String,
    pub(crate) condition: Condition,
    /// Whether it is in use: a server may be switched off.
    #[serde(rename = "enabled")]
    pub(crate) is_enabled: bool,
    /// The client that a server is joined to, or was.
    pub(crate) client: Option<String>,
    /// The address from which a client calls, or at which its client reaches a server.
    pub(crate) address: Option<String>,
    /// Time of its last report, seconds since 1970-01-01 UTC.
    pub(crate) heard: Option<i64>,
    /// Why it has ended.
    pub(crate) ended: Option<String>,
    /// Its last report.
    pub(crate) state: Option<DaemonState>,
}

impl Daemon {
    /// It works.
    pub(crate) fn is_well(&self) -> bool {
        self.condition.is_well()
    }

    /// A daemon of which only the condition is known.
    fn new(kind: &'static str, name: String, title: String, condition: Condition) -> Self {
        let (client, address, heard, ended, state) = (None, None, None, None, None);
        Self { kind, name, title, condition, is_enabled: true, client, address, heard, ended, state }
    }

    /// If it takes no new sessions: the number of those that still run.
    pub(crate) fn draining(&self) -> Option<usize> {
        self.state.as_ref().filter(|_| self.is_well())?.draining
    }
}

/// What the servers use of their limits, all together: each server has its own limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sums {
    /// Number of servers that work.
    pub(crate) servers: usize,
    pub(crate) incoming: Use,
    pub(crate) outgoing: Use,
    pub(crate) unverified: Use,
}

/// The sums over all servers that work.
pub(super) fn sums(daemons: &[Daemon]) -> Sums {
    let servers = daemons.iter().filter(|daemon| daemon.kind == "server" && daemon.is_well());
    let add = |one: Use, other: Use| Use { used: one.used + other.used, limit: one.limit + other.limit };
    servers.filter_map(|daemon| daemon.state.as_ref()).fold(Sums::default(), |all, state| Sums {
        servers: all.servers + 1,
        incoming: add(all.incoming, state.incoming),
        outgoing: add(all.outgoing, state.outgoing),
        unverified: add(all.unverified, state.unverified),
    })
}

/// All daemons, clients first. `calls`: when each client has called last.
pub(super) fn of(told: Vec<Told>, calls: &[(String, i64)], servers: &[Proxy], now: i64) -> Vec<Daemon> {
    let (clients, servers_told): (Vec<Told>, Vec<Told>) =
        told.into_iter().partition(|told| told.daemon == "client");
    let unknown = calls.iter().filter(|(name, _)| !clients.iter().any(|told| told.name == *name));
    let unknown: Vec<Daemon> = unknown.map(|(name, called)| caller(name, *called, now)).collect();
    let mut all: Vec<Daemon> =
        clients.into_iter().map(|told| client(told, calls, now)).chain(unknown).collect();
    if all.iter().any(|client| client.condition.is_well()) {
        // A daemon that was taken out of service long ago does not matter if another one runs.
        all.retain(|client| {
            client.condition.is_well() || client.heard.is_some_and(|heard| heard > now - DAY)
        });
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    let listed: Vec<Daemon> = servers.iter().map(|proxy| server(proxy, &servers_told, &all, now)).collect();
    all.extend(listed);
    all
}

/// A client that has reported its state.
fn client(told: Told, calls: &[(String, i64)], now: i64) -> Daemon {
    let called =
        calls.iter().find(|(name, _)| *name == told.name).map_or(told.received, |(_, called)| *called);
    let condition = if called >= told.received + MUTE && called >= now - GONE {
        Condition::Older
    } else if told.ended.is_some() {
        Condition::Ended
    } else if told.received >= now - SILENT {
        let stands_by = told.state.as_ref().is_some_and(|state| state.stands_by);
        if stands_by { Condition::Standby } else { Condition::Running }
    } else {
        Condition::Silent
    };
    let (address, heard) = (Some(told.address), Some(told.received.max(called)));
    let is_older = condition == Condition::Older;
    let (ended, state) = if is_older { (None, None) } else { (told.ended, told.state) };
    Daemon { address, heard, ended, state, ..Daemon::new("client", told.name.clone(), told.name, condition) }
}

/// A client that has never reported its state.
fn caller(name: &str, called: i64, now: i64) -> Daemon {
    let condition = if called >= now - GONE { Condition::Older } else { Condition::Silent };
    let address = name.split(' ').next().map(str::to_owned);
    Daemon {
        address,
        heard: Some(called),
        ..Daemon::new("client", name.to_owned(), name.to_owned(), condition)
    }
}

fn server(proxy: &Proxy, told: &[Told], clients: &[Daemon], now: i64) -> Daemon {
    let name = proxy.id.to_string();
    let short: String = name.chars().take(8).collect();
    let title = if proxy.name.is_empty() { format!("{short}...") } else { proxy.name.clone() };
    let is_enabled = proxy.settings.is_enabled();
    let Some(told) = told.iter().find(|told| told.name == name) else {
        return Daemon { is_enabled, ..Daemon::new("server", name, title, Condition::NeverJoined) };
    };
    let runs =
        clients.iter().any(|client| client.name == told.client && client.condition == Condition::Running);
    let condition = match &told.state {
        _ if !runs || told.received < now - SILENT => Condition::Lost,
        Some(_) => Condition::Joined,
        None => Condition::Older,
    };
    Daemon {
        is_enabled,
        client: Some(told.client.clone()),
        address: Some(told.address.clone()),
        heard: Some(told.received),
        state: told.state.clone(),
        ..Daemon::new("server", name, title, condition)
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, DAY, DaemonState, Proxy, Told, of};
    use crate::settings::of_server::ServerSettings;

    const NOW: i64 = 1_000_000;

    fn told(daemon: &str, name: &str, age: i64) -> Told {
        Told {
            daemon: daemon.to_owned(),
            name: name.to_owned(),
            client: "inside".to_owned(),
            address: "192.0.2.1".to_owned(),
            received: NOW - age,
            ended: None,
            state: Some(DaemonState::default()),
        }
    }

    fn id() -> String {
        format!("{}px", "a".repeat(64))
    }

    fn conditions(told: Vec<Told>, calls: &[(&str, i64)]) -> Vec<Condition> {
        let calls: Vec<(String, i64)> =
            calls.iter().map(|(name, age)| ((*name).to_owned(), NOW - age)).collect();
        let servers = [Proxy {
            id: id().parse().unwrap(),
            name: "dmz".to_owned(),
            added: 0,
            settings: ServerSettings::default(),
            addresses: Vec::new(),
        }];
        of(told, &calls, &servers, NOW).iter().map(|daemon| daemon.condition).collect()
    }

    #[test]
    fn a_client_and_its_server_are_what_they_have_told_last() {
        use Condition::{Ended, Joined, Lost, NeverJoined, Older, Running, Silent, Standby};
        let both = |age| vec![told("client", "inside", age), told("server", &id(), age)];
        assert_eq!(conditions(both(5), &[("inside", 5)]), [Running, Joined]);
        assert_eq!(conditions(both(60), &[("inside", 50)]), [Silent, Lost]);
        let waiting = DaemonState { stands_by: true, ..DaemonState::default() };
        let waiting = Told { state: Some(waiting), ..told("client", "other", 5) };
        assert_eq!(
            conditions([both(5), vec![waiting]].into_iter().flatten().collect(), &[]),
            [Running, Standby, Joined]
        );
        assert_eq!(conditions(both(5), &[]), [Running, Joined]);
        let ended = |age| Told { ended: Some("told to".to_owned()), ..told("client", "inside", age) };
        assert_eq!(conditions(vec![ended(5), told("server", &id(), 5)], &[("inside", 5)]), [Ended, Lost]);
        assert_eq!(conditions(vec![ended(90)], &[("inside", 10)]), [Older, NeverJoined], "another version");
        let silent = Told { state: None, ..told("server", &id(), 0) };
        assert_eq!(conditions(vec![told("client", "inside", 5), silent], &[]), [Running, Older]);
        assert_eq!(conditions(vec![told("client", "inside", 5)], &[]), [Running, NeverJoined]);
    }

    #[test]
    fn a_client_that_tells_nothing_is_older_while_it_calls() {
        use Condition::{NeverJoined, Older, Running, Silent};
        assert_eq!(conditions(Vec::new(), &[("inside", 100)]), [Older, NeverJoined]);
        assert_eq!(conditions(Vec::new(), &[("inside", 300)]), [Silent, NeverJoined]);
        let gone = told("client", "before", 2 * DAY);
        assert_eq!(conditions(vec![gone, told("client", "inside", 5)], &[]), [Running, NeverJoined]);
        assert_eq!(conditions(vec![told("client", "before", 2 * DAY)], &[]), [Silent, NeverJoined]);
    }
}

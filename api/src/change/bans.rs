//! Adds a ban, and tells whom it hits: partners by their table and by recent sessions, sessions that run, and clients.

use super::{ChangeError, Obstacle};
use crate::db::{Change, DbError};
use crate::store::bans::{self, Ban};
use crate::store::{partners, proxies, sessions};
use common::config::Partner;
use common::net::Network;
use common::text::clock::{self, DAY};
use sqlx::AnyConnection;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Most bans: each configuration has all of them.
const MOST: usize = 10_000;
/// Characters of a description.
pub(crate) const LONGEST: usize = 200;
/// A ban concerns partners that had sessions from the network within this number of days.
pub(crate) const DAYS: i64 = 30;

/// Whom a ban of a network concerns.
pub(crate) struct Effect {
    /// Partners whose host or networks are in it.
    pub(crate) listed: BTreeSet<String>,
    /// Other partners that had sessions from it.
    pub(crate) came: BTreeSet<String>,
    /// Sessions that run, from it: they go on.
    pub(crate) running: usize,
    /// Clients in it: they are still served.
    pub(crate) clients: BTreeSet<IpAddr>,
}

/// Whom a ban of `network` would concern.
pub(crate) async fn effect(connection: &mut AnyConnection, network: &Network) -> Result<Effect, DbError> {
    let all = partners::all(connection).await?.into_iter();
    let is_in = |partner: &Partner| partner.places().any(|listed| listed.overlaps(network));
    let listed: BTreeSet<String> = all.filter(is_in).map(|partner| partner.short_name).collect();
    let mut came = sessions::came_from(connection, clock::now() - DAYS * DAY, network).await?;
    came.retain(|name| !listed.contains(name));
    let open = sessions::open(connection).await?;
    let from =
        |address: &str| address.parse::<SocketAddr>().is_ok_and(|address| network.contains(address.ip()));
    let running = open.iter().filter(|one| one.is_incoming && from(&one.address)).count();
    let clients = proxies::clients(connection).await?.into_iter().map(|client| client.address.ip);
    let clients = clients.filter(|client| network.contains(*client)).collect();
    Ok(Effect { listed, came, running, clients })
}

/// Adds a ban, or replaces that of the same network.
pub(crate) async fn add(change: &mut Change, ban: &Ban) -> Result<(), ChangeError> {
    let all = bans::all(change).await?;
    if all.len() >= MOST && !all.iter().any(|one| one.network == ban.network) {
        return Err(Obstacle::Bans(MOST).into());
    }
    Ok(bans::put(change, ban).await?)
}

//! The last reported states of the daemons: one row for each client, and one for each server, sent by its client; and
//! one for each `serve`, which writes it itself. The progress of sessions goes into the session list. The daemons see
//! none of it.

use super::journal::{clean, seconds};
use super::sessions;
use crate::db::{self, DbError};
use common::state::{CurrentFile, DaemonState, Progress, SiteState};
use common::text::clock;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// Most sessions of one call whose progress is stored.
const MOST: usize = 2_000;
/// A server that has reported within this many seconds is expected to apply changes.
const LATELY: i64 = 60;
/// Sessions of one statement, and values of each.
const PAGE: usize = 100;
const WIDTH: usize = 6;

/// The last report of a daemon.
#[derive(Debug)]
pub(crate) struct Told {
    /// `client` or `server`.
    pub(crate) daemon: String,
    /// For a client its name in the database, for a server its Proxy ID.
    pub(crate) name: String,
    /// The client that has reported it.
    pub(crate) client: String,
    /// The address from which a client calls, or at which its client reaches a server.
    pub(crate) address: String,
    /// When, seconds since 1970-01-01 UTC.
    pub(crate) received: i64,
    /// Why it has ended, if it has.
    pub(crate) ended: Option<String>,
    /// None: an older version, which reports no state.
    pub(crate) state: Option<DaemonState>,
}

/// Stores the report of the client `caller`, which calls from `address`.
pub(crate) async fn note(
    connection: &mut AnyConnection,
    (address, caller): (&str, &str),
    told: &SiteState,
) -> Result<(), DbError> {
    let now = clock::now();
    let SiteState { client, server, ended } = told;
    let own = Teller { daemon: "client", name: caller, client: caller, address, received: now };
    put(connection, &own, ended.as_deref(), Some(client)).await?;
    if let Some(server) = server {
        let received = now - i64::try_from(server.age).unwrap_or(i64::MAX).clamp(0, clock::DAY);
        let reached = server.address.to_string();
        if let Some(state) = &server.state {
            note_start(connection, server.proxy_id.as_str(), state.started).await?;
        }
        let row = Teller {
            daemon: "server",
            name: server.proxy_id.as_str(),
            client: caller,
            address: &reached,
            received: if server.state.is_some() { received } else { now },
        };
        put(connection, &row, None, server.state.as_deref()).await?;
        let sessions = server.state.as_ref().map(|state| state.sessions.as_slice()).unwrap_or_default();
        for page in sessions.chunks(PAGE).take(MOST / PAGE) {
            note_progress(connection, page).await?;
        }
    }
    Ok(())
}

/// If a server was started since its last report, the sessions that it had before may end unreported.
async fn note_start(connection: &mut AnyConnection, server: &str, started: i64) -> Result<(), DbError> {
    let row = db::query("SELECT state FROM os4x_states WHERE daemon = 'server' AND name = $1")
        .bind(server.to_owned())
        .fetch_optional(&mut *connection)
        .await?;
    let state: Option<String> = row.map(|row| row.try_get(0)).transpose()?.flatten();
    let before = state.and_then(|state| serde_json::from_str::<DaemonState>(&state).ok());
    if before.is_some_and(|before| before.started != started) {
        sessions::orphan_of_server(connection, server, started).await?;
    }
    Ok(())
}

/// A `serve` of this database.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its host, and the address on which it listens.
    pub(crate) name: String,
    /// When it has last written that it runs, seconds since 1970-01-01 UTC.
    pub(crate) heard: i64,
    /// Why it has ended, if it has.
    pub(crate) ended: Option<String>,
}

/// The word of a `serve` among the daemons.
const SERVE: &str = "serve";

/// Stores that the `serve` of this name, which listens on `address`, runs; or that it has ended, and why.
pub(crate) async fn note_service(
    connection: &mut AnyConnection,
    name: &str,
    address: &str,
    ended: Option<&str>,
) -> Result<(), DbError> {
    let row = Teller { daemon: SERVE, name, client: "", address, received: clock::now() };
    put(connection, &row, ended, None).await
}

/// All processes of `serve` that have ever run.
pub(crate) async fn services(connection: &mut AnyConnection) -> Result<Vec<Service>, DbError> {
    let rows = db::query("SELECT name, received, ended FROM os4x_states WHERE daemon = $1 ORDER BY name");
    let of_row = |row: &AnyRow| {
        Ok(Service {
            name: row.try_get("name")?,
            heard: row.try_get("received")?,
            ended: row.try_get("ended")?,
        })
    };
    rows.bind(SERVE).fetch_all(connection).await?.iter().map(of_row).collect()
}

/// The daemon of a state, and the way it has come.
struct Teller<'a> {
    daemon: &'static str,
    name: &'a str,
    client: &'a str,
    address: &'a str,
    received: i64,
}

async fn put(
    connection: &mut AnyConnection,
    row: &Teller<'_>,
    ended: Option<&str>,
    state: Option<&DaemonState>,
) -> Result<(), DbError> {
    let state = state.map(|state| DaemonState { sessions: Vec::new(), ..state.clone() });
    let state = state.map(|state| serde_json::to_string(&state)).transpose();
    let state = state.map_err(|cause| DbError::Corrupt(format!("state of a daemon: {cause}")))?;
    db::query(
        "INSERT INTO os4x_states (daemon, name, client, address, received, ended, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (daemon, name) DO UPDATE SET client = excluded.client, \
         address = excluded.address, received = excluded.received, ended = excluded.ended, state = excluded.state",
    )
    .bind(row.daemon)
    .bind(clean(row.name))
    .bind(clean(row.client))
    .bind(row.address.to_owned())
    .bind(row.received)
    .bind(ended.map(clean))
    .bind(state)
    .execute(connection)
    .await?;
    Ok(())
}

/// A whole page in one statement: a statement for each session would cost a round trip. No name means no file.
async fn note_progress(connection: &mut AnyConnection, page: &[Progress]) -> Result<(), DbError> {
    let statement = AssertSqlSafe(format!(
        "WITH told (session, octets_in, octets_out, sender, name, octets) AS (VALUES {}) \
         UPDATE os4x_sessions SET octets_in = told.octets_in, octets_out = told.octets_out, \
         file_sender = told.sender, file_name = told.name, file_octets = told.octets \
         FROM told WHERE os4x_sessions.session = told.session AND os4x_sessions.ended IS NULL",
        db::places(page.len(), WIDTH)
    ));
    let mut update = db::query(statement);
    for Progress { session, octets_in, octets_out, file } in page {
        let CurrentFile { sender, name, octets } = file.clone().unwrap_or_default();
        update = update
            .bind(clean(session))
            .bind(seconds(*octets_in))
            .bind(seconds(*octets_out))
            .bind(clean(&sender))
            .bind(clean(&name))
            .bind(seconds(octets));
    }
    update.execute(connection).await?;
    Ok(())
}

/// All last reports of daemons, clients first.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Told>, DbError> {
    let rows = db::query(
        "SELECT daemon, name, client, address, received, ended, state FROM os4x_states WHERE daemon <> $1 \
         ORDER BY daemon, name",
    );
    rows.bind(SERVE).fetch_all(connection).await?.iter().map(told).collect()
}

/// A server that lags behind the database.
#[derive(Debug)]
pub(crate) struct Lagging {
    /// The address at which its client reaches it.
    pub(crate) address: String,
    /// The generation in force in it; `None`: it has no configuration.
    pub(crate) generation: Option<u64>,
}

/// The servers that do not have the newest generation in force, or whose state is not `expected` of its Proxy ID. A
/// server counts only if it has reported its state lately: one of an older version never does, so nobody could wait for
/// it.
pub(crate) async fn lagging(
    connection: &mut AnyConnection,
    expected: impl Fn(&str, &DaemonState) -> bool,
) -> Result<Vec<Lagging>, DbError> {
    let newest = db::generation(&mut *connection).await?;
    let since = clock::now() - LATELY;
    let servers =
        all(connection).await?.into_iter().filter(|told| told.daemon == "server" && told.received >= since);
    let lagging = servers.filter_map(|told| {
        let state = told.state?;
        let lags = state.generation.is_none_or(|at| at < newest) || !expected(&told.name, &state);
        lags.then_some(Lagging { address: told.address, generation: state.generation })
    });
    Ok(lagging.collect())
}

fn told(row: &AnyRow) -> Result<Told, DbError> {
    let state: Option<String> = row.try_get("state")?;
    Ok(Told {
        daemon: row.try_get("daemon")?,
        name: row.try_get("name")?,
        client: row.try_get("client")?,
        address: row.try_get("address")?,
        received: row.try_get("received")?,
        ended: row.try_get("ended")?,
        // A state of another version that cannot be read counts as missing.
        state: state.and_then(|state| serde_json::from_str(&state).ok()),
    })
}

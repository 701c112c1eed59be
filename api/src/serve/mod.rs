//! The service: listeners, accept loops, one task for each connection, and one for the time slice. It has one thread,
//! and one more for the passwords of the panel. Every wait has a deadline, and waiting for the database never delays
//! accepting connections or the end of the service. It connects only to its database, to the hosts of CRLs
//! (`downloads`) and to the URL of the event script (`events`). The event script is the only process that it starts.

mod api;
pub(crate) mod app;
mod call_refusal;
mod caller;
mod changes;
mod clocks;
pub(crate) mod connection;
pub(crate) mod counters;
mod crl_reports;
mod deadline;
mod downloads;
mod error;
mod event_test;
mod events;
pub(crate) mod failed_logins;
mod functions;
pub(crate) mod guard;
mod health;
mod listener;
mod next_certificate;
pub(crate) mod reports;
mod rollbacks;
pub(crate) mod source;
mod time_slice;
pub(crate) mod tls;

use crate::db::Db;
use crate::store::configuration;
use crate::{apilog, panel, rest};
use app::App;
use changes::Changes;
use common::text::escape::escape;
pub(crate) use error::ServeError;
use guard::Quiet;
use listener::Listener;
use nix::sys::signal::SigSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use time_slice::TimeSlice;
use tls::Tls;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

/// Most connections of daemons; further ones wait in the kernel's backlog.
const CONNECTIONS: usize = 256;
/// Most connections of browsers; one address may have half of them.
const PANEL_CONNECTIONS: usize = 128;
/// How long connections and event scripts may take to end when the service ends.
const FAREWELL: Duration = Duration::from_millis(3_500);
/// How long the end of the service may take in all: the remaining time is for the database.
const END: Duration = Duration::from_millis(4_500);

/// The addresses on which it listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// For the daemons.
    pub(crate) api: SocketAddr,
    /// For browsers; none: there is no panel.
    pub(crate) panel: Option<SocketAddr>,
}

/// The service, listening.
pub(crate) struct Server {
    api: Listener,
    panel: Option<Listener>,
    app: Arc<App>,
    stops: Stops,
    time_slice: TimeSlice,
}

impl Server {
    /// Binds the addresses and reads everything that is needed to answer.
    pub(crate) async fn start(db: Db, at: Addresses) -> Result<Self, ServeError> {
        apilog::start();
        hide_process()?;
        let stops = Stops::new()?;
        let values = configuration::values(&mut *db.snapshot().await?).await?;
        apilog::configure(values.text("api_log_file"), values.text("api_log_level"));
        if let Some(upgrade) = db.upgraded() {
            let detail = upgrade.to_string();
            log::warn!(
                "database_upgraded from={} to={} detail={}",
                upgrade.from,
                upgrade.to,
                escape(&detail)
            );
        }
        let tls = Tls::load(&db).await?;
        let changes = Changes::from_now(&mut *db.snapshot().await?).await?;
        let api_path = values.text("api_path");
        let socket = listener::bind(at.api)?;
        let app = Arc::new(App::new(db, socket.1));
        app.note_life(None).await?;
        let router = api::router(Arc::clone(&app), api_path);
        let api = Listener::new(socket, CONNECTIONS, router, tls.subscribe(), Arc::clone(&app.guard));
        let panel = match at.panel {
            Some(address) => {
                let side = tls.subscribe_panel();
                let browsers = panel::router(Arc::clone(&app), [side.clone(), tls.subscribe()]);
                let router = rest::split(rest::router(Arc::clone(&app)), browsers);
                let router = router.merge(health::router(Arc::clone(&app)));
                let (socket, guard) = (listener::bind(address)?, Arc::clone(&app.logins));
                Some(Listener::new(socket, PANEL_CONNECTIONS, router, side, guard))
            }
            None => None,
        };
        let time_slice = TimeSlice::new(Arc::clone(&app), tls, changes);
        log::info!("started address={} path={api_path}", api.address());
        if let Some(panel) = &panel {
            log::info!("panel_started address={}", panel.address());
        }
        Ok(Self { api, panel, app, stops, time_slice })
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> Addresses {
        Addresses { api: self.api.address(), panel: self.panel.as_ref().map(Listener::address) }
    }

    /// Answers until SIGTERM or SIGINT.
    pub(crate) async fn run(mut self) -> Result<(), ServeError> {
        let mut tasks = JoinSet::new();
        tasks.spawn(self.time_slice.run());
        let signal = tokio::select! {
            name = self.stops.next() => name,
            () = self.api.accept(&self.app) => "closed",
            () = accept(self.panel.as_ref(), &self.app) => "closed",
        };
        log::info!("stopping signal={signal}");
        let end = Instant::now() + END;
        let (api, panel) = (self.api.close(), self.panel.map(Listener::close));
        // Idle connections end at once, busy ones after their answer.
        self.app.stop.send_replace(true);
        drop(tasks);
        let calls = time::timeout(FAREWELL, async {
            api.all_gone().await;
            if let Some(panel) = panel {
                panel.all_gone().await;
            }
        });
        let (calls, ()) = tokio::join!(calls, self.app.events.stop());
        if calls.is_err() {
            log::warn!("stopped_with_open_connections");
        }
        log_quiet(&self.app.guard.end_all());
        let ended = format!("told to end by SIG{signal}");
        if let Ok(Err(why)) = time::timeout_at(end, self.app.note_life(Some(&ended))).await {
            log::warn!("end_not_noted cause={}", escape(&crate::error_text::on_one_line(&why)));
        }
        if time::timeout_at(end, self.app.db.clone().close()).await.is_err() {
            log::warn!("stopped_without_the_database cause=\"it does not answer\"");
        }
        log::info!("stopped");
        Ok(())
    }
}

/// The CA's key is in this process: no core file, no ptrace by the same user. No signal is blocked in processes that
/// are started from here on, which is only the event script.
fn hide_process() -> Result<(), ServeError> {
    nix::sys::prctl::set_dumpable(false)
        .map_err(|cause| ServeError::System("hiding its memory", cause.into()))?;
    SigSet::empty()
        .thread_set_mask()
        .map_err(|cause| ServeError::System("clearing its signal mask", cause.into()))
}

async fn accept(listener: Option<&Listener>, app: &Arc<App>) {
    match listener {
        Some(listener) => listener.accept(app).await,
        None => std::future::pending().await,
    }
}

/// Logs the number of bad calls of addresses that are not locked any more.
fn log_quiet(all: &[Quiet]) {
    for Quiet { address, count, lasted } in all {
        log::error!("calls_refused address={address} count={count} seconds={}", lasted.as_secs());
    }
}

/// The signals that end the service.
struct Stops {
    term: Signal,
    int: Signal,
}

impl Stops {
    fn new() -> Result<Self, ServeError> {
        let failed = |cause| ServeError::System("setting up signals", cause);
        Ok(Self {
            term: signal(SignalKind::terminate()).map_err(failed)?,
            int: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "TERM",
            _ = self.int.recv() => "INT",
        }
    }
}

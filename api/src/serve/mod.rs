//! The service: listener, accept loop, one task for each connection, and the time slice that follows changes of the
//! settings, renews the https certificate and removes old reports. One thread; every wait has a deadline. It connects
//! to its database, to the hosts of CRLs (`downloads`) and to the URL of the event script (`events`), and to nothing
//! else. The event script is the only process that it starts.

mod api;
mod app;
mod caller;
mod changes;
mod clocks;
mod connection;
mod crl_reports;
mod downloads;
mod error;
mod events;
mod functions;
mod guard;
mod next_certificate;
mod refusal;
mod reports;
mod source;
mod tls;

use crate::causes::on_one_line;
use crate::db::Db;
use crate::store::{configuration, journal};
use crate::{apilog, db};
use app::App;
use axum::Router;
use changes::Changes;
use common::net;
use common::text::escape::escape;
use downloads::Downloads;
pub(crate) use error::ServeError;
use guard::Quiet;
use nix::sys::signal::SigSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tls::Tls;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::{self, Instant, MissedTickBehavior};

/// Connections at a time; more wait in the kernel's backlog.
const CONNECTIONS: usize = 256;
/// How often settings and certificate are looked at.
const SLICE: Duration = Duration::from_secs(5);
/// Rows of the system log, and of the session list, that are kept however new they are.
const REPORTS: u32 = 100_000;
/// How often old reports are removed.
const FORGET: Duration = Duration::from_hours(1);
/// How long connections may take to end when the service ends.
const FAREWELL: Duration = Duration::from_secs(5);
/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The service, listening.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Tls,
    app: Arc<App>,
    router: Router,
    stops: Stops,
    downloads: Downloads,
    changes: Changes,
    /// The last time slice failed.
    failing: bool,
}

impl Server {
    /// Binds `listen` and reads everything that is needed to answer.
    pub(crate) async fn start(db: Db, listen: SocketAddr) -> Result<Self, ServeError> {
        apilog::start();
        // The CA's key is in this process: no core file, no ptrace by the same user.
        nix::sys::prctl::set_dumpable(false)
            .map_err(|cause| ServeError::System("hiding its memory", cause.into()))?;
        // What is started from here on, and that is the event script, has no signal blocked.
        SigSet::empty()
            .thread_set_mask()
            .map_err(|cause| ServeError::System("clearing its signal mask", cause.into()))?;
        let stops = Stops::new()?;
        let values = configuration::values(&mut *db.connection().await?).await?;
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
        let bound = |cause| ServeError::Bind(listen, cause);
        let listener = net::listen_at(listen).and_then(|listener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        });
        let listener = listener.map_err(bound)?;
        let address = listener.local_addr().map_err(bound)?;
        let changes = Changes::from_now(&mut *db.connection().await?).await?;
        let app = Arc::new(App::new(db));
        let router = api::router(Arc::clone(&app), values.text("api_path"));
        log::info!("started address={address} path={}", values.text("api_path"));
        Ok(Self {
            listener,
            address,
            tls,
            app,
            router,
            stops,
            downloads: Downloads::default(),
            changes,
            failing: false,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until SIGTERM or SIGINT.
    pub(crate) async fn run(mut self) -> Result<(), ServeError> {
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        let mut slice = time::interval(SLICE);
        slice.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut forget_at = Instant::now();
        let signal = loop {
            let free_seat = Arc::clone(&seats).acquire_owned();
            tokio::select! {
                name = self.stops.next() => break name,
                _ = slice.tick() => self.time_slice(&mut forget_at).await,
                accepted = async { (free_seat.await, self.listener.accept().await) } => match accepted {
                    (Ok(seat), Ok((stream, peer))) => {
                        let arrival = connection::Arrival {
                            stream,
                            peer,
                            acceptor: self.tls.acceptor(),
                            router: self.router.clone(),
                            app: Arc::clone(&self.app),
                            stopped: self.app.stop.subscribe(),
                        };
                        tokio::spawn(async move {
                            arrival.serve().await;
                            drop(seat);
                        });
                    }
                    (_, Err(cause)) => {
                        log::error!("accept_failed cause={}", escape(&cause.to_string()));
                        time::sleep(ACCEPT_PAUSE).await;
                    }
                    (Err(_), _) => break "closed",
                },
            }
        };
        log::info!("stopping signal={signal}");
        drop(self.listener);
        // Idle connections end at once, busy ones when they have answered.
        self.app.stop.send_replace(true);
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        if time::timeout(FAREWELL, seats.acquire_many(all)).await.is_err() {
            log::warn!("stopped_with_open_connections");
        }
        log_quiet(&self.app.guard.end_all());
        self.app.events.stop().await;
        self.app.db.clone().close().await;
        log::info!("stopped");
        Ok(())
    }

    /// What has to be looked at now and then. Faults are logged; the service goes on with what it had.
    async fn time_slice(&mut self, forget_at: &mut Instant) {
        log_quiet(&self.app.guard.tidy(std::time::Instant::now()));
        let outcome = self.look_after(forget_at).await;
        match (&outcome, self.failing) {
            (Err(why), false) => log::error!("time_slice_failed cause={}", escape(&on_one_line(why))),
            (Ok(()), true) => log::info!("time_slice_recovered"),
            _ => {}
        }
        self.failing = outcome.is_err();
    }

    async fn look_after(&mut self, forget_at: &mut Instant) -> Result<(), ServeError> {
        let mut connection = self.app.db.connection().await?;
        let values = configuration::values(&mut connection).await?;
        apilog::configure(values.text("api_log_file"), values.text("api_log_level"));
        if Instant::now() >= *forget_at {
            *forget_at = Instant::now() + FORGET;
            let rows = journal::forget(&mut connection, values.number("api_keep_days")).await?;
            if rows > 0 {
                log::info!("old_reports_removed rows={rows}");
            }
        }
        let rows = journal::trim(&mut connection, REPORTS).await?;
        if rows > 0 {
            log::warn!("too_many_reports removed={rows}");
        }
        self.changes.log(&mut connection).await?;
        let generation = db::generation(&mut connection).await?;
        drop(connection);
        reports::expire_ignores(&self.app, &values).await?;
        reports::expire_bans(&self.app, &values).await?;
        next_certificate::take_over(&self.app, &values).await?;
        self.tls.refresh(&self.app.db, generation).await?;
        if let Some(until) = self.tls.take_expiry() {
            reports::report_https_expiry(&self.app, &values, until).await?;
        }
        let reported = self.downloads.report_expired(&self.app, &values).await;
        self.downloads.time_slice(&self.app, values);
        reported
    }
}

/// How many bad calls there were of addresses that are locked no longer.
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

//! Regular checks: changes of the settings, the https certificate, expiry dates, old reports. This is a task of its
//! own, so that a hanging database delays no call and no end of the service. If several `serve` use one database, each
//! job is done by one of them: the written rows decide which, or a claim (`store::claims`).

use super::app::App;
use super::changes::Changes;
use super::downloads::Downloads;
use super::error::ServeError;
use super::tls::Tls;
use super::{log_quiet, next_certificate, reports, rollbacks};
use crate::error_text::on_one_line;
use crate::store::{acts, claims, configuration, journal, panel_sessions};
use crate::{apilog, db};
use common::text::escape::escape;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{self, Instant, MissedTickBehavior};

/// How often settings and certificate are checked.
const SLICE: Duration = Duration::from_secs(5);
/// How long the database may take for that.
const LONGEST: Duration = Duration::from_secs(30);
/// Rows of the system log, and of the session list, that are kept; the oldest of more are removed.
const REPORTS: u32 = 100_000;
/// How often old reports are removed.
const FORGET: Duration = Duration::from_hours(1);

/// The task.
pub(super) struct TimeSlice {
    app: Arc<App>,
    tls: Tls,
    downloads: Downloads,
    changes: Changes,
    forget_at: Instant,
    /// The last time slice failed.
    is_failing: bool,
}

impl TimeSlice {
    /// A task that begins with the values that were read at the start.
    pub(super) fn new(app: Arc<App>, tls: Tls, changes: Changes) -> Self {
        let (downloads, forget_at) = (Downloads::default(), Instant::now());
        Self { app, tls, downloads, changes, forget_at, is_failing: false }
    }

    /// Checks again and again, until it is dropped.
    pub(super) async fn run(mut self) {
        let mut slice = time::interval(SLICE);
        slice.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            slice.tick().await;
            self.look().await;
        }
    }

    /// Faults are logged; the service goes on with its present values.
    async fn look(&mut self) {
        let now = std::time::Instant::now();
        log_quiet(&self.app.guard.tidy(now));
        drop(self.app.logins.tidy(now));
        let outcome = match time::timeout(LONGEST, self.look_after()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ServeError::Late(LONGEST)),
        };
        match (&outcome, self.is_failing) {
            (Err(why), false) => log::error!("time_slice_failed cause={}", escape(&on_one_line(why))),
            (Ok(()), true) => log::info!("time_slice_recovered"),
            _ => {}
        }
        self.is_failing = outcome.is_err();
    }

    async fn look_after(&mut self) -> Result<(), ServeError> {
        let app = Arc::clone(&self.app);
        let mut snapshot = app.db.snapshot().await?;
        let values = configuration::values(&mut snapshot).await?;
        apilog::configure(values.text("api_log_file"), values.text("api_log_level"));
        self.changes.log(&mut snapshot).await?;
        let generation = db::generation(&mut snapshot).await?;
        drop(snapshot);
        app.note_life(None).await?;
        self.remove_reports(values.number("api_keep_days")).await?;
        reports::expire_ignores(&app, &values).await?;
        reports::expire_bans(&app, &values).await?;
        next_certificate::take_over(&app, &values).await?;
        rollbacks::take_back_due(&app, &values).await?;
        self.tls.refresh(&app.db, generation).await?;
        for (usage, until) in self.tls.untold_expiries() {
            let report = reports::report_https_expiry(&app, &values, usage, until);
            if claims::once(&app.db, &format!("{}_expires {until}", usage.word()), report).await? {
                self.tls.expiry_is_told(usage);
            }
        }
        let reported = self.downloads.report_expired(&app, &values).await;
        self.downloads.time_slice(&app, values);
        reported
    }

    /// Removes old reports each hour, and surplus ones at all times.
    async fn remove_reports(&mut self, days: u32) -> Result<(), ServeError> {
        let is_due = Instant::now() >= self.forget_at;
        let mut batch = self.app.db.batch().await?;
        let surplus = journal::trim(&mut batch, REPORTS).await?;
        let mut old = 0;
        if is_due {
            old = journal::forget(&mut batch, days).await?;
            claims::forget(&mut batch).await?;
            acts::forget(&mut batch).await?;
            panel_sessions::forget(&mut batch).await?;
        }
        batch.commit().await?;
        if is_due {
            self.forget_at = Instant::now() + FORGET;
        }
        if surplus > 0 {
            log::warn!("too_many_reports removed={surplus}");
        }
        if old > 0 {
            log::info!("old_reports_removed rows={old}");
        }
        Ok(())
    }
}

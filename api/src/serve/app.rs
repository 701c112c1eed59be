//! The state that the tasks of the service share: the database, the counts of bad calls and the queue of events.
//! `serve` makes it once; each call borrows it.

use super::clocks::Clocks;
use super::counters::Counters;
use super::events::Events;
use super::guard::Guard;
use crate::db::{Db, DbError};
use crate::store::states;
use common::identity::ProxyId;
use common::log::escape;
use common::text::clock;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Most clients with an old token that are remembered; further ones are not reported.
const MOST: usize = 1_000;

/// The state that the handlers share.
pub(crate) struct App {
    pub(crate) db: Db,
    pub(super) guard: Arc<Guard>,
    /// The same for the panel: browsers, and bad logins.
    pub(crate) logins: Arc<Guard>,
    pub(crate) counters: Arc<Counters>,
    pub(super) events: Events,
    /// Held while the event script is tested.
    pub(super) event_test: tokio::sync::Mutex<()>,
    pub(super) clocks: Clocks,
    /// True as soon as the service ends.
    pub(super) stop: watch::Sender<bool>,
    /// The address on which it listens.
    pub(crate) address: SocketAddr,
    /// The time of its start, seconds since 1970-01-01 UTC.
    pub(crate) started: i64,
    /// Trusted certificates that cannot be read, as they were logged last.
    unreadable: Mutex<Vec<String>>,
    /// For each server that had a newer generation than the database: the generation of the database, and its own.
    steps_back: Mutex<HashMap<String, (u64, u64)>>,
    /// Clients that used an old token, whether it still worked, and its end.
    old_tokens: Mutex<HashSet<(IpAddr, bool, i64)>>,
}

impl App {
    /// An empty state. Starts the task of the event script.
    pub(super) fn new(db: Db, address: SocketAddr) -> Self {
        let counters = Arc::<Counters>::default();
        Self {
            db,
            guard: Arc::default(),
            logins: Arc::default(),
            events: Events::start(Arc::clone(&counters)),
            event_test: tokio::sync::Mutex::default(),
            counters,
            clocks: Clocks::default(),
            stop: watch::Sender::new(false),
            address,
            started: clock::now(),
            unreadable: Mutex::default(),
            steps_back: Mutex::default(),
            old_tokens: Mutex::default(),
        }
    }

    /// Records in the database that this service is running, or has ended, and why.
    pub(super) async fn note_life(&self, ended: Option<&str>) -> Result<(), DbError> {
        let address = self.address.to_string();
        let name = format!("{} {address}", common::host_name());
        let mut batch = self.db.batch().await?;
        states::note_service(&mut batch, &name, &address, ended).await?;
        batch.commit().await
    }

    /// Whether it was not known yet that this server has the generation `held` while the database has `generation`.
    pub(super) fn is_new_step_back(&self, proxy: &ProxyId, generation: u64, held: u64) -> bool {
        let mut told = self.steps_back.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(proxy.to_string(), (generation, held)) != Some((generation, held))
    }

    /// Whether it was not known yet that this client uses an old token.
    pub(super) fn is_new_old_token(&self, client: IpAddr, works: bool, until: i64) -> bool {
        let mut told = self.old_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MOST && told.insert((client, works, until))
    }

    /// Logs the trusted certificates that cannot be read, if they differ from the last time.
    pub(super) fn log_unreadable(&self, names: &[String]) {
        let mut logged = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if *logged == names {
            return;
        }
        for name in names {
            log::error!("trusted_certificate_unreadable name={}", escape(name));
        }
        names.clone_into(&mut logged);
    }
}

//! The state that the tasks of the service share: the database, the counts of bad calls and the queue of events.
//! `serve` makes it once; each call borrows it.

use super::clocks::Clocks;
use super::events::Events;
use super::guard::Guard;
use crate::db::Db;
use common::identity::ProxyId;
use common::log::escape;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// Clients with an old token that are remembered; of more than these nothing is told.
const MOST: usize = 1_000;

/// What the handlers share.
pub(super) struct App {
    pub(super) db: Db,
    pub(super) guard: Guard,
    pub(super) events: Events,
    pub(super) clocks: Clocks,
    /// True once the service ends.
    pub(super) stop: watch::Sender<bool>,
    /// Trusted certificates that cannot be read, as they were logged last.
    unreadable: Mutex<Vec<String>>,
    /// For each server that held a newer generation than the database: that of the database, and the one held.
    steps_back: Mutex<HashMap<String, (u64, u64)>>,
    /// Clients that came with an old token, whether it still worked, and its end.
    old_tokens: Mutex<HashSet<(IpAddr, bool, i64)>>,
}

impl App {
    /// With nothing counted, queued or logged yet. Starts the task of the event script.
    pub(super) fn new(db: Db) -> Self {
        Self {
            db,
            guard: Guard::default(),
            events: Events::start(),
            clocks: Clocks::default(),
            stop: watch::Sender::new(false),
            unreadable: Mutex::default(),
            steps_back: Mutex::default(),
            old_tokens: Mutex::default(),
        }
    }

    /// Whether it is news that this server holds the generation `held` while the database has `generation`.
    pub(super) fn is_new_step_back(&self, proxy: &ProxyId, generation: u64, held: u64) -> bool {
        let mut told = self.steps_back.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(proxy.to_string(), (generation, held)) != Some((generation, held))
    }

    /// Whether it is news that this client comes with an old token.
    pub(super) fn is_new_old_token(&self, client: IpAddr, works: bool, until: i64) -> bool {
        let mut told = self.old_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MOST && told.insert((client, works, until))
    }

    /// Logs the trusted certificates that cannot be read, if they are others than the last time.
    pub(super) fn log_unreadable(&self, names: &[&str]) {
        let mut logged = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if *logged == names {
            return;
        }
        for name in names {
            log::error!("trusted_certificate_unreadable name={}", escape(name));
        }
        *logged = names.iter().map(|&name| name.to_owned()).collect();
    }
}

//! The logger of this process: what the log is set up with, once, and keeps.

use super::init::Init;
use super::router::Router;
use super::watch::Watch;
use super::wiring::Wiring;
use std::sync::{Arc, Mutex, OnceLock};

/// The logger of this process and, from the fork on, of each child.
pub(super) struct Logger {
    pub(super) init: Init,
    pub(super) router: Router,
    pub(super) watch: Mutex<Watch>,
}

/// None before the log is set up.
pub(super) static LOGGER: OnceLock<Logger> = OnceLock::new();

/// The appenders in force; none before the log is set up.
pub(super) fn wiring() -> Option<Arc<Wiring>> {
    LOGGER.get().map(|logger| logger.router.wiring())
}

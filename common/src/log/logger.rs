//! The logger of this process: set up once, and kept.

use super::appender::syslog;
use super::init::Init;
use super::router::Router;
use super::watch::Watch;
use super::wiring::Wiring;
use crate::text::clock;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

/// The logger of this process and, from the fork on, of each child.
pub(super) struct Logger {
    pub(super) init: Init,
    pub(super) router: Router,
    pub(super) watch: Mutex<Watch>,
}

/// None before the log is set up.
pub(super) static LOGGER: OnceLock<Logger> = OnceLock::new();

/// A line that another process asks to write may have a time that differs from ours by this much, seconds.
const TOLERANCE: i64 = 2 * 86_400;

/// Opens the file or socket that takes a line of `length` octets at `seconds` since the epoch in the appender of this
/// name (empty: the local syslog). For a session process, which may open nothing.
///
/// # Errors
/// There is no such appender, the time is more than two days off, or it cannot be opened.
pub fn open_for_another(appender: &str, seconds: i64, length: u64) -> io::Result<OwnedFd> {
    if appender.is_empty() {
        return syslog::connected(Path::new(syslog::SOCKET));
    }
    let now = i64::try_from(clock::now_millis() / 1000).unwrap_or(i64::MAX);
    if now.abs_diff(seconds) > TOLERANCE.unsigned_abs() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let wiring = wiring().ok_or(io::ErrorKind::NotFound)?;
    let sink = wiring.all().into_iter().find(|sink| sink.name == appender).ok_or(io::ErrorKind::NotFound)?;
    sink.append.open_for_another(seconds, length)
}

/// The appenders in force; none before the log is set up.
pub(super) fn wiring() -> Option<Arc<Wiring>> {
    LOGGER.get().map(|logger| logger.router.wiring())
}

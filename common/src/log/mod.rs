//! The log of both daemons: macros and events in, lines out, configured by a log4c rc file beside the binary.
//!
//! Every process runs it: a parent sets it up, its children inherit it by fork, and each has its own level from then
//! on. It never ends a session or a process: a line that cannot be written is counted and reported.
//!
//! Reading order: `priority`, `macros`, `event`, `events`, `threshold`, `router`, `wiring`, `rc`, `layout`, `appender`;
//! `throttle` on its own.

mod appender;
mod bound;
mod error;
mod event;
pub mod events;
mod init;
mod layout;
mod logger;
mod macros;
#[cfg(test)]
mod man;
mod priority;
mod rc;
mod record;
mod remains;
mod router;
#[cfg(test)]
mod tests;
mod threshold;
mod throttle;
mod watch;
mod wiring;
mod writer;

pub use crate::text::escape::escape;
pub use bound::set_max_bytes;
pub use error::LogError;
pub use event::Event;
pub use init::Init;
pub use priority::Priority;
pub use remains::{LateLines, Remains, log_left_out};
pub use threshold::enabled;
pub use throttle::Throttle;
#[doc(hidden)]
pub use writer::write;

use crate::sys::localtime;
use log4rs::config::{Appender, Config, Root};
use logger::{LOGGER, Logger};
use router::{Router, Threshold};
use std::sync::{Mutex, PoisonError};
use watch::Watch;
use wiring::Wiring;

/// Reads `<name>.logrc` in the daemon's directory and opens what it names; without that file, INFO and graver lines
/// go to `<name>.log.<date>` there. Call it once, before any fork, with one thread.
///
/// Gives what the rc file says to no effect, for the terminal; the log has it too.
///
/// # Errors
/// The rc file cannot be read or is faulty, what it names cannot be opened, or a logger is there already.
pub fn init(settings: Init) -> Result<Vec<String>, LogError> {
    localtime::load_zone();
    let mut watch = Watch::new(&settings);
    let rc = watch.read()?;
    let wiring = Wiring::open(&settings, rc.as_ref())?;
    let name = settings.name;
    let loudest = wiring.loudest(name);
    let router = Router::new(wiring);
    let appender = Appender::builder()
        .filter(Box::new(Threshold(router.clone())))
        .build("router", Box::new(router.clone()));
    let root = Root::builder().appender("router").build(::log::LevelFilter::Trace);
    let config = Config::builder().appender(appender).build(root).map_err(LogError::Library)?;
    log4rs::config::init_config_with_err_handler(config, Box::new(router::report))
        .map_err(LogError::Installed)?;
    // Taken only after log4rs has accepted us as the one logger, so this is the first time.
    let _ = LOGGER.set(Logger { init: settings, router, watch: Mutex::new(watch) });
    writer::set_name(name);
    threshold::set_loudest(loudest);
    let warnings = rc.map(|rc| rc.warnings).unwrap_or_default();
    log_warnings(&warnings);
    Ok(warnings)
}

/// Reads the rc file as [`init()`] does and opens nothing; gives what has no effect.
///
/// # Errors
/// The rc file cannot be read or is faulty, or a directory that it names is not there.
pub fn check(settings: &Init) -> Result<Vec<String>, LogError> {
    let Some(rc) = Watch::new(settings).read()? else { return Ok(Vec::new()) };
    wiring::check(settings, &rc)?;
    Ok(rc.warnings)
}

fn log_warnings(warnings: &[String]) {
    for warning in warnings {
        crate::warn!("{warning}");
    }
}

/// Chooses the level of this process, whatever the rc file says of its categories, until the process ends or another
/// is chosen. Logs nothing itself. Two atomic stores: may be called in a signal handler.
pub fn set_level(priority: Priority) {
    threshold::choose(priority);
}

/// What a process does on a signal from 20 to 24: takes `level` over and logs that at the level itself, so that the
/// line is seen whatever was chosen.
pub fn change_level(level: Priority) {
    set_level(level);
    Event::new(&events::LEVEL).field("level", level.name()).log_at(level);
}

/// The level of this process: the one chosen by `set_level`, else that of the daemon's category.
#[cfg(test)]
fn level() -> Priority {
    threshold::chosen()
        .or_else(|| LOGGER.get().map(|logger| logger.router.wiring().priority(logger.init.name)))
        .unwrap_or(Priority::Info)
}

/// Puts a changed rc file in force for this process, unless it says `<reread>0</reread>`; a faulty one is reported
/// and the old one stays. One system call while nothing has changed: whoever has a loop calls it there. True if another
/// one is in force now: whatever was forked before has the old one.
pub fn reread_if_changed() -> bool {
    let Some(logger) = LOGGER.get() else { return false };
    if !logger.router.wiring().reread {
        return false;
    }
    let mut watch = logger.watch.lock().unwrap_or_else(PoisonError::into_inner);
    if !watch.has_changed() {
        return false;
    }
    let opened = watch.read().and_then(|rc| Ok((Wiring::open(&logger.init, rc.as_ref())?, rc)));
    match opened {
        Ok((wiring, rc)) => {
            let loudest = wiring.loudest(logger.init.name);
            logger.router.replace(wiring);
            threshold::set_loudest(loudest);
            Event::new(&events::LOGRC_TAKEN).field("file", watch.file().as_os_str().as_encoded_bytes()).log();
            log_warnings(&rc.map(|rc| rc.warnings).unwrap_or_default());
            true
        }
        Err(error) => {
            Event::new(&events::LOGRC_REFUSED).field_display("reason", error).log();
            false
        }
    }
}

//! The log of both daemons: macros and events write lines, a log4c rc file beside the binary configures them.
//!
//! Every process runs it: a parent sets it up, its children inherit it by fork, and each has its own level from then
//! on. It never ends a session or a process: a line that cannot be written is counted and reported.
//!
//! Reading order: `priority`, `macros`, `catalogue` (each documented line with its level and keys), `event`,
//! `process_level`, `router`, `wiring`, `rc`, `layout`, `appender`; `partner_debug`, `throttle` and `last_fault` can be
//! read alone.

mod appender;
mod bound;
pub mod catalogue;
mod error;
mod event;
mod init;
mod last_fault;
mod late_lines;
mod layout;
mod logger;
mod macros;
#[cfg(test)]
mod man;
mod partner_debug;
mod priority;
mod process_level;
mod rc;
mod record;
mod router;
#[cfg(test)]
mod tests;
mod throttle;
mod watch;
mod wiring;
mod writer;

pub use crate::text::escape::escape;
pub use bound::set_max_bytes;
pub use error::LogError;
pub use event::Event;
pub use init::Init;
pub use last_fault::last_fault;
pub use late_lines::{LateLines, Unwritten, log_left_out};
pub use logger::open_for_another;
pub use partner_debug::{DebugTime, debug_until};
pub use priority::Priority;
pub use process_level::{enabled, set_level};
pub use throttle::Throttle;
#[doc(hidden)]
pub use writer::write;

use crate::sys::localtime;
use log4rs::config::{Appender, Config, Root};
use logger::{LOGGER, Logger};
use router::{Router, Threshold};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use watch::Watch;
use wiring::Wiring;

/// Shortest time between two checks of the rc file, in a loop that runs often.
pub const RC_CHECKS: Duration = Duration::from_millis(100);

/// Reads `<name>.logrc` in the daemon's directory and opens what it names; without that file, INFO and graver lines
/// go to `<name>.log.<date>` there. Call it once, before any fork, with one thread.
///
/// Returns settings of the rc file that have no effect, for the terminal; they are logged, too.
///
/// # Errors
/// The rc file cannot be read or is faulty, what it names cannot be opened, or a logger is there already.
pub fn init(settings: Init) -> Result<Vec<String>, LogError> {
    localtime::load_zone();
    layout::host_name();
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
    // log4rs has accepted this process's first logger, so this is the first call.
    let _ = LOGGER.set(Logger { init: settings, router, watch: Mutex::new(watch) });
    writer::set_name(name);
    process_level::set_loudest(loudest);
    let warnings = rc.map(|rc| rc.warnings).unwrap_or_default();
    log_warnings(&warnings);
    Ok(warnings)
}

/// Reads the rc file as [`init()`] does but opens nothing; returns settings that have no effect.
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

/// Handles a signal from 20 to 24: sets the level and logs that at the new level, so that the line is written at every
/// level.
pub fn change_level(level: Priority) {
    set_level(level);
    Event::new(&catalogue::LEVEL).field("level", level.name()).log_at(level);
}

/// The level of this process: the one chosen by `set_level`, otherwise that of the daemon's category.
#[cfg(test)]
fn level() -> Priority {
    process_level::chosen()
        .or_else(|| LOGGER.get().map(|logger| logger.router.wiring().priority(logger.init.name)))
        .unwrap_or(Priority::Info)
}

/// Uses a changed rc file from now on in this process, unless it says `<reread>0</reread>`. A faulty file is reported,
/// and the old configuration stays. Without a change this costs one system call: call it in every loop, in a parent's
/// at most every `RC_CHECKS`. True if another configuration is in force now: processes that were forked before have the
/// old one.
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
            process_level::set_loudest(loudest);
            Event::new(&catalogue::LOGRC_TAKEN)
                .field("file", watch.file().as_os_str().as_encoded_bytes())
                .log();
            log_warnings(&rc.map(|rc| rc.warnings).unwrap_or_default());
            true
        }
        Err(error) => {
            Event::new(&catalogue::LOGRC_REFUSED).field_display("reason", error).log();
            false
        }
    }
}

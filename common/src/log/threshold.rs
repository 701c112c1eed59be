//! The level of this process, as atomics: what a macro asks before it formats anything, and what a signal sets.
//! Each process has its own copy from the fork on; nothing here locks, allocates or logs.

use super::priority::Priority;
use ::log::LevelFilter;
use std::sync::atomic::{AtomicU16, Ordering};

/// No priority passes; above log4c's values.
const OFF: u16 = u16::MAX;

/// What a signal chose, [`OFF`] as long as none did: then the categories' own levels hold.
static CHOSEN: AtomicU16 = AtomicU16::new(OFF);

/// The most talkative category of the rc file, [`OFF`] before logging is set up.
static LOUDEST: AtomicU16 = AtomicU16::new(OFF);

/// Chooses the level of all categories of this process. Two atomic stores: may be called in a signal handler.
pub(super) fn choose(priority: Priority) {
    CHOSEN.store(priority.value(), Ordering::Relaxed);
    ::log::set_max_level(filter_of(priority));
}

/// The level a signal chose.
pub(super) fn chosen() -> Option<Priority> {
    Priority::from_value(u64::from(CHOSEN.load(Ordering::Relaxed)))
}

/// Takes over the loudest level of the rc file; a level that a signal chose stays in force.
pub(super) fn set_loudest(priority: Priority) {
    LOUDEST.store(priority.value(), Ordering::Relaxed);
    ::log::set_max_level(filter_of(chosen().unwrap_or(priority)));
}

/// Whether a line of `priority` may be written: two loads and a comparison; the category decides in the end. Ask before
/// you build a costly event.
pub fn enabled(priority: Priority) -> bool {
    let limit = match (LOUDEST.load(Ordering::Relaxed), CHOSEN.load(Ordering::Relaxed)) {
        (OFF, _) => return false,
        (loudest, OFF) => loudest,
        (_, chosen) => chosen,
    };
    priority.value() <= limit
}

fn filter_of(priority: Priority) -> LevelFilter {
    priority.log_level().to_level_filter()
}

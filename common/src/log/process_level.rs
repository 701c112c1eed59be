//! The level of this process, in atomic variables: macros read it before they format anything, a signal sets it, and an
//! administrator raises it for a time. Each process has its own copy from its fork on. Nothing here locks, allocates or
//! logs.

use super::priority::Priority;
use std::sync::atomic::{AtomicU16, Ordering};

/// No priority is written; the value is above log4c's values.
const OFF: u16 = u16::MAX;

/// The level that a signal chose. [`OFF`] if no signal did: then the levels of the categories count.
static CHOSEN: AtomicU16 = AtomicU16::new(OFF);

/// The lowest level of all categories of the rc file, [`OFF`] before logging is set up.
static LOUDEST: AtomicU16 = AtomicU16::new(OFF);

/// The level that is raised for a time and overrides the others; otherwise FATAL, which is always written.
static RAISED: AtomicU16 = AtomicU16::new(Priority::Fatal as u16);

/// Chooses the level for all categories of this process. It also ends a raised level, because a signal to one process
/// is meant for exactly that process. A few atomic stores: may be called in a signal handler.
pub(super) fn choose(priority: Priority) {
    CHOSEN.store(priority.value(), Ordering::Relaxed);
    lower();
}

/// The level that a signal chose.
pub(super) fn chosen() -> Option<Priority> {
    of(&CHOSEN)
}

/// Sets the lowest level of the rc file. A level that a signal chose stays in force.
pub(super) fn set_loudest(priority: Priority) {
    LOUDEST.store(priority.value(), Ordering::Relaxed);
    tell_library();
}

/// Until `lower`, lines of `priority` are written, too. It takes nothing away: a process with a more detailed level
/// keeps that level.
pub(super) fn raise(priority: Priority) {
    RAISED.store(priority.value(), Ordering::Relaxed);
    tell_library();
}

/// Ends `raise`: the earlier level is in force again.
pub(super) fn lower() {
    RAISED.store(Priority::Fatal.value(), Ordering::Relaxed);
    tell_library();
}

/// Whether a level is raised.
pub(super) fn is_raised() -> bool {
    RAISED.load(Ordering::Relaxed) > Priority::Fatal.value()
}

/// The level that is in force for a category with this level.
pub(super) fn limit(category: Priority) -> Priority {
    let limit = chosen().unwrap_or(category);
    of(&RAISED).map_or(limit, |raised| limit.max(raised))
}

/// Whether a line of `priority` may be written: three loads and two comparisons; in the end the category decides. Call
/// it before you build an expensive event.
pub fn enabled(priority: Priority) -> bool {
    let limit = match (LOUDEST.load(Ordering::Relaxed), CHOSEN.load(Ordering::Relaxed)) {
        (OFF, _) => return false,
        (loudest, OFF) => loudest,
        (_, chosen) => chosen,
    };
    priority.value() <= limit.max(RAISED.load(Ordering::Relaxed))
}

fn of(level: &AtomicU16) -> Option<Priority> {
    Priority::from_value(u64::from(level.load(Ordering::Relaxed)))
}

/// Tells `log` the lowest level, so that it drops all lines below that itself.
fn tell_library() {
    if let Some(limit) = of(&LOUDEST).or_else(chosen) {
        ::log::set_max_level(self::limit(limit).log_level().to_level_filter());
    }
}

/// Chooses the level of this process for all categories until the process ends or another level is chosen. Logs nothing
/// itself. A few atomic stores: may be called in a signal handler.
pub fn set_level(priority: Priority) {
    choose(priority);
}

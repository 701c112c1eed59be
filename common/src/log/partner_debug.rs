//! DEBUG lines for one partner: for a limited time, a process that serves this partner writes more lines than others.
//!
//! The process measures the time by its own monotonic clock: it receives the time that is left, not the end. So no
//! other process has to stop it, and a wrong wall clock, here or elsewhere, does not make the time longer.

use super::event::Event;
use super::priority::Priority;
use super::{catalogue, process_level};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A raised level: for which partner, and until when.
struct Term {
    partner: String,
    until: Instant,
}

/// The period of this process; it counts only while the level is raised.
static TERM: Mutex<Option<Term>> = Mutex::new(None);

/// Two ends that differ by less than this are the same one: the message takes some time from process to process.
const SAME: Duration = Duration::from_secs(1);

/// For how long, from now on, a session of this partner writes DEBUG.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebugTime {
    /// Its short name.
    pub partner: String,
    /// The time that is left; none: the period is over.
    pub left: Option<Duration>,
}

impl DebugTime {
    /// Applies it to this process, and writes a line if something changes.
    pub fn apply(self, now: Instant) {
        let Self { partner, left } = self;
        let mut term = term();
        let before = term.as_ref().map(|term| term.until).filter(|_| process_level::is_raised());
        let Some(left) = left else {
            if before.is_some() {
                end(&mut term, "an administrator has ended it");
            }
            return;
        };
        let until = now + left;
        let line = Event::new(&catalogue::DEBUG_BEGIN)
            .field("partner", &partner)
            .field_num("seconds", (left.as_millis() + 500) / 1_000);
        *term = Some(Term { partner, until });
        process_level::raise(Priority::Debug);
        if before.is_none_or(|before| before.max(until) - before.min(until) > SAME) {
            line.log();
        }
    }
}

/// Until when this process writes DEBUG, if it does. A call at or after the end stops it and writes a line. A loop
/// calls this before it waits, and wakes up at that time. Without such a partner a call costs one load.
pub fn debug_until(now: Instant) -> Option<Instant> {
    if !process_level::is_raised() {
        return None;
    }
    let mut term = term();
    let until = term.as_ref().map(|term| term.until)?;
    if until > now {
        return Some(until);
    }
    end(&mut term, "its time is over");
    None
}

/// The line is written before the level is lowered: so it is written whatever the rc file says, like the line at the
/// begin.
fn end(term: &mut Option<Term>, reason: &str) {
    if let Some(Term { partner, .. }) = term.take() {
        Event::new(&catalogue::DEBUG_END).field("partner", partner).field("reason", reason).log();
    }
    process_level::lower();
}

fn term() -> MutexGuard<'static, Option<Term>> {
    TERM.lock().unwrap_or_else(PoisonError::into_inner)
}

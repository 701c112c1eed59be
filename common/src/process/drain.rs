//! A daemon that takes no new sessions: why, how many still run, and what is logged about it. The parents close their
//! listeners and refuse; this only decides and writes the lines. Reads no clock.

use super::signals::End;
use crate::log::{Event, catalogue};
use serde::{Deserialize, Serialize};
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::time::{Duration, Instant};

/// The variable with the seconds that a daemon in the foreground gives its sessions after SIGTERM.
const VARIABLE: &str = "OS4X_DRAIN_SECONDS";
/// The most seconds: one day.
const MOST: u64 = 86_400;

/// How long a daemon in the foreground waits for its sessions after SIGTERM; none: it ends at once, and its session
/// processes go on without it. In a container they would be killed with it.
pub type Patience = Option<Duration>;

/// The variable has a value that is no number of seconds.
#[derive(Debug)]
pub struct PatienceError(OsString);

impl fmt::Display for PatienceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.0.to_string_lossy();
        write!(
            f,
            "the environment variable {VARIABLE} is '{}', and takes a number of seconds from 0 to {MOST}: correct it, \
             or unset it",
            crate::log::escape(given.as_ref())
        )
    }
}

impl std::error::Error for PatienceError {}

/// Reads the patience from the environment.
///
/// # Errors
/// The value is no number of seconds.
pub fn patience() -> Result<Patience, PatienceError> {
    let Some(given) = env::var_os(VARIABLE).filter(|given| !given.is_empty()) else { return Ok(None) };
    let seconds = given.to_str().and_then(|text| text.parse::<u64>().ok()).filter(|seconds| *seconds <= MOST);
    match seconds {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds)).filter(|patience| !patience.is_zero())),
        None => Err(PatienceError(given)),
    }
}

/// Why a daemon takes no new sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The configuration says so.
    Ordered,
    /// The other daemon ends once its sessions have.
    PeerEnds,
    /// A signal has told this daemon to end.
    Told,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ordered => {
                "an administrator has ordered it, and 'os4xapi proxy undrain' (or 'proxy set ID enabled yes') takes it \
                 back"
            }
            Self::PeerEnds => "the client was told to end",
            Self::Told => "the daemon was told to end",
        })
    }
}

/// The lines that were written so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Serving,
    /// Since then no new sessions are taken.
    Draining(Instant),
    /// The same, and none runs any more.
    Drained(Instant),
}

/// Whether a daemon takes new sessions.
#[derive(Debug, Default)]
pub struct Drain {
    is_ordered: bool,
    does_peer_end: bool,
    /// The signal that has told this daemon to end, and when it ends at the latest.
    ending: Option<(End, Instant)>,
    stage: Stage,
}

impl Drain {
    /// Why no new sessions are taken; none: they are.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self { ending: Some(_), .. } => Some(Cause::Told),
            Self { does_peer_end: true, .. } => Some(Cause::PeerEnds),
            Self { is_ordered: true, .. } => Some(Cause::Ordered),
            _ => None,
        }
    }

    /// Whether no new sessions are taken.
    pub fn is_on(&self) -> bool {
        self.cause().is_some()
    }

    /// The configuration says whether to drain.
    pub fn order(&mut self, is_ordered: bool) {
        self.is_ordered = is_ordered;
    }

    /// The other daemon ends once its sessions have; or there is another one.
    pub fn follow_peer(&mut self, does_peer_end: bool) {
        self.does_peer_end = does_peer_end;
    }

    /// A signal tells this daemon to end. True: it first waits for its sessions. Only SIGTERM, which container engines
    /// send, and only the first one.
    pub fn wait_before_end(&mut self, end: End, patience: Patience, now: Instant) -> bool {
        match patience {
            Some(patience) if end == End::Term && self.ending.is_none() => {
                self.ending = Some((end, now + patience));
                true
            }
            _ => false,
        }
    }

    /// The signal, once the daemon has waited for its sessions, or long enough.
    pub fn end(&self, sessions: impl FnOnce() -> usize, now: Instant) -> Option<End> {
        let (end, until) = self.ending?;
        if now < until {
            return Some(end).filter(|_| sessions() == 0);
        }
        let left = sessions();
        if left > 0 {
            crate::warn!("{VARIABLE} is over, and {left} sessions still run");
        }
        Some(end)
    }

    /// When `end` is due although no session ends.
    pub fn due(&self) -> Option<Instant> {
        self.ending.map(|(_, until)| until)
    }

    /// Writes the line that is due, if one is. True: the daemon has begun to drain, or has ceased to.
    pub fn log_news(&mut self, sessions: impl FnOnce() -> usize, now: Instant) -> bool {
        let seconds = |since: Instant| now.saturating_duration_since(since).as_secs();
        match (self.stage, self.cause()) {
            (Stage::Serving, Some(cause)) => {
                let begin = Event::new(&catalogue::DRAIN_BEGIN).field_display("reason", cause);
                begin.field_display("sessions", sessions()).log();
                self.stage = Stage::Draining(now);
                true
            }
            (Stage::Draining(since), Some(_)) => {
                if sessions() == 0 {
                    Event::new(&catalogue::DRAINED).field_num("seconds", seconds(since)).log();
                    self.stage = Stage::Drained(since);
                }
                false
            }
            (Stage::Draining(since) | Stage::Drained(since), None) => {
                Event::new(&catalogue::DRAIN_END).field_num("seconds", seconds(since)).log();
                self.stage = Stage::Serving;
                true
            }
            (Stage::Serving, None) | (Stage::Drained(_), Some(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Drain, End, Stage};
    use std::time::{Duration, Instant};

    #[test]
    fn a_drain_begins_is_empty_and_is_over_once_each() {
        let (now, mut drain) = (Instant::now(), Drain::default());
        assert!(!drain.log_news(|| 2, now) && !drain.is_on());
        drain.order(true);
        assert!(drain.log_news(|| 2, now) && drain.is_on());
        assert!(!drain.log_news(|| 1, now) && drain.stage == Stage::Draining(now));
        assert!(!drain.log_news(|| 0, now) && drain.stage == Stage::Drained(now));
        // The client ends as well: it is the same drain.
        drain.follow_peer(true);
        drain.order(false);
        assert!(!drain.log_news(|| 0, now) && drain.is_on());
        drain.follow_peer(false);
        assert!(drain.log_news(|| 0, now) && !drain.is_on());
        assert!(!drain.log_news(|| 0, now));
    }

    #[test]
    fn the_first_sigterm_waits_for_the_sessions_if_that_is_wanted() {
        let (now, patience) = (Instant::now(), Some(Duration::from_mins(1)));
        let mut drain = Drain::default();
        assert!(!drain.wait_before_end(End::Term, None, now));
        assert!(!drain.wait_before_end(End::Int, patience, now), "Ctrl-C ends at once");
        assert!(!drain.is_on() && drain.due().is_none() && drain.end(|| 0, now).is_none());
        assert!(drain.wait_before_end(End::Term, patience, now) && drain.is_on());
        assert_eq!(drain.end(|| 1, now), None);
        assert_eq!(drain.end(|| 0, now), Some(End::Term));
        let late = now + Duration::from_mins(1);
        assert_eq!((drain.due(), drain.end(|| 1, late)), (Some(late), Some(End::Term)));
        assert!(!drain.wait_before_end(End::Term, patience, now), "the second one ends at once");
    }
}

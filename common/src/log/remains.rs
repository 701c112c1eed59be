//! Lines that the log could not take: on a full disk, with a file size limit. A process that ends leaves its count of
//! them, and its end line, to its parent, which writes both when that works again.

use super::event::Event;
use super::events;
use super::logger::wiring;
use super::priority::Priority;
use super::record;
use super::router::append_late;
use super::wiring::Sink;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lines that wait; beyond that they are counted as lost.
const MOST: usize = 10_000;
/// How often they are tried.
const EVERY: Duration = Duration::from_secs(5);

/// A line that is still to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LateLine {
    category: String,
    priority: u16,
    /// When it should have been written, milliseconds since 1970-01-01 UTC.
    millis: u64,
    text: String,
}

/// What a process leaves to its parent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remains {
    /// Its end line, if no appender took it.
    line: Option<LateLine>,
    /// Names of appenders, and how many lines each has lost.
    lost: Vec<(String, u64)>,
    /// The same for lines that were left out because a file has grown too large.
    left_out: Vec<(String, u64)>,
}

impl Remains {
    /// The end line is still to be written.
    pub fn has_line(&self) -> bool {
        self.line.is_some()
    }

    /// Writes the end line of this process, and gives what could not be written.
    pub fn after(end: Event) -> Self {
        let late = LateLine::of(&end);
        end.log();
        let (lost, left_out) = (take(|sink| &sink.lost), take(|sink| &sink.left_out));
        let was_lost = |category: &str| {
            let names: Vec<String> = sinks_of(category);
            lost.iter().any(|(name, _)| names.contains(name))
        };
        match late.filter(|late| was_lost(&late.category)) {
            None => Self { line: None, lost, left_out },
            Some(line) => {
                // It is not lost yet.
                let names = sinks_of(&line.category);
                let lost = lost.into_iter().map(|(name, lines)| {
                    let lines = lines - u64::from(names.contains(&name));
                    (name, lines)
                });
                Self { line: Some(line), lost: lost.filter(|(_, lines)| *lines > 0).collect(), left_out }
            }
        }
    }
}

impl LateLine {
    /// The line of `event`, if it is to be written at all.
    fn of(event: &Event) -> Option<Self> {
        let (priority, category) = (event.level(), super::writer::category(event.place()?)?);
        let text = event.text().to_owned();
        Some(Self { category, priority: priority.value(), millis: crate::text::clock::now_millis(), text })
    }

    /// Writes it to all appenders of its category; false if one of them cannot take it.
    fn write(&self) -> bool {
        let (Some(wiring), Some(priority)) = (wiring(), Priority::from_value(u64::from(self.priority)))
        else {
            return true;
        };
        let text = format_args!("{}", self.text);
        record::with_record(priority, &self.category, self.millis, text, |record| {
            wiring.sinks(&self.category).iter().all(|sink| append_late(sink, record))
        })
    }
}

/// Names of the appenders that take the lines of a category.
fn sinks_of(category: &str) -> Vec<String> {
    let Some(wiring) = wiring() else { return Vec::new() };
    wiring.sinks(category).iter().map(|sink| sink.name.clone()).collect()
}

/// What this process has counted and not told of, by appender.
fn take(count: impl Fn(&Sink) -> &AtomicU64) -> Vec<(String, u64)> {
    let Some(wiring) = wiring() else { return Vec::new() };
    let all =
        wiring.all().into_iter().map(|sink| (sink.name.clone(), count(sink).swap(0, Ordering::Relaxed)));
    all.filter(|(_, lines)| *lines > 0).collect()
}

/// Adds what another process has counted.
fn add(counted: &[(String, u64)], count: impl Fn(&Sink) -> &AtomicU64) {
    let Some(wiring) = wiring() else { return };
    for sink in wiring.all() {
        for (_, lines) in counted.iter().filter(|(name, _)| *name == sink.name) {
            let sum = |before: u64| Some(before.saturating_add(*lines));
            let _ = count(sink).fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
        }
    }
}

/// Writes how many lines were left out since this was last called, if any: those of processes that have ended, too.
pub fn log_left_out() {
    for (appender, lines) in take(|sink| &sink.left_out) {
        Event::new(&events::LOG_BOUNDED).field("appender", appender).field_num("lines", lines).log();
    }
}

/// The remains of other processes, which this one, their parent, keeps.
#[derive(Debug, Default)]
pub struct LateLines {
    waiting: VecDeque<LateLine>,
    tried: Option<Instant>,
}

impl LateLines {
    /// Takes the remains of a process over.
    pub fn take(&mut self, remains: Remains) {
        add(&remains.lost, |sink| &sink.lost);
        add(&remains.left_out, |sink| &sink.left_out);
        if let Some(line) = remains.line.filter(|_| self.waiting.len() < MOST) {
            self.waiting.push_back(line);
        }
    }

    /// When they are to be tried.
    pub fn due(&self) -> Option<Instant> {
        let next = || self.tried.map_or_else(Instant::now, |tried| tried + EVERY);
        (!self.waiting.is_empty()).then(next)
    }

    /// Writes what can be written, if it is time.
    pub fn write(&mut self, now: Instant) {
        let is_due = self.tried.is_none_or(|tried| tried + EVERY <= now);
        if !self.waiting.is_empty() && is_due {
            self.tried = Some(now);
            self.write_all();
        }
    }

    /// Writes what can be written: this process ends, or it is time.
    pub fn write_all(&mut self) {
        while self.waiting.front().is_some_and(LateLine::write) {
            self.waiting.pop_front();
        }
    }
}

//! Lines that the log could not take: on a full disk, with a file size limit. A process that ends leaves its count of
//! them, and its end line, to its parent, which writes both when that works again.

use super::event::Event;
use super::logger::wiring;
use super::priority::Priority;
use super::record;
use super::router::append_late;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
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
}

impl Remains {
    /// Writes the end line of this process, and gives what could not be written.
    pub fn after(end: Event) -> Self {
        let late = LateLine::of(&end);
        end.log();
        let lost = take_lost();
        let was_lost = |category: &str| {
            let names: Vec<String> = sinks_of(category);
            lost.iter().any(|(name, _)| names.contains(name))
        };
        match late.filter(|late| was_lost(&late.category)) {
            None => Self { line: None, lost },
            Some(line) => {
                // It is not lost yet.
                let names = sinks_of(&line.category);
                let lost = lost.into_iter().map(|(name, lines)| {
                    let lines = lines - u64::from(names.contains(&name));
                    (name, lines)
                });
                Self { line: Some(line), lost: lost.filter(|(_, lines)| *lines > 0).collect() }
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

/// The lines that this process has lost and not told of.
fn take_lost() -> Vec<(String, u64)> {
    let Some(wiring) = wiring() else { return Vec::new() };
    let lost = wiring.all().into_iter().map(|sink| (sink.name.clone(), sink.lost.swap(0, Ordering::Relaxed)));
    lost.filter(|(_, lines)| *lines > 0).collect()
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
        if let Some(wiring) = wiring() {
            for sink in wiring.all() {
                let of_it = remains.lost.iter().filter(|(name, _)| *name == sink.name);
                let lines = of_it.map(|(_, lines)| *lines).fold(0, u64::saturating_add);
                let _ = sink.lost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |lost| {
                    Some(lost.saturating_add(lines))
                });
            }
        }
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

//! Lines that could not be written because of a full disk or a file size limit. A process that ends sends its parent
//! the number of its lost lines and its end line. The parent writes both when writing works again.

use super::catalogue;
use super::event::Event;
use super::logger::wiring;
use super::priority::Priority;
use super::record;
use super::router::append_late;
use super::wiring::Sink;
use super::writer;
use crate::text::clock;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Number of lines that wait; further lines are counted as lost.
const MOST: usize = 10_000;
/// Interval of the attempts to write them.
const EVERY: Duration = Duration::from_secs(5);

/// A line that is still to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LateLine {
    category: String,
    priority: Priority,
    /// When it should have been written, milliseconds since 1970-01-01 UTC.
    millis: u64,
    text: String,
    /// Names of the appenders that have not written it yet.
    waiting: Vec<String>,
}

/// What a process that ends leaves to its parent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwritten {
    /// Its end line, if no appender took it.
    line: Option<LateLine>,
    /// Names of appenders, and how many lines each has lost.
    lost: Vec<(String, u64)>,
    /// The same for lines that were left out because the file of the day is too large.
    left_out: Vec<(String, u64)>,
}

impl Unwritten {
    /// Whether the end line is still to be written.
    pub fn has_line(&self) -> bool {
        self.line.is_some()
    }

    /// Writes the end line of this process, and returns what could not be written.
    pub fn after(end: Event) -> Self {
        let late = LateLine::of(&end);
        end.log();
        let (mut lost, left_out) = (take(|sink| &sink.lost), take(|sink| &sink.left_out));
        let line = late.and_then(|late| late.left_by(&mut lost));
        Self { line, lost, left_out }
    }
}

impl LateLine {
    /// The line of `event`, if its level is written at all.
    fn of(event: &Event) -> Option<Self> {
        let (priority, category) = (event.level(), writer::category(event.place()?)?);
        let (millis, text) = (clock::now_millis(), event.text().to_owned());
        let wiring = wiring()?;
        let waiting = wiring.sinks(&category).iter().map(|sink| sink.name.clone()).collect();
        Some(Self { category, priority, millis, text, waiting })
    }

    /// The line that waits for the appenders that have `lost` it. It is not lost yet, so their counts are reduced by
    /// one. None if all appenders have written it.
    fn left_by(mut self, lost: &mut Vec<(String, u64)>) -> Option<Self> {
        self.waiting.retain(|name| lost.iter().any(|(loser, _)| loser == name));
        for (_, lines) in lost.iter_mut().filter(|(name, _)| self.waiting.contains(name)) {
            *lines -= 1;
        }
        lost.retain(|(_, lines)| *lines > 0);
        Some(self).filter(|late| !late.waiting.is_empty())
    }

    /// Writes the line to the appenders that have not written it yet; true if none is left.
    fn write(&mut self) -> bool {
        let Some(wiring) = wiring() else { return true };
        let Self { category, priority, millis, text, waiting } = self;
        record::with_record(*priority, category, *millis, format_args!("{text}"), |record| {
            let sinks = wiring.sinks(category);
            // An appender that is gone from a changed rc file needs no line any more.
            let named = |name: &String| sinks.iter().find(|sink| sink.name == *name);
            waiting.retain(|name| named(name).is_some_and(|sink| !append_late(sink, record)));
        });
        self.waiting.is_empty()
    }
}

/// Takes the counts of this process that were not reported yet, by appender.
fn take(count: impl Fn(&Sink) -> &AtomicU64) -> Vec<(String, u64)> {
    let Some(wiring) = wiring() else { return Vec::new() };
    let all =
        wiring.all().into_iter().map(|sink| (sink.name.clone(), count(sink).swap(0, Ordering::Relaxed)));
    all.filter(|(_, lines)| *lines > 0).collect()
}

/// Adds the counts of another process.
fn add(counted: &[(String, u64)], count: impl Fn(&Sink) -> &AtomicU64) {
    let Some(wiring) = wiring() else { return };
    for sink in wiring.all() {
        for (_, lines) in counted.iter().filter(|(name, _)| *name == sink.name) {
            let sum = |before: u64| Some(before.saturating_add(*lines));
            let _ = count(sink).fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
        }
    }
}

/// Writes how many lines were left out since the last call, if any. This includes lines of processes that have ended.
pub fn log_left_out() {
    for (appender, lines) in take(|sink| &sink.left_out) {
        Event::new(&catalogue::LOG_BOUNDED).field("appender", appender).field_num("lines", lines).log();
    }
}

/// The unwritten lines of processes that have ended, kept by their parent.
#[derive(Debug, Default)]
pub struct LateLines {
    waiting: Vec<LateLine>,
    tried: Option<Instant>,
}

impl LateLines {
    /// Takes over the unwritten lines of a process.
    pub fn take(&mut self, remains: Unwritten) {
        add(&remains.lost, |sink| &sink.lost);
        add(&remains.left_out, |sink| &sink.left_out);
        if let Some(line) = remains.line.filter(|_| self.waiting.len() < MOST) {
            self.waiting.push(line);
        }
    }

    /// When the next attempt is due; none: no line waits.
    pub fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.next().unwrap_or_else(Instant::now))
    }

    /// When the next attempt may be made; none: now.
    fn next(&self) -> Option<Instant> {
        self.tried.map(|tried| tried + EVERY)
    }

    /// Writes the lines that can be written, if an attempt is due.
    pub fn write(&mut self, now: Instant) {
        if !self.waiting.is_empty() && self.next().is_none_or(|at| at <= now) {
            self.tried = Some(now);
            self.write_all();
        }
    }

    /// Writes the lines that can be written, because this process ends or an attempt is due.
    pub fn write_all(&mut self) {
        self.waiting.retain_mut(|line| !line.write());
    }
}

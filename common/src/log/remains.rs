//! Lines that the log could not take: on a full disk, with a file size limit. A process that ends leaves its count of
//! them, and its end line, to its parent, which writes both when that works again.

use super::event::Event;
use super::events;
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

/// Lines that wait; beyond that they are counted as lost.
const MOST: usize = 10_000;
/// How often they are tried.
const EVERY: Duration = Duration::from_secs(5);

/// A line that is still to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LateLine {
    category: String,
    priority: Priority,
    /// When it should have been written, milliseconds since 1970-01-01 UTC.
    millis: u64,
    text: String,
    /// Names of the appenders that have not taken it.
    waiting: Vec<String>,
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
        let (mut lost, left_out) = (take(|sink| &sink.lost), take(|sink| &sink.left_out));
        let line = late.and_then(|late| late.left_by(&mut lost));
        Self { line, lost, left_out }
    }
}

impl LateLine {
    /// The line of `event`, if it is to be written at all.
    fn of(event: &Event) -> Option<Self> {
        let (priority, category) = (event.level(), writer::category(event.place()?)?);
        let (millis, text) = (clock::now_millis(), event.text().to_owned());
        let wiring = wiring()?;
        let waiting = wiring.sinks(&category).iter().map(|sink| sink.name.clone()).collect();
        Some(Self { category, priority, millis, text, waiting })
    }

    /// What is left of it for those that have `lost` it; it is not lost yet, so their counts fall. None if all have
    /// taken it.
    fn left_by(mut self, lost: &mut Vec<(String, u64)>) -> Option<Self> {
        self.waiting.retain(|name| lost.iter().any(|(loser, _)| loser == name));
        for (_, lines) in lost.iter_mut().filter(|(name, _)| self.waiting.contains(name)) {
            *lines -= 1;
        }
        lost.retain(|(_, lines)| *lines > 0);
        Some(self).filter(|late| !late.waiting.is_empty())
    }

    /// Writes it to those that have not taken it; whether nobody is left.
    fn write(&mut self) -> bool {
        let Some(wiring) = wiring() else { return true };
        let Self { category, priority, millis, text, waiting } = self;
        record::with_record(*priority, category, *millis, format_args!("{text}"), |record| {
            let sinks = wiring.sinks(category);
            // One that a changed rc file has taken away takes nothing any more.
            let named = |name: &String| sinks.iter().find(|sink| sink.name == *name);
            waiting.retain(|name| named(name).is_some_and(|sink| !append_late(sink, record)));
        });
        self.waiting.is_empty()
    }
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
    waiting: Vec<LateLine>,
    tried: Option<Instant>,
}

impl LateLines {
    /// Takes the remains of a process over.
    pub fn take(&mut self, remains: Remains) {
        add(&remains.lost, |sink| &sink.lost);
        add(&remains.left_out, |sink| &sink.left_out);
        if let Some(line) = remains.line.filter(|_| self.waiting.len() < MOST) {
            self.waiting.push(line);
        }
    }

    /// When they are to be tried.
    pub fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.next().unwrap_or_else(Instant::now))
    }

    /// None: they may be tried now.
    fn next(&self) -> Option<Instant> {
        self.tried.map(|tried| tried + EVERY)
    }

    /// Writes what can be written, if it is time.
    pub fn write(&mut self, now: Instant) {
        if !self.waiting.is_empty() && self.next().is_none_or(|at| at <= now) {
            self.tried = Some(now);
            self.write_all();
        }
    }

    /// Writes what can be written: this process ends, or it is time.
    pub fn write_all(&mut self) {
        self.waiting.retain_mut(|line| !line.write());
    }
}
